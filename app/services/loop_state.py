"""How far a data set has come in the loop: the run of each step, pairs of models to compare, what to do next; and what
stands beside its result: other seeds, the method without annotation, and the verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from app.services import queueing
from app.services.queueing import trained_by
from app.services.results import comparison
from app.services.results.comparison import Result, outcomes_of
from slim_core.curation import ANSWERED
from slim_core.curation.data import SLIM
from slim_core.evaluation import verdict as verdicts
from slim_core.evaluation.comparison import grouping_of, scored_last
from slim_core.evaluation.two_models import seed_pairs
from slim_core.metrics import worst_judged
from slim_core.runs.methods import best_on_validation
from slim_core.runs.trainings import without_answers
from slim_core.steps.specs import refits
from slim_core.store.campaigns.campaigns import answered_in_words, n_answered
from slim_core.store.runs.rows import ACTIVE, UNFINISHED, label_of

if TYPE_CHECKING:
    from app.services.results.comparison import Compared
    from slim_core.evaluation.verdict import Named, Verdict
    from slim_core.store import Campaign, Run, Store

RANKS = {"done": 2, **dict.fromkeys(ACTIVE, 1)}  # of a run that a loop may be about: the highest first


def results_of(runs: Sequence[Run], asked: Container[str] = ()) -> list[Result]:
    """What an overview can be about, the best to begin with first.

    Pairs before references that have led to none yet; of pairs those
    that used answers before those that could have, and these before others: the method without annotation and random
    subsets are there for comparison. Of references finished ones; of these, those that people are ``asked`` about:
    another training does not hide their answers. Then the newest.
    """
    by_id = {run.id: run for run in runs}
    evaluations = scored_last([run for run in runs if run.kind == "evaluate" and run.status == "done"])
    pairs = [pair for one in evaluations if (pair := _pair(one, evaluations, by_id)) is not None]
    pairs.sort(key=lambda pair: (used_answers(pair), _by_strategy_of_answers(pair), _created(pair)), reverse=True)
    paired = {pair.reference.id for pair in pairs}
    known = paired | stages(runs)
    open_ones = [Result(run) for run in runs if _is_reference(run) and run.id not in known]
    open_ones.sort(key=lambda one: (RANKS.get(one.reference.status, 0), one.id in asked, _created(one)), reverse=True)
    return [*pairs, *open_ones]


def asked_about(runs: Sequence[Run], campaigns: Sequence[Campaign]) -> set[str]:
    """The reference models whose attention the images of these campaigns were chosen by."""
    by_id = {run.id: run for run in runs}
    spaces = (by_id.get(one.space_run_id or "") for one in campaigns)
    found = (_above(space, by_id, ("attention", "model")) for space in spaces if space is not None)
    return {model.id for model in found if model is not None}


def stages(runs: Sequence[Run]) -> set[str]:
    """Models that were trained for what they say of images to the loss or refit of another, as the first of JTT."""
    trainings = [run for run in runs if run.kind == "train"]
    options = [run.spec.get(name) or {} for run in trainings for name in ("objective_options", "refit_options")]
    named = {value for each in options for value in each.values() if isinstance(value, str)}
    return {run.id for run in trainings if run.id in named and run.spec.get("selection") == "last"}


def _is_reference(run: Run) -> bool:
    return run.kind == "train" and not run.spec.get("subset") and not refits(run.spec)


def used_answers(result: Result) -> bool:
    """Whether its subset rests on any: a strategy that can use answers may be given none."""
    spec = result.subset.spec if result.subset is not None else {}
    return spec.get("strategy") in ANSWERED and bool(spec.get("answers_seq"))


def _by_strategy_of_answers(result: Result) -> bool:
    return result.subset is not None and result.subset.spec.get("strategy") in ANSWERED


def _created(result: Result) -> datetime:
    return (result.after or result.reference).created_at


def _pair(after: Run, evaluations: Sequence[Run], by_id: Mapping[str, Run]) -> Result | None:
    """The pair whose second half this evaluation is; None where it is of no retrained model, or its reference's is
    missing."""
    model = by_id.get(after.spec["model"])
    subset = by_id.get(model.spec.get("subset") or "") if model else None
    reference = _above(subset, by_id) if subset else None
    if reference is None:
        return None
    of_reference = (one for one in evaluations if one.spec["model"] == reference.id)
    fits = (one for one in of_reference if counted_by(one.spec) == counted_by(after.spec))
    before = max(fits, key=lambda one: one.created_at, default=None)
    return None if before is None else Result(reference, before, subset, model, after)


def counted_by(evaluation: Mapping[str, Any]) -> tuple[str | None, ...]:
    """Which images an evaluation is of, and by which groups it counts."""
    return tuple(evaluation.get(name) for name in ("split", "space"))


def _above(subset: Run, by_id: Mapping[str, Run], roles: Sequence[str] = ("space", "attention", "model")) -> Run | None:
    """The reference model of a subset: curate, space, attention, model; or of a space, by its ``roles``."""
    found: Run | None = subset
    for role in roles:
        found = by_id.get(found.spec.get(role) or "") if found else None
    return found


ANSWERED_SINCE = "new answers since the last subset"  # the note of a step


@dataclass(frozen=True)
class LoopStep:
    """One step of the loop. ``state``: open (not begun), running, done, failed or stopped."""

    name: str
    title: str
    page: str
    todo: str  # what to do when it is next, as it continues "Next:"
    action: str  # the label of the link that goes there
    state: str = "open"
    run: Run | None = None
    note: str = ""
    params: dict[str, str] = field(default_factory=dict)  # of the link


@dataclass(frozen=True)
class Loop:
    """The loop of one data set.

    ``result``: the pair it is about; None before any training. ``before`` and ``after``: its evaluations, with metrics.
    ``results``: all there are, the one to begin with first.
    """

    steps: tuple[LoopStep, ...]
    campaign: Campaign | None
    before: Run | None
    after: Run | None
    result: Result | None = None
    results: tuple[Result, ...] = ()

    @property
    def next(self) -> LoopStep | None:
        """The first step that is not done; None where the loop is complete."""
        return next((step for step in self.steps if step.state != "done"), None)


def unbegun() -> Loop:
    """The loop before any data is registered."""
    data = LoopStep("data", "Data", "data", "register the images to work on.", "Register data")
    return Loop((data, *(_step(name, None, {}) for name in _STEPS)), None, None, None)


def read(store: Store, dataset: str, chosen: str | None = None) -> Loop:
    """Follow a chain of runs of a data set. ``chosen``: id of a result; default: the first of ``results_of``.

    From the first one it leads on, by the newest campaign on its space; another pair is shown as it came about.
    """
    runs = store.runs.all(dataset=dataset, metrics=False)
    ended = dismissed(store, runs)
    runs = [run for run in runs if run.id not in ended]
    campaigns = store.campaigns.all(dataset)
    results = results_of(runs, asked_about(runs, campaigns))
    result = next((one for one in results if one.id == chosen), results[0] if results else None)
    reference = result.reference if result else None
    space = _space(runs, result)
    attention = _attention(runs, reference, space)
    before = result.before if result and result.before else _pick(runs, "evaluate", _on(reference, "model"))
    leads_on = result is None or result.subset is None or result is results[0]
    campaign = _campaign(_on_space(campaigns, space), None if leads_on else result)
    own = (result.subset, result.model, result.after) if result else (None, None, None)
    subset, retrained, after = _result(runs, campaign, before) if campaign is not None and leads_on else own
    link = {"dataset": dataset}
    annotated = _annotate(store, campaign, link)
    is_outdated = leads_on and annotated.state == "done" and _is_outdated(store, campaign, subset)
    if is_outdated:
        subset = retrained = after = None
    steps = (
        LoopStep("data", "Data", "data", "", "", "done", params=link),
        _step("train", reference, link),
        _step("attention", attention, link),
        _step("space", space, link),
        annotated,
        _step("curate", subset, link, note=ANSWERED_SINCE if is_outdated else ""),
        _step("retrain", retrained, link | ({"subset": subset.id} if subset else {})),
        _step("compare", after, link | _both(before, after)),
    )
    known = result.after if result else None
    return Loop(steps, campaign, _done(store, before), _done(store, known), result, tuple(results))


def dismissal(run: Run) -> str:
    """The tag by which a run that has ended without a result is out of sight, until it is taken away or tried again."""
    return f"dismissed at attempt {run.attempt}"


def dismissed(store: Store, runs: Iterable[Run]) -> set[str]:
    """Those of these runs that somebody has dismissed."""
    ended = {run.id: dismissal(run) for run in runs if run.status in UNFINISHED}
    return {run for run, note in store.notes.some(ended).items() if ended[run] in note.tags} if ended else set()


def _space(runs: Sequence[Run], result: Result | None) -> Run | None:
    """The space of the training images: that of the result's subset, else the best of its reference."""
    if result is None:
        return None
    if result.subset is not None:
        return next((run for run in runs if run.id == result.subset.spec["space"]), None)
    passes = {run.id for run in runs if run.kind == "gradcam" and _on(result.reference, "model")(run.spec)}
    return _pick(runs, "space", lambda spec: spec.get("split") == "train" and spec.get("attention") in passes)


def _attention(runs: Sequence[Run], reference: Run | None, space: Run | None) -> Run | None:
    """The maps behind the space, else the best of the reference."""
    behind = next((run for run in runs if space and run.id == space.spec["attention"]), None)
    return behind or _pick(runs, "gradcam", _on(reference, "model"))


# name -> (title, page, what to do as it continues "Next:", label of the link)
_STEPS: dict[str, tuple[str, str, str, str]] = {
    "train": ("Train", "train", "train a reference model and see where it looks.", "Train a model"),
    "attention": ("Attention", "attention", "compute attention maps to see where the model looks.", "Compute the maps"),
    "space": ("Space", "space", "build the attention space of the images.", "Build the space"),
    "annotate": ("Annotate", "annotate", "say for a few images whether the attention is right.", "Annotate"),
    "curate": ("Curate", "curate", "curate a small, balanced subset from the answers.", "Curate a subset"),
    "retrain": ("Retrain", "train", "retrain the model on the curated subset.", "Retrain"),
    "compare": ("Compare", "compare", "compare the retrained model with the reference model.", "Compare"),
}


def _both(before: Run | None, after: Run | None) -> dict[str, str]:
    """The parameters with which the Compare page shows the two models of the loop."""
    if before is None or after is None or {before.status, after.status} != {"done"}:
        return {}
    return comparison.compare_parameters(before, after)


def _step(name: str, run: Run | None, params: dict[str, str], state: str = "", note: str = "") -> LoopStep:
    title, page, todo, action = _STEPS[name]
    return LoopStep(
        name, title, page, todo, action, state or _state(run), run, note or _note(run), params | _shown(run, page)
    )


def _shown(run: Run | None, page: str) -> dict[str, str]:
    """The parameters with which this page shows the run; none where another page does."""
    where, link = comparison.page_of(run) if run is not None else ("", {})
    return link if where == page else {}


def _state(run: Run | None) -> str:
    if run is None:
        return "open"
    if run.status in ACTIVE:
        return "running"
    return label_of(run.status)


def _note(run: Run | None) -> str:
    if run is None:
        return ""
    if run.status == "queued":
        return "queued"
    return (run.name or run.id) if run.status == "done" else ""  # others say so by their state


def _annotate(store: Store, campaign: Campaign | None, link: dict[str, str]) -> LoopStep:
    if campaign is None:
        return _step("annotate", None, link)
    progress = store.campaigns.progress(campaign.id)
    is_done = n_answered(campaign, progress) >= progress["total"]
    state = "done" if is_done else "running" if progress["answered"] else "open"
    note = answered_in_words(campaign, progress)
    return _step("annotate", None, link | {"campaign": campaign.id}, state, note)


def _is_outdated(store: Store, campaign: Campaign | None, subset: Run | None) -> bool:
    """Whether a subset was chosen before the last answers of its campaign: such as by those so far."""
    if campaign is None or subset is None or subset.status != "done":
        return False
    used, newest = subset.spec.get("answers_seq"), store.answers.last_seq(campaign.id)
    if used is None or used == newest:
        return False
    snapshots = zip(*(store.answers.snapshot(campaign.id, seq) for seq in (used, newest)), strict=True)
    return not all(np.array_equal(before, now) for before, now in snapshots)


def _on_space(campaigns: Sequence[Campaign], space: Run | None) -> list[Campaign]:
    """Those on the space, newest first."""
    return [one for one in campaigns if space is not None and one.space_run_id == space.id]


def _campaign(campaigns: Sequence[Campaign], pair: Result | None) -> Campaign | None:
    """That of the answers of a pair, else the newest."""
    asked = pair.subset.spec.get("campaign") if pair is not None and pair.subset is not None else None
    own = (one for one in campaigns if one.id == asked)
    return next(own, campaigns[0] if campaigns else None)


def _result(runs: Sequence[Run], campaign: Campaign, before: Run | None) -> tuple[Run | None, Run | None, Run | None]:
    """What a campaign led to: the subset, the model retrained on it, and that model's evaluation, of the images and
    groups of the reference's where there is such a one."""
    subset = _subset(runs, campaign)
    retrained = _pick(runs, "train", _on(subset, "subset"))
    of_it = [run for run in runs if run.kind == "evaluate" and _on(retrained, "model")(run.spec)]
    beside = [run for run in of_it if before is not None and counted_by(run.spec) == counted_by(before.spec)]
    return subset, retrained, _pick(beside or of_it, "evaluate", lambda _: True)


def _pick(runs: Sequence[Run], kind: str, fits: Callable[[dict[str, Any]], bool]) -> Run | None:
    """The newest run that fits: a finished one first, then one under way, then one that ended otherwise."""
    found = [run for run in runs if run.kind == kind and fits(run.spec)]
    return max(found, key=lambda run: (RANKS.get(run.status, 0), run.created_at), default=None)


def _on(parent: Run | None, role: str) -> Callable[[dict[str, Any]], bool]:
    return lambda spec: parent is not None and spec.get(role) == parent.id


def _subset(runs: Sequence[Run], campaign: Campaign | None) -> Run | None:
    """The newest subset chosen with the campaign's answers; by the default strategy, where that has been used."""
    answered = [run for run in runs if campaign is not None and run.spec.get("campaign") == campaign.id]
    default = [run for run in answered if run.spec.get("strategy") == SLIM]
    return _pick(default or answered, "curate", lambda _: True)


def _done(store: Store, run: Run | None) -> Run | None:
    """The run with its metrics, if it is done."""
    return store.runs.fetch(run.id) if run is not None and run.status == "done" else None


RANDOM = "random"  # the strategy
STARTS_FROM = ("mode", "start", "reference")  # of a training


@dataclass(frozen=True)
class Facts:
    """Of the worst group that can be judged: ``pairs`` (before, after) of seed_pairs; ``random``: of each such subset.

    ``unasked``: of the method without annotation, of each seed. Neither stands beside a result that is one of the kind
    itself.
    """

    pairs: tuple[tuple[float, float], ...] = ()
    random: tuple[float, ...] = ()
    unasked: tuple[float, ...] = ()


def facts_of(loop: Loop, compared: Compared) -> Facts:
    """The facts of the loop's result; nothing where it is no pair."""
    result, known = loop.result, compared.evaluations
    if result is None or result.after is None:
        return Facts()

    def rates(evaluations: Iterable[str]) -> tuple[float, ...]:
        found = (worst_judged(known[one].metrics or {}) for one in evaluations)
        return tuple(float(one["accuracy"]) for one in found if one is not None)

    alike = _alike(result.after, compared)
    controls = [one.after.id for one in loop.results if one.before and one.after and is_control(one, result)]
    random = () if is_control(result, result) else rates(one for one in controls if one in alike)
    unasked_too = () if queueing.is_itself_unasked(result) else rates(_unasked(result, alike, compared))
    return Facts(_seeds(result, compared), random, unasked_too)


def _alike(after: Run, compared: Compared) -> dict[str, Run]:
    """The evaluations of the same split in the same groups, by id."""
    known = compared.evaluations
    if after.id not in known:
        return {}
    asked = (after.spec["split"], grouping_of(known[after.id]))
    return {key: one for key, one in known.items() if (one.spec["split"], grouping_of(one)) == asked}


def _unasked(result: Result, alike: Mapping[str, Run], compared: Compared) -> list[str]:
    """The evaluations of the models that validation chooses, one of each seed, of those that ask nobody."""
    runs = compared.ancestry.runs
    trained = {one.spec["model"]: one.id for one in alike.values() if one.spec["model"] in runs}
    by_seed: dict[int, list[Run]] = {}
    for model in (runs[each] for each in trained):
        if queueing.is_unasked(model, runs.get(model.spec.get("subset") or ""), result):
            by_seed.setdefault(int(model.spec["seed"]), []).append(model)
    return [trained[best_on_validation(tried).id] for tried in by_seed.values()]


def _seeds(result: Result, compared: Compared) -> tuple[tuple[float, float], ...]:
    known = compared.evaluations
    if result.before is None or result.after is None or not {result.before.id, result.after.id} <= set(known):
        return ()
    return seed_pairs(compared.ancestry, known.values(), known[result.before.id], known[result.after.id])


def is_control(one: Result, result: Result) -> bool:
    """Whether a pair is the random subset for another: as large, of its reference, retrained so without answers."""
    if one.subset is None or result.subset is None or one.model is None or result.model is None:
        return False
    starts = [[each.spec.get(name) for name in STARTS_FROM] for each in (one.model, result.model)]
    same_way = starts[0] == starts[1] and trained_by(one.model) == without_answers(trained_by(result.model))
    same_size = one.subset.spec["size"] == result.subset.spec["size"]
    return one.subset.spec["strategy"] == RANDOM and same_size and same_way and one.reference.id == result.reference.id


def verdict(loop: Loop, compared: Compared, facts: Facts, *, named: Named = str) -> Verdict | None:
    """Whether the result is better than its reference; of a reference without a mistake, that there is nothing to fix.

    None where it is no pair, or not read yet. ``facts``: its own; ``named``: as in slim_core.evaluation.verdict.
    """
    if loop.before is not None and loop.after is None:
        return verdicts.nothing_to_fix(loop.before.metrics or {}, str(loop.before.spec["split"]))
    if loop.before is None or loop.after is None or loop.after.id not in compared.rows.index:
        return None
    cost: dict[Any, Any] = compared.rows.loc[loop.after.id].to_dict()
    outcomes = outcomes_of(loop.before, loop.after)
    beside = {"A random subset of the same size": facts.random}
    if loop.result is not None:
        beside[queueing.unasked_for(loop.result.reference).name] = facts.unasked
    there = {name: rates for name, rates in beside.items() if rates}
    return verdicts.verdict(
        loop.before, loop.after, cost, outcomes=outcomes, pairs=facts.pairs, beside=there, named=named
    )
