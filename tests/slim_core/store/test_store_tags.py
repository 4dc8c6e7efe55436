"""Tags: words on images, shared by all."""

from __future__ import annotations

import numpy as np
import pytest

from slim_core.errors import NotFoundError, SpecRefusedError
from slim_core.store import Dataset, Store
from tests.slim_core.store.store_makers import in_threads


def test_a_tag_is_put_on_images_once_and_taken_off_again(store: Store, dataset: Dataset):
    assert store.tags.add(dataset.id, [3, 1, 3], "odd light", by="lea") == 2
    assert store.tags.add(dataset.id, [1, 2], "odd light") == 1
    assert store.tags.rows(dataset.id, "odd light").tolist() == [1, 2, 3]
    assert store.tags.remove(dataset.id, [2, 9], "odd light") == 1
    assert store.tags.counts(dataset.id) == {"odd light": 2}


def test_an_image_has_several_tags(store: Store, dataset: Dataset):
    store.tags.add(dataset.id, [1, 2], "blurred")
    store.tags.add(dataset.id, [2], "a twin")
    assert store.tags.by_row(dataset.id) == {1: ("blurred",), 2: ("a twin", "blurred")}


def test_blanks_round_a_tag_do_not_make_another_one(store: Store, dataset: Dataset):
    store.tags.add(dataset.id, [1], "  odd   light ")
    assert store.tags.counts(dataset.id) == {"odd light": 1}


@pytest.mark.parametrize("tag", ["", "  ", "x" * 81, "bell\a"])
def test_what_is_no_tag_is_refused(store: Store, dataset: Dataset, tag: str):
    with pytest.raises(SpecRefusedError, match="of 1 to 80 characters"):
        store.tags.add(dataset.id, [1], tag)
    assert store.tags.counts(dataset.id) == {}


@pytest.mark.parametrize("row", [-1, 50])
def test_a_row_outside_the_data_set_is_refused_and_nothing_is_kept(store: Store, dataset: Dataset, row: int):
    with pytest.raises(SpecRefusedError, match=f"no row {row}: .* 0..49"):
        store.tags.add(dataset.id, [1, row], "blurred")
    assert store.tags.counts(dataset.id) == {}


def test_a_data_set_that_is_not_there_takes_no_tags(store: Store):
    with pytest.raises(NotFoundError, match="no data set d-none"):
        store.tags.add("d-none", [1], "blurred")


def test_no_images_are_no_error(store: Store, dataset: Dataset):
    assert store.tags.add(dataset.id, np.empty(0, np.int64), "blurred") == 0
    assert store.tags.rows(dataset.id, "blurred").tolist() == []


def test_two_people_tag_the_same_images_in_threads(store: Store, dataset: Dataset):
    added = in_threads(2, lambda k: store.tags.add(dataset.id, range(k * 5, 30 + k * 5), "blurred"))
    assert sum(added) == 35
    assert len(store.tags.rows(dataset.id, "blurred")) == 35


def test_tagging_leaves_an_event(store: Store, dataset: Dataset):
    store.tags.add(dataset.id, [1, 2], "blurred", by="lea")
    (event, *_) = store.events.recent(subject=dataset.id)
    assert (event.who, event.what, event.details) == ("lea", "tag.added", {"tag": "blurred", "images": 2})
