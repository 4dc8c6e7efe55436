"""Specs as the version before wrote them: they parse, and their digests find the runs that are done.

specs_of_version_0.json was written by that version: what was given, the spec it stored, its digests, and the settings
that a checkpoint of the training belongs to.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slim_core.data.importing import import_data
from slim_core.runs.executor import Workbench
from slim_core.steps.registry import STEPS, parse_spec
from slim_core.steps.specs import TrainSpec
from slim_core.store.runs.rows import hash_of
from slim_core.store.schema import runs

OLD: list[dict[str, Any]] = json.loads(Path(__file__).with_name("specs_of_version_0.json").read_text())
each_old_spec = pytest.mark.parametrize(
    "old", OLD, ids=[f"{number}-{old['spec']['kind']}" for number, old in enumerate(OLD)]
)


NEW = {"preview", "candidates"}  # steps that came later


def test_there_are_old_specs_of_every_step_that_there_was() -> None:
    assert {old["spec"]["kind"] for old in OLD} == set(STEPS) - NEW


@each_old_spec
@pytest.mark.parametrize("form", ["given", "spec"])
def test_an_old_spec_means_the_same_and_keeps_its_digests(old: dict[str, Any], form: str) -> None:
    spec = parse_spec(old[form])
    assert spec.model_dump(mode="json") == old["spec"]
    assert spec.fingerprint == old["fingerprint"]
    assert hash_of(spec.model_dump(mode="json"), "f" * 64) == old["hash"]


@pytest.mark.parametrize("old", [old for old in OLD if "checkpoint" in old])
def test_a_training_that_was_interrupted_before_still_finds_its_checkpoint(old: dict[str, Any]) -> None:
    spec = parse_spec(old["spec"])
    assert isinstance(spec, TrainSpec)
    assert spec.trained_with() == old["checkpoint"]


def test_a_run_of_an_old_database_is_offered_again(workbench: Workbench, small_demo: Path) -> None:
    store = workbench.store
    dataset = store.datasets.register(import_data(small_demo))
    run, _ = store.runs.submit(parse_spec({"kind": "train", "dataset": dataset.id}))
    store.attempts.finish(run.id, store.queue.claim(run.id, "w", "cpu"), {})
    old = OLD[1]["spec"] | {"dataset": dataset.id}
    as_it_was = {"spec": old, "spec_hash": hash_of(old, dataset.fingerprint)}
    with store.runs._database.write() as connection:
        connection.execute(runs.update().where(runs.c.id == run.id).values(**as_it_was))
    again, created = store.runs.submit(parse_spec({"kind": "train", "dataset": dataset.id, "model": "small-resnet"}))
    assert (again.id, created) == (run.id, False)
    assert parse_spec(again.spec).changed() == {}
