"""One training: its state, its curves while it runs and afterwards, and the accuracy of every group."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import streamlit as st

from app import session
from app.services import queueing
from app.services.results.comparison import compared_on
from app.ui import chart
from app.ui.escape import verbatim
from app.ui.glossary import explain
from app.ui.groups import report
from app.ui.messages import errors_shown
from app.ui.reruns import fragment
from app.ui.runs import evaluate_models, outcome, progress, state
from slim_core.evaluation.charts import groups as charts
from slim_core.evaluation.charts import groups as group_charts
from slim_core.evaluation.comparison import newest_evaluations, refit_of
from slim_core.formatting import duration
from slim_core.store.results import training_history

if TYPE_CHECKING:
    from slim_core.store import Run

STANDS_S = 5  # how long curves stay as they are, however short an epoch is


def show(run: Run) -> None:
    """Curves and groups; polls while the run is under way."""
    if state.is_active(run):
        _poll(run.id, run.status)
    else:
        curves(run)
        _ended(run)


@fragment(run_every=1)
def _poll(run_id: str, known: str) -> None:
    run = session.store().runs.fetch(run_id)
    if run.status != known:
        st.rerun()
    st.progress(progress.fraction(run), text=progress.text(run))
    curves(run)


def curves(run: Run) -> None:
    """Loss and accuracies by epoch; nothing of a refitted last layer, which has none."""
    with errors_shown():  # what comes after the curves, such as the log, needs no history
        _curves(run)


def _curves(run: Run) -> None:
    frame = charts.history_frame(_drawn(run, training_history(session.store().artifacts, run.id)))
    if not charts.has_curves(frame):
        if state.is_active(run) and run.spec["mode"] == "full":
            st.caption("The curves start after the first epoch.")
        return
    epochs, best = run.spec["epochs"], (run.metrics or {}).get("best_epoch")
    figures = {"loss": charts.loss_curve(frame, epochs, best), "accuracy": charts.accuracy_curves(frame, epochs, best)}
    draw = chart.live if state.is_active(run) else chart.show
    for column, (name, figure) in zip(st.columns(2, gap="large"), figures.items(), strict=True):
        with column:
            draw(figure, key=f"{name}-{run.id}", alt=f"{name.capitalize()} of {run.name or run.id} by epoch")


def _drawn(run: Run, history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The epochs that are drawn: of a run under way, those of the last drawing until it has stood for a while.

    A new drawing takes the browser a tenth of a second or two, and an epoch may take less than one.
    """
    key, now = f"drawn-epochs-{run.id}", time.monotonic()
    if not state.is_active(run):
        st.session_state.pop(key, None)
        return history
    epochs, since = st.session_state.get(key, (0, now))
    if not epochs or now - since >= STANDS_S or len(history) < epochs:  # fewer: it was run again from the start
        epochs = len(history)
        st.session_state[key] = epochs, now
    return history[:epochs]


def _ended(run: Run) -> None:
    if run.status != "done":
        outcome.say_end(run, f"The training was {state.WORDS[run.status]}.")
        return
    st.caption(verbatim(" · ".join(_facts(run))))
    state.show_notes(state.notes_of(run))
    state.show_network(run)
    _groups(run)


def _facts(run: Run) -> Iterator[str]:
    metrics = run.metrics or {}
    if run.spec.get("mode") == "registered":
        yield f"weights of {run.spec['checkpoint']}"
        return
    yield f"{metrics['images']:,} images ({metrics['images_unique']:,} distinct)"
    is_refit = run.spec["mode"] == "last-layer"
    how = f"{refit_of(run)}, fitted" if is_refit else "trained"
    yield f"{how} in {duration(metrics['seconds'])}"
    if metrics.get("best_epoch") and not is_refit:
        yield f"best epoch {metrics['best_epoch']} of {metrics['epochs']}"


def _groups(run: Run) -> None:
    """The groups on the split that is picked (?on): validation from the training, the others from evaluations."""
    val = (run.metrics or {}).get("val") or {}
    evaluated = newest_evaluations(session.store(), run.id)
    sets: list[str] = [split for split in ("test", "val", "train") if split in evaluated]
    if val.get("groups") and "val" not in evaluated:
        sets.append("val")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("Groups", anchor=False, help=explain("group", "95 % interval"), width="content")
        picked: str | None
        if len(sets) > 1:
            picked = st.segmented_control("On", sets, default=sets[0], required=True, key="on", bind="query-params",
                                          label_visibility="collapsed")  # fmt: skip
        else:
            picked = sets[0] if sets else None
            st.caption(f"on {picked} images" if picked else "", width="stretch")
    with errors_shown():
        split = compared_on(session.store().datasets.fetch(run.dataset_id))
        if split not in evaluated or not queueing.counts_for_groups(evaluated[split]):
            evaluate_models.show([run], _evaluations(run, split))
        if picked in evaluated:
            report.show(evaluated[picked])
        elif picked is not None:
            _of_training(run, val)


def _of_training(run: Run, val: dict[str, Any]) -> None:
    report.show_numbers(val)
    left, right = st.columns([5, 6], gap="large")
    figure = group_charts.group_bars(group_charts.group_frame(val))
    with left:
        chart.show(figure, key=f"groups-{run.id}", alt="Accuracy of each group")
    with right:
        report.show_table(val, run.dataset_id)
        st.caption("Evaluate the model to see the images of each group.")


def _evaluations(run: Run, split: str) -> list[Run]:
    """On this split, however they ended, the newest first."""
    children = session.store().runs.children(run.id)[::-1]
    return [one for one in children if one.kind == "evaluate" and one.spec["split"] == split]
