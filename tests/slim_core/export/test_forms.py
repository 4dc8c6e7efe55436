"""Every form of export, opened again by the tool that it is for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from slim_core import api
from slim_core.data.images.codec import ImageTransform, open_image
from slim_core.data.images.heat import heat_map
from slim_core.errors import PathRefusedError
from slim_core.export.fiftyone import over_image
from slim_core.export.forms import CAMPAIGN, RECORD, Source, folder_names
from slim_core.export.writing import FORMS, export
from slim_core.metrics import AVERAGE, GROUPS
from slim_core.settings import Settings
from slim_core.store import Run, Store
from slim_core.store.results import AttentionResult, EvaluationResult, SubsetResult


@pytest.fixture
def store(looped) -> Store:
    return looped.at.store


def newest(store: Store, kind: str, **which: str) -> Run:
    found = store.runs.all(kind=kind, status="done")
    return next(run for run in found if all(run.spec.get(key) == value for key, value in which.items()))


@pytest.fixture
def subset(store: Store) -> Run:
    """One that uses images more than once."""
    curated = store.runs.all(kind="curate", status="done")
    return max(curated, key=lambda run: run.metrics["images"] - run.metrics["images_unique"])


def chosen(store: Store, subset: Run) -> pd.DataFrame:
    return SubsetResult(store.artifacts.folder(subset.id)).images()


def repeated(frame: pd.DataFrame) -> list[int]:
    return sorted(np.repeat(frame["row"], frame["count"]).tolist())


def of_form(store: Store, name: str) -> str:
    kind = FORMS[name].of[0]
    return store.campaigns.all()[0].id if kind == CAMPAIGN else newest(store, kind).id


@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_written_with_what_it_says_and_a_record(store: Store, tmp_path: Path, name: str) -> None:
    if FORMS[name].needs:
        pytest.importorskip(FORMS[name].needs)
    folder = export(store, of_form(store, name), name, tmp_path / "out")
    record = json.loads((folder / RECORD).read_text())
    assert record["form"] == name and record["of"] == of_form(store, name)
    names = store.datasets.table(store.datasets.all()[0].id).label_names
    assert record["label_names"] == list(names) and record["kind"] == FORMS[name].of[0]
    assert record.get("folders") == (folder_names(names) if name == "subset-imagefolder" else None)
    assert sorted([*record["files"], RECORD]) == sorted(path.name for path in folder.iterdir())
    assert record["files"] and [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_table_of_a_subset_names_files_that_are_there(store: Store, subset: Run, tmp_path: Path) -> None:
    folder = export(store, subset.id, "subset-csv", tmp_path / "out")
    frame = pd.read_csv(folder / "subset.csv", dtype={"label_name": str})
    images, table = chosen(store, subset), store.datasets.table(subset.dataset_id)
    assert frame["row"].tolist() == images["row"].tolist() and frame["count"].sum() == subset.metrics["images"]
    assert all(Path(path).is_file() for path in frame["path"])
    assert frame["label_name"].tolist() == [table.label_names[label] for label in images["label"]]
    assert set(frame[table.attribute_name]) <= set(table.attribute_names) and "cell" in frame


def test_class_folders_of_links_open_as_an_image_folder(store: Store, subset: Run, tmp_path: Path) -> None:
    from torchvision.datasets import ImageFolder

    folder = export(store, subset.id, "subset-imagefolder", tmp_path / "out")
    opened, table = ImageFolder(str(folder)), store.datasets.table(subset.dataset_id)
    rows = [int(Path(path).name.partition("-")[0]) for path, _ in opened.samples]
    assert sorted(rows) == repeated(chosen(store, subset))
    for path, label in opened.samples:
        row = int(Path(path).name.partition("-")[0])
        assert Path(path).is_symlink() and Path(path).resolve() == table.image_path(row).resolve()
        assert opened.classes[label] == table.label_names[table.labels[row]]


def scan_in_place(monkeypatch: pytest.MonkeyPatch, scan: Path, images: pd.DataFrame) -> int:
    """The row of an image that is repeated, whose file is from here on a scan of 16 bits."""
    Image.fromarray(np.linspace(0, 65_535, 256).astype(np.uint16).reshape(16, 16)).save(scan)
    row, own = int(images.loc[images["count"] > 1, "row"].iloc[0]), Source.image
    monkeypatch.setattr(Source, "image", lambda source, other: scan if other == row else own(source, other))
    return row


def test_an_image_of_16_bits_is_read_from_class_folders_as_it_is_read_here(
    store: Store, subset: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision.datasets import ImageFolder

    images = chosen(store, subset)
    long = "鳥" * 83  # with its ending the longest that a file system takes; before it come a row and a number
    row = scan_in_place(monkeypatch, scan := tmp_path / f"{long}.tif", images)
    folder = export(store, subset.id, "subset-imagefolder", tmp_path / "out")
    found = ImageFolder(str(folder))
    scans = [path for path, _ in found.samples if "鳥" in path]
    assert len(scans) == images.set_index("row").loc[row, "count"] > 1 and len(found) == images["count"].sum()
    for path in scans:
        assert np.asarray(found.loader(path)).tolist() == np.asarray(open_image(scan)).tolist()
    assert np.unique(np.asarray(open_image(scan))).size == 256


def test_a_class_whose_name_cannot_be_a_folder_has_a_readable_one_that_no_other_has() -> None:
    assert folder_names(("cat", "a-b", "a/b", "", ".x", "twin", "twin", "round / ball", "a\\b", "twin (2)", "..",
                         "export.json")) == [
        "cat", "a-b", "a-b (2)", "class 3", "x", "twin", "twin (3)", "round - ball", "a-b (3)", "twin (2)", "class 10",
        "export.json (2)",
    ]  # fmt: skip


def test_a_folder_can_be_made_of_any_name(tmp_path: Path) -> None:
    names = folder_names(("鳥" * 300, "鳥" * 301, "a\nb", "\udcff", "c" * 300, "\0", "con ", " "))
    for name in names:
        (tmp_path / name).mkdir()
    assert {path.name for path in tmp_path.iterdir()} == set(names)


def test_answers_are_read_by_pandas_and_taken_by_another_campaign(store: Store, tmp_path: Path) -> None:
    from slim_core.annotation.answer_import import check_file

    campaign = next(one for one in store.campaigns.all() if store.answers.last_seq(one.id))
    folder = export(store, campaign.id, "answers-csv", tmp_path / "out")
    frame = pd.read_csv(folder / "current_answers.csv")
    rows = {item.id: item.row for item in store.campaigns.items(campaign.id)}
    given = {rows[item]: value for item, _, value in store.answers.votes(campaign.id)}
    assert dict(zip(frame["row"], frame["value"], strict=True)) == given
    content = (folder / "current_answers.csv").read_bytes()
    checked = check_file(store, campaign, content, name="current_answers.csv")
    assert checked.n_fitting == len(frame) and not checked.unfit


def test_heat_maps_are_pictures_of_each_image(store: Store, tmp_path: Path) -> None:
    run = newest(store, "evaluate")
    seen, table = AttentionResult(store.artifacts.folder(run.id)), store.datasets.table(run.dataset_id)
    heat = export(store, run.id, "maps-png", tmp_path / "out")
    assert len(list(heat.rglob("*.png"))) == len(seen.rows)
    row = int(seen.rows[0])
    with Image.open(heat / table.splits[row] / f"{row}.png") as picture:
        expected = heat_map(seen.map_of(row), picture.width)
        assert picture.mode == "L" and np.allclose(np.asarray(picture) / 255, expected, atol=1 / 255)


@pytest.mark.parametrize("size", [(160, 120), (90, 150), (128, 128), (1_000, 40)])
@pytest.mark.parametrize(
    ("resize_ratio", "fit"), [(8 / 7, "crop"), (1.0, "crop"), (1.5, "crop"), (1, "pad"), (1, "squeeze")]
)
def test_a_heat_map_lies_over_the_part_of_the_image_that_the_model_sees(size, resize_ratio: float, fit) -> None:
    transform = ImageTransform(size=64, resize_ratio=resize_ratio, fit=fit)
    heat = heat_map(np.array([[0.0, 1.0, 2.0], [3.0, 9.0, 1.0], [0.0, 4.0, 8.0]]), 64)
    whole = over_image(heat, transform, size)
    assert whole.width / whole.height == pytest.approx(size[0] / size[1], rel=0.05)
    seen = np.asarray(transform.seen(whole.resize(size, Image.Resampling.BILINEAR))) / 255
    is_image = np.asarray(transform.seen(Image.new("L", size, 255))) == 255
    assert np.abs(seen - heat)[4:-4, 4:-4][is_image[4:-4, 4:-4]].mean() < 0.03


OPEN_IN_FIFTYONE = """
import json
import sys

import fiftyone

kind = fiftyone.types.FiftyOneDataset
opened = fiftyone.Dataset.from_dir(dataset_dir=sys.argv[1], dataset_type=kind)
found = opened.evaluate_classifications("prediction", gt_field="ground_truth")
print(json.dumps({"accuracy": found.metrics()["accuracy"], "groups": opened.count_values("group"), "samples": [
    [one.row, one.filepath, one.tags, one.ground_truth.label, one.prediction.label, one.prediction.confidence,
     one.group, one.correct, one.attention.map_path, list(one.attention.range)]
    for one in opened
]}))
"""


def python_with_fiftyone() -> str:
    """SLIM_TEST_FIFTYONE is that of another environment, for FiftyOne brings some hundred packages and a MongoDB."""
    named = os.environ.get("SLIM_TEST_FIFTYONE")
    if not named and not find_spec("fiftyone"):
        pytest.skip("fiftyone is not installed, and SLIM_TEST_FIFTYONE names no Python that has it")
    return named or sys.executable


@pytest.mark.slow
def test_fiftyone_opens_the_folder_with_labels_predictions_and_heat_maps(store: Store, tmp_path: Path) -> None:
    python = python_with_fiftyone()
    run = newest(store, "evaluate")
    folder = export(store, run.id, "fiftyone", tmp_path / "out")
    own = {"HOME": str(tmp_path), "FIFTYONE_DO_NOT_TRACK": "true", "PYTHONPATH": ""}
    asked = [python, "-W", "ignore", "-c", OPEN_IN_FIFTYONE, str(folder)]
    done = subprocess.run(asked, env={**os.environ, **own}, capture_output=True, text=True, timeout=300, check=False)
    assert not done.returncode, done.stderr[-2000:]
    opened = json.loads(done.stdout.splitlines()[-1])
    samples = opened["samples"]
    table = store.datasets.table(run.dataset_id)
    kept = EvaluationResult(store.artifacts.folder(run.id)).predictions()
    assert [sample[0] for sample in samples] == kept["row"].tolist()
    for sample, record in zip(samples, kept.to_dict("records"), strict=True):
        _, path, tags, label, prediction, confidence, _, correct, heat, bounds = sample
        assert Path(path) == table.image_path(record["row"]).resolve() and tags == ["test"]
        assert (label, prediction) == tuple(table.label_names[record[name]] for name in ("label", "prediction"))
        assert confidence == pytest.approx(record["confidence"]) and correct == (label == prediction)
        assert bounds == [0.0, 255.0] and Path(heat).is_file()
    assert opened["accuracy"] == pytest.approx(run.metrics[AVERAGE])
    assert opened["groups"] == {group["name"]: group["n"] for group in run.metrics[GROUPS]}


def test_features_are_those_of_the_run(store: Store, tmp_path: Path) -> None:
    run = newest(store, "gradcam")
    folder, seen = (
        export(store, run.id, "features-npy", tmp_path / "out"),
        AttentionResult(store.artifacts.folder(run.id)),
    )
    for name in ("attention", "environment", "pooled"):
        assert np.array_equal(np.load(folder / f"{name}_features.npy").astype(np.float32), seen.features(name))
    assert np.array_equal(np.load(folder / "rows.npy"), seen.rows)


def test_weights_open_in_safetensors_and_are_registered_as_a_model(looped, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    from slim_core.models.build import build, load_model

    store, run = looped.at.store, newest(looped.at.store, "train", mode="full")
    folder = export(store, run.id, "model-safetensors", tmp_path / "out")
    about = json.loads((folder / "model.json").read_text())
    net = build(about["name"], about["n_classes"], weights="none", image_size=about["transform"]["size"]).net
    net.load_state_dict(load_file(folder / "model.safetensors"))
    same = load_model(store.artifacts.folder(run.id)).net.state_dict()
    assert all(tensor.equal(same[name]) for name, tensor in net.state_dict().items())
    registered = api.register_model(
        folder / "model.safetensors", model=about["name"], data=looped.dataset.id, at=looped.at
    )
    assert registered.status == "done" and registered.spec["mode"] == "registered"


@pytest.mark.slow
def test_weights_of_a_published_architecture_open_in_the_package_that_publishes_it(
    store: Store, tmp_path: Path
) -> None:
    import torchvision
    from safetensors.torch import load_file

    from slim_core.models.build import build
    from slim_core.models.model import save_model

    trained, out = tmp_path / "trained", tmp_path / "out"
    trained.mkdir()
    out.mkdir()
    save_model(build("resnet18", 3, weights="none"), trained)
    run = newest(store, "train")
    source = Source(store, "train", run.id, run.dataset_id)
    source.__dict__["folder"] = trained
    FORMS["model-safetensors"].write(source, out)
    torchvision.models.resnet18(num_classes=3).load_state_dict(load_file(out / "model.safetensors"))


def test_the_graph_gives_the_logits_of_the_model_in_onnxruntime(store: Store, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    import torch

    from slim_core.models.build import load_model

    run = newest(store, "train", mode="full")
    folder = export(store, run.id, "model-onnx", tmp_path / "out")
    model = load_model(store.artifacts.folder(run.id))
    images = torch.randn(5, 3, model.transform.size, model.transform.size)  # it was traced with two
    session = runtime.InferenceSession(str(folder / "model.onnx"))
    with torch.inference_mode():
        expected = model.net.eval()(images).numpy()
    (logits,) = session.run(["logits"], {"images": images.numpy()})
    assert np.allclose(logits, expected, atol=1e-4)


@pytest.mark.parametrize(("name", "kind"), [("fiftyone", "gradcam"), ("subset-imagefolder", "curate")])
def test_an_image_outside_the_allowed_folders_is_not_read(store: Store, tmp_path: Path, name: str, kind: str) -> None:
    narrowed = replace(store, settings=Settings(home=store.settings.home, data_roots=(tmp_path,)))
    with pytest.raises(PathRefusedError):
        export(narrowed, newest(store, kind).id, name, tmp_path / "out")
    assert not (tmp_path / "out").exists()
