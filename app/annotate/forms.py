"""Open a campaign: which images, how many of each class, how they are answered; first its candidates on the space."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from app import session
from app.annotate import charts
from app.services import campaign_actions
from app.services.results import space_data
from app.services.results.space_data import SpaceData
from app.ui import next_step, pick, pictures, reruns, selection, tables
from app.ui import selection as space_kept
from app.ui.messages import errors_shown, verbatim
from slim_core.annotation.candidates import budgets_of, why_more
from slim_core.annotation.plan import (
    CHOICE_RULES,
    GUIDELINE,
    MOST_ANNOTATORS,
    OF_OTHER_IMAGES,
    Candidates,
    ChoiceRule,
    Plan,
    candidates,
    default_name,
    free_name,
)
from slim_core.data.groups import unique_names
from slim_core.errors import SpecRefusedError
from slim_core.formatting import counted, percent, shortened
from slim_core.store.results import SpaceResult

if TYPE_CHECKING:
    from slim_core.store import Run

Fields = dict[str, Any]  # of a Plan
CHOICES: dict[ChoiceRule, str] = {
    "kmeans": "spread over the space (k-means, as in the paper)",
    "selection": "from the images selected on the Space page",
}


def show(space: Run) -> None:
    """The form; it opens the campaign and shows it."""
    if not next_step.offers("lead", "Opening a campaign"):
        return
    data = space_data.load(space.id)
    if selection.follow_filter(data):
        st.session_state[f"campaign-choice-{data.run}"] = "selection"
    images = _images(data)
    asked, n = sum(images["budgets"].values()), len(data)
    st.markdown(f"**{asked:,} of {n:,}** {space.spec['split']} images, **{percent(asked / n)}** of the split")
    if space.spec["split"] in OF_OTHER_IMAGES:
        st.warning(OF_OTHER_IMAGES[space.spec["split"]], icon=":material/warning:")
    if images["choice"] == "kmeans" and (why := why_more(sum(budgets_of(data.labels).values()), n)):
        st.caption(why)
    fields = images | _name_and_measures(data, asked) | _guidance(data.dataset) | _annotators()
    if st.toggle("Preview the candidates on the space", key="campaign-preview"):
        with errors_shown():
            _preview(data, _plan(space, fields))
    if reruns.button_once("Open the campaign", type="primary", icon=":material/campaign:", key="campaign-create"):
        with errors_shown():
            campaign = campaign_actions.open_campaign(_plan(space, fields))
            pick.take("campaign", campaign.id)
            st.rerun()


def _plan(space: Run, fields: Fields) -> Plan:
    """What was filled in; text that people typed is read here, where its errors are shown."""
    examples = {kind: _numbers(text) for kind, text in fields["examples"].items()}
    return Plan(space.id, **fields | {"examples": examples, "members": names(fields["members"])})


def _images(data: SpaceData) -> Fields:
    """Which images: how they are chosen, and how many of each class."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        choice, selection = _choice(data)
        budgets = _budgets(data, choice, selection)
    return {"choice": choice, "selection": selection, "budgets": budgets}


def _name_and_measures(data: SpaceData, asked: int) -> Fields:
    """What the campaign is called, and what tells how good its answers are."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        proposed = free_name(session.store(), data.dataset, default_name(asked / len(data)))
        return {
            "name": st.text_input("Name", placeholder=proposed, key="campaign-name").strip() or proposed,
            "seed": st.number_input(
                "Seed", 0, key="campaign-seed", width=140, help="The same seed chooses the same images."
            ),
            "overlap": _overlap(),
            "n_gold": _gold(data, asked),
        }


def _guidance(dataset: str) -> Fields:
    """What annotators read and see before they answer; the image numbers as typed: those of another data set differ."""
    guideline = st.text_area("Guideline for the annotators", GUIDELINE, key="campaign-guideline", height=72)
    names = dict(enumerate(session.store().datasets.table(dataset).label_names))
    with st.expander("Classes with a guideline of their own"):
        classes = of_classes(names, f"campaign-{dataset}")
    return {"guideline": guideline, "examples": _examples(dataset), **classes}


def of_classes(
    names: Mapping[int, str], key: str, absent: Iterable[int] = (), guidelines: Mapping[int, str] | None = None
) -> Fields:
    """Which classes are the absence of something, and guidelines of single ones."""
    help = "Such as *good* or *healthy*: there is nothing to look at, so wrong counts as neither."
    chosen = st.multiselect(
        "Classes that are the absence of something", list(names), list(absent),
        format_func=lambda label: verbatim(names[label]), key=f"{key}-absent", help=help,
    )  # fmt: skip
    told = {
        label: st.text_input(
            f"Guideline of {verbatim(name)}", (guidelines or {}).get(label, ""), key=f"{key}-guideline-{label}"
        )
        for label, name in names.items()
    }
    return {"absent": tuple(chosen), "guidelines": told}


def _choice(data: SpaceData) -> tuple[ChoiceRule, tuple[int, ...]]:
    """How candidates are chosen, and the selected rows."""
    rows = st.session_state.get(space_kept.rows_key(data.run))
    selection = () if rows is None else tuple(int(row) for row in rows)
    rules = [rule for rule in CHOICE_RULES if rule == "kmeans" or selection]
    key = f"campaign-choice-{data.run}"
    return st.selectbox("Candidates", rules, format_func=CHOICES.__getitem__, key=key, width=380), selection


def _budgets(data: SpaceData, choice: ChoiceRule, selection: tuple[int, ...]) -> dict[int, int]:
    """How many images of each class, as set by the person."""
    inside = np.isin(data.rows, selection) if choice == "selection" else np.ones(len(data), bool)
    sizes = np.bincount(data.labels[inside], minlength=data.table.n_classes)
    proposed = dict(enumerate(sizes.tolist())) if choice == "selection" else budgets_of(data.labels)
    key = f"budget-{data.run}" if choice == "kmeans" else f"budget-{choice}-{len(selection)}-{data.run}"
    return {
        label: st.number_input(
            f"{verbatim(data.table.label_names[label])} ({counted(int(sizes[label]), 'image')})",
            0,
            int(sizes[label]),
            min(budget, int(sizes[label])),
            key=f"{key}-{label}",
            width=170,
        )
        for label, budget in proposed.items()
    }


def _overlap() -> int:
    help = "How many annotators answer each image. Measuring agreement needs two or more."
    return int(
        st.number_input("Annotators per image", 1, MOST_ANNOTATORS, key="campaign-overlap", width=170, help=help)
    )


def _gold(data: SpaceData, asked: int) -> int:
    masked = "attention_precision" in data.scores and data.scores["attention_precision"].notna().any()
    source = "The masks give the correct answers." if masked else "You set the correct answers afterwards."
    help = f"Images with a known correct answer, mixed in with the others to measure annotators. {source}"
    key, most = "campaign-gold", max(asked, 0)
    st.session_state[key] = min(st.session_state.get(key, 0), most)  # of more than there are, Streamlit would make none
    return int(st.number_input("Gold images", 0, most, key=key, width=150, help=help))


def _examples(dataset: str) -> dict[str, str]:
    """Image numbers as typed: examples of right and of wrong attention."""
    help = "Image numbers, as shown on the Attention and Space pages."
    with st.container(horizontal=True):
        return {
            kind: st.text_input(
                f"Examples of {kind} attention", placeholder="12, 48", key=f"campaign-examples-{kind}-{dataset}",
                help=help,
            )
            for kind in ("right", "wrong")
        }  # fmt: skip


def _annotators() -> Fields:
    """Who may answer, as typed, until when, and whether label and prediction are hidden from them."""
    who = "e-mails" if session.signs_in() else "names"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        members = st.text_input(f"Allowed annotators ({who})", placeholder="everyone", key="campaign-members")
        day = st.date_input("Deadline (UTC)", None, key="campaign-deadline", width=180, help="The end of this day.")
        help = "Annotators see neither the label nor the prediction."
        blind = st.toggle("Hide label and prediction", key="campaign-blind", help=help)
    return {"members": members, "deadline": end_of_day(day), "blind": blind}


def end_of_day(day: object) -> datetime | None:
    """The first moment of the next day in UTC; None without a day."""
    return None if day is None else datetime.combine(day, time(), UTC) + timedelta(days=1)  # type: ignore[arg-type]


def names(text: str) -> tuple[str, ...]:
    """Names or e-mails of a list, as they are spelled when somebody gives theirs."""
    return tuple(session.spelled(part) for part in re.split(f"[{session.LIST_SEPARATORS}]", text) if part.strip())


def _numbers(text: str) -> tuple[int, ...]:
    words = [word for word in re.split(r"[\s,;]+", text) if word]
    invalid = [shortened(word, 20) for word in words if not (word.isascii() and word.isdigit() and len(word) <= 18)]
    if invalid:
        raise SpecRefusedError(f"{invalid[0]!r} is not an image number: write numbers, separated by commas.")
    return tuple(dict.fromkeys(int(word) for word in words))


FIRST = 12  # images shown, in the order in which they are asked


def _preview(data: SpaceData, plan: Plan) -> None:
    """Plot and first images.

    Raises:
        SpecRefusedError: the plan asks for what cannot be given.
    """
    found = _candidates(_Key(plan))
    points = SpaceResult(session.store().artifacts.folder(data.run)).points()
    names = np.asarray(data.table.label_names)[found.labels]
    chosen = pd.DataFrame(points[found.positions], columns=["x", "y"])
    classes = pd.Categorical.from_codes(found.labels, pd.Index(unique_names(data.table.label_names)))
    chosen["class"], chosen["place"], chosen["row"] = classes, np.arange(1, len(names) + 1), found.rows
    figure = charts.candidates(pd.DataFrame(points, columns=["x", "y"]), chosen)
    alt = "The candidates on the attention space"
    tables.show_chart(figure, key="campaign-preview-plot", alt=alt)
    st.caption(f"The first {min(FIRST, len(names))} in the order in which they are asked:")
    rows = found.rows[:FIRST].tolist()
    captions = names[:FIRST].tolist()
    pictures.strip(data.dataset, rows, captions, data.maps)


class _Key:
    """A plan as a key of the cache: only what decides about the images, and the answers they are chosen by."""

    def __init__(self, plan: Plan) -> None:
        budgets = tuple(sorted(plan.budgets.items()))
        self.plan, self._key = plan, (plan.space, budgets, plan.choice, plan.selection, plan.seed)

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self._key == other._key


@lru_cache(maxsize=8)
def _candidates(key: _Key) -> Candidates:
    return candidates(session.store(), key.plan)
