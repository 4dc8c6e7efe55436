"""What is told of artifacts that are not there: which run it is about, and what to do."""

from __future__ import annotations

import pytest

from slim_core.errors import NotFoundError
from slim_core.store import Dataset, Store, schema
from tests.slim_core.store.store_makers import train_spec


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        ("done", "put runs/{id} back from a"),
        ("queued", "it is queued, so wait until"),
        ("failed", "it is failed, so retry it"),
    ],
)
def test_a_run_without_artifacts_is_named_with_its_step_and_what_to_do(
    store: Store, dataset: Dataset, status: str, remedy: str
) -> None:
    run, _ = store.runs.submit(train_spec(dataset), name="first try")
    with store.database.write() as connection:
        connection.execute(schema.runs.update().where(schema.runs.c.id == run.id).values(status=status))
    with pytest.raises(NotFoundError) as told:
        store.artifacts.folder(run.id)
    sentence = str(told.value)
    assert f"{run.id}, the train run first try: " in sentence
    assert remedy.format(id=run.id) in sentence


def test_a_deleted_run_is_said_to_be(store: Store, dataset: Dataset) -> None:
    run, _ = store.runs.submit(train_spec(dataset))
    store.runs.delete(run.id)
    with pytest.raises(NotFoundError, match="deleted, so choose"):
        store.artifacts.folder(run.id)


def test_an_id_nobody_knows_is_named(store: Store) -> None:
    with pytest.raises(NotFoundError, match="no artifacts of r-unheard: it has not"):
        store.artifacts.folder("r-unheard")
