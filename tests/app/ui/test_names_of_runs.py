"""Names of runs that mean something in Markdown, wherever a page shows them."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from app import session
from slim_core.steps.registry import parse_spec
from slim_core.store import schema
from tests.app.conftest import Show, read_as_markdown

NAME = "![x](http://example.org/seen.png) **loud**"


@pytest.fixture(autouse=True)
def named(filled_home: Path) -> None:  # the home is filled first
    """Every run has this name; one of the trainings failed, another waits."""
    store = session.store()
    spec, t = store.runs.all(kind="train")[-1].spec, schema.runs
    for n in (1, 2):
        store.runs.submit(parse_spec({**spec, "seed": n}), by="tests", force=True)
    with store.database.write() as connection:
        connection.execute(t.update().values(name=NAME))
        failed = sa.select(t.c.id).where(t.c.status == "queued").limit(1).scalar_subquery()
        connection.execute(t.update().where(t.c.id == failed).values(status="failed", message=f"{NAME} is full."))


@pytest.mark.parametrize("page", ["overview", "jobs", "train", "compare", "attention", "curate"])
def test_a_page_shows_the_name_as_it_is_written(show: Show, page: str) -> None:
    assert not [one for one in read_as_markdown(show(page)) if NAME in one]


@pytest.mark.parametrize("status", ["queued", "failed", "done"])
def test_a_run_shows_its_name_and_its_message_as_they_are_written(show: Show, status: str) -> None:
    run = session.store().runs.all(status=status)[0]
    found = list(read_as_markdown(show("jobs", run=run.id, about="Lineage")))
    assert not [one for one in found if NAME in one]
    assert any(r"\*\*loud\*\*" in one for one in found)
