"""A report of a model that somebody has: any checkpoint, any folder, one file; or one sentence, and nothing is left."""

from __future__ import annotations

import os
import pickle
import sys
import types

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

import slim_core
from slim_core.evaluation.one_model import is_chance
from slim_core.models.build import SmallResNet
from slim_core.models.foreign import recognised
from slim_core.settings import settings
from tests.placed_quickly import placed_quickly
from tests.refusals import missing
from tests.slim_core.cli.commands import slim


@pytest.fixture(scope="module")
def state(looped):
    """The tensors of the reference model."""
    return load_file(looped.at.store.artifacts.folder(looped.loop.reference.id) / "weights.safetensors")


@pytest.fixture(scope="module")
def theirs(state, tmp_path_factory):
    """In the layout of a training script, under a name that says nothing."""
    path = tmp_path_factory.mktemp("theirs") / "best.pt"
    torch.save({"epoch": 3, "state_dict": {f"module.{name}": value for name, value in state.items()}}, path)
    return path


@pytest.fixture(scope="module")
def found(looped, theirs):
    with placed_quickly():
        return slim_core.report(theirs, looped.dataset.id, at=looped.at)


def test_it_finds_the_network_and_shows_classes_slices_limits_spaces_and_the_next_command(looped, found):
    metrics = found.evaluation.metrics
    assert metrics["groups"] == looped.outcomes["erm"].evaluation.metrics["groups"]
    shown = found.report.alone
    assert [(row[0], row[1]) for row in shown.classes] == [(one["name"], f"{one['n']:,}") for one in metrics["classes"]]
    assert shown.slices and all(len(example) == 3 for one in shown.slices for example in one.examples)
    assert shown.limits and shown.step.command.startswith("slim ")
    n_test = metrics["n"]
    assert any(f"{n_test:,}" in fact for fact in shown.facts)
    page = found.html
    assert "<iframe" not in page and found._repr_html_().startswith("<iframe") and shown.step.command in page
    spaces = [chart for chart in found.report.charts if "environment" in chart.title.lower()]
    assert len(spaces) == 1 and len({trace.xaxis for trace in spaces[0].figure.data}) == 2


def test_a_second_call_and_the_ids_of_its_runs_give_the_same_evaluation(looped, theirs, found):
    again = slim_core.report(theirs, looped.dataset.id, at=looped.at)
    by_model = slim_core.report(found.evaluation.spec["model"], at=looped.at)
    by_evaluation = slim_core.report(found.evaluation.id, at=looped.at)
    assert {again.evaluation.id, by_model.evaluation.id, by_evaluation.evaluation.id} == {found.evaluation.id}


def test_outputs_in_another_order_and_further_ones_are_put_in_the_order_of_the_images(looped, state, found, tmp_path):
    names = looped.at.store.datasets.table(looped.dataset.id).label_names
    order = [1, 0, 1]  # the last stands for a class that no image has
    save_file(
        state | {f"fc.{part}": state[f"fc.{part}"][order] for part in ("weight", "bias")}, tmp_path / "x.safetensors"
    )
    with placed_quickly():
        turned = slim_core.report(
            tmp_path / "x.safetensors", looped.dataset.id, classes=[names[1], names[0], "none"], at=looped.at
        )
    assert turned.evaluation.metrics["confusion"] == found.evaluation.metrics["confusion"]


class TwoOutputs(nn.Module):
    """A trained network that comes with its weights; ``tells`` what it gives."""

    image_size, resize_ratio = 64, 1.0  # as small-resnet: each pixel as it is

    def __init__(self, state, tells):
        super().__init__()
        self.net, self.tells = SmallResNet(2), tells
        self.net.load_state_dict(state)

    def forward(self, images):
        logits = self.net(images)
        return (logits, logits) if self.tells == "two" else logits


@pytest.fixture
def module(monkeypatch, state):
    module = types.ModuleType("networks_of_a_report")
    module.one, module.two = (lambda _n, tells=tells: TwoOutputs(state, tells) for tells in ("one", "two"))
    monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.mark.usefixtures("module")
def test_a_function_is_reported_with_the_weights_that_it_gives(looped, found):
    with placed_quickly():
        its = slim_core.report("networks_of_a_report:one", looped.dataset.id, at=looped.at)
    assert its.evaluation.metrics["confusion"] == found.evaluation.metrics["confusion"]


def written(folder, case, state):
    """The words of a command that is refused."""
    data, names = folder / "data", ["0", "1"]
    if case == "one class":
        names = ["0"]
    for name in names:
        (data / name).mkdir(parents=True, exist_ok=True)
        for k in range(12):
            Image.new("RGB", (64, 64), (20 * k, 0, 99 if name == "1" else 0)).save(data / name / f"{k}.png")
    path = folder / "m.pt"
    if case == "code":
        path.write_bytes(pickle.dumps(os.getcwd))
    elif case == "two heads":
        torch.save(state | {"fc2.weight": state["fc.weight"], "fc2.bias": state["fc.bias"]}, path)
    elif case == "five classes":
        torch.save(SmallResNet(5).state_dict(), path)
    elif case != "missing":
        torch.save(state, path)
    more = {
        "architecture": ["--arch", "resnet18"],
        "classes": ["--classes", "cat,dog"],
        "not written": ["--html", "/proc/none/r.html"],
    }
    model = "networks_of_a_report:two" if case == "a tuple" else path
    return [
        "report",
        model,
        folder / "nowhere" if case == "no folder" else data,
        *more.get(case, ["--html", folder / "r.html"]),
    ]


REFUSED = {
    "missing": ("m.pt",), "no folder": ("nowhere",), "code": ("getcwd",), "architecture": ("resnet18", "m.pt"),
    "classes": ("cat", "dog", "0, 1", "--classes"), "five classes": ("5 outputs", "0, 1", "--classes"),
    "two heads": ("--arch",), "a tuple": ("tuple",), "one class": ("class",), "not written": ("/proc/none/r.html",),
}  # fmt: skip


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_one_sentence_and_leaves_nothing_behind(case, state, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SLIM_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    words = written(tmp_path, case, state)
    before = set(tmp_path.iterdir())
    capsys.readouterr()
    assert slim(*words) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert not missing(said[-1], *REFUSED[case]) and "Traceback" not in "".join(said)
    assert set(tmp_path.iterdir()) == before
    settings.cache_clear()


def test_a_home_that_was_there_stays_and_registers_nothing(state, new_home, tmp_path, monkeypatch):
    monkeypatch.setenv("SLIM_HOME", str(new_home))
    settings.cache_clear()
    assert slim(*written(tmp_path, "classes", state)) == 2
    assert (new_home / "slim.db").exists() and not slim_core.open_workbench().store.datasets.all()
    settings.cache_clear()


@pytest.mark.slow
def test_a_few_images_without_splits_groups_or_masks_give_a_report_that_says_what_it_cannot(
    state, new_home, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("SLIM_HOME", str(new_home))
    settings.cache_clear()
    words = written(tmp_path, "few", state)
    assert slim(*words, "--device", "cpu") == 0
    out = capsys.readouterr().out
    assert not missing(out, "masks", "next: slim", "classes") and (tmp_path / "r.html").stat().st_size < 8e6
    settings.cache_clear()


def test_a_network_is_found_by_its_tensors_whatever_its_classes(tmp_path):
    torchvision = pytest.importorskip("torchvision")
    for name, classes in (("resnet18", 7), ("densenet121", 2), ("mobilenet_v3_small", 3)):
        torch.save(torchvision.models.get_model(name, num_classes=classes).state_dict(), tmp_path / "m.pt")
        assert recognised(tmp_path / "m.pt", None, None)[::2] == (name, classes)


def test_chance_is_what_guessing_could_reach():
    assert is_chance(50, 100, 2) and is_chance(58, 100, 2) and not is_chance(75, 100, 2)
    assert not is_chance(0, 0, 2) and not is_chance(10, 10, 1)


def test_comparison_and_space_show_themselves_in_a_notebook_too(looped):
    shown = (slim_core.compare(data=looped.dataset.id, at=looped.at), slim_core.space_figure(at=looped.at))
    assert all("<div" in one._repr_html_() for one in shown)
