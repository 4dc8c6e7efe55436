"""Data without attributes: wherever groups are shown, the page says that they are estimated, and from what."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from app import session
from app.services.results import space_data
from slim_core.store import schema


@pytest.fixture
def unnamed(filled_home: Path) -> Iterator[None]:
    """``filled_home`` as if its data named no attribute, and its evaluations had found their groups themselves."""
    store = session.store()
    (dataset,) = store.datasets.all()
    named = store.datasets.table(dataset.id)
    frame = named.frame.assign(attribute=-1)
    table = replace(named, frame=frame, attribute_name=None, attribute_names=())
    table.save(store.artifacts.dataset_folder(dataset.id))
    for run in store.runs.all(kind="evaluate"):
        metrics = store.runs.fetch(run.id).metrics
        with store.database.write() as connection:
            changed = sa.update(schema.runs).where(schema.runs.c.id == run.id)
            connection.execute(changed.values(metrics=metrics | {"estimated_groups": True}))
    with closing(sqlite3.connect(filled_home / "slim.db")) as database, database:
        database.execute("UPDATE datasets SET n_attributes = 0, fingerprint = ?", (table.fingerprint,))
    session.reset()
    space_data._load.cache_clear()  # other tests have read the same space, with its attribute
    yield
    space_data._load.cache_clear()


@pytest.mark.usefixtures("unnamed")
@pytest.mark.parametrize("page", ["overview", "train", "attention", "space", "curate", "compare"])
def test_every_page_with_groups_says_that_they_are_estimated(show, page: str) -> None:
    app = show(page)
    said = [text.value for text in [*app.markdown, *app.caption]]
    said += [str(one.proto) for one in app.get("bidi_component")]  # the legend of the space
    assert any("estimated" in text for text in said), page
