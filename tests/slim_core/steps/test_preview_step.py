"""A few images with their maps before the whole pass, and the target layer that a pass may name."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from slim_core import api
from slim_core.data.groups import grouping
from slim_core.errors import DataRefusedError, SlimError
from slim_core.steps.passes import spread_rows
from slim_core.steps.specs import PreviewSpec
from slim_core.store.results import AttentionResult
from tests.refusals import refusal


def test_a_preview_leaves_maps_scores_and_a_picture_of_eight_images(looped):
    run = api.preview(looped.loop.reference.id, at=looped.at)
    seen = AttentionResult(looped.at.store.artifacts.folder(run.id))
    assert len(seen.rows) == len(seen.scores()) == run.metrics["n"] == 8
    assert run.metrics["target_layer"] == "stages" and seen.has_maps
    whole = AttentionResult(looped.at.store.artifacts.folder(looped.loop.attention.id))
    for row in seen.rows:
        assert np.allclose(seen.map_of(int(row)), whole.map_of(int(row)), atol=1e-2)
    with Image.open(seen.sheet) as sheet:
        assert sheet.size == (4 * 328 - 8, 2 * 168 - 8)


def test_its_images_are_spread_over_the_groups_and_drawn_by_the_seed(looped):
    table = looped.loop.table
    spec = PreviewSpec(dataset="d", model="m")
    rows = spread_rows(table, spec)
    assert np.bincount(grouping(table).index[rows], minlength=4).tolist() == [2, 2, 2, 2]
    assert set(table.splits[rows]) == {"train"} and (np.diff(rows) > 0).all()
    other = spread_rows(table, PreviewSpec(dataset="d", model="m", seed=1))
    assert rows.tolist() == spread_rows(table, spec).tolist() != other.tolist()


def test_a_split_with_fewer_images_shows_all_of_them_and_one_without_any_is_refused(tiny_table):
    assert len(spread_rows(tiny_table, PreviewSpec(dataset="d", model="m", images=64))) == 4
    without = tiny_table.frame[tiny_table.frame["split"] != "val"]
    with pytest.raises(DataRefusedError, match="tiny has no val"):
        table = type(tiny_table)("tiny", tiny_table.root, without, ("a", "b"), "place", ("land", "water"))
        spread_rows(table, PreviewSpec(dataset="d", model="m", split="val"))


def test_a_layer_that_has_no_map_ends_the_preview_with_those_that_have(looped):
    with pytest.raises(SlimError, match="layer fc of small-resnet has no map"):
        api.preview(looped.loop.reference.id, target_layer="fc", at=looped.at)


def test_an_evaluation_scores_the_layer_that_is_named(looped):
    default = looped.outcomes["erm"].evaluation
    other = api.evaluate(looped.loop.reference.id, target_layer="stages.1", at=looped.at)
    assert other.metrics["groups"][0]["accuracy"] == default.metrics["groups"][0]["accuracy"]
    assert other.metrics["iou"] != default.metrics["iou"]


def test_a_preview_is_no_pass_that_a_space_could_be_made_from(looped):
    preview = api.preview(looped.loop.reference.id, at=looped.at)
    with refusal(SlimError, preview.id, "preview", "gradcam"):
        api.make_space(preview.id, at=looped.at)
    assert preview.id not in {run.id for run in looped.at.store.lineage.runs_with_maps(looped.dataset.id)}
