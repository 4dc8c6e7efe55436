"""What is selected in a space: its counts, what can be done with it, and the images themselves."""

from __future__ import annotations

import html
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pandas as pd
import streamlit as st

from app import session
from app.services.results import attention_scores, space_data
from app.services.results.space_data import SpaceData
from app.space.colours import ShownSpace
from app.ui import export, next_step, pick, pictures, reruns, selection
from app.ui.messages import errors_shown, verbatim
from app.ui.pictures import SMALL_MOST_PX, SMALL_PX, Markup, Tile
from slim_core.annotation.candidates import spread_order
from slim_core.data.groups import Grouping, in_order
from slim_core.data.image_filter import COLUMNS, ImageFilter
from slim_core.errors import ForbiddenError
from slim_core.formatting import counted, percent, shortened, to_csv
from slim_core.metrics import AIOU, ATTENTION_PRECISION
from slim_core.store import AnswerIn
from slim_core.store.campaigns.campaigns import CampaignClosedError
from slim_core.store.campaigns.consensus import NAMED, WORDS
from slim_core.store.database import new_id
from slim_core.store.results import SpaceResult

if TYPE_CHECKING:
    from slim_core.store import Campaign


COUNTS_WIDTH = 440  # pixels


def show_selection(data: SpaceData, selected: np.ndarray, campaign: Campaign | None) -> int | None:
    """Counts and images of the selected positions; counts of all images where nothing is selected.

    Returns the row whose image was opened just now.
    """
    title = counted(len(selected), "selected image") if len(selected) else "All images"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(title, anchor=False, width="stretch")
        _actions(data, selected, campaign)
    said = st.session_state.pop("space-said", None)
    if said:
        st.toast(said, icon=":material/check:")
    beside = st.container(horizontal=True, gap="large")
    with beside.container(width=COUNTS_WIDTH):
        show_counts(ShownSpace(data, campaign.id if campaign else None), selected)
    with beside.container():
        if len(selected):
            return show_strip(data, selected)
        st.caption("Draw a lasso around some points, or click a legend entry. The selected images appear here.")
    return None


def _answer_all(data: SpaceData, selected: np.ndarray, campaign: Campaign | None) -> None:
    why, none = why_not(campaign), not len(selected)
    with st.popover("Answer all", icon=":material/done_all:", disabled=none or bool(why), help=why), errors_shown():
        if campaign is not None and not none:
            show_answering(data, selected, campaign)


def _actions(data: SpaceData, selected: np.ndarray, campaign: Campaign | None) -> None:
    none = not len(selected)
    with st.popover("Filter", icon=":material/filter_alt:", width="content"), errors_shown():
        show_filters(data)
    if session.viewer().may("lead"):
        with st.popover("Ask", icon=":material/campaign:", disabled=none), errors_shown():
            show_asking(data, selected, campaign)
    if session.viewer().may("annotator"):
        _answer_all(data, selected, campaign)
    with st.popover("Tag", icon=":material/label:"), errors_shown():
        show_tags(data, selected)
    with st.popover("Export", icon=":material/download:", disabled=none):
        show_export(data, selected, campaign.id if campaign else None)


WAYS = ("group", "label", "prediction")


def show_counts(shown: ShownSpace, selected: np.ndarray) -> None:
    """The table, by what the person chooses; all images where nothing is selected."""
    by = st.segmented_control("Count by", WAYS, default=WAYS[0], key="space-count", width="content") or WAYS[0]
    data = shown.data
    table = count_by(data, selected, _grouping(shown, by))
    st.html(as_html(table, by, len(selected), len(data)))


def count_by(data: SpaceData, selected: np.ndarray, grouping: Grouping) -> pd.DataFrame:
    """One row a name of ``grouping`` present in the selection (in all images where it is empty).

    Columns: name, n, of_selection and of_all (shares of the selection and of all images, 0..1), of_name (share of
    the images of this name that are selected), accuracy (in the selection).
    """
    chosen = selected if len(selected) else np.arange(len(data))
    names = [*grouping.names, "unknown"]
    index = np.where(grouping.index >= 0, grouping.index, len(names) - 1)
    whole = np.bincount(index, minlength=len(names))
    n = np.bincount(index[chosen], minlength=len(names))
    right = np.bincount(index[chosen], data.correct[chosen], minlength=len(names))
    table = pd.DataFrame({"name": names, "n": n, "whole": whole, "right": right})[n > 0]
    table = table.assign(
        of_selection=table["n"] / len(chosen),
        of_all=table["whole"] / len(data),
        of_name=table["n"] / table["whole"],
        accuracy=table["right"] / table["n"],
    )
    return table[["name", "n", "of_selection", "of_all", "of_name", "accuracy"]].reset_index(drop=True)


def _grouping(shown: ShownSpace, by: str) -> Grouping:
    """Groups are called as in the legend of the plot."""
    if by == "group":
        return shown.data.groups
    data = shown.data
    return Grouping(data.labels if by == "label" else data.predictions, data.table.label_names)


def as_html(table: pd.DataFrame, by: str, n_selected: int, n_all: int) -> str:
    """The table with a bar a row: how much of the selection it makes up, and a mark where it lies among all images."""
    head = ["Images", "Share of selection", "of all", "Selected", "Accuracy"]
    if not n_selected:
        head = ["Images", "Share of all", "Accuracy"]
    rows = "".join(_row(record, chosen=n_selected > 0) for record in table.to_dict("records"))
    caption = f"{n_selected:,} selected of {n_all:,} images" if n_selected else f"All {n_all:,} images"
    columns = "".join(f'<th scope="col">{name}</th>' for name in (by.capitalize(), *head))
    chosen = " chosen" if n_selected else ""
    return (
        f'<div class="slim-scroll" tabindex="0"><table class="slim-counts{chosen}"><caption>{caption}</caption>'
        f"<thead><tr>{columns}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row(record: Mapping[Any, Any], *, chosen: bool) -> str:
    mark = f'<u style="left: {record["of_all"]:.1%}" title="share among all images"></u>' if chosen else ""
    bar = f'<span class="bar" aria-hidden="true"><i style="width: {record["of_selection"]:.1%}"></i>{mark}</span>'
    cells = [f"{record['n']:,}", f'{bar}<span class="rate">{percent(record["of_selection"])}</span>']
    if chosen:
        cells += [percent(record["of_all"]), percent(record["of_name"])]
    cells.append(percent(record["accuracy"]))
    name = html.escape(str(record["name"]))
    return f'<tr><th scope="row">{name}</th>' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


SHOWN = 24  # images at once
LETTERS = 24  # of a class, which has two lines below a tile
AS_IN_SPACE = "as in the data set"


def show_strip(data: SpaceData, selected: np.ndarray) -> int | None:
    """One page of the selected images, in the order a person picks; returns the row that was opened just now."""
    part = data.scores.iloc[selected]
    orders = [AS_IN_SPACE, *attention_scores.orders(data.scores)]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        order = st.selectbox("Order", orders, key="space-order", width=220)
        rows = ordered(part, order)
        page = rows.iloc[pick.page_rows(len(rows), SHOWN, "selected", rows["row"].to_numpy())]
    tiles = [tile(data, one) for one in page.to_dict("records")]
    opened = pictures.gallery(
        data.dataset, tiles, key=f"space-strip-{data.run}", wide=SMALL_PX, most=SMALL_MOST_PX, small=True
    )
    st.caption("Label → prediction. Click an image to open it.")
    return opened


def tile(data: SpaceData, record: Mapping[Any, Any], *lines: Markup) -> Tile:
    """An image of ``data.scores`` under its map, with lines of its own above its classes."""
    named = [str(record[column]) for column in ("label_name", "prediction_name")]
    short, whole = (" → ".join(names) for names in ([shortened(name, LETTERS) for name in named], named))
    classes = pictures.quiet(short, whole=None if short == whole else whole)
    view = pictures.under(data.maps)
    return Tile(int(record["row"]), [view], [*lines, classes], name=pictures.called(record))


def ordered(part: pd.DataFrame, order: str) -> pd.DataFrame:
    """Rows of scores in the order of this name; images without that number last."""
    if order == AS_IN_SPACE:
        return part
    column, ascending = attention_scores.ORDERS[order]
    return part.sort_values(column, ascending=ascending, na_position="last", kind="stable")


def show_tags(data: SpaceData, selected: np.ndarray) -> None:
    """A tag by name, old or new, and what to do with it: to put it on and take it off is for annotators.

    The box has the names alone: the browser sends back the words that it shows, and words with a number that has
    changed since, as by the last press, would be a new tag.
    """
    counts, may = session.store().tags.counts(data.dataset), session.viewer().may("annotator")
    tag = st.selectbox(
        "Tag",
        list(counts),
        index=None,
        accept_new_options=may,
        key="space-tag",
        placeholder="Choose a tag, or type a new one" if may else "Choose a tag",
    )
    with st.container(horizontal=True):
        none = not len(selected)
        add = may and reruns.button_once(  # a second press would say that it has tagged none
            f"Tag {counted(len(selected), 'image')}", key="space-tag-add", type="primary", disabled=none or not tag
        )
        off = may and reruns.button_once("Remove tag", key="space-tag-remove", disabled=none or tag not in counts)
        its = f"its {counted(counts[tag], 'image')}" if tag in counts else "its images"
        pick = st.button(f"Select {its}", key="space-tag-select", disabled=tag not in counts)
    if add:
        change(data, selected, str(tag), on=True)
    elif off:
        change(data, selected, str(tag), on=False)
    elif pick:
        at = space_data.positions_of(data, session.store().tags.rows(data.dataset, str(tag)))
        selection.keep(data, at[at >= 0])
        st.rerun()


def change(data: SpaceData, selected: np.ndarray, tag: str, *, on: bool) -> None:
    """Put a tag on the selected images, or take it off (needs annotator).

    Raises:
        ForbiddenError: the viewer is no annotator.
        SpecRefusedError: as ``clean_tag`` of slim_core.store.notes.
    """
    who, tags = session.acting_as("annotator"), session.store().tags
    changed = (tags.add if on else tags.remove)(data.dataset, data.rows[selected], tag, who)
    done = "tagged" if on else "untagged"
    st.session_state["space-said"] = f"{counted(changed, 'image')} {done} “{verbatim(tag)}”."
    st.rerun()


SCORES = {"confidence": "confidence", "loss": "loss", ATTENTION_PRECISION: "attention precision", AIOU: "AIoU"}
TITLES = {"labels": "Label", "predictions": "Prediction", "groups": "Group", "tags": "Tag"}


def show_filters(data: SpaceData) -> None:
    """What is combined, how many images pass, and the filters that have a name; annotators save and remove these."""
    parts = _parts(data)
    passing = selection.passing(data.dataset, parts, data.scores)
    none = parts.is_empty or not len(passing)
    pass_ = "passes" if len(passing) == 1 else "pass"
    st.caption("All images." if parts.is_empty else f"{counted(len(passing), 'image')} {pass_}.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if st.button(f"Select the {len(passing):,}", key="filter-select", type="primary", disabled=none):
            selection.keep(data, passing)
            st.rerun()
        if session.viewer().may("annotator"):
            _save(data, parts)
    _saved(data)


def _save(data: SpaceData, parts: ImageFilter) -> None:
    name = st.text_input("Name", key="filter-name", placeholder="to save it for everyone", width=220)
    if st.button("Save", key="filter-save", disabled=parts.is_empty):
        kept = session.store().filters.save(data.dataset, name or "", parts, session.acting_as("annotator"))
        st.session_state["space-said"] = f"Filter “{verbatim(kept.name)}” saved."
        st.rerun()


def _parts(data: SpaceData) -> ImageFilter:
    """As the widgets say."""
    images, places = data.scores, [place for _ in range(2) for place in st.columns(2)]
    offered = {part: in_order(images[column]) for part, column in COLUMNS.items()}
    offered["tags"] = list(session.store().tags.counts(data.dataset))
    chosen = {
        part: place.multiselect(TITLES[part], names, key=f"filter-{part}", placeholder="all", disabled=not names)
        for (part, names), place in zip(offered.items(), places, strict=True)
    }
    return ImageFilter(**chosen, ranges=_ranges(images))


def _ranges(images: pd.DataFrame) -> dict[str, tuple[float, float]]:
    known = [name for name in SCORES if name in images and images[name].notna().any()]
    named = st.multiselect("Score", known, format_func=SCORES.__getitem__, key="filter-scores", placeholder="any")
    found = {}
    for name in named:
        lowest, highest = 0.0, max(1.0, float(np.nanmax(images[name])))
        low, high = st.slider(SCORES[name], lowest, highest, (lowest, highest), 0.01, key=f"filter-range-{name}")
        found[name] = (low, high)
    return found


def _saved(data: SpaceData) -> None:
    """The filters that have a name, each with its links, and how one is removed."""
    known = {one.id: one for one in session.store().filters.all(data.dataset)}
    if not known:
        return
    chosen = known[st.selectbox("Saved", list(known), format_func=lambda one: known[one].name, key="filter-saved")]
    st.caption(verbatim(f"{chosen.parts.in_words()}. By {chosen.created_by}."))
    link = {"dataset": data.dataset, selection.FILTER: chosen.id}
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        next_step.link("space", "Select", icon="select_all", run=data.run, **link)
        next_step.link("attention", "Attention", icon="visibility", run=data.attention, **link)
        if session.viewer().may("lead"):
            next_step.link("annotate", "Ask", icon="campaign", space=data.run, section="new", **link)
        may = session.viewer().may("annotator")
        if may and st.button("Remove", key=f"filter-remove-{chosen.id}", icon=":material/delete:", type="tertiary"):
            session.store().filters.remove(chosen.id, session.acting_as("annotator"))
            st.session_state["space-said"] = f"Filter “{verbatim(chosen.name)}” removed."
            st.rerun()


def show_export(data: SpaceData, selected: np.ndarray, campaign: str | None) -> None:
    """Two downloads, made when they are asked for."""
    st.caption(f"{counted(len(selected), 'image')}, one per line.")
    name = f"selection-{data.run}"
    export.download_button(
        "All columns (CSV)", lambda: to_csv(table(data, selected, campaign)).encode(), f"{name}.csv", "text/csv",
        icon="table", key="space-export-all",
    )  # fmt: skip
    export.download_button(
        "Paths only", lambda: "".join(f"{data.table.image_path(row)}\n" for row in data.rows[selected]).encode(),
        f"{name}.txt", "text/plain", icon="list", key="space-export-paths",
    )  # fmt: skip


def table(data: SpaceData, selected: np.ndarray, campaign: str | None) -> pd.DataFrame:
    """Everything known of the selected images: path, labels, scores, places in both spaces, answer and tags."""
    rows = data.rows[selected]
    part = data.scores.iloc[selected].reset_index(drop=True)
    part.insert(1, "path", data.table.frame["path"].to_numpy()[rows])
    space = SpaceResult(session.store().artifacts.folder(data.run))
    for name in ("attention", "environment"):
        part[[f"{name}_space_x", f"{name}_space_y"]] = np.asarray(space.points(name)[selected], np.float64)
    part["environment_cluster"] = np.asarray([*data.clusters.names, ""])[data.clusters.index[selected]]
    if campaign is not None:
        part["propagated_score"] = space_data.propagated(data, campaign)[selected]
        answers = pd.Series(space_data.answers(data, campaign)[selected])
        part["answer"] = answers.map(WORDS).fillna("")
    tags = session.store().tags.by_row(data.dataset)
    part["tags"] = ["; ".join(tags.get(int(row), ())) for row in rows]
    return part


def show_asking(data: SpaceData, selected: np.ndarray, campaign: Campaign | None) -> None:
    """A way to the form of a new campaign, which takes the selection from the session, and a button to extend."""
    st.markdown(f"Ask annotators about **{counted(len(selected), 'selected image')}**.")
    if st.button("Open a new campaign", key="space-campaign", type="primary", icon=":material/campaign:"):
        open_campaign(data)
    if campaign is None or campaign.status != "open":
        return
    new = not_asked(data, selected, campaign)
    images = counted(len(new), "image")
    if st.button(f"Add {images} to {verbatim(campaign.name)}", key="space-extend", disabled=not len(new)):
        at = space_data.positions_of(data, new)
        points = SpaceResult(session.store().artifacts.folder(data.run)).points()
        rows = new[spread_order(points[at], data.labels[at], campaign.seed)]
        session.store().campaigns.extend(campaign.id, rows, by=session.acting_as("lead"))
        st.session_state["space-said"] = f"{images} added to {verbatim(campaign.name)}."
        st.rerun()


def open_campaign(data: SpaceData) -> NoReturn:
    """Open the form of a campaign about the selection."""
    st.session_state[f"campaign-choice-{data.run}"] = "selection"  # what the form begins with
    next_step.go_to("annotate", dataset=data.dataset, space=data.run, section="new")


def not_asked(data: SpaceData, selected: np.ndarray, campaign: Campaign) -> np.ndarray:
    """Rows of the selected images that the campaign does not ask about yet."""
    asked = [item.row for item in session.store().campaigns.items(campaign.id)]
    return np.setdiff1d(data.rows[selected], asked)


SOURCE = "space"


def show_answering(data: SpaceData, selected: np.ndarray, campaign: Campaign) -> None:
    """What would be answered, with its number, and the button that does so."""
    items = asked_about(data, selected, campaign)
    text = f"**{len(items):,}** of {len(selected):,} selected images are part of {verbatim(campaign.name)}."
    st.markdown(text if items else f"No selected image is part of {verbatim(campaign.name)}.")
    value = st.segmented_control("Their attention is", list(NAMED), key="space-answer-value", width="content")
    label = f"Answer {counted(len(items), 'image')}: {value}" if value else "Choose an answer"
    if reruns.button_once(label, key="space-answer", type="primary", disabled=not (items and value)):
        given, n_over_quota = answer(campaign.id, items, NAMED[str(value)])
        st.session_state["space-answered"] = (campaign.id, given)
        late = f", {n_over_quota:,} of them over quota (not counted)" if n_over_quota else ""
        st.session_state["space-said"] = f"{counted(len(items), 'image')} answered: {value}{late}."
        st.rerun()
    of_campaign, given = st.session_state.get("space-answered", ("", []))
    if not given or of_campaign != campaign.id:
        return
    if st.button(f"Undo the last {counted(len(given), 'answer')}", key="space-undo"):
        n = take_back(campaign.id, given)
        del st.session_state["space-answered"]
        stays = "" if n == len(given) else " What was answered since stays."
        st.session_state["space-said"] = f"{counted(n, 'answer')} undone.{stays}"
        st.rerun()


def why_not(campaign: Campaign | None) -> str | None:
    """Why this viewer cannot answer the campaign, in a sentence; None where they can."""
    if campaign is None or campaign.status != "open":
        return "Requires an open campaign of this space."
    try:
        campaign.require_open(datetime.now(UTC))
        campaign.require_annotator(session.acting_as("annotator"))
    except (CampaignClosedError, ForbiddenError) as error:
        return verbatim(str(error))
    return None


def asked_about(data: SpaceData, selected: np.ndarray, campaign: Campaign) -> list[int]:
    """Ids of the campaign's items whose image is selected."""
    items = session.store().campaigns.items(campaign.id)
    inside = np.isin([item.row for item in items], data.rows[selected])
    return [item.id for item, chosen in zip(items, inside, strict=True) if chosen]


def answer(campaign: str, items: list[int], value: int) -> tuple[list[str], int]:
    """Give every item this answer in the viewer's name (needs annotator).

    Returns the ids of those that count; and how many are kept and not counted, since others had answered as often as
    the campaign asks.

    Raises:
        ForbiddenError: the viewer may not answer, or the campaign names its annotators and they are none of them.
        AnswersRefusedError: the campaign is closed.
    """
    who = session.acting_as("annotator")
    given = [AnswerIn(new_id("a"), item, value, seen={"view": "space", "of": len(items)}) for item in items]
    kept = session.store().answers.save(campaign, who, given, source=SOURCE)
    late = set(kept.over_quota)
    return [one for one in kept.ids if one not in late], len(late)


def take_back(campaign: str, given: list[str]) -> int:
    """Take back these answers of the viewer (needs annotator), as far as they count now; returns how many."""
    return session.store().answers.take_back(campaign, session.acting_as("annotator"), given, source=SOURCE)
