"""Everything a run descends from, read once for many runs: what it cost, and which runs differ by their seed alone."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from slim_core.curation import ANSWERED, LABELS_USED
from slim_core.data.groups import UNKNOWN_LABELS, LabelsUsed, used_together
from slim_core.store.campaigns.consensus import AnnotationCost, campaign_cost
from slim_core.store.runs.lineage import RunGraph
from slim_core.training.config import labels_used
from slim_core.training.last_layer import refit_labels

if TYPE_CHECKING:
    from slim_core.store import Campaign, Run, Store

_SEED_IN_NAME = re.compile(r",? *seed \d+")
_NOT_IDENTITY = ("seed", "shapes_seq", "answers_seq")  # differ between repetitions of the same thing


class AnswerSnapshot(NamedTuple):
    """The answers that a run rests on."""

    campaign: str
    answers_seq: int  # the last one that counted


class Ancestry:
    """The runs of some data sets and the links among them: costs and identities ask the database nothing."""

    def __init__(self, runs: Iterable[Run], campaigns: Iterable[Campaign] = ()) -> None:
        """``runs``: with their metrics where those are asked for later."""
        self.graph = RunGraph(runs)
        self.runs = self.graph.runs
        self._campaigns = {campaign.id: campaign for campaign in campaigns}
        self._identities: dict[str, str] = {}

    @classmethod
    def read(cls, store: Store, *datasets: str) -> Ancestry:
        """All runs of the data sets; with metrics the train and curate runs, whose counts a comparison shows."""
        runs: dict[str, Run] = {}
        campaigns: list[Campaign] = []
        for dataset in datasets:
            runs |= {run.id: run for run in store.runs.all(dataset=dataset, metrics=False)}
            for kind in ("train", "curate"):
                runs |= {run.id: run for run in store.runs.all(kind=kind, dataset=dataset)}
            campaigns += store.campaigns.all(dataset)
        return cls(runs.values(), campaigns)

    def lineage(self, run: Run) -> list[Run]:
        """The run and all it descends from, each once, nearest first; shards of sharded runs after them."""
        return self.graph.lineage(run)

    def seconds(self, *runs: Run) -> float:
        """Computing time of the runs and all they needed, each counted once."""
        return sum({one.id: one.seconds for run in runs for one in self._paid(run)}.values())

    def gpu_hours(self, run: Run) -> float:
        """The part of ``seconds`` that was spent on a GPU, in hours."""
        return sum(one.seconds for one in self._paid(run) if (one.device or "").startswith("cuda")) / 3600

    def labels_used(self, model: Run, *, has_groups: bool) -> str:
        """What the trainings and subsets that a model rests on used beyond the classes of their images; or "none".

        ``has_groups``: whether the data has attributes; selection by the worst group is by class where it has none.
        """
        used = {each for one in self._paid(model) for each in _labels_used(one)}
        return used_together(each for each in used if has_groups or not each.startswith("groups"))

    def _paid(self, run: Run) -> list[Run]:
        """Without the space of a subset that could be drawn without it."""
        return self.graph.lineage(run, stop=lambda one: one.kind == "curate" and not _reads_space(one))

    def answer_snapshots(self, run: Run) -> tuple[AnswerSnapshot, ...]:
        """The answers of each campaign that the run, or one it was made from, has used."""
        found: dict[str, AnswerSnapshot] = {}
        for one in self._paid(run):
            for each in _asked_by(one.spec):
                found[each.campaign] = max(each, found.get(each.campaign, each))
        return tuple(found.values())

    def answers_used(self, *runs: Run) -> int:
        """Images that people were asked about for what went into them, each campaign once; runs need their metrics."""
        found: dict[str, int] = {}
        for one in (each for run in runs for each in self._paid(run)):
            for campaign, used in _answers_used(one).items():
                found[campaign] = max(used, found.get(campaign, 0))
        return sum(found.values())

    def identity(self, run: Run) -> str:
        """Equal for runs that differ by seeds alone, along their whole lineage; sixteen hex digits."""
        if run.id not in self._identities:
            own = self._without_seed(run.spec)
            own |= {"answers_seq": bool(run.spec["answers_seq"])} if "answers_seq" in run.spec else {}
            text = json.dumps(own, sort_keys=True, default=str)
            self._identities[run.id] = hashlib.sha256(text.encode()).hexdigest()[:16]
        return self._identities[run.id]

    def _without_seed(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._without_seed(each) for key, each in value.items() if key not in _NOT_IDENTITY}
        if isinstance(value, str) and value in self.runs:
            return self.identity(self.runs[value])
        if isinstance(value, str) and value in self._campaigns:
            campaign = self._campaigns[value]
            name = _SEED_IN_NAME.sub("", campaign.name)  # says which errors a simulated annotator makes
            return [name, campaign.strategy, campaign.split, campaign.overlap, sorted(campaign.budgets.items())]
        return value


def _reads_space(subset: Run) -> bool:
    """The strategies that use answers also choose by the environments, with and without any."""
    return subset.spec["strategy"] in ANSWERED


def _asked_by(spec: Mapping[str, Any]) -> Iterator[AnswerSnapshot]:
    """Answers of the campaigns that a spec names, itself or in its dicts."""
    for named in (spec, *(value for value in spec.values() if isinstance(value, dict))):
        if named.get("campaign"):
            yield AnswerSnapshot(str(named["campaign"]), int(named.get("answers_seq") or 0))


def _answers_used(run: Run) -> dict[str, int]:
    """Campaign -> answers that one run has used, by its metrics."""
    metrics = run.metrics or {}
    if run.kind == "curate" and run.spec.get("campaign"):
        return {str(run.spec["campaign"]): metrics.get("answers", 0)}
    return dict(metrics.get("answered", {})) if run.kind == "train" else {}


def _labels_used(run: Run) -> set[LabelsUsed]:
    """By one run; nothing by a strategy or objective that is not known any more, nor by slim without answers."""
    if run.kind == "curate":
        used = LABELS_USED.get(run.spec["strategy"], "none")
        return {"none" if used == "answers" and not run.spec.get("answers_seq") else used}
    if run.kind == "train" and run.spec.get("mode") == "registered":
        return {UNKNOWN_LABELS}
    if run.kind == "train":
        refits = run.spec.get("mode") == "last-layer"
        names = ("refit", "selection") if refits else ("objective", "sampling", "selection")
        return set((refit_labels if refits else labels_used)(*(run.spec.get(name, "") for name in names)))
    return set()


def answer_costs(store: Store, asked: Iterable[AnswerSnapshot]) -> Mapping[AnswerSnapshot, AnnotationCost]:
    """What the answers that each rests on have cost, and whose they are.

    Answers that were taken back, or came too late to count, took their time too. The simulated annotator takes none.
    """
    with store.database.read() as connection:
        return {each: campaign_cost(connection, *each) for each in sorted(set(asked))}
