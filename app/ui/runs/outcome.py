"""How a run ended: its figures in a sentence, and the link to where they are seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.services.loop_state import results_of
from app.services.results import comparison
from app.ui import next_step
from app.ui.escape import prose, verbatim
from app.ui.messages import for_reader
from app.ui.runs import retry
from slim_core.formatting import counted, percent
from slim_core.metrics import AVERAGE, WGA, worst_of
from slim_core.store.runs.history import History
from slim_core.store.runs.states import title_of

if TYPE_CHECKING:
    from slim_core.store import Run


LABELS = {"candidates": "Answer"}  # of the link; of other kinds it is "Result"


@dataclass(frozen=True)
class OutcomeMessage:
    """What is said of runs that are done, and the link to where it is seen."""

    text: str
    page: str = ""  # empty: there is no such page
    label: str = ""
    link: Mapping[str, str] = field(default_factory=dict)

    def show(self, key: str, *, border: bool = True) -> None:
        """One row. ``key``: the run that is the last of them."""
        with st.container(border=border, horizontal=True, vertical_alignment="center", key=f"outcome-{key}"):
            st.markdown(f":green[:material/check_circle:] {self.text}", width="stretch")
            if self.page:
                next_step.link(self.page, self.label, **self.link)


def show(run: Run) -> None:
    """One box. ``run``: one that has ended, with its metrics."""
    if run.status == "done":
        of_run(run).show(run.id)
        return
    named = f"The {title_of(run.kind).lower()} run {run.id}"
    say_end(run, f"{named} was stopped.", before=f"{named} failed: ")
    next_step.link("jobs", f"See the log of {verbatim(run.name or run.id)}", icon="notes", run=run.id)


def say_end(run: Run, otherwise: str, *, before: str = "") -> None:
    """Why a run has no result: that it failed is an error, that somebody stopped it is not.

    ``before``: names the run that failed, where the page does not.
    """
    text = prose(for_reader(run.message or otherwise))
    st.error(f"{before}{text}", icon=":material/error:") if run.status == "failed" else st.info(text)
    retry.watch(run.id)


def of_run(run: Run, *before: str) -> OutcomeMessage:
    """What is said of a finished run; ``before``: sentences that come first."""
    reference = _before(run)
    text = " ".join([*before, _sentence(run, reference)])
    if reference is not None:
        return OutcomeMessage(
            text, "compare", "Compare", {"dataset": run.dataset_id, **comparison.compare_parameters(reference, run)}
        )
    if run.kind not in comparison.RESULT_PAGES:
        return OutcomeMessage(text)
    page, link = comparison.page_of(run)
    return OutcomeMessage(text, page, LABELS.get(run.kind, "Result"), link)


def of_several(evaluations: Sequence[Run]) -> OutcomeMessage:
    """What is said of the finished evaluations of several models, such as the seeds of one training."""
    worst, average = (_spread([(run.metrics or {}).get(key) for run in evaluations]) for key in (WGA, AVERAGE))
    text = f"{counted(len(evaluations), 'model')} evaluated: worst group {worst}, average {average}."
    ids = [run.id for run in evaluations]
    link = {"dataset": evaluations[0].dataset_id, "baseline": ids[0], "runs": ",".join(ids)}
    return OutcomeMessage(text, "compare", "Compare", link)


def of_scores(scored: Sequence[Run]) -> OutcomeMessage:
    """What is said of runs that were scored against what is drawn by now."""
    n_masks = max((run.metrics or {}).get("n_masks") or 0 for run in scored)
    on = f"on up to {counted(n_masks, 'image')} with a drawing, mask or box"
    page, link = comparison.page_of(scored[-1])
    return OutcomeMessage(f"**{counted(len(scored), 'run')}** scored again, {on}.", page, "Result", link)


def _spread(found: Sequence[float | None]) -> str:
    """The mean, and the lowest and the highest; a dash where no image is of a known group."""
    rates = [rate for rate in found if rate is not None]
    if not rates:
        return percent(None)
    extremes = f"lowest {percent(min(rates))}, highest {percent(max(rates))}"
    return f"**{percent(sum(rates) / len(rates))}** on average ({extremes})"


def sentence(run: Run) -> str:
    """The figures of a finished run."""
    return _sentence(run, _before(run))


def _sentence(run: Run, before: Run | None) -> str:
    """``before``: as ``_before`` finds it."""
    metrics = run.metrics or {}
    if run.kind == "curate":
        distinct = (
            f"{metrics['images_unique']:,} distinct" if metrics["images_unique"] < metrics["images"] else "all distinct"
        )
        return f"Subset ready: **{counted(metrics['images'], 'image')}**, {distinct}."
    if run.kind == "candidates":
        return f"**{counted(metrics['images'], 'image')}** selected for annotation."
    if run.kind == "space":
        return f"Attention space ready: **{counted(metrics['images'], 'image')}**."
    if run.kind != "evaluate":
        return f"The {title_of(run.kind).lower()} run {run.id} is done."
    if before is None:
        worst, average, found = percent(metrics[WGA]), percent(metrics[AVERAGE]), worst_of(metrics)
        which = "no image is of a known group" if found is None else verbatim(found["name"])
        return f"Evaluated: worst group **{worst}** ({which}), average {average}."
    was = session.store().runs.fetch(before.id).metrics or {}
    worst, average = (f"{percent(was[key])} → **{percent(metrics[key])}**" for key in (WGA, AVERAGE))
    return f"Retrained and evaluated: worst group {worst}, average {average}."


def _before(run: Run) -> Run | None:
    """The reference's evaluation, of an evaluation of a model retrained on a subset."""
    if run.kind != "evaluate":
        return None
    store = session.store()
    above = History(store.database).some(store.lineage.ancestors([run.id]))
    evaluations = store.runs.all(kind="evaluate", dataset=run.dataset_id, metrics=False)
    results = results_of([*above.values(), *evaluations])
    return next((one.before for one in results if one.id == run.id), None)
