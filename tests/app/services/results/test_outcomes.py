"""The outcomes of two evaluations, image by image: read once, and again where a file could not be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from app import session
from app.services.loop_state import read
from app.services.results.comparison import outcomes_of
from slim_core.evaluation import two_models
from slim_core.store import Run


@pytest.fixture
def pair(filled_home) -> Iterator[tuple[Run, Run]]:
    """The evaluations before and after of a finished loop."""
    store = session.store()
    loop = read(store, store.datasets.all()[0].id)
    assert loop.before is not None and loop.after is not None
    yield loop.before, loop.after


def test_two_drawings_read_the_files_once(pair) -> None:
    first = outcomes_of(*pair)
    assert first is not None and outcomes_of(*pair) is first
    assert (first == two_models.outcomes_of(session.store(), *pair)).all()


def test_files_that_are_back_are_read_again_and_a_deleted_run_has_none(pair) -> None:
    before, after = pair
    file = session.store().artifacts.folder(after.id) / "predictions.parquet"
    aside = file.rename(file.with_name("aside"))
    assert outcomes_of(before, after) is None
    aside.rename(file)
    assert outcomes_of(before, after) is not None
    assert outcomes_of(before, replace(after, id="r-deleted")) is None
