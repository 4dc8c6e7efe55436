"""Tags of images, named filters, and the names, notes and tags of data sets, runs and campaigns."""

from __future__ import annotations

import numpy as np
import pytest

from slim_core.data.image_filter import ImageFilter
from slim_core.errors import NotFoundError, SpecRefusedError
from slim_core.store import Dataset, Note, Run, Store, notes
from slim_core.store.runs.runs import RunFilter
from tests.slim_core.store.store_makers import in_threads, train_spec


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


def test_a_filter_that_cannot_be_kept_is_refused(store: Store, dataset: Dataset, monkeypatch):
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


@pytest.fixture
def run(store: Store, dataset: Dataset) -> Run:
    return store.runs.submit(train_spec(dataset))[0]


def test_a_run_is_named_noted_and_tagged_and_that_can_be_changed(store: Store, run: Run):
    assert store.notes.fetch(run.id) == Note()
    store.notes.write(run.id, name=" First  try ", text=" lr too high\n", tags=["wip", "paper"], by="lea")
    assert store.notes.fetch(run.id) == Note("lr too high", ("paper", "wip"))
    changed = store.runs.fetch(run.id)
    assert (changed.name, changed.spec) == ("First try", run.spec), "the same run, so that it is still found as done"
    store.notes.write(run.id, name="Second", text="", tags=["paper"])
    assert store.notes.some([run.id, "r-x"]) == {run.id: Note("", ("paper",))} and store.notes.tags() == ["paper"]
    assert store.events.recent(1, subject=run.id)[0].what == "run.described"


def test_the_search_finds_runs_by_note_and_tag(store: Store, dataset: Dataset, run: Run):
    store.runs.submit(train_spec(dataset, seed=3))
    store.notes.write(run.id, name="x", text="Reaches 100 % on train", tags=["to keep"])
    history = store.history
    for words in ("reaches 100 %", "to keep", "KEEP"):
        assert [one.id for one in history.page(RunFilter(text=words), 5)] == [run.id], words
    assert history.count(RunFilter(text="100_%")) == 0, "no wildcards"


def test_a_campaign_is_named_too(store: Store, dataset: Dataset):
    campaign = store.campaigns.create("old", dataset.id, None, [0, 1])
    store.notes.write(campaign.id, name="new", text="with Ben", tags=[])
    assert store.campaigns.fetch(campaign.id).name == "new" and store.notes.fetch(campaign.id).text == "with Ben"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"name": "  "}, "not a name"),
        ({"tags": ["a\u0000"]}, "not a tag"),
        ({"text": "x" * 10_001}, "shorten it to 10,000"),
        ({"tags": [str(n) for n in range(21)]}, "keep 20 at most"),
    ],
)
def test_what_cannot_be_kept_is_refused(store: Store, run: Run, given: dict, says: str):
    with pytest.raises(SpecRefusedError, match=says):
        store.notes.write(run.id, **{"name": "n", "text": "", "tags": [], **given})
    assert store.runs.fetch(run.id).name == run.name


def test_what_is_not_there_cannot_be_named(store: Store, run: Run):
    store.runs.delete(run.id)
    with pytest.raises(NotFoundError, match="data set, run"):
        store.notes.write(run.id, name="n", text="", tags=[])
