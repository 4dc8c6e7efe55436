"""The attention gallery: what is drawn of each image, one model or two beside each other, and an image opened large."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import session
from app.routes.images import open_maps
from app.services import shape_progress
from app.services.results import attention_scores
from app.ui import groups, next_step, pick, pictures, selection, tables
from app.ui.messages import explain, verbatim
from app.ui.pictures import KINDS, Markup, ModelMaps, Tile, View, bold, called, joined, large_views, quiet, verdict
from slim_core.data.groups import in_order
from slim_core.evaluation.charts import results as charts
from slim_core.evaluation.predictions import paired
from slim_core.formatting import counted, percent, shortened
from slim_core.metrics import AIOU, ATTENTION_PRECISION, DEFINITIONS
from slim_core.store.results import LABEL, PREDICTED

if TYPE_CHECKING:
    from slim_core.store import NamedFilter, Run


CLASSES = {LABEL: "label", PREDICTED: "prediction"}
MOST_BUTTONS = 6
BUTTON_LETTERS = 18  # of a class: six buttons fit beside each other on a page of 1,024 pixels
WIDE_PX, EACH_PX = {1: 135, 2: 210, 3: 285, 4: 360, 5: 420}, 90  # of a tile, by its pictures; of each of more
USUAL = ("image", "overlay", "heat")
NAMES = ("before", "after")
COMPARE = "A second run on the same images: before and after."


def show_maps(run: Run, others: Sequence[Run]) -> None:
    """The gallery of a run's images; ``others``: finished runs whose attention may be put beside it."""
    with st.container(horizontal=True, vertical_alignment="top"):  # the labels in a line: buttons are lower than lists
        kinds = _kinds(run)
        map_of = _map_of(run)
        other = pick.other_run(
            "Compare with", [one for one in others if one.id != run.id], "compare", "no other model", help=COMPARE
        )
    models = [ModelMaps(run.id, map_of, NAMES[0])]
    scores = attention_scores.frame(run.id)
    if other is not None:
        models.append(ModelMaps(other.id, _same_or_kept(other.id, map_of), NAMES[1]))
        scores = paired(scores, attention_scores.frame(other.id))
    rows, named = show_filter(run.dataset_id, scores)
    if scores.empty:
        st.info("The two runs have no image in common. Choose a run of the same split.")
    elif rows.empty:
        st.info("No image matches this filter. Choose another group, split or prediction.")
    clicked = None
    if len(rows):
        clicked = _gallery(run.dataset_id, models, kinds, page(rows))
        if named is not None:
            ask(run, named)
    pictures.open_large(run.dataset_id, models, scores, clicked, below=of(run))


def _gallery(dataset: str, models: Sequence[ModelMaps], kinds: Sequence[str], page: pd.DataFrame) -> int | None:
    """A tile for each row of the page; the row that was clicked just now."""
    shown = large_views(models, kinds)
    made = [tile(record, shown, len(models)) for record in page.to_dict("records")]
    wide = WIDE_PX.get(len(shown), EACH_PX * len(shown))
    return pictures.gallery(dataset, made, key="attention-gallery", wide=wide)


def show_missing_maps(dataset: str, passes: Sequence[Run]) -> None:
    """Say which finished passes have lost their maps, where there are some and no other is left to show."""
    done = session.store().runs.all(kind="gradcam", status="done", dataset=dataset, metrics=False)
    if done and not any(one.kind == "gradcam" for one in passes):
        names = ", ".join(verbatim(one.name or one.id) for one in done)
        st.error(
            f"The attention maps of {names} are missing from the artifacts: "
            f"{next_step.can('lead', 'compute them again below.')}",
            icon=":material/error:",
        )


def _kinds(run: Run) -> list[str]:
    store = session.store()
    table = store.shapes.on(run.dataset_id, store.datasets.table(run.dataset_id))
    offered = [kind for kind in KINDS if kind != "mask" or table.has_mask.any()]
    chosen = st.pills(
        "Shown",
        offered,
        selection_mode="multi",
        default=USUAL,
        format_func=KINDS.__getitem__,
        key="attention-shown",
        bind="query-params",
        help=explain("attention map") + " The contour encloses the area with at least half the peak value.",
    )
    return [kind for kind in offered if kind in chosen] or ["overlay"]


def _map_of(run: Run) -> str:
    """The class whose map is drawn, among those the run kept."""
    kept = open_maps(run.id).classes
    names = session.store().datasets.table(run.dataset_id).label_names
    absent = "" if len(kept) > len(CLASSES) else " For other classes, compute attention maps again."
    is_list = len(kept) > MOST_BUTTONS
    named = {of: CLASSES.get(of) or (names[int(of)] if is_list else _on_button(names[int(of)])) for of in kept}
    asked: dict[str, Any] = {
        "label": "Map of",
        "options": kept,
        "format_func": pick.label_function(named),  # a list reads no Markdown
        "key": f"attention-map-{len(kept)}-{kept[0]}",
        "help": f"{explain('class of the map')}{absent}",
        "bind": "query-params",
    }
    if is_list:
        return str(st.selectbox(**asked))
    return str(st.segmented_control(**asked, default=kept[0], required=True))


def _on_button(name: str) -> str:
    """Long ones are cut, as all stand in one row. ``told_apart`` adds the number of a class to two that are alike."""
    return verbatim(shortened(name, BUTTON_LETTERS))


def _same_or_kept(run_id: str, map_of: str) -> str:
    kept = open_maps(run_id).classes
    return map_of if map_of in kept else kept[0]


PAGE_SIZES = (12, 24, 48)
PAGE = "attention-page"  # parameter of the address
ALL_GROUPS, ALL_SPLITS, ALL_PREDICTIONS = "all groups", "all splits", attention_scores.OUTCOMES[0]
# choice -> (right before, right after); only offered where two models are compared
CHANGES = {"now right": (False, True), "now wrong": (True, False)}


def show_filter(dataset: str, scores: pd.DataFrame) -> tuple[pd.DataFrame, NamedFilter | None]:
    """One row of choices; the rows of ``scores`` that pass them, in the chosen order, and the named filter among them.

    Raises:
        SpecRefusedError: the named filter asks for a score that is not known of these images.
    """
    splits = [split for split in ("train", "val", "test") if (scores["split"] == split).any()]
    outcomes = [*attention_scores.OUTCOMES, *(CHANGES if "correct_after" in scores else ())]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        group = _choice("Group", [ALL_GROUPS, *in_order(scores["group"])], "attention-group")
        split = _choice("Split", [ALL_SPLITS, *splits], "attention-split")
        outcome = _choice("Prediction", outcomes, "attention-outcome")
        named = selection.chosen_filter(dataset)
        order = _choice("Order", attention_scores.orders(scores), "attention-order")
    if named is not None:
        scores = scores.iloc[selection.passing(dataset, named.parts, scores)]
    return ordered(kept(scores, group, split, outcome), order), named


def _choice(label: str, options: list[str], key: str) -> str:
    if st.session_state.get(key) not in (None, *options):  # chosen for another run, which had more to choose from
        del st.session_state[key]
    chosen = st.selectbox(label, options, key=key, bind="query-params", persist_state="session")
    return str(chosen)


def kept(scores: pd.DataFrame, group: str, split: str, outcome: str) -> pd.DataFrame:
    """The rows of a group and split with a correct or incorrect prediction; the choices that say "all" keep all."""
    keep = pd.Series(True, index=scores.index)
    if group != ALL_GROUPS:
        keep &= scores["group"] == group
    if split != ALL_SPLITS:
        keep &= scores["split"] == split
    if outcome in CHANGES:
        before, after = CHANGES[outcome]
        keep &= (scores["correct"] == before) & (scores["correct_after"] == after)
    elif outcome != ALL_PREDICTIONS:
        keep &= scores["correct"] == (outcome == "correct")
    return scores[keep]


def ordered(scores: pd.DataFrame, order: str) -> pd.DataFrame:
    """Sorted; images without the number come last, equal ones by row."""
    column, ascending = attention_scores.ORDERS[order]
    return scores.sort_values([column, "row"], ascending=[ascending, True], na_position="last")


def page(rows: pd.DataFrame) -> pd.DataFrame:
    """A page of the rows, with its number and size chosen below a count."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{counted(len(rows), 'image')}**", width="stretch")
        size = st.segmented_control(
            "Images per page",
            PAGE_SIZES,
            default=PAGE_SIZES[0],
            required=True,
            key="attention-size",
            label_visibility="collapsed",
            bind="query-params",
        )
        return rows.iloc[pick.page_rows(len(rows), size, "attention", rows["row"].to_numpy(), param=PAGE)]


def tile(record: Mapping[Any, Any], shown: Sequence[View], n_models: int) -> Tile:
    """One image of attention_scores.frame; columns ending in _after are the second model's."""
    head = joined(bold(called(record)), quiet(f"image {record['row']}, {record['split']}"))
    lines = [_line(record, "", "before: " if n_models > 1 else "")]
    if n_models > 1:
        lines.append(_line(record, "_after", "after: "))
    return Tile(int(record["row"]), shown, [head, *lines], name=called(record))


def _line(record: Mapping[Any, Any], of: str, whose: str) -> Markup:
    predicted = verdict(record[f"correct{of}"], f"{whose}{record[f'prediction_name{of}']}", record[f"confidence{of}"])
    return Markup(predicted + quiet(_attention(record, of)))


def _attention(record: Mapping[Any, Any], of: str) -> str:
    if record.get(f"no_evidence{of}") is True:
        return " · no attention for this class"
    parts = [("precision", record.get(ATTENTION_PRECISION + of)), ("AIoU", record.get(AIOU + of))]
    return "".join(
        f" · {name} {percent(value, 0)}" for name, value in parts if value is not None and not pd.isna(value)
    )


def show_scores(scores: pd.DataFrame, dataset: str) -> None:
    """Scores per group of one split of ``scores`` (attention_scores.frame), of the images of a data set."""
    splits = [split for split in ("train", "val", "test") if (scores["split"] == split).any()]
    split = st.segmented_control("Split", splits, default=splits[-1], key="scores-split") or splits[-1]
    part = scores[scores["split"] == split]
    per_group = attention_scores.per_group(part)
    n_scored, now = int(per_group["n_scored"].sum()), shape_progress.coverage(dataset, split)
    if n_scored:
        groups.show_scored(_coverage(part, n_scored, split), now.n_scored / now.n, dataset=dataset, split=split)
        alt = f"Attention precision and AIoU per group on {split}"
        tables.show_chart(charts.group_scores(per_group), key="group-scores", alt=alt)
    elif drawn := shape_progress.not_scored_yet(dataset, split):
        st.info(drawn)
        next_step.link("draw", "Score them on the Draw page", icon="draw", dataset=dataset, **{"draw-split": split})
    else:
        st.info("Attention scores need masks or boxes. Draw some, or annotate the attention on the Annotate page.")
        next_step.link("draw", "Draw where the object is", icon="draw", dataset=dataset, **{"draw-split": split})
    show_table(per_group)


def _coverage(part: pd.DataFrame, n_scored: int, split: str) -> str:
    n_empty = int(part["no_evidence"].sum())
    text = f"Over {n_scored:,} of {len(part):,} {split} images: those with a drawing, mask or box and a non-empty map."
    empty = "has an empty map: no evidence for its" if n_empty == 1 else "have an empty map: no evidence for their"
    return text + (f" Of the {len(part):,}, {n_empty:,} {empty} class." if n_empty else "")


def show_table(per_group: pd.DataFrame) -> None:
    """The rows of attention_scores.per_group; rates in percent, with their definitions on hover."""
    shown = per_group.assign(coverage=[f"{k:,} of {n:,}" for k, n in zip(per_group.n_scored, per_group.n, strict=True)])
    for rate in ("accuracy", ATTENTION_PRECISION, AIOU):
        shown[rate] = shown[rate] * 100
    tables.place("scores", shown["name"].astype(str)).dataframe(
        shown[["name", "n", "accuracy", ATTENTION_PRECISION, AIOU, "coverage"]],
        hide_index=True,
        placeholder="–",
        column_config={
            "name": st.column_config.TextColumn("Group"),
            "n": st.column_config.NumberColumn("Images", format="localized"),
            "accuracy": st.column_config.NumberColumn("Accuracy", format="%.1f %%"),
            ATTENTION_PRECISION: st.column_config.NumberColumn(
                "Attention precision", format="%.1f %%", help=DEFINITIONS[ATTENTION_PRECISION]
            ),
            AIOU: st.column_config.NumberColumn("AIoU", format="%.1f %%", help=DEFINITIONS[AIOU]),
            "coverage": st.column_config.TextColumn(
                "Scored", help="Images of the group with a drawing, mask or box, and a non-empty map."
            ),
        },
    )


def of(run: Run) -> Callable[[int], None]:
    """Draws the link for a row of an attention run; nothing where no space of its split is made from that run."""

    def link(row: int) -> None:
        split = session.store().datasets.table(run.dataset_id).splits[row]
        space = next((one for one in _spaces(run) if one.spec["split"] == split), None)
        if space is not None:
            link = {"dataset": run.dataset_id, "run": space.id, "like": str(row)}
            next_step.link("space", "More like this", icon="image_search", **link)

    return link


def ask(run: Run, named: NamedFilter) -> None:
    """For leads: the way to a campaign about the images of a named filter; nothing without a space of the run."""
    spaces = pick.of_train_first(_spaces(run))
    if spaces and session.viewer().may("lead"):
        link = {"dataset": run.dataset_id, "space": spaces[0].id, "section": "new", selection.FILTER: named.id}
        split = spaces[0].spec["split"]
        next_step.link("annotate", f"Ask annotators about {verbatim(named.name)} in {split}", icon="campaign", **link)


def _spaces(run: Run) -> list[Run]:
    """Those made from the run, the newest first."""
    found = [one for one in session.store().runs.children(run.id) if one.kind == "space" and one.status == "done"]
    return found[::-1]
