"""slim compare, as people type it, on a finished loop."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest

from slim_core import api
from slim_core.cli.loop import show_comparison
from slim_core.runs.executor import open_workbench
from slim_core.store import Run
from tests.slim_core.cli.commands import slim

pytestmark = pytest.mark.usefixtures("looped_home")


def frame_of(*evaluations: Run) -> pd.DataFrame:
    """What ``slim compare`` shows of them."""
    found = api.compare([one.id for one in evaluations], at=open_workbench())
    return found.assign(data="demo")


def test_compare_writes_a_csv_and_a_report_of_the_runs_named(looped, tmp_path, capsys) -> None:
    ids = [looped.outcomes[name].evaluation.id for name in ("slim", "erm")]
    html, csv = tmp_path / "compare.html", tmp_path / "compare.csv"
    assert slim("compare", *ids, "--html", html, "--csv", csv, "--baseline", ids[0]) == 0
    written = pd.read_csv(csv).set_index("evaluation")
    assert written.index.tolist() == ids
    assert written.at[ids[0], "wga"] == pytest.approx(looped.outcomes["slim"].evaluation.metrics["wga"])
    assert set(written["data"]) == {"demo"} and set(written["dataset"]) == {looped.dataset.id}
    assert {"lineage_seconds", "gpu_hours", "minutes"} <= set(written)
    assert "⚑ SLIM<" in html.read_text()
    assert capsys.readouterr().err.count("written to") == 2


def test_a_baseline_that_is_not_compared_is_one_sentence(looped, tmp_path, capsys) -> None:
    erm = looped.outcomes["erm"].evaluation.id
    assert slim("compare", erm, "--html", tmp_path / "x.html", "--baseline", "r-elsewhere") != 0
    assert "The baseline r-elsewhere is not among" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "x.html").exists()


def test_a_data_set_registered_since_does_not_hide_what_was_evaluated(looped, plain_folder, tmp_path, capsys) -> None:
    assert slim("import", plain_folder, "--register") == 0
    capsys.readouterr()
    assert slim("compare") == 0
    assert "Accuracy in % per group" in capsys.readouterr().out


def test_models_on_two_splits_are_told_apart_and_one_trained_elsewhere_leaves_the_numbers_of_images_whole(
    looped, tmp_path, capsys
) -> None:
    weights = looped.at.store.artifacts.folder(looped.loop.reference.id) / "weights.safetensors"
    theirs = api.register_model(weights, model="small-resnet", data=looped.dataset.id).id
    assert [slim("evaluate", "--model", theirs, "--split", split) for split in ("test", "val")] == [0, 0]
    others = re.findall(r"evaluate (r-\w+)", capsys.readouterr().out)
    of_slim = looped.outcomes["slim"].evaluation.id
    assert slim("compare", of_slim, *others, "--json", tmp_path / "found.json") == 0
    printed = capsys.readouterr().out
    assert "Models on test and val of demo, in %" in printed and " 60 │" in printed
    found = json.loads((tmp_path / "found.json").read_text())
    assert {(row["data"], row["dataset"]) for row in found} == {("demo", looped.dataset.id)}
    shown = [(row["split"], row["images"], row["seed"]) for row in found]
    assert shown == [("test", 60, 0), ("test", None, 0), ("val", None, 0)] and isinstance(shown[0][1], int)
    assert slim("compare", of_slim) == 0
    assert "Models on test of demo, in %" in capsys.readouterr().out


def test_two_models_of_one_method_and_seed_are_told_apart_in_the_first_table(looped, capsys) -> None:
    slim_, erm = (looped.outcomes[name].evaluation for name in ("slim", "erm"))
    show_comparison(frame_of(slim_, erm))
    different, *_ = capsys.readouterr().out.split("Accuracy in % per group")
    assert slim_.spec["model"] not in different
    show_comparison(frame_of(slim_, erm).assign(method="ERM", seed=0))
    alike, *_ = capsys.readouterr().out.split("Accuracy in % per group")
    assert all(one.spec["model"] in alike for one in (slim_, erm))


@pytest.mark.slow
def test_a_data_set_that_is_named_goes_before_the_newest_one(looped, plain_folder, tmp_path, capsys) -> None:
    assert slim("train", "--data", plain_folder, "--model", "small-resnet", "--epochs", 1) == 0
    assert slim("evaluate") == 0
    capsys.readouterr()
    assert slim("evaluate", "--data", looped.dataset.id, "--split", "val", "--force") == 0
    (evaluated,) = re.findall(r"evaluate (r-\w+)", capsys.readouterr().out)
    at = open_workbench()
    assert at.store.runs.fetch(evaluated).dataset_id == looped.dataset.id
    assert slim("compare", "--data", plain_folder.name, "--json", tmp_path / "found.json") == 0
    assert [row["data"] for row in json.loads((tmp_path / "found.json").read_text())] == [plain_folder.name]
    capsys.readouterr()
    for refused, said in (
        (("gradcam", "--data", "birds"), "birds"),
        (("evaluate", "--data", looped.dataset.id, "--model", evaluated), "not both"),
        (("compare", evaluated, "--data", looped.dataset.id), "not both"),
    ):
        assert slim(*refused) == 2
        assert said in " ".join(capsys.readouterr().err.split())
