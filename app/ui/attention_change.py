"""The attention of two models on the same images, before and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app.services.results.comparison import Compared, maps_of, predictions_of
from app.ui import pick, pictures, training
from app.ui.messages import verbatim
from app.ui.pictures import Tile, View, bold, quiet, under, verdict
from slim_core.data.groups import in_order
from slim_core.evaluation.predictions import paired
from slim_core.formatting import counted, points
from slim_core.metrics import ATTENTION_PRECISION

if TYPE_CHECKING:
    from slim_core.store import Run

PER_PAGE, SIDE_PX = 12, 108
# name -> (before right, after right); None: whichever
OUTCOMES: dict[str, tuple[bool | None, bool | None]] = {
    "turned right": (False, True),
    "turned wrong": (True, False),
    "wrong in both": (False, False),
    "right in both": (True, True),
    "all": (None, None),
}


def show(compared: Compared, rows: pd.DataFrame, baseline: str) -> None:
    """Baseline against one other run: which, which group, and which images are in the address."""
    st.subheader("The same images, before and after", anchor=False)
    others = [one for one in rows.index if one != baseline]
    if not others:
        st.info("Tick a second run in the table to compare its attention with the baseline.")
        return
    labels = compared.rows["label"].to_dict()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        after = choose_after(others, labels)
        pairs = paired(predictions_of(compared.evaluations[baseline]),
                       predictions_of(compared.evaluations[after]))  # fmt: skip
        groups = ["all groups", *in_order(pairs["group_name"])]
        group = st.selectbox("Group", groups, key="group", bind="query-params", width=170)
        if group != groups[0]:
            pairs = pairs[pairs["group_name"] == group]
        outcome = _outcome(pairs)
    found = select(pairs, outcome)
    maps = [maps_of(compared.evaluations[one], compared.ancestry) for one in (baseline, after)]
    if without := [one for one, run in zip((baseline, after), maps, strict=True) if run is None]:
        _offer_maps([compared.evaluations[one] for one in without], [labels[one] for one in without])
    if found.empty:
        st.caption(f"No image {outcome}." if outcome.startswith("turned") else f"No image is {outcome}.")
        return
    dataset = compared.evaluations[after].dataset_id
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f"{counted(len(found), 'image')}. From left: image, attention of the baseline, attention of the other run.",
            width="stretch",
        )
        page = found.iloc[pick.page_rows(len(found), PER_PAGE, "pairs", found["row"].to_numpy())]
    pictures.linked(dataset, [tile(record, *maps) for record in page.to_dict("records")], side=SIDE_PX)


def choose_after(others: list[str], labels: Mapping[Any, str]) -> str:
    """The id of the run set against the baseline (?after)."""
    words = {one: labels[one] for one in others}
    return pick.choose("Against the baseline", words, "after", missing=pick.warn_missing, width=240)


def select(pairs: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """The pairs of an outcome, those first whose attention moved most onto the object, else the surest before."""
    was, now = OUTCOMES[outcome]
    keep = pd.Series(True, index=pairs.index)
    for column, value in (("correct", was), ("correct_after", now)):
        if value is not None:
            keep &= pairs[column] == value
    found = pairs[keep]
    keys = [ATTENTION_PRECISION, f"{ATTENTION_PRECISION}_after"]
    gain = found[keys[1]] - found[keys[0]] if set(keys) <= set(found) else pd.Series(float("nan"), index=found.index)
    return found.assign(gain=gain).sort_values(["gain", "confidence", "row"], ascending=[False, False, True])


def _outcome(pairs: pd.DataFrame) -> str:
    counts = {name: len(select(pairs, name)) for name in OUTCOMES}
    return st.segmented_control(
        "Images", list(OUTCOMES), default="turned right", required=True, key="outcome", bind="query-params",
        help=", ".join(f"{name}: {n:,}" for name, n in counts.items()),
    )  # fmt: skip


def tile(record: Mapping[Any, Any], before: str | None, after: str | None) -> Tile:
    """One image as it is and under both attentions; without maps only the predictions are shown."""
    verdicts = [
        verdict(record[f"correct{end}"], record[f"prediction_name{end}"], record[f"confidence{end}"])
        for end in ("", "_after")
    ]
    views = [View(name=bold(pictures.called(record, "group_name")))]
    for run, end, whose, name in ((before, "", "before", verdicts[0]), (after, "_after", "after", verdicts[1])):
        map_of = pictures.shown_class(record, run, end)
        said = pictures.joined(name, pictures.shown_words(record, map_of, end))
        views.append(under(run, map_of=map_of, whose=whose, name=said))
    gain = record.get("gain")
    moved = "" if gain is None or gain != gain else f" · attention on the object {points(gain, 0)} points"
    return Tile(int(record["row"]), views, [quiet(f"image {record['row']}{moved}")])


def _offer_maps(evaluations: list[Run], labels: list[str]) -> None:
    """``labels``: of the runs, as the table has them: evaluations without a name of their own all have the same."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"There are no attention maps of {' and '.join(map(verbatim, labels))}.", width="stretch")
        training.evaluate_again(evaluations)
