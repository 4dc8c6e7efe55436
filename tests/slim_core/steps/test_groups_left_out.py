"""Groups without an image, or with a single one: what goes by groups does so all the same, and the run says so."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from slim_core import api
from slim_core.cli.kit import console
from slim_core.errors import SlimError
from slim_core.runs.executor import Workbench
from slim_core.runs.loop_runs import LoopConfig
from slim_core.runs.methods import Loop
from slim_core.store import Dataset
from tests.refusals import missing, refusal


@pytest.fixture
def demo_with(workbench: Workbench, demo_folder: Path, tmp_path: Path) -> Callable[[pd.DataFrame], Dataset]:
    """demo_with(metadata) is the small demo set with other metadata."""

    def made(metadata: pd.DataFrame) -> Dataset:
        shutil.copytree(demo_folder / "images", tmp_path / "changed" / "images")
        metadata.to_csv(tmp_path / "changed" / "metadata.csv", index=False)
        return api.data_set(tmp_path / "changed", at=workbench)

    return made


@pytest.fixture
def metadata(demo_folder: Path) -> pd.DataFrame:
    """That of the small demo set."""
    return pd.read_csv(demo_folder / "metadata.csv")


@pytest.fixture
def without_a_group(demo_with: Callable[[pd.DataFrame], Dataset], metadata: pd.DataFrame) -> Dataset:
    """The small demo set, of which landbirds on water are in test alone."""
    return demo_with(metadata[~((metadata["split"] < 2) & (metadata["y"] == 0) & (metadata["place"] == 1))])


@pytest.mark.slow
def test_a_training_by_groups_names_those_it_goes_without_and_their_accuracy_is_unknown(
    workbench: Workbench, without_a_group: Dataset, capsys
) -> None:
    how = {"model": "small-resnet", "epochs": 1, "batch_size": 32, "at": workbench}
    run = api.train(without_a_group.id, objective="group-dro", selection="worst_group", **how)
    (note,) = run.metrics["report"]["notes"]
    assert "Left out" in note and "landbird, water" in note
    assert note in (workbench.store.artifacts.folder(run.id) / "log.txt").read_text()
    console.done(run)
    assert note in capsys.readouterr().err
    (lost,) = (each for each in run.metrics["val"]["groups"] if each["name"] == "landbird, water")
    assert (lost["n"], lost["accuracy"]) == (0, None) and run.metrics["val"]["wga"] is not None
    tested = {each["name"]: each for each in api.evaluate(run.id, at=workbench).metrics["groups"]}
    assert tested["landbird, water"]["n"] > 0 and tested["landbird, water"]["accuracy"] is not None
    plain = api.train(without_a_group.id, **how)
    assert "report" not in plain.metrics
    refitted = api.refit_last_layer(plain.id, refit="dfr", refit_options={"refits": 2}, at=workbench)
    assert refitted.metrics["report"] == {"notes": [note]}
    assert "report" not in api.refit_last_layer(plain.id, refit="l1", at=workbench).metrics


@pytest.fixture
def with_single_images(demo_with: Callable[[pd.DataFrame], Dataset], metadata: pd.DataFrame) -> Dataset:
    """The small demo set with a single landbird on water in train, and a single waterbird on land in val."""
    for split, y, place in ((0, 0, 1), (1, 1, 0)):
        of_group = (metadata["split"] == split) & (metadata["y"] == y) & (metadata["place"] == place)
        metadata = metadata.drop(metadata.index[of_group][1:])
    return demo_with(metadata)


OF_TRAIN = ("a single training image", "landbird, water")
OF_VAL = ("a single validation image", "waterbird, land")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("by", "notes"),
    [
        ({}, []),
        ({"objective": "group-dro"}, [OF_TRAIN]),
        ({"sampling": "group-balanced"}, [OF_TRAIN]),
        ({"selection": "worst_group"}, [OF_VAL]),
        ({"sampling": "group-balanced", "selection": "worst_group"}, [OF_TRAIN, OF_VAL]),
    ],
)
def test_a_training_by_groups_names_those_of_a_single_image_and_says_what_that_one_decides(
    workbench: Workbench, with_single_images: Dataset, by: dict[str, str], notes: list[tuple[str, ...]]
) -> None:
    run = api.train(with_single_images.id, model="small-resnet", epochs=1, batch_size=32, at=workbench, **by)
    said = run.metrics.get("report", {"notes": []})["notes"]
    assert not any(missing(note, *values) for note, values in zip(said, notes, strict=True))


@pytest.mark.slow
def test_a_refit_that_is_chosen_by_the_worst_group_names_those_of_a_single_image(
    workbench: Workbench, with_single_images: Dataset
) -> None:
    model = api.train(with_single_images.id, model="small-resnet", epochs=1, batch_size=32, at=workbench)
    run = api.refit_last_layer(model.id, refit="l1", selection="worst_group", at=workbench)
    (note,) = run.metrics["report"]["notes"]
    assert not missing(note, *OF_VAL)
    assert "report" not in api.refit_last_layer(model.id, refit="l1", at=workbench).metrics


@pytest.mark.slow
def test_a_subset_of_groups_that_lacks_a_class_says_how_to_get_its_images(
    workbench: Workbench, demo_with: Callable[[pd.DataFrame], Dataset], metadata: pd.DataFrame
) -> None:
    metadata["place"] = metadata["place"].astype("Int64").mask((metadata["y"] == 1) & (metadata["split"] == 0))
    dataset = demo_with(metadata)
    loop = Loop(workbench, LoopConfig(dataset=dataset.id, train={"epochs": 1, "batch_size": 32}))
    subset = loop.subset("oracle", size=40)
    assert not missing(subset.metrics["report"]["notes"][-1], "waterbird", "attribute column", "another strategy")
    with refusal(SlimError, "waterbird", subset.metrics["images_unique"], "oracle", "place", "attribute column"):
        loop.retrained(subset)
