"""Campaigns: what is asked, in which order, how far it is, and runs that are made from it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager

import numpy as np
import pytest

from slim_core.errors import AnswersRefusedError, ConflictError, NotFoundError, SpecRefusedError
from slim_core.steps.specs import CurateSpec, GradcamSpec, SpaceSpec
from slim_core.store import AnswerIn, Campaign, CampaignSettings, Run, Store
from slim_core.store.campaigns.consensus import FROM_MASKS, PARTLY, UNSURE, WRONG
from slim_core.store.runs.rows import lock_run
from slim_core.store.schema import runs
from tests.refusals import refusal
from tests.slim_core.store.store_makers import image_table, imported, next_item, statements, train_spec


@pytest.fixture
def space(store: Store, dataset, finish) -> Run:
    """A finished space run."""
    model = finish(store.runs.submit(train_spec(dataset))[0]).run
    attention = finish(store.runs.submit(GradcamSpec(dataset=dataset.id, model=model.id))[0]).run
    return finish(store.runs.submit(SpaceSpec(dataset=dataset.id, attention=attention.id))[0]).run


@pytest.fixture
def campaign(store: Store, dataset, space: Run) -> Campaign:
    """Asks about six images of class 0 and three of class 1."""
    rows = [0, 2, 4, 6, 8, 10, 1, 3, 5]
    return store.campaigns.create(
        "first", dataset.id, space.id, rows, by="ann", settings=CampaignSettings(guideline="Where?", seed=3)
    )


def answer(store: Store, campaign: Campaign, name: str, item_id: int, value: int | None, ms: int = 1000) -> None:
    """One answer of ann."""
    store.answers.save(campaign.id, "ann", [AnswerIn(name, item_id, value, {"run": "r"}, ms)])


def test_a_campaign_tells_what_it_asks(store: Store, campaign: Campaign, space: Run):
    assert campaign.budgets == {"0": 6, "1": 3} and campaign.n_split == 40 and campaign.status == "open"
    assert (campaign.space_run_id, campaign.overlap, campaign.guideline) == (space.id, 1, "Where?")
    assert store.campaigns.all() == [campaign] and store.campaigns.all(dataset="d-other") == []
    items = store.campaigns.items(campaign.id)
    assert sorted(item.row for item in items) == [0, 1, 2, 3, 4, 5, 6, 8, 10]
    assert all(item.label == item.row % 2 for item in items)
    assert [item.position for item in items] == list(range(9))
    with pytest.raises(NotFoundError, match="no campaign c-none"):
        store.campaigns.fetch("c-none")


@pytest.mark.parametrize(
    ("rows", "overlap", "sentence"),
    [
        ([], 1, "needs images"),
        ([0, 45], 1, "Row 45 is not in"),
        ([-1], 1, "Row -1 is not in"),
        ([3, 3], 1, "Row 3 occurs twice"),
        ([1], 0, "at least 1"),
    ],
)
def test_rows_that_cannot_be_asked_about_are_refused(store: Store, dataset, rows, overlap, sentence):
    with pytest.raises(SpecRefusedError, match=sentence):
        store.campaigns.create("bad", dataset.id, None, rows, settings=CampaignSettings(overlap=overlap))
    with pytest.raises(NotFoundError, match="no run r-none"):
        store.campaigns.create("bad", dataset.id, "r-none", [1])
    assert store.campaigns.all() == []


def test_wrong_about_the_absence_of_something_counts_as_neither_now_and_in_every_snapshot(
    store: Store, campaign: Campaign
):
    absent = store.campaigns.set_classes(campaign.id, [0], {0: " On the part. ", 1: " "}, by="lea")
    assert (absent.absent, absent.guidelines) == ({0}, {0: "On the part."})
    by_label = {label: [one for one in store.campaigns.items(campaign.id) if one.label == label] for label in (0, 1)}
    nothing, something = by_label[0], by_label[1]
    given = ((nothing[0], 0), (nothing[1], 2), (nothing[2], 1), (something[0], 0), (something[1], 2))
    for item, value in given:
        answer(store, campaign, f"a-{item.id}", item.id, value)
    store.decisions.decide(campaign.id, "lea", AnswerIn("d", nothing[3].id, WRONG))
    expected = {one.row: value for one, value in zip([one for one, _ in given], (-1, -1, 1, 0, 0), strict=True)}
    expected[nothing[3].row] = UNSURE
    assert store.answers.current(campaign.id) == dict(sorted(expected.items()))
    rows, values = store.answers.snapshot(campaign.id, store.answers.last_seq(campaign.id))
    assert dict(zip(rows.tolist(), values.tolist(), strict=True)) == store.answers.current(campaign.id)
    progress = store.campaigns.progress(campaign.id)
    assert (progress["right"], progress["wrong"], progress["unsure"]) == (1, 2, 3)
    assert [one for _, _, one in store.answers.votes(campaign.id)].count(WRONG) == 2, "kept as they were given"


def test_what_counts_of_given_answers_stays_but_a_guideline_may_change(store: Store, campaign: Campaign):
    answer(store, campaign, "a", next(one.id for one in store.campaigns.items(campaign.id) if one.label == 1), WRONG)
    with pytest.raises(AnswersRefusedError):
        store.campaigns.set_classes(campaign.id, [1], {})
    assert store.campaigns.fetch(campaign.id).absent == set()
    changed = store.campaigns.set_classes(campaign.id, [0], {1: "Where the dent is."})
    assert changed.absent == {0} and changed.guidelines == {1: "Where the dent is."}


def test_progress_counts_answers_shares_and_minutes(store: Store, campaign: Campaign):
    ids = [item.id for item in store.campaigns.items(campaign.id)]
    answer(store, campaign, "a", ids[0], 1, ms=30_000)
    answer(store, campaign, "b", ids[1], 0, ms=10 * 60_000)
    answer(store, campaign, "c", ids[2], -1, ms=30_000)
    answer(store, campaign, "d", ids[3], 1, ms=0)
    answer(store, campaign, "e", ids[3], None, ms=60_000)
    answer(store, campaign, "f", ids[4], PARTLY, ms=0)
    progress = store.campaigns.progress(campaign.id)
    assert progress == {
        "total": 9,
        "answered": 4,
        "done": 4,
        "right": 1,
        "wrong": 1,
        "unsure": 2,
        "partly": 1,
        "empty": 0,
        "answers": 5,
        "simulated": 0,
        "share": pytest.approx(4 / 40),
        "minutes": pytest.approx(3.0),  # an undone answer took its time too, as in the table of annotators
    }


def test_simulated_answers_are_counted_apart_and_take_no_minutes(store: Store, campaign: Campaign):
    first, second, *_ = [item.id for item in store.campaigns.items(campaign.id)]
    store.answers.save(
        campaign.id, "simulated annotator", [AnswerIn("s", first, 1, duration_ms=2_000)], source=FROM_MASKS
    )
    assert (store.campaigns.progress(campaign.id)["simulated"], store.campaigns.progress(campaign.id)["minutes"]) == (
        1,
        0,
    )
    answer(store, campaign, "a", second, 1, ms=30_000)
    progress = store.campaigns.progress(campaign.id)
    assert (progress["answers"], progress["simulated"], progress["minutes"]) == (2, 1, 0.5)


def test_no_table_is_read_while_others_wait_for_the_database(
    store: Store, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
):
    writing, write, table = list[object](), store.database.write, store.datasets.table

    @contextmanager
    def noted() -> Iterator[object]:
        with write() as connection:
            writing.append(connection)
            yield connection
            writing.pop()

    def read(dataset_id: str) -> object:
        assert not writing, "it may lie behind a URL"
        return table(dataset_id)

    monkeypatch.setattr(store.database, "write", noted)
    monkeypatch.setattr(store.datasets, "table", read)
    store.campaigns.extend(campaign.id, [12])
    store.campaigns.create("second", campaign.dataset_id, campaign.space_run_id, [0, 1])


def test_extending_asks_about_new_rows_only_and_after_the_others(store: Store, campaign: Campaign):
    extended = store.campaigns.extend(campaign.id, [0, 12, 7, 9], by="lead")
    items = store.campaigns.items(campaign.id)
    assert sorted(item.row for item in items[9:]) == [7, 9, 12] and [item.position for item in items[9:]] == [9, 10, 11]
    assert extended.budgets == {"0": 7, "1": 5}
    with pytest.raises(SpecRefusedError, match="ask about yet"):
        store.campaigns.extend(campaign.id, [0, 12])


def test_a_closed_campaign_takes_no_answers_until_it_is_reopened(store: Store, campaign: Campaign):
    item = next_item(store, campaign.id, "ann")
    assert store.campaigns.close(campaign.id, by="lead").closed_at is not None
    for call in (
        lambda: next_item(store, campaign.id, "ann"),
        lambda: answer(store, campaign, "a", item.id, 1),
        lambda: store.campaigns.extend(campaign.id, [20]),
    ):
        with pytest.raises(AnswersRefusedError, match="first is closed: ask"):
            call()
    assert store.answers.current(campaign.id) == {}
    assert store.campaigns.reopen(campaign.id).status == "open"
    answer(store, campaign, "a", item.id, 1)
    what = [event.what for event in store.events.recent(subject=campaign.id)]
    assert what == ["campaign.open", "campaign.closed", "campaign.created"]


def test_a_curate_run_pins_the_answers_it_was_submitted_with(store: Store, dataset, space: Run, campaign: Campaign):
    items = store.campaigns.items(campaign.id)
    answer(store, campaign, "a", items[0].id, 1)
    spec = CurateSpec(dataset=dataset.id, space=space.id, campaign=campaign.id, size=4)
    run, created = store.runs.submit(spec)
    assert created and run.spec["answers_seq"] == store.answers.last_seq(campaign.id)
    assert run.campaign_id == campaign.id and store.runs.all(campaign=campaign.id) == [run]
    assert store.runs.submit(spec) == (run, False)
    answer(store, campaign, "b", items[1].id, 0)
    assert store.runs.submit(spec)[1]
    with pytest.raises(NotFoundError, match="no campaign c-none"):
        store.runs.submit(CurateSpec(dataset=dataset.id, space=space.id, campaign="c-none", size=4))


def test_no_campaign_is_opened_on_a_space_that_is_being_deleted(store: Store, dataset, space: Run):
    with ThreadPoolExecutor(1) as somebody_else:
        with store.database.write() as connection:
            lock_run(connection, space.id)  # as a deletion does first
            opened = somebody_else.submit(store.campaigns.create, "late", dataset.id, space.id, [0])
            wait([opened], timeout=1)
            now = store.database.now(connection)
            connection.execute(runs.update().where(runs.c.id == space.id).values(deleted_at=now))
        with refusal(NotFoundError, space.id):
            opened.result(60)
    assert store.campaigns.all() == []


def test_a_space_that_a_campaign_asks_about_is_deleted_only_with_cascade(store: Store, space: Run, campaign: Campaign):
    with refusal(ConflictError, space.id, "first"):
        store.runs.delete(space.id)
    store.runs.delete(space.id, cascade=True)
    answer(store, campaign, "a", store.campaigns.items(campaign.id)[0].id, 1)
    assert store.campaigns.progress(campaign.id)["answered"] == 1


def test_a_campaign_over_many_images_opens_by_few_reads(store: Store, tmp_path):
    large = store.datasets.register(imported(image_table(tmp_path / "large", n_train=8_000)))
    campaign = store.campaigns.create("large", large.id, None, np.arange(8_000))
    with statements(store.database) as told:
        item = next_item(store, campaign.id, "ann")
        progress = store.campaigns.progress(campaign.id)
        answer(store, campaign, "a", item.id, 1)
    assert len(told) < 50
    assert progress["total"] == 8_000 and next_item(store, campaign.id, "ann").position == 1
