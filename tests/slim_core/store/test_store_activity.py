"""Who did what, filtered and page by page."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from slim_core import store as store_room
from slim_core.store import Dataset, Store
from slim_core.store.events import KINDS, ActivityFilter, find_activity
from tests.slim_core.store.store_makers import Worked, train_spec


@pytest.fixture
def busy(store: Store, dataset: Dataset, finish: Callable[..., Worked]) -> Store:
    """A store in which several people have done several things, some of them in the name of like people."""
    run, _ = store.runs.submit(train_spec(dataset), by="ann@example.org", name="First")
    finish(run)
    rows = store.datasets.table(dataset.id).rows("train")[:3]
    store.campaigns.create("Asked", dataset.id, None, rows, by="Anna@example.org")
    store.members.set_role("ben@example.org", "lead", by="root")
    store.members.set_role("a_n@example.org", "viewer", by="a_n@example.org")
    return store


def found(store: Store, n: int = 100, before: int | None = None, **which: str) -> list[tuple[str, str]]:
    return [(one.who, one.what) for one in find_activity(store.database, ActivityFilter(**which), n, before=before)]


def test_every_event_is_there_newest_first_with_the_name_of_what_was_written(busy: Store, dataset: Dataset) -> None:
    events = find_activity(busy.database, ActivityFilter(), 100)
    assert [one.id for one in events] == sorted((one.id for one in busy.events.recent(100)), reverse=True)
    names = {one.what: one.name for one in events}
    assert names["run.submitted"] == "First" and names["campaign.created"] == "Asked" and names["member.role"] == ""
    assert names["dataset.registered"] == dataset.name


def test_a_person_is_found_by_the_beginning_of_their_name_in_any_case(busy: Store) -> None:
    assert {who for who, _ in found(busy, who="ann")} == {"ann@example.org", "Anna@example.org"}
    assert {who for who, _ in found(busy, who="anna@EXAMPLE.org ")} == {"Anna@example.org"}
    assert {who for who, _ in found(busy, who="a_n")} == {"a_n@example.org"}, "_ is a letter"
    assert found(busy, who="%") == []


def test_a_kind_and_a_data_set_are_filters_too(busy: Store, dataset: Dataset) -> None:
    assert {what for _, what in found(busy, kind="run")} >= {"run.submitted", "run.claimed", "run.done"}
    assert found(busy, kind="member", who="root") == [("root", "member.role")]
    of_data = {what.partition(".")[0] for _, what in found(busy, dataset=dataset.id)}
    assert of_data == {"dataset", "run", "campaign"}
    assert found(busy, dataset="d-nothing") == []


def test_every_kind_of_event_that_the_store_writes_can_be_chosen() -> None:
    source = "\n".join(file.read_text() for file in Path(store_room.__file__).parent.rglob("*.py"))
    written = set(re.findall(r'\.note\(\s*connection,\s*\w+,\s*"(\w+)\.', source))
    assert {"run", "dataset", "queue"} <= written <= set(KINDS)


def test_older_events_follow_without_a_gap_whatever_happens_meanwhile(busy: Store) -> None:
    everything = found(busy)
    first = find_activity(busy.database, ActivityFilter(), 2)
    busy.members.set_role("new@example.org", "lead", by="root")
    rest = found(busy, before=first[-1].id)
    assert [(one.who, one.what) for one in first] + rest == everything
