"""A filter of images: all its parts at once, and what it is in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from slim_core.data.image_filter import ImageFilter
from slim_core.errors import SpecRefusedError

IMAGES = pd.DataFrame(
    {
        "row": [10, 11, 12, 13],
        "label_name": ["bird", "bird", "boat", "boat"],
        "prediction_name": ["bird", "boat", "boat", "boat"],
        "group": ["bird, sky", "bird, sea", "boat, sea", "boat, sky"],
        "confidence": [0.9, 0.5, 0.7, 0.2],
        "aiou": [0.8, np.nan, 0.3, 0.5],
    }
)
TAGS = {10: ("odd",), 12: ("odd", "dark"), 13: ("dark",)}


@pytest.mark.parametrize(
    ("parts", "rows"),
    [
        ({}, [10, 11, 12, 13]),
        ({"labels": ["boat"]}, [12, 13]),
        ({"labels": ["bird", "boat"], "predictions": ["boat"]}, [11, 12, 13]),
        ({"groups": ["boat, sea", "bird, sea"]}, [11, 12]),
        ({"tags": ["odd"]}, [10, 12]),
        ({"tags": ["odd", "dark"], "labels": ["boat"]}, [12, 13]),
        ({"ranges": {"confidence": (0.5, 0.9)}}, [10, 11, 12]),
        ({"ranges": {"confidence": (0.5, 0.9), "aiou": (0.0, 1.0)}}, [10, 12]),
        ({"groups": ["boat, sky"], "ranges": {"confidence": (0.5, 1.0)}}, []),
    ],
)
def test_images_pass_that_have_one_of_each_part(parts, rows) -> None:
    kept = ImageFilter(**parts).passing(IMAGES, TAGS)
    assert IMAGES["row"][kept].tolist() == rows


def test_a_filter_comes_back_from_json_as_it_was_and_says_what_it_is() -> None:
    parts = ImageFilter(labels=["bird"], tags=["odd"], ranges={"attention_precision": (0, 0.25)})
    assert ImageFilter.model_validate(parts.model_dump(mode="json")) == parts
    assert parts.in_words() == "labels: bird; tags: odd; attention precision 0.00 to 0.25"
    assert ImageFilter().is_empty and not parts.is_empty and ImageFilter().in_words() == "all images"


@pytest.mark.parametrize("wrong", [{"ranges": {"loss": (2, 1)}}, {"labels": [7]}, {"colour": ["red"]}])
def test_what_is_no_filter_is_refused(wrong) -> None:
    with pytest.raises(ValidationError):
        ImageFilter(**wrong)


def test_a_score_that_the_images_do_not_have_is_named() -> None:
    with pytest.raises(SpecRefusedError, match="entropy"):
        ImageFilter(ranges={"entropy": (0, 1)}).passing(IMAGES, {})
