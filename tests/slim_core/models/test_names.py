"""Names of models and losses, known before torch is."""

from __future__ import annotations

import subprocess
import sys

import pytest

from slim_core.models import names as model_names
from slim_core.models.names import SMALL_RESNET, check_model, classifiers, short_name
from slim_core.models.published import names
from slim_core.parameters import parameters
from slim_core.steps.specs import TrainSpec
from slim_core.training.objectives import OBJECTIVES


def test_the_names_read_from_the_source_are_those_that_torchvision_has():
    assert sorted(classifiers()) == names()


@pytest.mark.slow
def test_a_wrong_name_is_refused_by_a_process_that_never_imports_torch():
    code = (
        "import sys; from slim_core.models.names import check_model\n"
        "try: check_model('nosuch')\n"
        "except ValueError as error: print(error, 'torch' in sys.modules or 'torchvision' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "small-resnet" in said and said.endswith("False\n")


def test_what_cannot_be_read_refuses_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(model_names, "classifiers", lambda: ())
    check_model("one_of_tomorrow")


def test_a_spec_takes_the_losses_that_there_are_and_the_small_network():
    assert tuple(parameters(TrainSpec)["objective"].choices) == tuple(OBJECTIVES)
    assert TrainSpec(dataset="d", model=SMALL_RESNET).model == SMALL_RESNET


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("package.module:lite0", "lite0"),
        ("timm:vit_tiny.a", "timm:vit_tiny.a"),
        ("resnet50", "resnet50"),
    ],
)
def test_a_function_of_ones_own_is_called_without_its_module(name, short):
    assert short_name(name) == short
