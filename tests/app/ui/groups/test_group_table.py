"""The table of groups, of data in which some images are of no known group."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from app import session
from slim_core.store import schema


@pytest.mark.usefixtures("filled_home")
def test_images_of_no_known_group_are_said_and_counted_among_those_scored(show) -> None:
    store = session.store()
    run = next(run for run in store.runs.all(kind="train") if not run.spec["subset"])
    evaluation = next(one for one in store.runs.all(kind="evaluate") if one.spec["model"] == run.id)
    metrics = evaluation.metrics
    first, *others = metrics["groups"]
    fewer = {**first, "n": first["n"] - 7, "n_masks": first["n_masks"] - 7}
    changed = metrics | {"groups": [fewer, *others], "n_masks": metrics["n"] - 3}
    with store.database.write() as connection:
        connection.execute(sa.update(schema.runs).where(schema.runs.c.id == evaluation.id).values(metrics=changed))
    told = [caption.value for caption in show("train", run=run.id).caption]
    assert f"7 of {metrics['n']} images belong to no known group: they count in the averages only." in told
    assert f"Attention is scored on {metrics['n'] - 3} of {metrics['n']} images." in told
