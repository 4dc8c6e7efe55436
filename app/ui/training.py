"""Models: one training with its curves and the accuracy of every group; those that are not evaluated yet, with the
button that queues it; and retraining on a curated subset, in one press with the evaluation of what comes out.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import streamlit as st

from app import session
from app.services import actions, queueing
from app.services.results.comparison import compared_on
from app.ui import groups, next_step, pick, progress, reruns, run_state, submit, tables
from app.ui.messages import errors_shown, explain, verbatim
from app.ui.reruns import fragment
from slim_core.evaluation.charts import results as charts
from slim_core.evaluation.comparison import newest_evaluations, refit_of
from slim_core.formatting import counted, duration
from slim_core.parameters import parameters
from slim_core.runs.trainings import usual_fit, usual_way
from slim_core.steps.specs import STEPS
from slim_core.store.results import training_history
from slim_core.store.runs.rows import ACTIVE, UNFINISHED

if TYPE_CHECKING:
    from slim_core.runs.trainings import Retrain
    from slim_core.store import Run

STANDS_S = 5  # how long curves stay as they are, however short an epoch is


def show(run: Run) -> None:
    """Curves and groups; polls while the run is under way."""
    if run_state.is_active(run):
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
        if run_state.is_active(run) and run.spec["mode"] == "full":
            st.caption("The curves start after the first epoch.")
        return
    epochs, best = run.spec["epochs"], (run.metrics or {}).get("best_epoch")
    figures = {"loss": charts.loss_curve(frame, epochs, best), "accuracy": charts.accuracy_curves(frame, epochs, best)}
    draw = tables.live_chart if run_state.is_active(run) else tables.show_chart
    for column, (name, figure) in zip(st.columns(2, gap="large"), figures.items(), strict=True):
        with column:
            draw(figure, key=f"{name}-{run.id}", alt=f"{name.capitalize()} of {run.name or run.id} by epoch")


def _drawn(run: Run, history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The epochs that are drawn: of a run under way, those of the last drawing until it has stood for a while.

    A new drawing takes the browser a tenth of a second or two, and an epoch may take less than one.
    """
    key, now = f"drawn-epochs-{run.id}", time.monotonic()
    if not run_state.is_active(run):
        st.session_state.pop(key, None)
        return history
    epochs, since = st.session_state.get(key, (0, now))
    if not epochs or now - since >= STANDS_S or len(history) < epochs:  # fewer: it was run again from the start
        epochs = len(history)
        st.session_state[key] = epochs, now
    return history[:epochs]


def _ended(run: Run) -> None:
    if run.status != "done":
        run_state.say_end(run, f"The training was {run_state.WORDS[run.status]}.")
        return
    st.caption(verbatim(" · ".join(_facts(run))))
    run_state.show_notes(run_state.notes_of(run))
    run_state.show_network(run)
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
            show_unevaluated([run], _evaluations(run, split))
        if picked in evaluated:
            groups.show(evaluated[picked])
        elif picked is not None:
            _of_training(run, val)


def _of_training(run: Run, val: dict[str, Any]) -> None:
    groups.show_numbers(val)
    bars, table = st.tabs(["Every group", "As a table"])
    with bars:
        figure = charts.group_bars(charts.group_frame(val))
        tables.show_chart(figure, key=f"groups-{run.id}", alt="Accuracy of each group")
        st.caption("Evaluate the model to see the images of each group.")
    with table:
        groups.show_table(val, run.dataset_id)


def _evaluations(run: Run, split: str) -> list[Run]:
    """On this split, however they ended, the newest first."""
    children = session.store().runs.children(run.id)[::-1]
    return [one for one in children if one.kind == "evaluate" and one.spec["split"] == split]


MOST_FAILED = 3  # sentences, of evaluations that failed
_IN_ITS_OWN_WAY = ("kind", "split", "seed")  # the button names the split, and nothing of an evaluation is random


def show_unevaluated(models: Sequence[Run], evaluations: Sequence[Run]) -> bool:
    """The models that have no evaluation that counts, and why theirs failed; nothing where there is none.

    ``evaluations``: of these models, however they ended, the newest first. Returns whether there is a button to press.
    """
    if not models:
        return False
    live = {
        one.spec["model"] for one in evaluations if one.status not in UNFINISHED and queueing.counts_for_groups(one)
    }
    waiting = [one for one in models if one.id not in live]
    if waiting:
        _offer(waiting, {one.spec["model"] for one in evaluations if one.status == "done"})
    for failed in _failed(waiting, evaluations)[:MOST_FAILED]:
        run_state.show_outcome(failed)
    progress.show(dataset=models[0].dataset_id, kind="evaluate")
    return bool(waiting) and session.viewer().may("lead")


def _offer(models: Sequence[Run], by_class: Collection[str]) -> None:
    """``by_class``: ids of models that have an evaluation, which does not count."""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        names = verbatim(", ".join(map(pick.describe, models[:3]))) + (" ..." if len(models) > 3 else "")
        lacks = "not evaluated by environment" if all(one.id in by_class for one in models) else "not evaluated"
        st.markdown(f"**{len(models):,} {lacks} yet:** {names}", width="stretch")
        if not next_step.offers("lead", "Evaluating"):
            return
        settings = submit.fields(
            submit.form_parameters(STEPS["evaluate"].spec, without=_IN_ITS_OWN_WAY), {}, key="evaluate"
        )
        split = compared_on(session.store().datasets.fetch(models[0].dataset_id))
        if st.button(f"Evaluate on {split}", type="primary", icon=":material/fact_check:", key="evaluate"):
            with errors_shown():
                actions.wake(*[queueing.save_evaluation(one, split=split, **settings) for one in models])
                st.rerun()


def _failed(models: Sequence[Run], evaluations: Sequence[Run]) -> list[Run]:
    """The newest evaluation of each model, where that failed."""
    newest: dict[str, Run] = {}
    for one in evaluations:
        newest.setdefault(one.spec["model"], one)
    found = [newest[model.id] for model in models if model.id in newest]
    return [one for one in found if one.status == "failed"]


def evaluate_again(evaluations: Sequence[Run]) -> None:
    """A button that evaluates the same models again, with attention maps: studies leave them out.

    Not those that are evaluated already, by a press before: such an evaluation is always a new run.
    """
    runs = session.store().runs
    active = runs.all(kind="evaluate", dataset=evaluations[0].dataset_id, status=ACTIVE, metrics=False)
    under_way = {_evaluated(one) for one in active if one.spec.get("attention", True)}
    left = {key: one for one in evaluations if (key := _evaluated(one)) not in under_way}
    if not left:
        st.caption("They are evaluated again: the maps appear here.")
        return
    if not next_step.offers("lead", "Evaluating again"):
        return
    if reruns.button_once("Evaluate again with maps", icon=":material/replay:", key="evaluate-again"):
        with errors_shown():
            actions.wake(*[_save_with_maps(runs.fetch(one.spec["model"]), one.spec) for one in left.values()])
            st.rerun()


def _evaluated(evaluation: Run) -> tuple[str, str]:
    """Which model, and on which split."""
    return evaluation.spec["model"], evaluation.spec["split"]


def _save_with_maps(model: Run, spec: dict[str, Any]) -> Run:
    known = queueing.without_shapes(spec)
    settings = {name: value for name, value in known.items() if name not in ("kind", "dataset", "model", "space")}
    return queueing.save_evaluation(model, force=True, **settings | {"attention": True})


WAYS: dict[Retrain, str] = {
    "reference": "from the reference model (most stable)",
    "scratch": "from the initial weights",
    "last-layer": "the last layer only (fastest)",
}
WITH_ANSWERS = (
    "The answers enter the fit, too: areas marked as background do not count as evidence. The Train page can fit the "
    "layer without them."
)


def show_retraining(subset: Run) -> None:
    """How to retrain on a finished curate run, and for leads the button that queues training and evaluation."""
    st.markdown(f"**{verbatim(subset.name or subset.id)}**: {made_of(subset.metrics or {})}")
    if next_step.offers("lead", "Retraining"):
        with errors_shown():  # of a reference model that was deleted; what came of the subset is there all the same
            _retraining_form(subset)


def made_of(metrics: Mapping[str, Any]) -> str:
    """The images of a subset and the answers it was chosen by, in words."""
    images = f"{counted(metrics.get('images', 0), 'image')}, {metrics.get('images_unique', 0):,} of them distinct"
    return f"{images}, from {counted(metrics.get('answers', 0), 'answer')}"


def _retraining_form(subset: Run) -> None:
    """What is proposed is of this subset and its reference: another one's fields are others."""
    ways, store = list(WAYS), session.store()
    reference = store.lineage.reference_of(subset)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        way = st.selectbox(
            "Retrain",
            ways,
            index=ways.index(usual_way(store, reference)),
            format_func=lambda one: WAYS[one],
            key=f"retrain-way-{reference.id}",
            width=320,
            help="Compare only models that were retrained in the same way.",
        )
        with st.container(width=190):  # a seed that was drawn has ten digits
            seed = submit.field(
                parameters(STEPS["train"].spec)["seed"], int(subset.spec["seed"]), key=f"retrain-{subset.id}"
            )
        pressed = st.button("Retrain and evaluate", type="primary", icon=":material/model_training:", key="retrain")
    if way == "last-layer" and usual_fit(store, reference, subset):
        st.caption(WITH_ANSWERS)
    if pressed:
        queueing.to_retraining(subset, way, seed)
        st.rerun()


def show_retrained(subset: Run) -> None:
    """How far a retraining on the subset is, whoever has queued it, and what it changed once it is known."""
    news = _news(subset)
    if shown := progress.show_pipelines(subset.dataset_id, lambda one: one.id in news):
        progress.wait(shown, "wait for the retraining; you can close this page. Its figures appear here.")
    elif (done := queueing.evaluation_of_subset(subset)) is not None:
        outcome = run_state.outcome_of(session.store().runs.fetch(done.id))
        link = outcome.link if outcome.page == "compare" else {"dataset": subset.dataset_id}
        next_step.show(f"see what it changed, group by group. {outcome.text}", "compare", "Compare", **link)
    else:
        todo = "press *Retrain and evaluate*: the Compare page then says whether the worst group is better."
        next_step.here(next_step.can("lead", todo))


def _news(subset: Run) -> set[str]:
    """The pipelines that retrain on the subset, as far as none that is done came after them."""
    store = session.store()
    models = {run.id for run in store.runs.children(subset.id) if run.kind == "train"}
    about = [
        one
        for one in store.pipelines.all(subset.dataset_id)
        if any(run.id in models or run.spec.get("model") in models for run in one.runs)
    ]
    return {one.id for one in takewhile(lambda one: one.state != "done", about)}
