"""The outcomes of two evaluations, image by image: read once, and again where a file could not be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from app import session
from app.services import loop_state
from app.services.results import predictions
from slim_core.evaluation.two_models import outcomes_of
from slim_core.store import Run


@pytest.fixture
def pair(filled_home) -> Iterator[tuple[Run, Run]]:
    """The evaluations before and after of a finished loop."""
    store = session.store()
    loop = loop_state.read(store, store.datasets.all()[0].id)
    assert loop.before is not None and loop.after is not None
    yield loop.before, loop.after


def test_two_drawings_read_the_files_once(pair) -> None:
    first = predictions.outcomes_of(*pair)
    assert first is not None and predictions.outcomes_of(*pair) is first
    assert (first == outcomes_of(session.store(), *pair)).all()


def test_files_that_are_back_are_read_again_and_a_deleted_run_has_none(pair) -> None:
    before, after = pair
    file = session.store().artifacts.folder(after.id) / "predictions.parquet"
    aside = file.rename(file.with_name("aside"))
    assert predictions.outcomes_of(before, after) is None
    aside.rename(file)
    assert predictions.outcomes_of(before, after) is not None
    assert predictions.outcomes_of(before, replace(after, id="r-deleted")) is None
