"""Models of timm by name: built, refused, and with weights from a file that was put in place."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

import slim_core
from slim_core.errors import CheckpointRefusedError, SlimError, SpecRefusedError, WeightsMissingError
from slim_core.models import names
from slim_core.models.build import build, load_model
from slim_core.models.model import save_model
from slim_core.models.names import check_model, timm_models
from slim_core.models.published import torchvision_weights_path as torchvision_path
from slim_core.settings import Settings
from slim_core.steps.specs import parse_spec
from slim_core.store.results import ModelResult
from tests.placed_quickly import placed_quickly

timm = pytest.importorskip("timm")
VIT, RESNET = "timm:vit_tiny_patch16_224", "timm:resnet10t"


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """Caches of its own, and no network."""
    import huggingface_hub

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(huggingface_hub, "hf_hub_url", lambda hub, file: f"http://localhost:9/{hub}/{file}")
    return tmp_path / "hub" / "checkpoints"


def test_the_names_read_from_the_source_are_those_that_timm_has():
    known = set(timm_models())
    assert known <= set(timm.list_models(include_tags=False, module="")) | {n for n in known if timm.is_model(n)}
    assert set(timm.list_models()) - known == set()


@pytest.mark.slow
def test_a_wrong_name_is_refused_by_a_process_that_never_imports_torch():
    code = (
        "import sys; from slim_core.models.names import check_model\n"
        "check_model('timm:resnet18.a1_in1k')\n"
        "try: check_model('timm:resnet19')\n"
        "except ValueError as error: print(error, 'torch' in sys.modules or 'timm' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "take timm:resnet1" in said and said.endswith("False\n")


@pytest.mark.parametrize("name", ["timm:", "timm:hf-hub:someone/model", "timm:local-dir:/etc", "timm:../x"])
def test_only_names_of_models_are_taken_not_places_on_the_hub_or_the_disk(name):
    with pytest.raises(SpecRefusedError, match="refuses model = .*: timm has no"):
        parse_spec({"kind": "train", "dataset": "d", "model": name})


def test_without_the_extra_the_sentence_names_it(monkeypatch):
    monkeypatch.setattr(names.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SpecRefusedError, match="pip install 'slim-studio\\["):
        parse_spec({"kind": "train", "dataset": "d", "model": VIT})
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(SpecRefusedError, match="install 'slim-studio\\[timm\\]'.*take small-resnet"):
        build(VIT, 2, weights="none")


def test_a_served_installation_takes_them_without_naming_a_module(monkeypatch):
    monkeypatch.setattr(names, "settings", lambda: Settings(redis_url="redis://localhost:6379"))
    check_model(VIT)


@pytest.mark.slow
def test_a_model_has_its_own_head_input_and_random_weights_and_comes_back_the_same(tmp_path):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    model, same, other = (build(VIT, 3, weights="none", image_size=32, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(model.net.head.weight, same.net.head.weight)
    assert not torch.equal(model.net.head.weight, other.net.head.weight)
    assert (model.transform.size, model.transform.mean) == (32, (0.5, 0.5, 0.5))
    assert round(224 * build(VIT, 3, weights="none").transform.resize_ratio) == 249  # its crop_pct is 0.9
    save_model(model, tmp_path)
    again = load_model(tmp_path)
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(model.net.eval()(images), again.net.eval()(images))
    assert again.transform == model.transform


def test_an_image_size_that_it_cannot_take_is_refused():
    with pytest.raises(SpecRefusedError, match=r"timm:vit_tiny_patch16_224 .*images of 8 px .*another image size"):
        build(VIT, 2, weights="none", image_size=8)


def test_unknown_architectures_and_tags_are_refused_by_the_step_too():
    with pytest.raises(SpecRefusedError, match="has no model 'resnet19'"):
        build("timm:resnet19", 2, weights="none")
    with pytest.raises(SpecRefusedError, match="'mine' of resnet10t: its tags are c3_in1k"):
        build(f"{RESNET}.mine", 2)


def test_weights_that_were_put_in_place_are_loaded_below_a_new_head(offline):
    source = timm.create_model("resnet10t", num_classes=1000)
    offline.mkdir(parents=True)
    save_file(
        {k: v.contiguous() for k, v in source.state_dict().items()}, offline / "timm-resnet10t.c3_in1k.safetensors"
    )
    model = build(RESNET, 2)
    assert torch.equal(model.net.layer1[0].conv1.weight, source.layer1[0].conv1.weight)
    assert model.net.fc.out_features == 2


def test_weights_of_a_transformer_are_fitted_to_another_image_size(offline):
    source = timm.create_model("vit_tiny_patch16_224", num_classes=1000)
    offline.mkdir(parents=True)
    state = {k: v.contiguous() for k, v in source.state_dict().items()}
    save_file(state, offline / "timm-vit_tiny_patch16_224.augreg_in21k_ft_in1k.safetensors")
    model = build(VIT, 2, image_size=64)
    assert model.net.pos_embed.shape == (1, 17, 192)
    assert torch.equal(model.net.blocks[0].attn.qkv.weight, source.blocks[0].attn.qkv.weight)


def test_offline_missing_weights_say_which_file_to_put_where_and_name_the_small_network(offline):
    file = offline / "timm-resnet10t.c3_in1k.safetensors"
    message = rf"fetch http://localhost:9/timm/resnet10t.c3_in1k/model.safetensors .* {file}.*small-res"
    with pytest.raises(WeightsMissingError, match=message):
        build(RESNET, 2)


def test_a_file_with_code_inside_is_refused(offline):
    offline.mkdir(parents=True)
    (offline / "timm-resnet10t.c3_in1k.safetensors").write_bytes(pickle.dumps(print))
    with pytest.raises(CheckpointRefusedError):
        build(RESNET, 2)


def test_torchvisions_sentence_names_the_small_network_too(offline, monkeypatch):
    from slim_core.models.published import imagenet_weights

    weights = imagenet_weights("resnet18")
    away = type(weights.value)(url="http://localhost:9/resnet18-f37072fd.pth", transforms=weights.transforms, meta={})
    monkeypatch.setattr(weights, "_value_", away)
    with pytest.raises(SlimError, match=rf"{torchvision_path('resnet18')}.*or take small-resnet"):
        build("resnet18", 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", [VIT, "timm:swin_tiny_patch4_window7_224"])
def test_a_report_of_a_transformer_has_its_maps_and_its_last_layer_is_refitted(name, looped, tmp_path):
    at = looped.at
    torch.save(build(name, 2, weights="none", image_size=64).net.state_dict(), tmp_path / "m.pt")
    with placed_quickly():
        found = slim_core.report(tmp_path / "m.pt", looped.dataset.id, architecture=name, image_size=64, at=at)
    model = found.evaluation.spec["model"]
    assert ModelResult(at.store.artifacts.folder(model)).network and found.report.alone.slices
    assert slim_core.refit_last_layer(model, refit="l2", at=at).status == "done"
