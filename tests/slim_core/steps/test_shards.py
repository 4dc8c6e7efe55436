"""A pass in shards, and a pass that was interrupted, leave what one pass leaves: byte for byte."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from slim_core.data.importing import import_data
from slim_core.models.build import build
from slim_core.models.model import save_model
from slim_core.runs.execute import execute
from slim_core.runs.executor import InProcess
from slim_core.settings import Settings
from slim_core.steps.specs import GradcamSpec, TrainSpec
from slim_core.store import Dataset, Run, Store

pytestmark = pytest.mark.slow

TIMES = {"seconds", "images_per_s"}
N = 140  # images of val and test


@pytest.fixture
def store(new_home: Path, demo_folder: Path) -> Iterator[Store]:
    opened = Store.open(Settings(home=new_home, data_roots=(demo_folder,)))
    opened.datasets.register(import_data(demo_folder, settings=opened.settings))
    yield opened
    opened.close()


@pytest.fixture
def dataset(store: Store) -> Dataset:
    return store.datasets.all()[0]


def trained(store: Store, dataset: Dataset, name: str = "small-resnet", scale: float = 1.0) -> Run:
    """A finished train run whose network has batch statistics of its own; nobody needs it to be right.

    ``scale``: of the weights of its head, and so of its maps.
    """
    model = build(name, 2, weights="none", image_size=64, seed=1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model.net.train()
        model.net(torch.randn(8, 3, 64, 64))
        if scale != 1:
            model.net.fc.weight.data.mul_(scale)
    run = store.runs.submit(TrainSpec(dataset=dataset.id, model=name), force=True)[0]
    token = store.attempts.claim(run.id, "tester", "cpu")
    save_model(model, store.artifacts.attempt(run.id, 1))
    store.artifacts.publish(run.id, 1)
    store.attempts.finish(run.id, token, {})
    return store.runs.fetch(run.id)


def in_shards(store: Store, spec: GradcamSpec, n: int, n_images: int = N, *, force: bool = True) -> Run:
    """The run of the spec, done in n shards and merged; the shards in another order than theirs."""
    split = Store.open(store.settings)
    split.runs.shard_images = -(-n_images // n)
    run = split.runs.submit(spec, force=force)[0]
    assert len(split.runs.shards(run.id)) == n
    for shard in reversed(split.runs.shards(run.id)):
        assert execute(split, shard.id, worker="tester", device="cpu").status == "done"
    done = execute(split, run.id, worker="tester", device="cpu")
    split.close()
    return done


def in_one(store: Store, spec: GradcamSpec, *, force: bool = True) -> Run:
    run = store.runs.submit(spec, force=force, sharded=False)[0]
    return execute(store, run.id, worker="tester", device="cpu")


def contents(store: Store, run: Run) -> dict[str, bytes]:
    """The bytes of everything a pass leaves but its log and records."""
    assert run.status == "done", run.message
    folder = store.artifacts.folder(run.id)
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".npy", ".parquet")}


def metrics(run: Run) -> dict[str, object]:
    return {key: value for key, value in (run.metrics or {}).items() if key not in TIMES}


def spec(dataset: Dataset, model: Run, **fields) -> GradcamSpec:
    fields = {"splits": ("val", "test"), "class_of_map": "both", "batch_size": 9} | fields
    return GradcamSpec(dataset=dataset.id, model=model.id, **fields)


@pytest.mark.parametrize("name", ["small-resnet", "squeezenet1_1"])
def test_a_merged_pass_is_the_unsharded_one_byte_for_byte(store, dataset, name):
    model = trained(store, dataset, name)
    one = in_one(store, spec(dataset, model))
    assert one.metrics["path"] == ("forward" if name == "small-resnet" else "gradient")
    expected = contents(store, one)
    assert {"maps.npy", "maps_predicted.npy", "rows.npy", "logits.npy", "scores.parquet"} < set(expected)
    for n in (2, 3, 7) if name == "small-resnet" else (3,):
        merged = in_shards(store, spec(dataset, model), n)
        assert contents(store, merged) == expected
        assert metrics(merged) == metrics(one)
        assert merged.metrics["seconds"] > 0


def test_a_last_batch_of_one_image_stays_with_the_one_before_it(store, dataset):
    alike = spec(dataset, trained(store, dataset), splits=("train", "val"), batch_size=37)  # 260 = 7 * 37 + 1
    assert contents(store, in_shards(store, alike, 4, 260)) == contents(store, in_one(store, alike))


def test_values_that_16_bits_do_not_hold_are_said_in_the_log_and_the_report(store, dataset):
    model = trained(store, dataset, scale=1e8)
    passes = spec(dataset, model)
    one, merged = in_one(store, passes), in_shards(store, passes, 3)
    (note,) = one.metrics["report"]["notes"]
    assert re.match(r".* of (1[0-4]\d|[1-9]\d?) images? .* 65,504", note)
    for run in (one, merged):
        assert run.metrics["report"] == {"notes": [note]}
        assert note in store.artifacts.log(run.id).read_text()
    assert "report" not in in_one(store, spec(dataset, trained(store, dataset))).metrics


def test_what_the_shards_made_is_removed_after_the_merge_and_their_logs_stay(store, dataset):
    merged = in_shards(store, spec(dataset, trained(store, dataset)), 3)
    for shard in store.runs.shards(merged.id):
        names = {path.name for path in store.artifacts.folder(shard.id).iterdir()}
        assert names == {"published.json", "log.txt", "spec.json", "environment.json", "metrics.json"}
        assert f"gradcam {shard.id}" in store.artifacts.log(shard.id).read_text()


def test_a_merge_whose_shards_artifacts_are_gone_says_so(store, dataset):
    model = trained(store, dataset)
    split = Store.open(store.settings)
    split.runs.shard_images = 50
    run = split.runs.submit(spec(dataset, model))[0]
    for shard in split.runs.shards(run.id):
        execute(split, shard.id, worker="tester", device="cpu")
    split.artifacts.remove(split.runs.shards(run.id)[1].id)
    failed = execute(split, run.id, worker="tester", device="cpu")
    split.close()
    assert failed.status == "failed"
    assert "shard 2 of 3 (r-" in failed.message
    assert "submit the gradcam step again" in failed.message


def test_one_process_does_a_pass_in_one_and_the_shards_of_a_queued_one_after_another(store, dataset):
    model = trained(store, dataset)
    split = Store.open(store.settings)
    split.runs.shard_images = 50
    here = InProcess(split, device="cpu")
    alone = here.wait(here.submit(spec(dataset, model)))
    assert split.runs.shards(alone.id) == []
    queued = split.runs.submit(spec(dataset, model), force=True)[0]
    merged = here.wait(queued)
    assert [shard.status for shard in split.runs.shards(queued.id)] == ["done"] * 3
    assert contents(split, merged) == contents(split, alone)
    split.close()


class HandBack:
    """Hands a run back after some batches of its pass, as a worker does that shuts down."""

    def __init__(self, after: int) -> None:
        self.after, self.told, self.event = after, [], threading.Event()

    def __call__(self, progress: dict) -> None:
        self.told.append(progress["done"])
        if len(self.told) == self.after:
            self.event.set()


@pytest.mark.parametrize("as_shard", [False, True])
def test_an_interrupted_pass_goes_on_at_its_last_batch_and_ends_with_the_same_bytes(store, dataset, as_shard):
    model = trained(store, dataset)
    expected = contents(store, in_one(store, spec(dataset, model)))
    split = Store.open(store.settings)
    split.runs.shard_images = 70
    run = split.runs.submit(spec(dataset, model), force=True, sharded=as_shard)[0]
    options = {"worker": "tester", "device": "cpu"}
    for part in split.runs.shards(run.id) or [run]:
        first, then = HandBack(3), HandBack(0)
        assert execute(split, part.id, on_progress=first, shutdown=first.event, **options).status == "queued"
        assert execute(split, part.id, on_progress=then, **options).status == "done"
        assert first.told == [9, 18, 27] and then.told[0] == 36, "no batch is done twice"
    run = execute(split, run.id, **options) if as_shard else split.runs.fetch(run.id)
    assert contents(split, run) == expected
    split.close()


def test_a_merge_needs_no_torch():
    code = "import sys, slim_core.steps.passes; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
