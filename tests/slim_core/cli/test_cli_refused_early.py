"""What is wrong with a command is found before its work, and leaves no run, folder or campaign behind."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from slim_core import api
from slim_core.cli import main
from slim_core.errors import DataRefusedError, SpecRefusedError
from slim_core.models.build import build
from slim_core.runs.executor import InProcess, Workbench
from slim_core.settings import NO_DIRECTORY, Settings, settings
from slim_core.steps.specs import GradcamSpec, SpaceSpec, Spec, TrainSpec, parse_spec
from slim_core.store import Store
from tests.slim_core.cli.commands import slim


def refused(*command: object) -> None:
    """The command ends with 2 and has queued nothing."""
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in command])
    assert ended.value.code == 2
    store = Store.open(settings())
    assert store.runs.all() == [] and store.campaigns.all() == []
    assert not [*settings().home.glob("runs/*"), *settings().home.glob("work/r-*")]
    store.close()


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed on stderr, as one line."""
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("command", [("backup", "b.zip"), ("run", "--json", "r.json"), ("demo", "d")])
@pytest.mark.parametrize("names_roots", [False, True])
def test_in_a_deleted_working_directory_a_command_says_so(
    tmp_path: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: tuple[str, ...],
    names_roots: bool,
) -> None:
    monkeypatch.setenv("SLIM_HOME", str(home.absolute()))
    monkeypatch.delenv("SLIM_DATA_ROOTS", raising=False)
    if names_roots:
        monkeypatch.setenv("SLIM_DATA_ROOTS", str(tmp_path))
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    settings.cache_clear()
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 2
    assert said(capsys) == NO_DIRECTORY


@pytest.mark.parametrize(
    ("method", "lacks"),
    [
        ("slim", "answers of slim are simulated: leave"),
        ("slim-reference", "answers of slim-reference are simulated"),
    ],
)
def test_a_loop_without_what_answers_are_simulated_from_says_so_before_its_first_run(
    method: str, lacks: str, plain_folder: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused("run", "--data", plain_folder, "--methods", f"erm,{method}")
    assert lacks in said(capsys)


def test_a_loop_on_data_without_test_images_says_so_before_its_first_run(
    plain_folder: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metadata = pd.read_csv(plain_folder / "metadata.csv")
    metadata["split"] = metadata["split"].replace("test", "val")
    metadata.to_csv(plain_folder / "metadata.csv", index=False)
    refused("run", "--data", plain_folder, "--methods", "erm")
    assert "compared: mark some" in said(capsys)


@pytest.mark.parametrize(
    "command",
    [
        ("evaluate", "--json"),
        ("compare", "--json"),
        ("compare", "--html"),
        ("compare", "--csv"),
        ("import", ".", "--json"),
        ("run", "--json"),
        ("candidates", "--csv"),
        ("answers", "export"),
    ],
)
@pytest.mark.parametrize("file", ["missing/x.csv", ".", f"{'n' * 5_000}.csv"])
def test_a_file_that_cannot_be_written_is_refused_at_the_start(
    command: tuple[str, ...], file: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(*command, file)
    assert f"{file} cannot be written" in said(capsys)


DATA = "DATA"  # in place of the folder of a data set
LOOP, TRAIN = ("run", "--data", DATA), ("train", "--data", DATA)


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("train",), "registered yet: name"),
        (("train", "--data", "nowhere"), "'nowhere' is neither a"),
        (("train", "--data", "n" * 5_000), "neither a registered"),
        (("train", "--data", ""), "neither a registered"),
        (("train", "--data", "/etc"), "/etc lies outside the"),
        (("import", "/etc"), "/etc lies outside the"),
        (("import", "n" * 5_000), "be a path"),
        (("gradcam",), "no finished train run yet: start one"),
        (("space",), "is no finished gradcam run yet"),
        (("candidates",), "is no finished space run yet"),
        (("candidates", "--name", " "), "campaign's name is ' ': give one"),
        (("answer", "--from-masks"), "is no campaign yet: open one"),
        (("answer",), "--from-masks, --ask"),
        (("answer", "--ask", "--flip", "5"), "--flip is for answers"),
        (("curate",), "is no finished space run yet"),
        (("curate", "--strategy", "random", "--campaign", ""), "is no campaign"),
        (("evaluate", "--model", "r-x"), "is no run r-x"),
        (("compare",), "finished evaluate run yet: start one"),
        (("compare", "--baseline", "r-x"), "report: add --html"),
        (("compare", "--csv", "x", "--html", "./x"), "hold two results"),
        (("compare", "--json=~nobody-of-this-name/x"), "~nobody-of-this-name/x"),
        (("runs", "--kind", "foo"), "step 'foo': choose one of train, gradcam,"),
        (("runs", "--limit", "0"), "--limit is 0: give 1 or"),
        (("runs", "--limit", "100000000000000000000"), "--limit is 100000000000000000000: give 1 or"),
        (("demo", "x", "--classes", "1"), "classes are two or more different digits"),
        (("demo", "x", "--train", "100000000000000000000"), "train has at most 1,000,000 images"),
        (("demo", "n" * 5_000), "cannot be made (File name too long): name another folder"),
        (("demo", "home/slim.db/x"), "cannot be made (File exists): name another folder"),
        (("demo", "/var/lib/drawn"), "/var/lib/drawn lies outside the"),
        (("submit", "--spec", "{}", "--name", ""), "run's name is '': give one"),
        (("submit", "--spec", "[" * 200_000 + "]" * 200_000), "lists in lists"),
        (("submit", "--spec", '{"kind": ' + "9" * 5_000 + "}"), "thousands of digits"),
        (("submit", "--spec", '{"kind": "' + "k" * 1_000_000 + '"}'), "kkk"),
        (("submit", "--spec", '{"kind": "train", "dataset": "d", "epochs": 1' + "0" * 400 + "}"), "refuses epochs"),
        ((*TRAIN, "--model", ""), "A train step refuses model = ''"),
        ((*TRAIN, "--device", "nope"), "is no device 'nope'"),
        ((*TRAIN, "--device", "mps"), "The device 'mps' is not supported"),
        ((*TRAIN, "--queue"), "queue runs for"),
        ((*TRAIN, "--lr", "1e308"), "A train step refuses lr = 1e+308"),
        # of the options of a training none goes unheard
        ((*TRAIN, "--mode", "lastlayer"), "--mode is 'lastlayer': give full or"),
        ((*TRAIN, "--mode", "registered"), "slim report takes"),
        ((*TRAIN, "--retrain", "scratch"), "curate run there"),
        ((*TRAIN, "--reference", "r-x"), "--mode last-layer: give"),
        ((*TRAIN, "--reference", "none"), "--reference none is of --mode"),
        ((*TRAIN, "--subset", "latest"), "a new model"),
        ((*TRAIN, "--mode", "last-layer"), "a new model"),
        ((*TRAIN, "--subset", "latest", "--mode", "last-layer", "--retrain", "scratch"), "ways to retrain"),
        # the whole loop is checked before its first run
        ((*LOOP, "--flip", "nan"), "flip is nan"),
        ((*LOOP, "--flip", "5"), "flip is 5.0: give a number"),
        ((*LOOP, "--unsure", "-0.1"), "-0.1: give a number from 0"),
        ((*LOOP, "--flip", "0.6", "--unsure", "0.6"), "at most 1"),
        ((*LOOP, "--seeds", "0,-1"), "seed is -1"),
        ((*LOOP, "--seeds", "0,x"), "'0,x' is not a"),
        ((*LOOP, "--epochs", "0"), "A train step refuses epochs = 0"),
        ((*LOOP, "--model", "nope"), "A train step refuses model = 'nope'"),
        ((*LOOP, "--size", "1"), "subsets is 1: give at least 2"),
        ((*LOOP, "--methods", "erm,magic"), "is no method 'magic'"),
        ((*LOOP, "--frozen", "--methods", "cnc"), "cnc trains the whole"),
        ((*LOOP, "--device", "meta"), "The device 'meta' is not supported"),
    ],
)
@pytest.mark.usefixtures("uncollected")
def test_what_cannot_be_done_is_one_sentence_before_any_work(
    command: tuple[str, ...], sentence: str, small_demo: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(*(small_demo if word == DATA else word for word in command))
    shown = capsys.readouterr()
    told = " ".join(shown.err.split())
    assert sentence in told and len(told) < 400 and "Traceback" not in told and sentence not in shown.out


def test_a_spec_that_is_no_text_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"kind": "\xff"}'), encoding="utf-8"))
    refused("submit", "--spec", "-")
    assert "text in UTF-8" in said(capsys)


def test_a_file_in_the_home_folder_is_written_there_where_the_shell_leaves_the_tilde(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "empty").mkdir()
    assert slim("import", tmp_path / "empty", "--json=~/report.json") == 2
    assert json.loads((tmp_path / "report.json").read_text())["ok"] is False


@cache
def _trained() -> dict[str, torch.Tensor]:
    return {name: tensor.contiguous() for name, tensor in build("small-resnet", 2).net.state_dict().items()}


def _weights(**changed: torch.Tensor) -> dict[str, torch.Tensor]:
    return _trained() | {name: tensor.contiguous() for name, tensor in changed.items()}


def _write_checkpoints(folder: Path) -> None:
    save_file(_weights(), folder / "cut.safetensors")
    cut = folder / "cut.safetensors"
    cut.write_bytes(cut.read_bytes()[:500])
    torch.save(_weights(), folder / "cut.pt")
    (folder / "cut.pt").write_bytes((folder / "cut.pt").read_bytes()[:500])
    (folder / "empty.pt").touch()
    (folder / "noise.pth").write_bytes(bytes(range(256)) * 40)
    (folder / "page.pth").write_text("<!DOCTYPE html><html><body>404</body></html>")
    (folder / "pointer.safetensors").write_text("version https://git-lfs.github.com/spec/v1\nsize 9\n")
    (folder / "folder.pt").mkdir()
    (folder / "loop.pt").symlink_to("loop.pt")
    weight = _weights()["fc.weight"]
    save_file(_weights(**{"fc.weight": torch.full_like(weight, torch.nan)}), folder / "nan.safetensors")
    torch.save(_weights(**{"fc.weight": weight.to(torch.complex64)}), folder / "complex.pt")
    torch.save(_weights() | {"fc.weight": weight.to_sparse()}, folder / "sparse.pt")
    torch.save(_weights() | {"fc.weight": weight.to("meta")}, folder / "meta.pt")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("cut.safetensors", "a readable checkpoint"),
        ("cut.pt", "a readable checkpoint"),
        ("empty.pt", "a readable checkpoint"),
        ("noise.pth", "a readable checkpoint"),
        ("page.pth", "and not a checkpoint, often an error"),
        ("pointer.safetensors", "pointer and not a checkpoint: fetch the"),
        ("folder.pt", "is no checkpoint"),
        ("missing.pt", "is no checkpoint"),
        ("loop.pt", "be a path"),
        ("n" * 5_000, "be a path"),
        ("/etc/shadow", "outside the allowed"),
        ("nan.safetensors", "fc.weight holds NaN or"),
        ("complex.pt", "fc.weight is complex"),
        ("sparse.pt", "fc.weight is sparse"),
        ("meta.pt", "fc.weight has no values"),
    ],
)
@pytest.mark.filterwarnings("ignore:Validating sparse tensor invariants")  # newer torch, once a process
def test_a_checkpoint_that_cannot_be_used_is_refused_at_submit(
    name: str, sentence: str, small_demo: Path, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write_checkpoints(tmp_path)
    refused("train", "--data", small_demo, "--checkpoint", name)
    assert sentence in said(capsys)


def _finished(store: Store, spec: Spec) -> str:
    """The id of a run of it that is done, without its files."""
    run, _ = store.runs.submit(spec)
    token = store.attempts.claim(run.id, "w", "cpu")
    store.artifacts.attempt(run.id, 1)
    store.artifacts.publish(run.id, 1)
    store.attempts.finish(run.id, token, {})
    return run.id


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Workbench]:
    """A workbench on a store of the test's own."""
    store = Store.open(Settings(home=tmp_path / "home"))
    yield Workbench(store, InProcess(store, device="cpu"))
    store.close()


@pytest.mark.parametrize("strategy", ["oracle"])
def test_a_strategy_of_groups_is_refused_at_submit_on_data_without_attributes(
    strategy: str, plain_folder: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store.open(settings())
    dataset = api.data_set(plain_folder, at=Workbench(store, InProcess(store, device="cpu"))).id
    model = _finished(store, TrainSpec(dataset=dataset, model="small-resnet"))
    maps = _finished(store, GradcamSpec(dataset=dataset, model=model))
    space = _finished(store, SpaceSpec(dataset=dataset, attention=maps))
    with pytest.raises(SystemExit) as ended:
        main(["curate", "--space", space, "--strategy", strategy, "--size", "20"])
    assert ended.value.code == 2
    assert f"strategy {strategy} balances" in said(capsys)
    assert store.runs.all(kind="curate") == []
    store.close()


@pytest.mark.parametrize(
    ("settings_", "sentence"),
    [
        ({"objective": "group-dro"}, "uses group labels"),
        ({"sampling": "group-balanced"}, "uses group labels"),
        ({"mode": "last-layer", "model": "resnet18", "refit": "dfr"}, "refit dfr uses group"),
    ],
)
def test_a_training_by_groups_is_refused_at_submit_on_data_without_attributes(
    settings_: dict[str, str], sentence: str, plain_folder: Path, at: Workbench
) -> None:
    dataset = api.data_set(plain_folder, at=at)
    with pytest.raises(SpecRefusedError, match=f"{sentence}.*{dataset.name} has no"):
        at.submitter.submit(TrainSpec(**{"dataset": dataset.id, "model": "small-resnet", **settings_}))
    assert at.store.runs.all() == []


def test_a_choice_by_groups_is_refused_at_submit_where_val_has_none(
    small_demo: Path, tmp_path: Path, at: Workbench
) -> None:
    folder = tmp_path / "no-places"
    shutil.copytree(small_demo / "images", folder / "images")
    demo = pd.read_csv(small_demo / "metadata.csv")
    place = demo["place"].map({0: "land", 1: "water"}).where(demo["split"] != 1, "")
    table = pd.DataFrame({"path": demo["img_filename"], "split": demo["split"], "label": demo["y"], "place": place})
    table.to_csv(folder / "metadata.csv", index=False)
    dataset = api.data_set(folder, options={"attribute": "place"}, at=at)
    with pytest.raises(SpecRefusedError, match="none of the 10 val images"):
        api.train(dataset.id, model="small-resnet", selection="worst_group", epochs=1, at=at)
    assert at.store.runs.all() == []


@pytest.mark.parametrize("kind", ["gradcam", "evaluate"])
def test_a_target_layer_that_the_network_does_not_have_is_refused_at_submit(looped: object, kind: str) -> None:
    at, model = looped.at, looped.loop.reference  # type: ignore[attr-defined]
    before = len(at.store.runs.all())
    spec = {"kind": kind, "dataset": model.dataset_id, "model": model.id, "target_layer": "__class__"}
    with pytest.raises(SpecRefusedError, match="small-resnet has no layer '__class__'"):
        at.submitter.submit(parse_spec(spec))
    assert len(at.store.runs.all()) == before


def test_a_space_of_images_that_its_pass_does_not_see_is_refused_at_submit(small_demo: Path, at: Workbench) -> None:
    dataset = api.data_set(small_demo, at=at).id
    model = at.submitter.submit(TrainSpec(dataset=dataset, model="small-resnet"))
    seen = at.submitter.submit(GradcamSpec(dataset=dataset, model=model.id, splits=("val", "test")))
    with pytest.raises(SpecRefusedError, match="covers the val and test images, not"):
        at.submitter.submit(SpaceSpec(dataset=dataset, attention=seen.id))
    assert at.store.runs.all(kind="space") == []


def test_a_space_of_too_few_images_is_refused_at_submit(small_demo: Path, tmp_path: Path, at: Workbench) -> None:
    folder = tmp_path / "few"
    shutil.copytree(small_demo / "images", folder / "images")
    demo = pd.read_csv(small_demo / "metadata.csv")
    table = pd.DataFrame({"path": demo["img_filename"], "split": demo["split"], "label": demo["y"]})
    table.drop(table.index[table["split"] == 0][9:]).to_csv(folder / "metadata.csv", index=False)
    dataset = api.data_set(folder, at=at).id
    model = at.submitter.submit(TrainSpec(dataset=dataset, model="small-resnet"))
    seen = at.submitter.submit(GradcamSpec(dataset=dataset, model=model.id, splits=("train", "val")))
    with pytest.raises(SpecRefusedError, match="few has 9 train images: an attention"):
        at.submitter.submit(SpaceSpec(dataset=dataset, attention=seen.id))
    assert at.store.runs.all(kind="space") == []
    assert at.submitter.submit(SpaceSpec(dataset=dataset, attention=seen.id, split="val"))


@pytest.mark.parametrize("gamma", [0, -1, 1e300])
def test_the_width_of_the_propagation_is_above_0(gamma: float) -> None:
    with pytest.raises(SpecRefusedError, match="refuses gammas"):
        parse_spec({"kind": "curate", "dataset": "d", "space": "s", "size": 5, "gammas": [gamma]})


def test_a_split_without_images_is_refused_at_submit(small_demo: Path, tmp_path: Path, at: Workbench) -> None:
    folder = tmp_path / "without-test"
    shutil.copytree(small_demo, folder)
    (folder / "config.json").unlink()
    lines = (folder / "metadata.csv").read_text().splitlines()
    split = lines[0].split(",").index("split")
    kept = [lines[0], *(line for line in lines[1:] if line.split(",")[split] != "2")]
    (folder / "metadata.csv").write_text("\n".join(kept) + "\n")
    dataset = api.data_set(folder, at=at)
    model = api.train(dataset.id, model="small-resnet", epochs=1, at=at)
    for step in (api.evaluate, api.preview):
        with pytest.raises(DataRefusedError, match="images in test: name another split"):
            step(model.id, split="test", at=at)
    assert [run.kind for run in at.store.runs.all()] == ["train"]


@pytest.mark.parametrize("name", ["[/]", "[bold", "red \x1b[31m", "a\rb"])
def test_no_name_steers_the_terminal(
    name: str, small_demo: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["import", str(small_demo), "--register", "--name", name], ["datasets"]):
        with pytest.raises(SystemExit) as ended:
            main(command)
        assert ended.value.code == 0
    printed = capsys.readouterr()
    assert "\x1b" not in printed.out + printed.err and "\r" not in printed.out
    assert name.translate({27: "\\x1b", 13: "\\r"}) in printed.out
