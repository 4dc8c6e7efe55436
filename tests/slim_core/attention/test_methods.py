"""Attribution methods: each gives the map of the grad-cam package, without a backward pass where that is exact."""

from __future__ import annotations

import numpy as np
import pytest
import pytorch_grad_cam
import torch
from pydantic import ValidationError
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from pytorch_grad_cam.utils.svd_on_activations import get_2d_projection_with_sign_correction

from slim_core.attention.attention_pass import GradientMapper, KnownGradientMapper, attention_pass, open_mapper, path_of
from slim_core.attention.config import ATTRIBUTIONS, GRAD_CAM, PassConfig
from tests.slim_core.attention.test_attention_pass import batch, some_model
from tests.slim_core.painted import painted_table

OTHERS = [name for name in ATTRIBUTIONS if name != GRAD_CAM]
CLASSES = torch.tensor([2, 0, 1])


def by_the_package(model, method, images, classes):
    """The raw maps of the package's own forward and backward pass, caught before it scales them.

    Of those along a principal component, the sign is that of the largest value.
    """
    raw = []
    cam = getattr(pytorch_grad_cam, ATTRIBUTIONS[method].cam)(model.net, [model.target_layer], model.layout.form.to_map)
    image_of = cam.get_cam_image

    def caught(*given):
        found = image_of(*given)
        if method.startswith("eigen"):
            is_negative = np.abs(found).max((1, 2)) > found.max((1, 2))
            found = np.where(is_negative[:, None, None], -found, found)
        raw.append(np.maximum(found, 0))
        return raw[-1]

    cam.get_cam_image = caught
    with cam:
        cam(images, [ClassifierOutputTarget(int(c)) for c in classes])
    return raw[-1]


def close(found, expected):
    return np.abs(found.numpy() - expected).max() <= 1e-4 * expected.max()


@pytest.mark.parametrize("method", OTHERS)
def test_maps_of_a_pooled_linear_head_need_no_gradient_and_equal_those_of_the_package(method):
    model, images = some_model(n_classes=3), batch()
    with open_mapper(model, method) as mapper:
        assert isinstance(mapper, KnownGradientMapper)
        mapper.forward(images)
        assert not mapper.logits.requires_grad
        maps, every = mapper.maps(CLASSES), mapper.maps_of_all(torch.arange(3))
    expected = by_the_package(model, method, images, CLASSES)
    assert expected.max() > 0 and close(maps, expected)
    assert torch.allclose(every[torch.arange(3), CLASSES], maps, rtol=1e-4)


@pytest.mark.parametrize("method", OTHERS)
def test_maps_of_another_layer_equal_those_of_the_package(method):
    model, images = some_model(n_classes=3).at_layer("stages.1"), batch()
    with open_mapper(model, method) as mapper:
        assert isinstance(mapper, GradientMapper if ATTRIBUTIONS[method].by_class else KnownGradientMapper)
        mapper.forward(images)
        maps, every = mapper.maps(CLASSES), mapper.maps_of_all(torch.arange(3))
    expected = by_the_package(model, method, images, CLASSES)
    assert expected.max() > 0 and close(maps, expected)
    assert torch.allclose(every[torch.arange(3), CLASSES], maps, rtol=1e-4)
    assert all(parameter.requires_grad for parameter in model.net.parameters())


@pytest.mark.slow
def test_a_method_without_a_gradient_sees_the_layer_before_a_relu_in_place_behind_it():
    model, images = some_model("densenet121"), batch()
    A = model.net.features(images).detach().numpy()
    with open_mapper(model, "eigen-cam") as mapper:
        mapper.forward(images)
        maps = mapper.maps(CLASSES)
    assert close(maps, np.maximum(get_2d_projection_with_sign_correction(A), 0))


def test_hires_cam_is_grad_cam_where_the_head_is_linear_on_the_mean():
    """Draelos and Carin, section 3: of CAM architectures."""
    model, found = some_model(n_classes=3), []
    for method in (GRAD_CAM, "hires-cam"):
        with open_mapper(model, method) as mapper:
            mapper.forward(batch())
            found.append(mapper.maps(CLASSES))
    assert torch.allclose(*found, atol=1e-6)


def test_a_method_of_no_class_gives_every_class_the_same_map():
    with open_mapper(some_model(n_classes=3), "eigen-cam") as mapper:
        mapper.forward(batch())
        every = mapper.maps_of_all(torch.arange(3))
    assert every.shape == (3, 3, 8, 8)
    assert torch.equal(every[:, 0], every[:, 1]) and torch.equal(every[:, 0], mapper.maps(CLASSES))


def test_a_pass_keeps_the_maps_and_the_way_of_its_method(tmp_path):
    table, model = painted_table(tmp_path, 6, size=64), some_model().at_layer("stages.1")
    paths = {}
    for method in (GRAD_CAM, "layer-cam", "eigen-cam"):
        folder = tmp_path / method
        folder.mkdir()
        metrics = attention_pass(model, table, np.arange(6), folder, PassConfig(method=method))
        paths[method] = metrics["path"], path_of(model, method)
        assert metrics["aiou"] is not None
    assert paths == {name: (way,) * 2 for name, way in zip(paths, ("gradient", "gradient", "forward"), strict=True)}
    maps = [np.load(tmp_path / method / "maps.npy") for method in paths]
    assert not np.allclose(maps[0], maps[1]) and not np.allclose(maps[0], maps[2])


def test_a_method_that_is_not_known_is_refused():
    with pytest.raises(ValidationError, match="grad-cam-plus-plus"):
        PassConfig(method="score-cam")
