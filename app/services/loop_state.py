"""How far a data set has come in the loop: which run belongs to each step, and the one thing to do next.

The loop is followed along parents, from the newest reference model on, so that the steps shown belong together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.services import result_links
from slim_core.store.states import ACTIVE

if TYPE_CHECKING:
    from slim_core.store import Campaign, Run, Store


@dataclass(frozen=True)
class LoopStep:
    """One step of the loop. ``state``: open (not begun), running, done or failed."""

    name: str
    title: str
    page: str
    todo: str  # one sentence: what to do when it is next
    action: str  # the label of the link that goes there
    state: str = "open"
    run: Run | None = None
    note: str = ""
    params: dict[str, str] = field(default_factory=dict)  # of the link


@dataclass(frozen=True)
class Loop:
    """The loop of one data set.

    ``before`` and ``after``: finished evaluations of the reference and the new model; while the newest campaign has led
    to none yet, the new model of the campaign before it.
    """

    steps: tuple[LoopStep, ...]
    campaign: Campaign | None
    before: Run | None
    after: Run | None

    @property
    def next(self) -> LoopStep | None:
        """The first step that is not done; None where the loop is complete."""
        return next((step for step in self.steps if step.state != "done"), None)


def unbegun() -> Loop:
    """The loop before any data is registered."""
    data = LoopStep("data", "Data", "data", "Register the images to work on.", "Register data")
    return Loop((data, *(_step(name, None, {}) for name in _STEPS)), None, None, None)


def read(store: Store, dataset: str) -> Loop:
    """Follow the newest chain of runs of a data set."""
    runs = store.runs.all(dataset=dataset, metrics=False)
    reference = _pick(runs, "train", lambda spec: not spec.get("subset") and spec.get("mode") == "full")
    attention = _pick(runs, "gradcam", _on(reference, "model"))
    space = _pick(runs, "space", _on(attention, "attention"))
    campaigns = _campaigns(store, dataset, space)
    campaign = campaigns[0] if campaigns else None
    subset, retrained, after = _result(runs, campaign)
    before = _pick(runs, "evaluate", _on(reference, "model"))
    link = {"dataset": dataset}
    steps = (
        LoopStep("data", "Data", "data", "", "", "done", params=link),
        _step("train", reference, link),
        _step("attention", attention, link),
        _step("space", space, link),
        _annotate(store, campaign, link),
        _step("curate", subset, link),
        _step("retrain", retrained, link | ({"subset": subset.id} if subset else {})),
        _step("compare", after, link | _both(before, after)),
    )
    results = (_result(runs, one)[-1] for one in campaigns)
    known = next((one for one in results if one is not None and one.status == "done"), None)
    return Loop(steps, campaign, _done(store, before), _done(store, known))


# name -> (title, page, what to do, label of the link)
_STEPS: dict[str, tuple[str, str, str, str]] = {
    "train": ("Train", "train", "Train a reference model on all images.", "Train a model"),
    "attention": ("Attention", "attention", "Compute attention maps to see where the model looks.", "Compute the maps"),
    "space": ("Space", "space", "Build the attention space of the images.", "Build the space"),
    "annotate": ("Annotate", "annotate", "Answer for a few images whether the attention is right.", "Annotate"),
    "curate": ("Curate", "curate", "Curate a small, balanced subset from the answers.", "Curate a subset"),
    "retrain": ("Retrain", "train", "Retrain the model on the curated subset.", "Retrain"),
    "compare": ("Compare", "compare", "Compare the retrained model with the reference model.", "Compare"),
}


def _both(before: Run | None, after: Run | None) -> dict[str, str]:
    """The parameters with which the Compare page shows the two models of the loop."""
    if before is None or after is None or {before.status, after.status} != {"done"}:
        return {}
    return {"baseline": before.id, "runs": f"{before.id},{after.id}"}


def _step(name: str, run: Run | None, params: dict[str, str], state: str = "", note: str = "") -> LoopStep:
    title, page, todo, action = _STEPS[name]
    return LoopStep(
        name, title, page, todo, action, state or _state(run), run, note or _note(run), params | _shown(run, page)
    )


def _shown(run: Run | None, page: str) -> dict[str, str]:
    """The parameters with which this page shows the run; none where another page does."""
    where, link = result_links.address(run) if run is not None else ("", {})
    return link if where == page else {}


def _state(run: Run | None) -> str:
    if run is None:
        return "open"
    if run.status in ACTIVE:
        return "running"
    return "done" if run.status == "done" else "failed"


def _note(run: Run | None) -> str:
    if run is None:
        return ""
    if run.status == "queued":
        return "queued"
    if run.status in ACTIVE:
        return ""
    return (run.name or run.id) if run.status == "done" else str(run.status)


def _annotate(store: Store, campaign: Campaign | None, link: dict[str, str]) -> LoopStep:
    if campaign is None:
        return _step("annotate", None, link)
    progress = store.campaigns.progress(campaign.id)
    answered, total = progress["answered"], progress["total"]
    state = "done" if answered >= total else "running" if answered else "open"
    return _step("annotate", None, link | {"campaign": campaign.id}, state, f"{answered:,} of {total:,} answered")


def _campaigns(store: Store, dataset: str, space: Run | None) -> list[Campaign]:
    """Those on the space, newest first."""
    return [one for one in store.campaigns.all(dataset) if space is not None and one.space_run_id == space.id]


def _result(runs: Sequence[Run], campaign: Campaign | None) -> tuple[Run | None, Run | None, Run | None]:
    """What a campaign led to: the subset, the model retrained on it, and that model's evaluation."""
    subset = _subset(runs, campaign)
    retrained = _pick(runs, "train", _on(subset, "subset"))
    return subset, retrained, _pick(runs, "evaluate", _on(retrained, "model"))


def _pick(runs: Sequence[Run], kind: str, fits: Callable[[dict[str, Any]], bool]) -> Run | None:
    """The newest run that fits: a finished one first, then one under way, then one that ended otherwise."""
    found = [run for run in runs if run.kind == kind and fits(run.spec)]
    rank = {"done": 2, **dict.fromkeys(ACTIVE, 1)}
    return max(found, key=lambda run: (rank.get(run.status, 0), run.created_at), default=None)


def _on(parent: Run | None, role: str) -> Callable[[dict[str, Any]], bool]:
    return lambda spec: parent is not None and spec.get(role) == parent.id


def _subset(runs: Sequence[Run], campaign: Campaign | None) -> Run | None:
    """The newest subset chosen with the campaign's answers; by the default strategy, where that has been used."""
    answered = [run for run in runs if campaign is not None and run.spec.get("campaign") == campaign.id]
    default = [run for run in answered if run.spec.get("strategy") == "slim"]
    return _pick(default or answered, "curate", lambda _: True)


def _done(store: Store, run: Run | None) -> Run | None:
    """The run with its metrics, if it is done."""
    return store.runs.fetch(run.id) if run is not None and run.status == "done" else None
