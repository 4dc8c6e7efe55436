"""Names, notes and tags of runs and campaigns: replaced as a whole, found by the search."""

from __future__ import annotations

import pytest

from slim_core.errors import NotFoundError, SpecRefusedError
from slim_core.store import Dataset, Note, Run, Store
from slim_core.store.runs.runs import RunFilter
from tests.slim_core.store.store_makers import train_spec


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
