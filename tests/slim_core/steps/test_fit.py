"""A training says how images become squares, and all that follows from its model sees them in the same way."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from slim_core import api
from slim_core.attention.thumbnails import SIDE, Thumbnails
from slim_core.data.images.codec import FITS, ImageTransform
from slim_core.errors import SlimError, SpecRefusedError
from slim_core.models.build import load_model
from slim_core.runs.trainings import retrain_spec
from slim_core.steps.specs import parse_spec
from slim_core.store.results import ModelResult
from tests.slim_core.conftest import open_bench
from tests.slim_core.painted import wide_folders

HOW = {"model": "small-resnet", "epochs": 1, "image_size": 32}


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """Where wide images are registered."""
    root = tmp_path_factory.mktemp("wide")
    at = open_bench(root / "home")
    yield at, api.data_set(wide_folders(root / "images"), at=at).id
    at.store.close()


@pytest.mark.parametrize("fit", ["pad", "squeeze"])
def test_maps_thumbnails_and_retrainings_of_a_model_have_its_fit(wide, fit) -> None:
    at, data = wide
    model = api.train(data, fit=fit, at=at, **HOW)
    folder = at.store.artifacts.folder(model.id)
    assert model.spec["fit"] == ModelResult(folder).transform.fit == load_model(folder).transform.fit == fit
    seen = api.gradcam(model.id, at=at)
    kept = Thumbnails.find(at.store.artifacts.folder(seen.id))
    assert kept is not None
    with Image.open(io.BytesIO(kept.read(0, 96) or b"")) as picture:
        assert picture.size == (96, 32), "the whole image, with no border"
        left, middle = (np.asarray(picture.convert("L"), int)[16, at] for at in (8, 48))
    assert abs(left - middle) > 50
    assert kept.read(0, SIDE) is not None
    for how in ("scratch", "reference", "last-layer"):
        assert retrain_spec(model, None, how, 0).fit == fit
    refitted = api.refit_last_layer(model.id, refit="l2", attention=seen.id, at=at)
    transform = ModelResult(at.store.artifacts.folder(refitted.id)).transform
    assert refitted.spec["fit"] == transform.fit == fit
    assert api.evaluate(refitted.id, split="test", at=at).status == "done"


def test_a_model_is_not_trained_further_under_another_fit(wide) -> None:
    at, data = wide
    model = api.train(data, fit="pad", at=at, **HOW)
    spec = retrain_spec(model, None, "reference", 0, {"fit": "squeeze", "epochs": 1})
    with pytest.raises(SlimError, match="pad"):
        at.run(spec)
    assert retrain_spec(model, None, "scratch", 0, {"fit": "squeeze"}).fit == "squeeze"


def test_a_reference_from_before_there_was_a_choice_hands_on_a_crop(wide) -> None:
    at, data = wide
    model = api.train(data, at=at, **HOW)
    before = replace(model, spec={name: value for name, value in model.spec.items() if name != "fit"})
    assert model.spec["fit"] == retrain_spec(before, None, "reference", 0).fit == ImageTransform().fit == "crop"


@pytest.mark.parametrize(
    ("given", "named"), [({"fit": "stretch"}, "fit"), ({"fit": "pad", "resize_ratio": 1.2}, "resize_ratio")]
)
def test_what_no_model_could_do_is_refused(given, named) -> None:
    with pytest.raises(SpecRefusedError, match=named):
        parse_spec({"kind": "train", "dataset": "d", **given})


def test_every_fit_may_be_asked_for() -> None:
    assert [parse_spec({"kind": "train", "dataset": "d", "fit": fit}).fit for fit in FITS] == list(FITS)
