"""What there is to work on, and what the workers have to do meanwhile."""

from __future__ import annotations

import logging
import math
import time
from typing import Any

from benchmarks.disturbance import Part
from benchmarks.served.people import Room
from benchmarks.served.site import Site
from slim_core.data.importing import import_data
from slim_core.data.sets.digits import DemoConfig, write_demo
from slim_core.errors import QueueUnavailableError, SlimError
from slim_core.runs.executor import Workbench
from slim_core.runs.loop_runs import LoopConfig
from slim_core.runs.methods import Loop
from slim_core.steps.specs import parse_spec
from slim_core.store import CampaignSettings, Run, Store
from workers.queue import Queue, Submitter

log = logging.getLogger("served")

OVERLAP = 3  # annotators an image
EVERY_S = 8.0  # between two submissions
EPOCHS = 12  # of the trainings under way
SOONEST_S, LONGEST_S = 1.0, 300.0


class Bench:
    """A data set, a model, its attention, a space and an open campaign, made by the workers of the site."""

    def __init__(self, site: Site, n_images: int, people: list[str], pace_s: float) -> None:
        folder = site.topology.folder / "images" / "demo"
        write_demo(folder, DemoConfig(train=n_images, val=60, test=60, size=32))
        store = site.store
        dataset = store.datasets.register(import_data(folder, settings=site.settings), by="benchmark")
        at = Workbench(store, Submitter(store, settings=site.settings, by="benchmark"))
        loop = Loop(at, LoopConfig(dataset=dataset.id, train={"epochs": 1, "batch_size": 32}))
        self.dataset, self.space = dataset.id, loop.space.id
        rows = store.datasets.table(dataset.id).rows("train")
        settings = CampaignSettings(overlap=min(OVERLAP, len(people)))
        campaign = store.campaigns.create("Everybody", dataset.id, self.space, rows, "benchmark", settings)
        for who in people:
            store.members.set_role(who, "annotator", by="benchmark")
        self.room = Room(site.topology.port, campaign.id, pace_s)


def images_for(people: int, seconds: float, pace_s: float) -> int:
    """As many as keep everybody busy, with some to spare."""
    return max(60, math.ceil(1.3 * people * seconds / pace_s / min(OVERLAP, people)))


class Load(Part):
    """Somebody trains and curates all the while; one training and one light run at a time."""

    def __init__(self, site: Site, bench: Bench) -> None:
        super().__init__()
        self._newest: dict[str, str] = {}  # kind -> run
        self._site, self._bench, self._n = site, bench, 0
        self._queue = Queue(site.settings, site.store)

    def turn(self) -> None:
        """Submit what is not under way, and come again."""
        try:
            for spec in self._specs():
                if self._is_over(spec["kind"]):
                    self._submit(spec)
        except SlimError as error:  # the database is away: whoever sits in front of it tries again
            log.info("%s", error)
        self.ending.wait(EVERY_S)

    def begun_since(self, moment: float) -> bool:
        """Whether a run that was submitted after a moment is running or over."""
        try:
            found = [self._site.store.runs.fetch(run) for run in list(self._newest.values())]
        except SlimError:
            return False
        return any(run.created_at.timestamp() > moment and run.status != "queued" for run in found)

    def running(self) -> list[Run]:
        """Those that compute now."""
        return self._site.store.runs.all(status="running")

    def _is_over(self, kind: str) -> bool:
        newest = self._newest.get(kind)
        return newest is None or self._site.store.runs.fetch(newest).ended

    def _specs(self) -> list[dict[str, Any]]:
        self._n += 1
        common = {"dataset": self._bench.dataset, "seed": self._n}
        train = {"kind": "train", "model": "small-resnet", "epochs": EPOCHS, "batch_size": 32, "patience": None}
        return [common | train, common | {"kind": "curate", "space": self._bench.space, "strategy": "random",
                                          "size": 40}]  # fmt: skip

    def _submit(self, spec: dict[str, Any]) -> None:
        run, _ = self._site.store.runs.submit(parse_spec(spec), by="benchmark")
        self._newest[run.kind] = run.id
        try:
            self._queue.submit(run)
        except QueueUnavailableError as error:
            log.info("%s", error)


def settled(store: Store, patience_s: float = LONGEST_S) -> list[Run]:
    """Every run, once all have ended or the patience has."""
    until = time.monotonic() + patience_s
    while any(not run.ended for run in store.runs.all()) and time.monotonic() < until:
        time.sleep(SOONEST_S)
    return store.runs.all()


def stuck(runs: list[Run]) -> list[dict[str, Any]]:
    """Those that are neither done nor failed with a sentence."""
    return [
        {"run": run.id, "kind": run.kind, "status": run.status, "message": run.message}
        for run in runs
        if run.status != "done" and not (run.status == "failed" and is_sentence(run.message))
    ]


def is_sentence(text: str | None) -> bool:
    """What a person can read: no traceback, no name of an exception alone."""
    return bool(text) and "Traceback" not in str(text) and str(text).rstrip().endswith((".", "!", "?"))
