"""Choosing a data set, a run or a campaign: kept in the address (?dataset=..., ?run=...), so that links reproduce the
page, and remembered from page to page; the data set also from visit to visit, by the browser. And of a long list, a
page.

A page number belongs to what is paged: other rows, or another filter, begin at 1.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar
from urllib.parse import unquote

import numpy as np
import streamlit as st

from app import session
from app.ui import reruns
from app.ui.messages import prose, verbatim
from app.ui.reruns import is_in_address, keep_in_address, number_of, read_link
from slim_core.evaluation.comparison import unique_labels
from slim_core.formatting import counted, shortened
from slim_core.store.runs.rows import ACTIVE

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from slim_core.store import Campaign, Dataset, Run


def box_key(name: str, shown: object) -> str:
    """The key of the widget that is drawn next, which shows this; ``name``: of the choice.

    Where it showed something else on this visit, not by its own change, it is another one: what a browser that has not
    heard of that yet reports of the one before (a second press, a poll) is nobody's choice.
    """
    other = f"{name}-other"
    visited, known = st.session_state.get(f"box-{name}", (None, name))
    if visited != reruns.visit_number():
        known = name
    elif st.session_state.get(known, shown) != shown:
        known = other if known == name else name
    st.session_state[f"box-{name}"] = reruns.visit_number(), known
    st.session_state[known] = shown
    return str(known)


def is_shown_box(name: str, key: str) -> bool:
    """Whether a change is of the widget that is on the page now."""
    return bool(st.session_state[f"box-{name}"][1] == key)


class Identified(Protocol):
    """What an address can name."""

    @property
    def id(self) -> str:
        """Stands in the address."""


T = TypeVar("T", bound=Identified)
Width = int | Literal["stretch"]  # pixels, or as much as there is
WIDTH: Width = 440  # two fit side by side on a page of 1280 pixels
COOKIE = "slim-dataset"  # kept by app/ui/static/address.js
_MISSING = "missing-dataset"  # of the session: the one that was last said to be missing
_GONE = "gone"  # of the session: what was last found to be deleted while it was shown
_SEEDED = ("train", "space", "curate")  # kinds whose result depends on the seed
_NAMES_SEED = re.compile(r"\bseed \d+$")
_OF_A_RUN = ("run", "space", "attention", "subset", "model")  # parameters that name a run, and so its data set


def dataset(*, width: Width = WIDTH) -> Dataset | None:
    """A select box of the registered data sets, the newest first; None where there are none.

    The one that is chosen stays so on every page until another is: by this box, or by a link. A link that names only a
    run or a campaign chooses the data set of that. A new visit begins with the last one of this browser.
    """
    known = session.store().datasets.all()
    linked, kept = _dataset_of_link(), unquote(str(st.context.cookies.get(COOKIE, "")))
    _say_missing({one.id for one in known}, kept)
    return _pick("Data set", known, "dataset", lambda one: f"{one.name} ({one.n_images:,} images)", width, linked, kept)


def label_function(words: Mapping[str, str]) -> Callable[[str], str]:
    """The ``format_func`` of a choice among these ids: their words, with the id where two have the same.

    The browser sends the words, not the id: of two that are equal it would be the first, whichever was picked.
    """
    times = Counter(words.values())
    return lambda one: words[one] if times[words[one]] == 1 or not one else f"{words[one]} · {one}"


def forget_dataset(dataset: str) -> None:
    """The data set is removed by this very press: the page goes on with another, and need not say so again."""
    st.session_state.pop("chosen-dataset", None)
    st.session_state[_MISSING] = dataset
    forget_runs()


def _say_missing(known: Container[str], kept: str) -> None:
    """The data set of a link, of this session or of the last visit may be removed by now: that is said, once."""
    linked = read_link("dataset")
    asked = linked or st.session_state.get("chosen-dataset") or kept
    if not asked or asked in known or st.session_state.get(_MISSING) == asked:
        return
    removed = session.store().datasets.removal_of(asked)
    if removed and asked == st.session_state.get("chosen-dataset"):
        _void_presses(asked)
    st.session_state[_MISSING] = asked
    if removed:
        forget_runs()  # they went with it, which is said once
        st.toast(prose(removed), icon=":material/delete:", duration="infinite")
    elif linked:
        warn_missing(linked)


def forget_runs(ids: Container[str] | None = None) -> None:
    """These runs, or all, are deleted by this very press: the page goes on with others, and need not say so again."""
    for param in _OF_A_RUN:
        if ids is None or st.session_state.get(f"chosen-{param}") in ids:
            st.session_state.pop(f"chosen-{param}", None)


def _say_deleted(run: str) -> None:
    """The run that this page has shown was deleted meanwhile, in another tab or by somebody else: that is said, once.

    Nothing is said of one that there still is: another data set or space was chosen.
    """
    if removed := session.store().runs.removal_of(run):
        _void_presses(run)
        toast_missing(prose(removed))


def _void_presses(gone: str) -> None:
    """Draw the page anew, once, for what it has shown is gone: a press that comes now was about that, and would be
    taken for one about what the page goes on with."""
    if st.session_state.get(_GONE) != gone:
        st.session_state[_GONE] = gone
        st.rerun()


def _dataset_of_link() -> str | None:
    """The data set of the run or campaign in an address that names no data set and was not made by this page."""
    if "dataset" in st.query_params:
        return None
    store, named = session.store(), {param: read_link(param) for param in (*_OF_A_RUN, "campaign")}
    runs = [run for param in _OF_A_RUN if (value := named[param]) and (run := store.runs.find(value))]
    campaigns = [one for one in store.campaigns.all() if one.id == named["campaign"]] if named["campaign"] else []
    found: list[Run | Campaign] = [*runs, *campaigns]
    return next((one.dataset_id for one in found), None)


def run(label: str, runs: Sequence[Run], param: str = "run", width: Width = WIDTH) -> Run | None:
    """A select box of runs in the order given; None where there are none."""
    return _pick(label, runs, param, describe, width)


def space_of_campaign(label: str, spaces: Sequence[Run], campaigns: Sequence[Campaign]) -> Run | None:
    """A select box of spaces: a link that names only a campaign chooses its space, and a visit that has chosen none
    begins with that of its campaign. It is one of three in a row: what differs must fit into a third of the page."""
    linked = None if "space" in st.query_params else read_link("campaign")
    space_of = {one.id: one.space_run_id for one in campaigns}
    implied, begin = space_of.get(linked or ""), space_of.get(st.session_state.get("chosen-campaign", ""))
    words = [f"{_named(one, most=24)} · {session.clock(one.created_at)}" for one in spaces]
    labels = dict(zip((one.id for one in spaces), unique_labels(words, [one.id for one in spaces]), strict=True))
    return _pick(label, spaces, "space", lambda one: labels[one.id], WIDTH, implied, begin)


def other_run(label: str, runs: Sequence[Run], param: str, none_label: str, help: str | None = None) -> Run | None:
    """A select box of runs and of none of them (``none_label`` says so), which is what it begins with."""
    by_id = {run.id: run for run in runs}
    words = {run.id: describe(run) for run in runs}
    return by_id.get(choose(label, words, param, none=none_label, missing=warn_missing, help=help, width=360))


def of_train_first(spaces: Sequence[Run]) -> list[Run]:
    """Spaces of the training images before those of other splits, which evaluations without attributes rest on."""
    return sorted(spaces, key=lambda one: one.spec["split"] != "train")


def campaign(label: str, campaigns: Sequence[Campaign], width: Width = WIDTH) -> Campaign | None:
    """A select box of campaigns in the order given, with their ids where names are not enough; None without any."""
    return _pick(label, campaigns, "campaign", lambda one: one.name, width)


def describe(one: Run) -> str:
    """A run in half a line: its name or kind, what it was made with, when, its id."""
    return f"{_named(one)} · {session.clock(one.created_at)} · {one.id}"


def _named(one: Run, most: int | None = None) -> str:
    """Its name or kind, and what it was made with; ``most``: letters of the name, the middle of a longer one is cut."""
    name = one.name or one.kind
    return ", ".join([name if most is None else shortened(name, most), *_made_with(one)])


def _made_with(one: Run) -> Iterator[str]:
    """What runs of one name differ in, such as those of several seeds: the size of a subset, and the seed."""
    if one.kind == "curate":
        yield counted(one.spec["size"], "image")
    if one.kind in _SEEDED and one.spec.get("mode") != "registered" and not _NAMES_SEED.search(one.name or ""):
        yield f"seed {one.spec['seed']}"


def _pick(
    label: str,
    items: Sequence[T],
    param: str,
    describe: Callable[[T], str],
    width: Width,
    implied: str | None = None,
    begin: str | None = None,
) -> T | None:
    """``choose`` among items; None where there are none."""
    if not items:
        _say_none_there(param)
        return None
    by_id = {item.id: item for item in items}
    words = {one: describe(item) for one, item in by_id.items()}
    missing = None if param == "dataset" else warn_missing
    return by_id[choose(label, words, param, implied=implied, begin=begin, missing=missing, width=width)]


def follow(param: str, runs: Sequence[Run]) -> Run | None:
    """The one of these runs that the address names, where it goes before what is chosen in a part of a page.

    As with a select box: that it is not there is said, and another data set may be chosen after it without a word.
    """
    found = next((run for run in runs if run.id == st.query_params.get(param)), None)
    if found is None:
        _say_none_there(param)
    else:
        keep_in_address(param, found.id)
    return found


def _say_none_there(param: str) -> None:
    """A link may name one where there is none to choose from: that is said, once, and the address names none then.

    A run of this data set that is not done stays in the address: the page says what becomes of it, and shows it then.
    """
    if param == "dataset":  # ``dataset`` says so itself
        return
    linked = read_link(param)
    run = session.store().runs.find(linked) if linked else None
    if run is not None and run.dataset_id == st.session_state.get("chosen-dataset") and run.status != "done":
        return
    if linked:
        warn_missing(linked)
    keep_in_address(param, "")


def choose(
    label: str,
    words: Mapping[str, str],
    param: str,
    *,
    none: str | None = None,
    implied: str | None = None,
    begin: str | None = None,
    missing: Callable[[str], None] | None = None,
    **box: Any,
) -> str:
    """A select box of ids that is kept in the address (?param) and follows it; the id that is chosen.

    A link wins when it is followed, in mid-session too; what is picked in the box wins from then on. A choice stays so
    on other pages and on later visits; one that may be none of them is for one visit.

    Args:
        words: id -> what is shown of it.
        none: what is shown for none of them, which is "", and what a visit begins with.
        implied: an id that a link to something else asks for: it goes before what was chosen.
        begin: an id to begin with; else it is the first.
        missing: says that what a link names is not among them.
        box: more of st.selectbox.
    """
    linked = read_link(param)
    if linked is not None and linked not in words and missing is not None:
        missing(linked)
    offered = words if none is None else {"": none, **words}
    # A box forgets what it showed when a page without it is drawn: what is chosen is kept beside it.
    kept = st.session_state.get(f"chosen-{param}") if none is None or is_in_address(param) else None
    if linked is None and kept and kept not in words and param in _OF_A_RUN:
        _say_deleted(kept)
    wanted = (linked, implied, kept, begin)
    first, *_ = offered
    shown = next((one for one in wanted if one is not None and one in offered), first)
    key = box_key(f"pick-{param}", shown)
    chosen = st.selectbox(
        label,
        list(offered),
        format_func=label_function(offered),
        key=key,
        on_change=_take_picked,
        args=(param, key),
        **box,
    )
    st.session_state[f"chosen-{param}"] = chosen
    keep_in_address(param, chosen)
    return str(chosen)


def take(param: str, one: str) -> None:
    """Choose what was made on this very page, as if a person had picked it in the box that is drawn next."""
    st.session_state[f"chosen-{param}"] = one


def _take_picked(param: str, key: str) -> None:
    """What a person has picked in the box that is there now."""
    if is_shown_box(f"pick-{param}", key):
        st.session_state[f"chosen-{param}"] = st.session_state[key]


def warn_missing(linked: str) -> None:
    """A link must not lead to something else silently; one that another data set was chosen after may."""
    run = session.store().runs.find(linked)
    if run is None:
        removed = session.store().runs.removal_of(linked)
        otherwise = f"{linked} from the address was not found. It was deleted, or belongs to another data set or space."
        said = prose(removed or otherwise)
    else:  # opened beside this page, which stays: from where it is, since a proxy may serve all pages below a path
        said = f"{_why_not_here(run)} [Open the run](jobs?run={run.id})"
    toast_missing(said)


def toast_missing(sentence: str) -> None:
    """Say, in sight of any page, that what an address names is not there."""
    st.toast(sentence, icon=":material/search_off:", duration="long")


def _why_not_here(run: Run) -> str:
    """Why a run that there is cannot be chosen on a page."""
    named = f"{verbatim(run.name or run.kind)} ({run.id})"
    if run.dataset_id != st.session_state.get("chosen-dataset"):
        return f"{named} belongs to another data set."
    if run.status == "done":
        return f"{named} cannot be chosen here."
    nothing = "nothing of it to show yet" if run.status in ACTIVE else "nothing of it to show"
    return f"{named} {_NOT_DONE[run.status]}, so there is {nothing}."


_NOT_DONE = {
    "queued": "is waiting in the queue",
    "running": "is still running",
    "stopping": "is being stopped",
    "failed": "failed",
    "canceled": "was stopped",
}


FILTER_PARAM = FILTER_KEY = "data"


def dataset_filter(
    place: DeltaGenerator, names: Mapping[str, str], on_change: Callable[[], None] = lambda: None
) -> str | None:
    """A select box; the id that is chosen. ``names``: by id; ``on_change``: called where a person chooses another."""
    named = label_function(names)  # versions share a name
    linked = reruns.chosen_in_address(FILTER_PARAM)
    shown = linked if linked in names else None
    if linked and shown is None:
        reruns.put_in_address(FILTER_PARAM, "")
        toast_missing(prose(f"The data set {linked} from the address was not found: those of all are listed."))
    st.session_state[FILTER_KEY] = shown
    return place.selectbox(
        "Data set",
        list(names),
        None,
        named,
        key=FILTER_KEY,
        placeholder="Any",
        on_change=_take_filter,
        args=(on_change,),
    )


def _take_filter(on_change: Callable[[], None]) -> None:
    reruns.put_in_address(FILTER_PARAM, st.session_state[FILTER_KEY] or "")
    on_change()


def page_rows(n: int, per_page: int, name: str, of: str | np.ndarray, param: str | None = None) -> slice:
    """Draw the numbers of the pages, where there are several; the places of the rows on the one that is chosen.

    Args:
        n: rows there are.
        per_page: rows of a page.
        name: of the list, which no other one on the site has.
        of: what is paged: a filter in words, or what the rows are, in their order. It may grow and shrink.
        param: of the address, where a link can name a page.
    """
    pages, subject = max(1, -(-n // per_page)), _digest(of)
    key, paged = f"page-{name}-{subject}", f"paged-{name}"
    number = st.session_state.get(key, 1)
    if param and (reruns.read_link(param) or (key not in st.session_state and st.session_state.get(paged) == subject)):
        number = _linked_page(reruns.read_address(param))  # not that of what was paged before
    number = min(number, pages)
    if pages > 1:
        if st.session_state.get(key, number) != number:  # a link was followed, or there are fewer pages
            st.session_state[key] = number
        number = st.pagination(pages, default=number, key=key)
    st.session_state[paged] = subject
    if param:
        reruns.keep_in_address(param, str(number) if number > 1 else "")
    return slice((number - 1) * per_page, number * per_page)


def _linked_page(linked: str) -> int:
    """The page that an address names, or the first."""
    return number_of(linked) or 1


def _digest(of: str | np.ndarray) -> str:
    content = of.encode() if isinstance(of, str) else np.ascontiguousarray(of).tobytes()
    return hashlib.blake2b(content, digest_size=6).hexdigest()
