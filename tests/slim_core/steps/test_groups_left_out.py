"""Groups that no training image is of: what balances groups goes without them, and the run says so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from slim_core import api
from slim_core.cli.kit import console
from slim_core.errors import SlimError
from slim_core.runs.executor import Workbench
from slim_core.runs.whole_loop import Loop, LoopConfig
from slim_core.store import Dataset

NOTE = "Left out of the balance of groups, as there are too few images of them to train on: landbird, water."


@pytest.fixture
def without_a_group(workbench: Workbench, demo_folder: Path, tmp_path: Path) -> Dataset:
    """The small demo set, of which landbirds on water are in test alone."""
    folder = tmp_path / "rare"
    folder.mkdir()
    shutil.copytree(demo_folder / "images", folder / "images")
    metadata = pd.read_csv(demo_folder / "metadata.csv")
    is_missing = (metadata["split"] < 2) & (metadata["y"] == 0) & (metadata["place"] == 1)
    metadata[~is_missing].to_csv(folder / "metadata.csv", index=False)
    return api.data_set(folder, at=workbench)


@pytest.mark.slow
def test_a_training_by_groups_names_those_it_goes_without_and_their_accuracy_is_unknown(
    workbench: Workbench, without_a_group: Dataset, capsys
) -> None:
    how = {"model": "small-resnet", "epochs": 1, "batch_size": 32, "at": workbench}
    run = api.train(without_a_group.id, objective="group-dro", selection="worst_group", **how)
    assert run.metrics["report"] == {"notes": [NOTE]}
    assert NOTE in (workbench.store.artifacts.folder(run.id) / "log.txt").read_text()
    console.done(run)
    assert NOTE in capsys.readouterr().err
    (lost,) = (each for each in run.metrics["val"]["groups"] if each["name"] == "landbird, water")
    assert (lost["n"], lost["accuracy"]) == (0, None) and run.metrics["val"]["wga"] is not None
    tested = {each["name"]: each for each in api.evaluate(run.id, at=workbench).metrics["groups"]}
    assert tested["landbird, water"]["n"] > 0 and tested["landbird, water"]["accuracy"] is not None
    plain = api.train(without_a_group.id, **how)
    assert "report" not in plain.metrics
    refitted = api.refit_last_layer(plain.id, refit="dfr", fitted_on="val", refit_options={"refits": 2}, at=workbench)
    assert refitted.metrics["report"] == {"notes": [NOTE]}
    assert "report" not in api.refit_last_layer(plain.id, refit="l1", fitted_on="val", at=workbench).metrics


@pytest.mark.slow
def test_a_subset_of_groups_that_lacks_a_class_says_how_to_get_its_images(
    workbench: Workbench, demo_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "unknown"
    folder.mkdir()
    shutil.copytree(demo_folder / "images", folder / "images")
    metadata = pd.read_csv(demo_folder / "metadata.csv")
    metadata["place"] = metadata["place"].astype("Int64").mask((metadata["y"] == 1) & (metadata["split"] == 0))
    metadata.to_csv(folder / "metadata.csv", index=False)
    dataset = api.data_set(folder, at=workbench)
    loop = Loop(workbench, LoopConfig(dataset=dataset.id, train={"epochs": 1, "batch_size": 32}))
    subset = loop.subset("oracle", size=40)
    lost = "the attribute of none of its images is known; complete the attribute column, or choose another strategy"
    assert subset.metrics["report"]["notes"][-1] == f"Class waterbird has no image in the subset: {lost}."
    with pytest.raises(SlimError) as refused:
        loop.retrained(subset)
    assert str(refused.value) == (
        f"There is no image of waterbird among the {subset.metrics['images_unique']} to train on: oracle leaves out "
        f"images whose place is unknown, and of waterbird there is no other in train; complete the attribute column, "
        f"or choose another strategy."
    )
