"""Models by name, what they say of themselves, and the checkpoints they take and refuse."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn
from torchvision.transforms.functional import normalize

from slim_core.errors import CheckpointRefusedError, SpecRefusedError, WeightsMissingError
from slim_core.models.build import SmallResNet, build, load_model
from slim_core.models.checkpoints import load_weights
from slim_core.models.model import load_checkpoint, save_model
from slim_core.models.published import fetch_weights, imagenet_weights, torchvision_weights_path


def logits(model, n=2):
    size = model.transform.size
    with torch.inference_mode():
        return model.net.eval()(torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(1)))


@pytest.mark.parametrize(
    "name, linear, n_channels",
    [
        ("small-resnet", True, 64),
        ("resnet18", True, 512),
        ("regnet_y_400mf", True, 440),
        ("mobilenet_v2", True, 1280),
        ("densenet121", False, 1024),  # a ReLU stands between its last map and the pooling
        ("mobilenet_v3_small", False, 576),  # a hidden layer stands between pooling and head
        ("squeezenet1_1", False, 512),  # its head is a convolution
    ],
)
def test_target_layer_and_head_are_found_by_watching_the_network(name, linear, n_channels):
    model = build(name, 3, weights="none", image_size=64)
    shapes = []
    handle = model.target_layer.register_forward_hook(lambda _m, _i, output: shapes.append(output.shape))
    assert logits(model).shape == (2, 3)
    handle.remove()
    assert shapes[0][1] == n_channels
    assert model.pools_linearly is linear


def test_the_small_network_keeps_an_eighth_of_the_image():
    model = build("small-resnet", 4)
    assert model.net.stages(model.net.stem(torch.zeros(1, 3, 64, 64))).shape == (1, 64, 8, 8)
    assert model.transform.resize_ratio == 1.0


def test_examining_a_network_leaves_its_training_modes_alone():
    model = build("small-resnet", 2)
    model.net.train()
    model.net.stem.eval()
    assert model.head is model.net.fc
    assert model.net.training and not model.net.stem.training and not model.net.stem[1].training


def test_the_same_seed_gives_the_same_weights_and_leaves_the_global_state_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, again, other = (build("small-resnet", 2, seed=seed) for seed in (5, 5, 6))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(logits(first), logits(again))
    assert not torch.equal(logits(first), logits(other))


def test_an_unknown_name_is_refused():
    with pytest.raises(SpecRefusedError, match="resnet51.*use small-resnet, resnet50"):
        build("resnet51", 2)


def test_imagenet_weights_come_from_the_cache_folder_without_a_download(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    source = build("resnet18", 1000, weights="none", seed=9)
    path = torchvision_weights_path("resnet18")
    path.parent.mkdir(parents=True)
    torch.save(source.net.state_dict(), path)
    model = build("resnet18", 2)
    assert torch.equal(model.net.conv1.weight, source.net.conv1.weight)
    assert model.net.fc.out_features == 2
    assert model.transform.size == 224 and model.transform.resize_ratio == pytest.approx(8 / 7)


def inputs_of_head(net, images):
    seen = []
    with net.fc.register_forward_pre_hook(lambda _module, given: seen.append(given[0])), torch.inference_mode():
        net.eval()(images)
    return seen[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_a_network_with_further_heads_sees_with_its_imagenet_weights_as_published_also_when_it_comes_back(
    name, tmp_path, monkeypatch
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    torch.manual_seed(0)
    published = getattr(torchvision.models, name)(aux_logits=True, init_weights=True, transform_input=True)
    path = torchvision_weights_path(name)
    path.parent.mkdir(parents=True)
    torch.save(published.state_dict(), path)
    model = build(name, 2, image_size=96)
    save_model(model, tmp_path)
    pixels = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    recipe = imagenet_weights(name).transforms()
    wanted = inputs_of_head(published, normalize(pixels, recipe.mean, recipe.std))
    for one in (model, load_model(tmp_path)):
        found = inputs_of_head(one.net, normalize(pixels, one.transform.mean, one.transform.std))
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-3 * float(wanted.abs().max()))


def test_offline_missing_weights_say_which_file_to_put_where(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    weights = imagenet_weights("resnet50")
    offline = type(weights.value)(url="http://localhost:9/resnet50-0676ba61.pth", transforms=None, meta={})
    monkeypatch.setattr(weights, "_value_", offline)
    with pytest.raises(WeightsMissingError, match=rf"{tmp_path}.*resnet50-0676ba61.pth"):
        fetch_weights("resnet50")


def test_a_cached_weights_file_with_code_inside_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = torchvision_weights_path("resnet18")
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))
    with pytest.raises(CheckpointRefusedError, match="would run code"):
        build("resnet18", 2)
    assert not (tmp_path / "ran").exists()


def test_a_saved_model_comes_back_the_same(tmp_path):
    model = build("small-resnet", 3, label_names=("a", "b", "c"), image_size=32, seed=4)
    logits(model)
    save_model(model, tmp_path)
    again = load_model(tmp_path)
    assert (again.name, again.label_names, again.transform) == (model.name, model.label_names, model.transform)
    assert torch.equal(logits(again), logits(model))


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(CheckpointRefusedError, match="model.json is missing"):
        load_model(tmp_path)


@pytest.mark.parametrize("key", ["name", "n_classes", "label_names", "transform"])
def test_a_model_whose_description_lacks_something_is_called_damaged(tmp_path, key):
    save_model(build("small-resnet", 2, label_names=("a", "b")), tmp_path)
    about = json.loads((tmp_path / "model.json").read_text())
    del about[key]
    (tmp_path / "model.json").write_text(json.dumps(about))
    with pytest.raises(CheckpointRefusedError, match="model.json is damaged: put it back"):
        load_model(tmp_path)


@pytest.mark.parametrize("left", [0, 1000, None], ids=["empty", "cut", "missing"])
def test_a_model_whose_weights_are_cut_or_gone_is_called_damaged(tmp_path, left):
    save_model(build("small-resnet", 2, label_names=("a", "b")), tmp_path)
    weights = tmp_path / "weights.safetensors"
    kept = weights.read_bytes()[:left]
    weights.unlink() if left is None else weights.write_bytes(kept)
    with pytest.raises(CheckpointRefusedError, match="missing or damaged: put it back"):
        load_model(tmp_path)


def wrapped(layout, state):
    """The state dict as training scripts in the field write it (METHOD section 3, mistake 1)."""
    return {
        "bare": state,
        "module": {f"module.{key}": value for key, value in state.items()},
        "model_state_dict": {"epoch": 3, "model_state_dict": state},
        "model_state_dict of DataParallel": {"model_state_dict": {f"module.{k}": v for k, v in state.items()}},
        "algorithm": {"algorithm": {f"model.{key}": value for key, value in state.items()}, "best_val_metric": 0.9},
        "algorithm of DataParallel": {"algorithm": {f"model.module.{key}": value for key, value in state.items()}},
        "Lightning": {
            "epoch": 3,
            "state_dict": {**{f"model.{k}": v for k, v in state.items()}, "loss.weight": torch.ones(2)},
            "hyper_parameters": {"lr": 0.1},
        },
        "Lightning of a compiled net": {"state_dict": {f"net._orig_mod.{k}": v for k, v in state.items()}},
        "ImageNet example": {"arch": "resnet18", "state_dict": {f"module.{k}": v for k, v in state.items()}},
        "torchvision reference": {"model": state, "optimizer": {"state": {}, "param_groups": []}, "epoch": 3},
    }[layout]


@pytest.mark.parametrize(
    "layout",
    [
        "bare",
        "module",
        "model_state_dict",
        "model_state_dict of DataParallel",
        "algorithm",
        "algorithm of DataParallel",
        "Lightning",
        "Lightning of a compiled net",
        "ImageNet example",
        "torchvision reference",
    ],
)
def test_each_checkpoint_layout_is_read(tmp_path, layout):
    source, model = build("small-resnet", 2, seed=1), build("small-resnet", 2, seed=2)
    torch.save(wrapped(layout, source.net.state_dict()), tmp_path / "model.pth")
    load_checkpoint(model, tmp_path / "model.pth")
    assert torch.equal(logits(model), logits(source))


@pytest.mark.parametrize("prefix", ["", "module."])
def test_layers_that_are_called_as_a_wrapper_is_keep_their_names(tmp_path, prefix):
    source, net = (nn.ModuleDict({"model": nn.Linear(3, 2)}) for _ in range(2))
    torch.save({f"{prefix}{key}": value for key, value in source.state_dict().items()}, tmp_path / "own.pth")
    load_weights(net, tmp_path / "own.pth", "own:net")
    assert torch.equal(net["model"].weight, source["model"].weight)


def test_a_new_head_is_kept_only_where_all_else_of_the_file_fits(tmp_path):
    source, net = (nn.ModuleDict({"body": nn.Linear(3, 3), "head": nn.Linear(3, n)}) for n in (5, 2))
    torch.save({key: value for key, value in source.state_dict().items() if key != "body.bias"}, tmp_path / "own.pth")
    with pytest.raises(CheckpointRefusedError, match="does not fit own:net: body.bias is missing"):
        load_weights(net, tmp_path / "own.pth", "own:net", n_classes=2, new_head=True)


def test_a_safetensors_checkpoint_is_read(tmp_path):
    source, model = build("small-resnet", 2, seed=1), build("small-resnet", 2, seed=2)
    save_file({k: v.contiguous() for k, v in source.net.state_dict().items()}, tmp_path / "w.safetensors")
    load_checkpoint(model, tmp_path / "w.safetensors")
    assert torch.equal(logits(model), logits(source))


def test_a_checkpoint_that_does_not_fit_names_the_first_tensors_and_changes_nothing(tmp_path):
    model = build("small-resnet", 2, seed=2)
    before = logits(model)
    torch.save(build("small-resnet", 5).net.state_dict(), tmp_path / "five.pt")
    with pytest.raises(CheckpointRefusedError, match="was trained on 5 classes, but small-resnet is needed for 2: "):
        load_checkpoint(model, tmp_path / "five.pt")
    torch.save({"fc.bias": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(CheckpointRefusedError, match=r"stem.0.weight is missing.*and \d+ more"):
        load_checkpoint(model, tmp_path / "other.pt")
    assert torch.equal(logits(model), before)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (
            lambda state: {f"backbone.{name}": tensor for name, tensor in state.items()},
            r"backbone\.stem\.0\.weight, .*",
        ),
        (lambda state: {"weights": state, "accuracy": torch.tensor(0.9)}, "accuracy"),
    ],
)
def test_a_checkpoint_with_other_names_says_both_and_how_it_is_saved(tmp_path, content, named):
    model = build("small-resnet", 2)
    torch.save(content(model.net.state_dict()), tmp_path / "theirs.pt")
    with pytest.raises(
        CheckpointRefusedError, match=rf"it has {named}, and small-resnet has stem\.0\..*network\.state_dict"
    ):
        load_checkpoint(model, tmp_path / "theirs.pt")


def test_a_checkpoint_of_another_width_is_refused_with_both_widths(tmp_path):
    torch.save(SmallResNet(2, width=8).state_dict(), tmp_path / "narrow.pt")
    message = r"does not fit small-resnet: stem.0.weight has shape \(8, 3, 3, 3\) instead of \(16, 3, 3, 3\)"
    with pytest.raises(CheckpointRefusedError, match=message):
        load_checkpoint(build("small-resnet", 2), tmp_path / "narrow.pt")
    with pytest.raises(CheckpointRefusedError, match=message):
        load_checkpoint(build("small-resnet", 3), tmp_path / "narrow.pt", new_head=True)


def test_a_pretrained_file_of_other_classes_may_keep_the_new_head(tmp_path):
    source, model = build("small-resnet", 5, seed=1), build("small-resnet", 2, seed=2)
    head = model.net.fc.weight.clone()
    torch.save(source.net.state_dict(), tmp_path / "five.pt")
    load_checkpoint(model, tmp_path / "five.pt", new_head=True)
    assert torch.equal(model.net.fc.weight, head)
    assert torch.equal(model.net.stem[0].weight, source.net.stem[0].weight)


class Bomb:
    """Unpickling it would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_checkpoint_with_code_inside_is_refused_and_does_not_run(tmp_path):
    torch.save({"model_state_dict": {}, "callback": Bomb(tmp_path / "ran")}, tmp_path / "bomb.pt")
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))
    torch.save(build("small-resnet", 2).net, tmp_path / "whole_network.pt")
    for name in ("bomb.pt", "plain.pkl", "whole_network.pt"):
        with pytest.raises(CheckpointRefusedError, match="would run code \\(.*\\).*state_dict"):
            load_checkpoint(build("small-resnet", 2), tmp_path / name)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"PK\x03\x04 broken", b"\x80\x02K\x01."])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_broken_checkpoint_is_refused(tmp_path, content, suffix):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(CheckpointRefusedError, match=str(path)):
        load_checkpoint(build("small-resnet", 2), path)


def test_a_missing_checkpoint_is_refused(tmp_path):
    with pytest.raises(CheckpointRefusedError, match="no checkpoint .*nothing.pt"):
        load_checkpoint(build("small-resnet", 2), tmp_path / "nothing.pt")


def test_a_transformer_with_imagenet_weights_refuses_another_image_size():
    with pytest.raises(SpecRefusedError, match="takes images of 224 px, not 64"):
        build("vit_b_16", 2, image_size=64)


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("maxvit_t", 64, "64 px .Input size .* not divisible.*: give"),
        ("densenet121", 16, "colour images of 16 px .*: give another"),
    ],
)
def test_a_published_network_refuses_a_size_that_is_too_small_for_it_before_any_training(name, size, message):
    with pytest.raises(SpecRefusedError, match=message):
        build(name, 2, weights="none", image_size=size)


def test_a_published_network_that_says_nothing_of_its_failure_is_refused_in_a_sentence_too(monkeypatch):
    def fail(*_given, **_options):
        raise AssertionError

    monkeypatch.setattr(torchvision.models, "get_model", fail)
    with pytest.raises(SpecRefusedError, match="of 64 px \\(AssertionError\\)"):
        build("resnet18", 2, weights="none", image_size=64)
