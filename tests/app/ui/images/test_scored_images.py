"""Wherever a page says on how many images attention is scored, a link leads to where more are outlined."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app import session
from app.access import Viewer
from slim_core.metrics import COVERAGE
from slim_core.store import schema

PLACES = {
    "overview": {},
    "compare": {"view": "Attention"},
    "train": {},
    "attention": {"attention-tab": "Scores per group"},
}


@pytest.fixture
def half_scored(filled_home: Path) -> str:
    """The test images of a home of which only every second one has a mask; the model's id."""
    store = session.store()
    for run in store.runs.all(kind="evaluate", status="done"):
        groups = [one | {"n_masks": one["n"] // 2} for one in run.metrics["groups"]]
        with store.database.write() as connection:
            metrics = run.metrics | {COVERAGE: 0.5, "n_masks": run.metrics["n"] // 2, "groups": groups}
            connection.execute(schema.runs.update().where(schema.runs.c.id == run.id).values(metrics=metrics))
    (dataset,) = store.datasets.all()
    table = store.datasets.table(dataset.id)
    masks = np.where(np.arange(len(table)) % 2, table.frame["mask"], "")
    table = replace(table, frame=table.frame.assign(mask=masks))
    table.save(store.artifacts.dataset_folder(dataset.id))
    with store.database.write() as connection:
        connection.execute(schema.datasets.update().values(fingerprint=table.fingerprint))
    session.reset()
    return session.store().runs.all(kind="train", status="done")[0].id


def links(app) -> list[str]:
    found = [link.proto for link in app.get("page_link") if link.proto.label == "Draw the object"]
    return [link.query_string for link in found]


def at(show, page: str, model: str):
    return show(page, **PLACES[page], **({"run": model} if page == "train" else {}))


@pytest.mark.parametrize("page", PLACES)
def test_the_link_stands_where_coverage_is_shown(show, half_scored: str, page: str) -> None:
    (dataset,) = session.store().datasets.all()
    (query,) = links(at(show, page, half_scored))
    assert f"dataset={dataset.id}" in query and ("draw-split=test" in query or page == "compare")


@pytest.mark.usefixtures("filled_home")
@pytest.mark.parametrize("page", PLACES)
def test_where_all_images_are_scored_there_is_nothing_to_draw(show, page: str) -> None:
    model = session.store().runs.all(kind="train", status="done")[0].id
    assert not links(at(show, page, model))


@pytest.mark.parametrize("page", PLACES)
def test_a_viewer_is_not_sent_to_draw(show, half_scored: str, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "viewer", lambda: Viewer("vic", "viewer"))
    assert not links(at(show, page, half_scored))
