"""The attention pass: exact maps without gradients, features, scores against masks, and what it leaves on disk."""

from __future__ import annotations

import weakref
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from slim_core.attention.attention_pass import (
    ForwardMapper,
    GradientMapper,
    attention_pass,
    heat_maps,
    open_mapper,
    to_half,
)
from slim_core.attention.config import PassConfig
from slim_core.data.images.codec import ImageTransform
from slim_core.data.images.heat import heat_map
from slim_core.data.images.heat import minmax as minmax_numpy
from slim_core.data.table import load_mask
from slim_core.errors import ImageRefusedError, RunCanceledError, SpecRefusedError
from slim_core.metrics import AIOU, ATTENTION_PRECISION, COVERAGE, IOU, aiou, attention_precision, iou
from slim_core.models.build import build
from slim_core.models.inference import Pixels, predict, to_input
from slim_core.models.model import Model
from slim_core.models.runtime import Runtime
from tests.refusals import refusal
from tests.slim_core.painted import painted_table

N = 20
TIMM_SWIN, TIMM_VIT = "timm:swin_tiny_patch4_window7_224", "timm:vit_tiny_patch16_224"


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return painted_table(tmp_path_factory.mktemp("painted"), N, size=64)


def some_model(name="small-resnet", n_classes=2, seed=0):
    """A network whose batch statistics and head are not those of its construction: maps with both signs."""
    if name.startswith("timm:"):
        pytest.importorskip("timm")
    model = build(name, n_classes, weights="none", image_size=64, seed=seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model.net.train()
        model.net(torch.randn(8, 3, 64, 64))
    model.net.eval()
    return model


def batch(n=3, seed=1):
    return torch.randn(n, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


class RawGradCAM(GradCAM):
    """The package's own computation, its raw map caught before it is scaled."""

    def get_cam_image(self, *args, **kwargs):
        self.raw = np.maximum(super().get_cam_image(*args, **kwargs), 0)
        return self.raw


def grad_cam(model, images, classes):
    with RawGradCAM(model.net, [model.target_layer], model.layout.form.to_map) as cam:
        cam(images, [ClassifierOutputTarget(int(c)) for c in classes])
        return cam.raw


@pytest.mark.slow
@pytest.mark.parametrize("name", ["small-resnet", "resnet18", "regnet_y_400mf", "mobilenet_v2", "swin_t", TIMM_SWIN])
def test_forward_only_maps_equal_those_of_grad_cam(name):
    model = some_model(name, n_classes=3)
    images, classes = batch(), torch.tensor([2, 0, 1])
    with open_mapper(model) as mapper:
        assert isinstance(mapper, ForwardMapper)
        mapper.forward(images)
        maps, every = mapper.maps(classes), mapper.maps_of_all(torch.arange(3))
    expected = grad_cam(model, images, classes)
    assert expected.max() > 1e-3
    assert np.abs(maps.numpy() - expected).max() < 1e-5
    assert np.abs(every[torch.arange(3), classes].numpy() - expected).max() < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["vgg11_bn", "mobilenet_v3_small", "squeezenet1_1", "vit_b_32", "convnext_tiny", TIMM_VIT]
)
def test_other_architectures_go_through_grad_cam(name):
    model = some_model(name)
    images, classes = batch(), torch.tensor([1, 0, 1])
    with open_mapper(model) as mapper:
        assert isinstance(mapper, GradientMapper)
        mapper.forward(images)
        maps, every = mapper.maps(classes), mapper.maps_of_all(torch.arange(3))
        assert mapper.activations.shape[-2:] == maps.shape[-2:]
    expected = grad_cam(model, images, classes)
    assert np.abs(maps.numpy() - expected).max() <= 1e-5 * max(1.0, expected.max())
    assert torch.allclose(every[torch.arange(3), classes], maps)
    assert all(parameter.requires_grad for parameter in model.net.parameters())


@pytest.mark.slow
def test_a_relu_in_place_behind_the_target_layer_does_not_reach_the_maps():
    model = some_model("densenet121")
    images, classes = batch(), torch.tensor([1, 0, 1])
    A = model.net.features(images)  # (N, K, U, V), before the ReLU
    gradient = model.net.classifier.weight[classes][:, :, None, None] * (A > 0) / A[0, 0].numel()
    expected = (gradient.mean((2, 3), keepdim=True) * A).sum(1).relu()
    with open_mapper(model) as mapper:
        mapper.forward(images)
        assert torch.allclose(mapper.maps(classes), expected, atol=1e-6)


class Centred(nn.Module):
    """A network that centres its images itself."""

    def __init__(self, in_place):
        super().__init__()
        self.in_place, self.maps = in_place, nn.Sequential(nn.Conv2d(3, 6, 8, stride=8), nn.ReLU())
        self.head = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))

    def forward(self, images):
        images = images.sub_(0.5) if self.in_place else images - 0.5
        return self.head(self.maps(images).mean((2, 3)))


class InBfloat16(nn.Module):
    """A network whose maps are in bfloat16, and its head as well or not."""

    def __init__(self, pool, of_head):
        super().__init__()
        self.maps = nn.Sequential(nn.Conv2d(3, 6, 8, stride=8), nn.ReLU()).bfloat16()
        self.pool, self.head = pool, nn.Linear(6, 2).to(of_head)

    def forward(self, images):
        pooled = self.pool(self.maps(images.to(self.maps[0].weight.dtype)), (2, 3))
        return self.head(pooled.to(self.head.weight.dtype))


@pytest.mark.parametrize("method", ["grad-cam", "grad-cam-plus-plus", "eigen-cam"])
@pytest.mark.parametrize("of_head", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize(("pool", "kind"), [(torch.mean, "forward"), (torch.amax, "gradient")])
def test_a_network_that_computes_in_bfloat16_has_the_maps_of_its_weights(pool, kind, of_head, method):
    torch.manual_seed(0)
    model = Model("own", InBfloat16(pool, of_head), 2, ImageTransform(size=64))
    in_float = Model("own", deepcopy(model.net).float(), 2, ImageTransform(size=64))
    found = []
    for one in (model, in_float):
        assert one.layout.facts.path == kind
        with open_mapper(one, method) as mapper:
            mapper.forward(batch())
            maps, every = mapper.maps(torch.tensor([1, 0, 1])), mapper.maps_of_all(torch.arange(3))
        assert {each.dtype for each in (mapper.activations, maps, every)} == {torch.float32}
        found.append(torch.cat([maps, every.flatten(0, 1)]))
    assert (found[0] - found[1]).abs().max() < 0.02 * found[1].max()


def test_a_network_that_changes_its_images_in_place_has_the_same_maps():
    found = []
    for in_place in (True, False):
        torch.manual_seed(0)
        model = Model("centred", Centred(in_place), 2, ImageTransform(size=64))
        with open_mapper(model) as mapper:
            assert isinstance(mapper, GradientMapper)
            mapper.forward(batch())
            found.append(mapper.maps_of_all(torch.arange(3)))
    assert found[0].any() and torch.equal(*found)


class Graph:
    """Lives as long as the graph that it is part of."""


class Noted(torch.autograd.Function):
    alive: list[weakref.ref] = []

    @staticmethod
    def forward(ctx, images):
        ctx.graph = Graph()
        Noted.alive = [one for one in [*Noted.alive, weakref.ref(ctx.graph)] if one() is not None]
        return images.clone()

    @staticmethod
    def backward(_ctx, gradient):
        return gradient


class Noting(Centred):
    def forward(self, images):
        return super().forward(Noted.apply(images))


def test_the_graph_of_a_batch_is_gone_before_that_of_the_next_is_made():
    model, n_alive = Model("noting", Noting(False), 2, ImageTransform(size=64)), []
    with open_mapper(model) as mapper:
        for seed in range(3):
            mapper.forward(batch(seed=seed))
            n_alive.append(len(Noted.alive))
            mapper.maps(torch.tensor([0, 1, 0]))
    assert n_alive == [1, 1, 1]


def test_the_hooks_are_gone_afterwards():
    for model in (some_model(), some_model("mobilenet_v3_small")):
        with pytest.raises(RuntimeError, match="on purpose"), open_mapper(model):
            raise RuntimeError("on purpose")
        assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.net.modules())


IN_RUNTIME = {"device", "on_progress", "check_stop", "checkpoint_dir"}


def run(table, folder, model=None, rows=None, **options):
    folder.mkdir(exist_ok=True)
    rows = np.arange(len(table)) if rows is None else rows
    config = PassConfig(batch_size=8, class_of_map=options.pop("class_of_map", "label"))
    runtime = Runtime(**{name: options.pop(name) for name in IN_RUNTIME & options.keys()})
    metrics = attention_pass(model or some_model(), table, rows, folder, config, runtime=runtime, **options)
    arrays = {path.stem: np.load(path, mmap_mode="r") for path in folder.glob("*.npy")}
    return metrics, arrays, pd.read_parquet(folder / "scores.parquet")


def test_the_arrays_have_the_documented_shapes_and_order(table, tmp_path):
    rows = np.array([5, 2, 9, 0, 17, 11, 3, 8, 1])
    metrics, arrays, scores = run(table, tmp_path, rows=rows, class_of_map="both")
    assert {name: (a.shape, a.dtype.name) for name, a in arrays.items()} == {
        "rows": ((9,), "int64"),
        "maps": ((9, 8, 8), "float16"),
        "maps_predicted": ((9, 8, 8), "float16"),
        "class_maps": ((9, 2, 8, 8), "float16"),
        "attention_features": ((9, 64), "float16"),
        "environment_features": ((9, 64), "float16"),
        "pooled_features": ((9, 64), "float16"),
        "logits": ((9, 2), "float32"),
    }
    assert arrays["rows"].tolist() == scores["row"].tolist() == rows.tolist()
    _, alone, _ = run(table, tmp_path / "alone", rows=rows[4:5])
    assert np.allclose(arrays["logits"][4], alone["logits"][0], atol=1e-5)
    assert metrics["n"] == 9 and metrics["path"] == "forward" and metrics["map_shape"] == [8, 8]


def test_features_are_the_sums_of_the_activations_inside_and_outside_the_attention(table, tmp_path):
    """f_k = sum A S with raw S, r_k = sum A (1 - minmax S): METHOD S1."""
    model = some_model()
    _, arrays, _ = run(table, tmp_path, model)
    with Pixels(table, model.transform) as pixels, torch.inference_mode():
        images = to_input(pixels.read(np.arange(N)), model.transform, torch.device("cpu"))
        A = model.net.stages(model.net.stem(images)).numpy()  # (N, K, U, V)
    W = model.net.fc.weight.detach().numpy()[table.labels]
    S = np.maximum(np.einsum("nkuv,nk->nuv", A, W) / 64, 0)
    R = 1 - np.stack([minmax_numpy(s) for s in S])
    for name, expected in [
        ("maps", S),
        ("attention_features", np.einsum("nkuv,nuv->nk", A, S)),
        ("environment_features", np.einsum("nkuv,nuv->nk", A, R)),
        ("pooled_features", A.mean((2, 3))),
    ]:
        assert np.allclose(arrays[name], expected, rtol=2e-3, atol=1e-4), name


def test_prediction_confidence_loss_and_entropy_follow_from_the_logits(table, tmp_path):
    metrics, arrays, scores = run(table, tmp_path)
    p = torch.softmax(torch.from_numpy(arrays["logits"].copy()), 1).numpy()
    assert scores["prediction"].tolist() == p.argmax(1).tolist()
    assert np.allclose(scores["confidence"], p.max(1), atol=1e-6)
    assert np.allclose(scores["loss"], -np.log(p[np.arange(N), table.labels]), atol=1e-5)
    assert np.allclose(scores["entropy"], -(p * np.log2(p)).sum(1), atol=1e-5)
    assert metrics["accuracy"] == (p.argmax(1) == table.labels).mean()


def test_an_undecided_network_has_an_entropy_of_one_bit(table, tmp_path):
    model = some_model()
    torch.nn.init.zeros_(model.net.fc.weight)
    torch.nn.init.zeros_(model.net.fc.bias)
    assert run(table, tmp_path, model)[2]["entropy"].to_numpy() == pytest.approx(np.ones(N))


def test_a_zero_map_is_flagged_and_its_environment_is_the_whole_image(table, tmp_path):
    model = some_model()
    with torch.no_grad():
        model.net.fc.weight[0] = -1.0  # activations are >= 0: nothing speaks for class 0
    metrics, arrays, scores = run(table, tmp_path, model)
    none = table.labels == 0
    assert scores["no_evidence"].tolist() == none.tolist() and metrics["no_evidence"] == none.sum()
    assert not arrays["attention_features"][none].any()
    pooled = arrays["pooled_features"][none].astype(np.float32)
    assert np.allclose(arrays["environment_features"][none], 64 * pooled, rtol=5e-3, atol=1e-2)
    assert np.isfinite(scores["iou"]).all()


def test_scores_against_masks_are_those_of_the_metrics_on_the_heat_maps(table, tmp_path):
    model = some_model()
    metrics, arrays, scores = run(table, tmp_path, model)
    with open_mapper(model) as mapper:
        with Pixels(table, model.transform) as pixels:
            mapper.forward(to_input(pixels.read(np.arange(N)), model.transform, torch.device("cpu")))
        every = mapper.maps_of_all(torch.arange(N)).numpy()  # (N, C, U, V)
    for row in range(N):
        M = np.stack([heat_map(s, 64) for s in every[row]])
        mask, label = load_mask(table, row, model.transform), table.labels[row]
        expected = iou(M[label], mask), aiou(M, mask, label), attention_precision(M[label], mask)
        found = scores.loc[row, [IOU, AIOU, ATTENTION_PRECISION]].to_numpy(float)
        assert np.allclose(found, expected, atol=1e-4, equal_nan=True)
    assert metrics[COVERAGE] == 1.0 and metrics["n_masks"] == N
    assert metrics[AIOU] == pytest.approx(scores[AIOU].mean())


def test_few_maps_are_large_at_once_whatever_the_batch_and_the_scores_are_the_same_to_the_last_bit(
    table, tmp_path, monkeypatch
):
    """As where all of a batch are made at once: 8 images x 5 classes."""
    model = some_model(n_classes=5)
    sizes = []
    real = heat_maps
    name = "slim_core.attention.attention_pass.heat_maps"
    monkeypatch.setattr(name, lambda maps, size: sizes.append(maps.shape[:2]) or real(maps, size))
    found = []
    for n in (8 * 5, 7, 1):
        sizes.clear()
        monkeypatch.setattr("slim_core.attention.attention_pass.HEAT_MAP_VALUES", n * 64 * 64)
        found.append(run(table, tmp_path / str(n), model)[2])
        assert max(images * maps for images, maps in sizes) == n
        assert sum(images * maps for images, maps in sizes) == N * 5
    for scores in found[1:]:
        pd.testing.assert_frame_equal(scores, found[0], check_exact=True)


def test_rows_without_masks_have_no_scores_and_are_not_counted(tmp_path, tiny_table):
    metrics, _, scores = run(tiny_table, tmp_path / "out")
    assert scores[IOU].notna().tolist() == [True, True] + [False] * 10
    assert metrics["n_masks"] == 2 and metrics[COVERAGE] == pytest.approx(2 / 12)
    none, _, scores = run(tiny_table, tmp_path / "none", rows=np.arange(2, 12))
    assert none["n_masks"] == 0 and none[AIOU] is None and scores[AIOU].isna().all()
    assert run(tiny_table, tmp_path / "off", score_masks=False)[0]["n_masks"] == 0


def test_the_class_of_the_map_is_the_label_the_prediction_or_both(table, tmp_path):
    model = some_model()
    with torch.no_grad():
        model.net.fc.bias[1] = 1e3  # predicts class 1 always
    maps = {c: run(table, tmp_path / c, model, class_of_map=c)[1] for c in ("label", "predicted", "both")}
    one, zero = table.labels == 1, table.labels == 0
    assert np.array_equal(maps["label"]["maps"][one], maps["predicted"]["maps"][one])
    assert not np.array_equal(maps["label"]["maps"][zero], maps["predicted"]["maps"][zero])
    assert np.array_equal(maps["both"]["maps"], maps["label"]["maps"])
    assert np.array_equal(maps["both"]["maps_predicted"], maps["predicted"]["maps"])


@pytest.mark.slow
def test_every_class_keeps_its_map_where_that_is_asked_for_or_costs_next_to_nothing(table, tmp_path, monkeypatch):
    arrays = run(table, tmp_path / "small")[1]
    of_label = arrays["class_maps"][np.arange(len(table)), table.labels]
    assert np.allclose(of_label, arrays["maps"], rtol=2e-3, atol=1e-3)
    monkeypatch.setattr("slim_core.attention.attention_pass.MOST_CLASS_MAPS", 2 * 8 * 8 - 1)
    assert "class_maps" not in run(table, tmp_path / "large")[1]
    assert run(table, tmp_path / "asked", class_of_map="any")[1]["class_maps"].shape == (len(table), 2, 8, 8)
    rows, mobile = np.arange(4), some_model("mobilenet_v3_small", 2)
    assert "class_maps" not in run(table, tmp_path / "slow", mobile, rows=rows)[1]
    arrays = run(table, tmp_path / "slow-asked", mobile, rows=rows, class_of_map="any")[1]
    assert np.allclose(arrays["class_maps"][rows, table.labels[rows]], arrays["maps"], rtol=2e-3, atol=1e-3)


def test_a_network_of_another_form_gives_the_same_arrays_through_gradients(table, tmp_path):
    metrics, arrays, scores = run(table, tmp_path, some_model("mobilenet_v3_small", 2), rows=np.arange(4))
    assert metrics["path"] == "gradient"
    assert arrays["attention_features"].shape == (4, 576) and arrays["pooled_features"].shape == (4, 1024)
    assert scores[IOU].notna().all()


def test_heat_maps_equal_those_the_dashboard_draws():
    S = torch.rand(2, 3, 7, 7, generator=torch.Generator().manual_seed(0))
    expected = [[heat_map(s.numpy(), 224) for s in image] for image in S]
    assert np.abs(heat_maps(S, 224) - np.array(expected)).max() < 1e-5
    for value in (1.0, 0.1, 0.3, 1 / 3):  # enlarging 0.1 gives 0.1 and 0.10000001
        constant = torch.full((1, 1, 4, 4), value)
        assert not heat_maps(constant, 48).any() and not heat_map(constant[0, 0].numpy(), 48).any()


def test_half_precision_clips_instead_of_becoming_infinite():
    assert to_half(torch.tensor([1e9, -1e9, 1.0])).tolist() == [65504.0, -65504.0, 1.0]


def test_progress_and_stop_are_called_at_each_batch(table, tmp_path):
    told, asked = [], []
    run(table, tmp_path, on_progress=lambda *a: told.append(a), check_stop=lambda: asked.append(1))
    assert told == [(8, N), (16, N), (20, N)] and len(asked) == 3

    def stop():
        raise RunCanceledError("stopped")

    with pytest.raises(RunCanceledError):
        run(table, tmp_path, check_stop=stop)


def test_what_cannot_be_looked_at_is_refused(tmp_path):
    table = painted_table(tmp_path, 4, size=64)
    with pytest.raises(SpecRefusedError, match="painted has no images"):
        run(table, tmp_path / "a", rows=np.empty(0, np.int64))
    model = some_model()
    with torch.no_grad():
        model.net.fc.bias[0] = float("nan")
    with pytest.raises(SpecRefusedError, match=r"not finite for .*0\.png"):
        run(table, tmp_path / "b", model)
    with pytest.raises(SpecRefusedError, match=r"not finite for .*1\.png"):  # all would be of the first class
        predict(model, table, np.arange(1, 4))
    table.image_path(2).write_bytes(b"not an image")
    with pytest.raises(ImageRefusedError, match=r"2\.png"):
        run(table, tmp_path / "c")


def test_predictions_that_are_not_finite_are_refused_at_their_first_batch(tmp_path):
    table, model, batches = painted_table(tmp_path, 8, size=64), some_model(), []
    with torch.no_grad():
        model.net.fc.bias[0] = float("nan")
    runtime = Runtime(on_progress=lambda done, _n: batches.append(done))
    with pytest.raises(SpecRefusedError, match=r"not finite for .*0\.png"):
        predict(model, table, np.arange(8), batch_size=2, runtime=runtime)
    assert batches == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["small-resnet", "squeezenet1_1"])
def test_a_batch_that_does_not_fit_into_memory_names_the_next_to_try(table, tmp_path, name):
    model = some_model(name)

    def burst(module, inputs):
        if len(inputs[0]) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    model.net.register_forward_pre_hook(burst)
    with refusal(SpecRefusedError, "8 images", "batch_size 4"):
        run(table, tmp_path / "out", model)
    with refusal(SpecRefusedError, "16 images", "batch_size 8"):
        predict(model, table, np.arange(len(table)), batch_size=16)


def test_the_map_of_another_layer_is_that_of_grad_cam_and_belongs_to_its_settings(table, tmp_path):
    model = some_model()
    kept = {}
    for name in (None, "stages.1"):
        folder = tmp_path / str(name)
        folder.mkdir()
        config = PassConfig(batch_size=8, target_layer=name)
        metrics = attention_pass(model, table, np.arange(4), folder, config)
        kept[name] = np.load(folder / "maps.npy"), metrics
    maps, metrics = kept["stages.1"]
    assert (metrics["target_layer"], metrics["path"], metrics["map_shape"]) == ("stages.1", "gradient", [16, 16])
    assert (kept[None][1]["target_layer"], kept[None][1]["path"]) == ("stages", "forward")
    with Pixels(table, model.transform) as pixels:
        images = to_input(pixels.read(np.arange(4)), model.transform, torch.device("cpu"))
    expected = grad_cam(model.at_layer("stages.1"), images, torch.tensor(table.labels[:4]))
    assert np.abs(maps.astype(np.float32) - expected).max() <= 1e-3 * expected.max()


class TwiceUsedReLU(torch.nn.Module):
    """One ReLU behind both convolutions, and a head that is not the plain mean."""

    def __init__(self, n_classes):
        super().__init__()
        self.first, self.second = torch.nn.Conv2d(3, 4, 3, stride=4), torch.nn.Conv2d(4, 5, 3, padding=1)
        self.relu, self.head = torch.nn.ReLU(), torch.nn.Linear(5, n_classes)

    def forward(self, images):
        self.last = self.relu(self.second(self.relu(self.first(images))))
        return self.head(self.last.square().mean((2, 3)))


def test_a_layer_that_is_used_twice_is_explained_where_it_is_used_last():
    torch.manual_seed(0)
    model = Model("twice", TwiceUsedReLU(2), 2, ImageTransform(size=64))
    images, classes = batch(), torch.tensor([1, 0, 1])
    with open_mapper(model) as mapper:
        assert isinstance(mapper, GradientMapper)
        mapper.forward(images)
        maps = mapper.maps(classes)
    logits = model.net(images)
    A = model.net.last
    (gradient,) = torch.autograd.grad(logits.gather(1, classes[:, None]).sum(), A)
    expected = (gradient.mean((2, 3), keepdim=True) * A).sum(1).relu()
    assert expected.max() > 0 and torch.allclose(maps, expected, atol=1e-6)
