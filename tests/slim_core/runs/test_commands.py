"""The command line of a spec, read back by the real command line."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from slim_core.cli import main
from slim_core.data.importing import import_data
from slim_core.models.checkpoints import registration
from slim_core.runs.details import command
from slim_core.runs.executor import InProcess, Workbench
from slim_core.steps.specs import STEPS, Spec, parse_spec
from slim_core.store import CampaignSettings, Dataset, Run, Store


@pytest.fixture
def dataset(store: Store, small_demo: Path) -> Dataset:
    """One that is registered, and not the newest."""
    return store.datasets.register(import_data(small_demo))


def finished(store: Store, **fields: Any) -> Run:
    """A finished run by its spec."""
    run, _ = store.runs.submit(parse_spec(fields))
    store.attempts.finish(run.id, store.attempts.claim(run.id, "w", "cpu"), {})
    return store.runs.fetch(run.id)


@pytest.fixture
def specs(store: Store, dataset: Dataset) -> dict[str, Spec]:
    """Name -> a spec whose parents exist."""
    base = {"dataset": dataset.id}
    model = finished(store, kind="train", model="small-resnet", **base)
    maps = finished(store, kind="gradcam", model=model.id, **base)
    space = finished(store, kind="space", attention=maps.id, **base)
    subset = finished(store, kind="curate", space=space.id, strategy="random", size=20, **base)
    probe = finished(store, kind="train", model="resnet18", mode="last-layer", refit="l2", **base)
    of_probe = finished(store, kind="gradcam", model=probe.id, **base)
    there = finished(store, kind="space", attention=of_probe.id, **base)
    halved = finished(store, kind="curate", space=there.id, strategy="random", size=20, **base)
    theirs = store.settings.home / "theirs.safetensors"
    save_file({"weight": np.zeros(2)}, theirs)
    registered = registration(theirs, store.settings)
    settings = CampaignSettings(guideline="?")
    campaign = store.campaigns.create("c", dataset.id, space.id, [1, 2], settings=settings)
    train, retrain = {"kind": "train", **base}, {"kind": "train", **base, "model": "small-resnet", "subset": subset.id}
    refit = {"kind": "train", **base, "model": "small-resnet", "mode": "last-layer", "reference": model.id}
    refit_probe = {"model": "resnet18", "mode": "last-layer", "reference": probe.id, "attention": of_probe.id}
    from_reference = retrain | {"start": "reference", "reference": model.id}
    given: dict[str, dict[str, Any]] = {
        "train": train | {"model": "small-resnet"},
        "train with numbers": train | {"model": "resnet18", "epochs": 7, "lr": 0.3, "mean": [0.5, 0.5, 0.5]},
        "retrain": from_reference | {"epochs": 3, "sampling": "class-balanced", "seed": 2},
        "retrain the last layer": retrain | {"mode": "last-layer", "reference": model.id, "attention": maps.id},
        "retrain a probe": train | {**refit_probe, "subset": halved.id, "refit": "l2"},
        "probe a pretrained network": train | {"model": "resnet18", "mode": "last-layer", "refit": "l2", "seed": 2},
        "refit by JTT": refit | {"refit": "jtt", "refit_options": {"firsts": [4.0, 10.0]}},
        "register a model": train | {"model": "resnet18", "std": [0.5, 0.4, 0.3], "image_size": 64, **registered},
        "gradcam": {
            "kind": "gradcam",
            **base,
            "model": model.id,
            "splits": ["val", "test"],
            "target_layer": "stages.1",
        },
        "preview": {"kind": "preview", **base, "model": model.id, "images": 4, "split": "val"},
        "space": {"kind": "space", **base, "attention": maps.id, "n_neighbors": 9, "n_clusters": 3, "seed": 1},
        "choose candidates": {"kind": "candidates", **base, "space": space.id, "share": 0.1},
        "curate": {"kind": "curate", **base, "space": space.id, "strategy": "random", "size": 12}
        | {"options": {"repeats": True, "max_repeats": 3}},
        "curate by answers": {"kind": "curate", **base, "space": space.id, "campaign": campaign.id, "size": 12},
        "evaluate": {"kind": "evaluate", **base, "model": model.id, "split": "val", "space": space.id},
    }
    return {name: parse_spec(one) for name, one in given.items()}


@pytest.fixture
def submitted(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[Spec]:
    """What commands submit from now on; each is done at once."""
    specs: list[Spec] = []

    class Noting(InProcess):
        def submit(self, spec: Spec, **options: Any) -> Run:
            specs.append(spec)
            run = super().submit(spec, **options)
            if run.status == "queued":
                self.store.attempts.finish(run.id, self.store.attempts.claim(run.id, "w", "cpu"), {"groups": []})
            return self.store.runs.fetch(run.id)

    def queue_only(*, queue: bool = False, **_how: object) -> Workbench:
        assert queue
        return Workbench(store, Noting(store, device="cpu"))

    monkeypatch.setattr("slim_core.runs.executor.open_workbench", queue_only)
    monkeypatch.setattr("slim_core.cli.steps.show_groups", lambda _metrics: None)
    monkeypatch.setattr("slim_core.runs.executor.require_weights", lambda _store, _spec: None)
    return specs


@pytest.mark.slow
def test_the_command_of_every_kind_of_spec_submits_exactly_that_spec(
    specs: dict[str, Spec], submitted: list[Spec]
) -> None:
    assert {spec.kind for spec in specs.values()} == set(STEPS)
    for name, spec in specs.items():
        words = shlex.split(command(spec))
        assert words[:2] == ["slim", "submit"]
        main_of(words[1:])
        assert submitted[-1] == spec, name


def test_a_default_that_is_not_what_the_recipe_proposes_stays_in_the_command() -> None:
    given = {"kind": "train", "dataset": "d", "model": "resnet50"}
    usual = parse_spec(given)
    lr = type(usual).model_fields["lr"].default
    assert usual.lr != lr  # type: ignore[attr-defined]
    spec = parse_spec(given | {"lr": lr})
    assert parse_spec(json.loads(shlex.split(command(spec))[3])) == spec


def test_a_last_layer_is_fitted_as_is_usual_where_the_command_names_no_refit(
    specs: dict[str, Spec], submitted: list[Spec]
) -> None:
    probe = specs["retrain a probe"]
    new = ["--model", "resnet18", "--mode", "last-layer", "--reference", "none"]
    main_of(["train", "--data", probe.dataset, *new, "--queue"])
    main_of(["train", "--subset", probe.subset, "--queue"])  # type: ignore[attr-defined]
    main_of(["train", "--mode", "last-layer", "--reference", probe.reference, "--queue"])  # type: ignore[attr-defined]
    assert [one.refit for one in submitted] == ["l2", "l2", "l1"]  # type: ignore[attr-defined]


def main_of(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert not ended.value.code


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("{kind: train}", "not JSON"),
        ("[1]", "list, not an object"),
        (json.dumps({"kind": "bake"}), "no step 'bake'"),
        (json.dumps({"kind": "train", "dataset": "d", "lernrate": 1}), "no field 'lernrate'"),
        (json.dumps({"kind": "train", "dataset": "d-gone"}), "no data set 'd-gone'"),
    ],
)
def test_a_spec_that_cannot_be_submitted_is_refused_in_one_sentence(store: Store, capsys, spec: str, told: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["submit", "--spec", spec])
    assert ended.value.code == 2
    said = capsys.readouterr().err.strip()
    assert told in said
    assert store.runs.all() == []


def test_the_help_of_submit_shows_an_example(capsys) -> None:
    main_of(["submit", "--help"])
    assert "Example: slim submit --spec" in " ".join(capsys.readouterr().out.split())
