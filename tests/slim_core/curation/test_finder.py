"""The finder on arrays that are made: what is a shortcut by construction, and what is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from slim_core.curation import finder
from slim_core.curation.finder import PLACES, Seen, find, read, save
from slim_core.data.images.codec import ImageTransform
from slim_core.data.table import COLUMNS, ImageTable
from slim_core.errors import ArtifactDamagedError
from slim_core.result_files import FINDINGS

N, SIDE, CELLS = 400, 32, 8  # images of two classes, of which the first half is train
TRANSFORM = ImageTransform(size=SIDE, resize_ratio=1.0)


@pytest.fixture
def table(tmp_path):
    """Grey images with an object in the middle; those of class 1 with a spot at the top left, but for each fourth."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[12:20, 12:20] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    for name, colour in (("plain", (120, 120, 120)), ("spot", (0, 90, 220))):
        image = np.full((SIDE, SIDE, 3), 120, np.uint8)
        image[:6, :6] = colour
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    rows = np.arange(N)
    frame = pd.DataFrame({column: [np.nan] * N for column in COLUMNS})
    frame["path"] = np.where(_has_spot(rows), "spot.png", "plain.png")
    frame["mask"] = "mask.png"
    frame["split"] = np.where(rows < N // 2, "train", "test")
    frame["label"], frame["attribute"] = rows % 2, 0
    return ImageTable("made", tmp_path, frame, ("dot", "it's a <ring>"))


def _has_spot(rows):
    return (rows % 2 == 1) & (rows // 2 % 4 > 0)


def _seen(*, follows: bool, looks: bool = True) -> Seen:
    """A model that looks at the spot where there is one (``looks``), and fails without it (``follows``)."""
    rows = np.arange(N)
    spot, rng = _has_spot(rows) & looks, np.random.default_rng(0)
    maps = np.zeros((N, CELLS, CELLS), np.float32)
    maps[~spot, 4, 4] = 1
    maps[spot, 0, 0] = 1
    features = rng.uniform(0, 0.1, (N, 12)).astype(np.float16)
    features[np.arange(N), np.where(spot, 0, 1 + rows % 2)] += 1
    predictions = np.where(follows & ~_has_spot(rows), 0, rows % 2)
    return Seen(rows, predictions, maps, features)


def test_a_spot_that_carries_a_class_is_found_named_and_counted(table):
    found = [one for one in find(_seen(follows=True), table, TRANSFORM) if one.is_suspicious]
    assert [one.label for one in found] == [1]
    only = found[0]
    assert (only.place, only.look, only.is_small) == (PLACES[0], "blue", True)
    assert only.n_words == len(only.crops) == finder.N_CROPS
    assert only.share == pytest.approx(0.75, abs=0.02)
    assert only.off_object == 1
    assert only.accuracies == (1, 0)
    assert only.n_with + only.n_without == N // 4
    assert all(_has_spot(np.array([crop.row])) for crop in only.crops)


def test_without_masks_its_place_is_enough(table):
    table = replace(table, frame=table.frame.assign(mask=""))
    assert [one.label for one in find(_seen(follows=True), table, TRANSFORM) if one.is_suspicious] == [1]


def test_what_does_not_carry_the_prediction_is_shown_and_not_called_suspicious(table):
    found = find(_seen(follows=False), table, TRANSFORM)
    assert {one.label for one in found} == {0, 1}
    assert not any(one.is_suspicious for one in found)


def test_a_model_that_looks_at_the_object_alone_is_not_suspicious_although_it_fails(table):
    assert not any(one.is_suspicious for one in find(_seen(follows=True, looks=False), table, TRANSFORM))


def test_findings_are_read_as_they_were_left_and_an_older_pass_has_none(table, tmp_path):
    assert read(tmp_path) == ()
    found = find(_seen(follows=True), table, TRANSFORM)
    save(found, tmp_path)
    assert set(read(tmp_path)) == set(found)
    assert read(tmp_path)[0].is_suspicious
    assert table.label_names[1] in read(tmp_path)[0].sentence(table.label_names)
    (tmp_path / FINDINGS).write_text("[{}]")
    with pytest.raises(ArtifactDamagedError):
        read(tmp_path)


def test_a_crop_is_the_part_around_the_peak(table):
    one = next(one for one in find(_seen(follows=True), table, TRANSFORM) if one.is_suspicious)
    blue = one.cut(table, TRANSFORM)[0][..., 2]
    assert blue[0, 0] > 200 > blue[-1, -1]


def test_crops_of_a_squeezed_model_show_the_place_of_the_peak_and_are_not_squeezed(table):
    for name in ("mask.png", "plain.png", "spot.png"):
        with Image.open(table.root / name) as image:
            image.resize((3 * SIDE, SIDE), Image.Resampling.NEAREST).save(table.root / name)
    squeezed = replace(TRANSFORM, fit="squeeze")
    (only,) = [one for one in find(_seen(follows=True), table, squeezed) if one.is_suspicious]
    assert (only.place, only.look, only.n_words) == (PLACES[0], "blue", finder.N_CROPS)
    (cut, *_) = only.cut(table, squeezed)
    blue = (cut[..., 2] > 180) & (cut[..., 0] < 60)
    down, across = (blue.any(axis).sum() for axis in (1, 0))
    assert across == pytest.approx(3 * down, rel=0.2), "as wide as in the file"
