"""Named filters: of a data set, shared by all."""

from __future__ import annotations

import pytest

from slim_core.data.image_filter import ImageFilter
from slim_core.errors import NotFoundError, SpecRefusedError
from slim_core.store import Dataset, Store, notes
from tests.slim_core.store.store_makers import in_threads

WRONG = ImageFilter(labels=["bird"], predictions=["boat"], ranges={"confidence": (0.5, 1.0)})


def test_a_filter_is_kept_under_its_name_and_removed(store: Store, dataset: Dataset):
    kept = store.filters.save(dataset.id, "  sure and  wrong ", WRONG, by="lea")
    assert (kept.name, kept.parts, kept.created_by) == ("sure and wrong", WRONG, "lea")
    assert store.filters.find(kept.id) == kept and store.filters.all(dataset.id) == [kept]
    store.filters.remove(kept.id, by="ann")
    assert store.filters.find(kept.id) is None and store.filters.all(dataset.id) == []
    with pytest.raises(NotFoundError, match="it was removed"):
        store.filters.remove(kept.id)


def test_the_same_again_is_the_same_and_another_needs_another_name(store: Store, dataset: Dataset):
    kept = store.filters.save(dataset.id, "wrong", WRONG, by="lea")
    assert store.filters.save(dataset.id, "wrong", WRONG, by="ann") == kept
    with pytest.raises(SpecRefusedError, match="has a filter 'wrong': choose another name"):
        store.filters.save(dataset.id, "wrong", ImageFilter(labels=["boat"]), by="ann")
    store.filters.save(dataset.id, "a boat", ImageFilter(labels=["boat"]))
    assert [one.name for one in store.filters.all(dataset.id)] == ["a boat", "wrong"]


def test_two_people_who_save_one_name_at_once_keep_one_filter(store: Store, dataset: Dataset):
    made = in_threads(4, lambda _: store.filters.save(dataset.id, "wrong", WRONG))
    assert len({one.id for one in made}) == 1 and len(store.filters.all(dataset.id)) == 1


def test_what_cannot_be_kept_is_refused(store: Store, dataset: Dataset, monkeypatch):
    with pytest.raises(SpecRefusedError, match="Every image passes"):
        store.filters.save(dataset.id, "all", ImageFilter())
    with pytest.raises(SpecRefusedError, match="1 to 80 characters"):
        store.filters.save(dataset.id, " ", WRONG)
    with pytest.raises(NotFoundError):
        store.filters.save("d-unheard", "wrong", WRONG)
    monkeypatch.setattr(notes, "MOST_FILTERS", 1)
    one = store.filters.save(dataset.id, "one", WRONG)
    with pytest.raises(SpecRefusedError, match="has 1 filters: remove one"):
        store.filters.save(dataset.id, "two", WRONG)
    assert store.filters.save(dataset.id, "one", WRONG) == one, "it needs no room"
