"""Which evaluations are compared, and against which: kept in the address, so that a link reproduces the view (?find,
method, split, runs, baseline).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app import session
from app.services.results.comparison import Compared
from app.ui import pick, reruns, run_state
from app.ui.messages import prose, verbatim
from slim_core.errors import NotFoundError
from slim_core.evaluation.comparison import evaluated_again
from slim_core.formatting import counted, is_or_are

if TYPE_CHECKING:
    from app.services.results.comparison import Compared


PARAM = "runs"
FIRST = 8  # evaluations chosen where the address names none


@dataclass(frozen=True, eq=False)
class ListedRuns:
    """``visible``: the rows that pass the filters, in their order, the baseline first; ``chosen``: ids among them.

    ``hidden``: ids that are chosen, too, and do not pass; ``of_split``: those of all rows of the split.
    """

    visible: pd.DataFrame
    chosen: list[str]
    hidden: list[str]
    of_split: list[str]
    baseline: str


def show(compared: Compared) -> ListedRuns | None:
    """One row of filters and the baseline; the chosen runs come from the address. None where no run passes."""
    rows = compared.rows
    with st.container(horizontal=True, vertical_alignment="bottom"):
        find = st.text_input("Find", key="find", bind="query-params", placeholder="part of a name or id", width=140)
        methods = sorted(rows["method"].unique())
        picked = st.multiselect("Method", methods, key="method", bind="query-params", placeholder="all", width=190)
        split = _split(rows)
        baseline = _baseline(rows[rows["split"] == split])
    visible = pinned(filtered(rows, find or "", picked, split), baseline)
    if visible.empty:
        return None
    of_split = rows.index[rows["split"] == split].tolist()
    ticked = _chosen(visible, compared, baseline, of_split)
    ids = visible.index.tolist()
    hidden = [one for one in ticked if one not in ids]
    return ListedRuns(visible, [one for one in ids if one in ticked], hidden, of_split, baseline)


def filtered(rows: pd.DataFrame, find: str, methods: list[str], split: str) -> pd.DataFrame:
    """The rows of a split of the methods named (none = all), that have the text: in their label, id or model, or in a
    name of their lineage."""
    keep = rows["split"] == split
    if methods:
        keep &= rows["method"].isin(methods)
    if find.strip():
        texts = rows["label"] + " " + rows.index.astype(str) + " " + rows["model"] + " " + rows["lineage_names"]
        keep &= texts.str.contains(find.strip(), case=False, regex=False)
    return rows[keep]


def pinned(rows: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """The baseline first, then the others as they come, the newest first; a click on a title of the table sorts it."""
    is_baseline = rows.index == baseline
    return pd.concat([rows[is_baseline], rows[~is_baseline]])


def _split(rows: pd.DataFrame) -> str:
    splits = [split for split in ("test", "val", "train") if (rows["split"] == split).any()]
    if len(splits) == 1:
        return splits[0]
    return st.segmented_control("Split", splits, default=splits[0], required=True, key="split", bind="query-params")


def first_baseline(rows: pd.DataFrame) -> str:
    """The oldest run of no subset that another rests on, which is a reference model, no try before it; else the oldest
    of no subset; else the oldest; of those with the groups of the newest.

    ``rows`` come newest first.
    """
    rows = rows[rows["grouping"] == rows["grouping"].iloc[0]]
    plain = rows[_is_plain(rows)]
    rested_on = set(" ".join(rows["lineage_models"].drop(plain.index)).split())
    references = plain[plain["model"].isin(rested_on)]
    return str(next(one for one in (references, plain, rows) if len(one)).index[-1])


def _is_plain(rows: pd.DataFrame) -> pd.Series:
    """Whether each is of no subset, and of no answers."""
    return rows["answers"].eq(0) & ~rows["method"].str.contains(", ")


def _baseline(rows: pd.DataFrame) -> str:
    labels = {str(one): str(label) for one, label in rows["label"].items()}
    help = "The reference for changes, paired differences, and attention before and after."
    first = first_baseline(rows)
    return pick.choose("Baseline", labels, "baseline", begin=first, missing=pick.warn_missing, help=help, width=195)


def _chosen(visible: pd.DataFrame, compared: Compared, baseline: str, of_split: list[str]) -> list[str]:
    """The runs named in the address, also those that a filter hides; else, and once another data set is chosen, the
    baseline and the newest of those that pass."""
    rows = compared.rows
    linked = reruns.chosen_in_address(PARAM, compared.evaluations[baseline].dataset_id)
    if linked == "all":
        return of_split
    if linked == "none":
        return []
    if linked:
        named = linked.split(",")
        _warn_missing([one for one in named if one not in rows.index])
        return [one for one in named if one in rows.index]
    again = set(visible.index[evaluated_again(visible, baseline)])
    newest = [one for one in rows.index if one in visible.index and one not in again | {baseline}]
    return [baseline, *newest[: FIRST - 1]]


def keep(choice: ListedRuns, chosen: list[str]) -> None:
    """Write into the address what is ticked now: ``chosen`` of the visible rows, and what a filter hides."""
    ticked = [*chosen, *choice.hidden]
    is_all = set(choice.of_split) <= set(ticked)
    reruns.put_in_address(PARAM, "all" if is_all else ",".join(ticked) or "none")


def _warn_missing(ids: list[str]) -> None:
    """Say what became of the runs of a link that are not among the finished evaluations."""
    for one in ids[:3]:
        try:
            run = session.store().runs.fetch(one)
        except NotFoundError as error:
            st.warning(prose(f"{error} It is left out."), icon=":material/link_off:")
            continue
        what = f"is a {run.kind} run, not an evaluation of this data"
        what = f"is {run_state.WORDS[run.status]}" if run.kind == "evaluate" else what
        st.warning(f"Run {verbatim(one)} {what}. It is left out.", icon=":material/link_off:")
    if more := len(ids[3:]):
        text = f"{counted(more, 'more run')} of the link {is_or_are(more)} missing."
        st.warning(text, icon=":material/link_off:")
