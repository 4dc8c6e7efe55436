"""What an evaluation keeps of each image, so that every number can show what it was counted from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from slim_core import api
from slim_core.metrics import AIOU, ATTENTION_PRECISION, COVERAGE


def test_each_group_has_the_mean_attention_of_its_own_images(looped):
    evaluation = looped.outcomes["erm"].evaluation
    folder = looped.at.store.artifacts.folder(evaluation.id)
    predictions = pd.read_parquet(folder / "predictions.parquet")
    for group in evaluation.metrics["groups"]:
        part = predictions[predictions["group"] == group["group"]]
        assert group["n_masks"] == part["attention_precision"].notna().sum() > 0
        assert group["attention_precision"] == pytest.approx(part["attention_precision"].mean())
        assert group["aiou"] == pytest.approx(part["aiou"].mean())


def test_the_maps_of_the_judged_images_are_kept_row_by_row(looped):
    folder = looped.at.store.artifacts.folder(looped.outcomes["erm"].evaluation.id)
    rows, maps = np.load(folder / "rows.npy"), np.load(folder / "maps.npy")
    assert rows.tolist() == pd.read_parquet(folder / "predictions.parquet")["row"].tolist()
    assert maps.shape[0] == len(rows) and maps.dtype == np.float16
    assert not (folder / "attention").exists()


def test_where_no_attention_is_computed_none_is_said_to_be_scored(looped):
    model = looped.outcomes["erm"].model
    evaluation = api.evaluate(model.id, at=looped.at, split="val", attention=False)
    assert evaluation.metrics["n_masks"] > 0
    assert [evaluation.metrics[key] for key in (COVERAGE, ATTENTION_PRECISION, AIOU)] == [None] * 3
