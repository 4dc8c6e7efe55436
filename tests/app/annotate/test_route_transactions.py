"""What an annotator's key costs the database: one transaction to keep an answer, two to show what comes next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
import sqlalchemy as sa

from app import session
from slim_core.data.importing import import_data
from slim_core.steps.specs import GradcamSpec, SpaceSpec
from slim_core.store import Campaign, Run, Store
from tests.app.annotate.test_routes import headers, listed, post, upcoming
from tests.app.conftest import home_at
from tests.slim_core.store.conftest import DATABASES, database
from tests.slim_core.store.conftest import server as server
from tests.slim_core.store.store_makers import train_spec, transactions

if TYPE_CHECKING:
    from starlette.testclient import TestClient


@pytest.fixture(params=DATABASES)
def store(request, server: sa.Engine | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The store of the routes, on either database."""
    with database(server) if request.param == "postgresql" else nullcontext() as url:
        monkeypatch.setenv("SLIM_DATABASE_URL", url) if url else monkeypatch.delenv("SLIM_DATABASE_URL", raising=False)
        with home_at(tmp_path / "home"):
            yield session.store()
            session.store().close()


@pytest.fixture
def campaign(store: Store, small_demo: Path) -> Campaign:
    """On an attention space, whose model has predicted every image."""
    dataset = store.datasets.register(import_data(small_demo))
    model = finished(store, store.runs.submit(train_spec(dataset))[0])
    attention = finished(store, store.runs.submit(GradcamSpec(dataset=dataset.id, model=model.id))[0])
    space = finished(store, store.runs.submit(SpaceSpec(dataset=dataset.id, attention=attention.id))[0])
    return store.campaigns.create("first", dataset.id, space.id, store.datasets.table(dataset.id).rows("train")[:6])


def finished(store: Store, run: Run) -> Run:
    """The run, done, with predictions among what it left."""
    token = store.attempts.claim(run.id, "worker", "cpu")
    rows = range(store.datasets.fetch(run.dataset_id).n_images)
    scores = pd.DataFrame({"row": rows, "prediction": 0, "confidence": 0.9})
    scores.to_parquet(store.artifacts.attempt(run.id, 1) / "scores.parquet")
    store.artifacts.publish(run.id, 1)
    store.attempts.finish(run.id, token, {})
    return store.runs.fetch(run.id)


def test_answers_are_kept_in_one_transaction(client: TestClient, store: Store, campaign: Campaign) -> None:
    first, second, *_ = listed(client, campaign)
    sent = [{"id": "a", "item": first["id"], "value": 1}, {"id": "b", "item": 2**31 - 1, "value": 1}]
    undone = [{"id": "c", "item": first["id"], "value": None}, {"id": "d", "item": second["id"], "value": 0}]
    for answers in (sent, undone):
        with transactions(store.database) as begun:
            reply = post(client, campaign, answers)
        assert reply.status_code == 200 and len(begun) == 1
    store.campaigns.set_members(campaign.id, ["ben"])
    with transactions(store.database) as begun:
        assert post(client, campaign, sent).status_code == 403
    assert len(begun) == 1


def test_the_next_images_are_found_in_two_transactions(client: TestClient, store: Store, campaign: Campaign) -> None:
    assert {item["prediction"] for item in listed(client, campaign)} == {"0"}  # what never changes is read by now
    with transactions(store.database) as begun:
        assert len(upcoming(client, campaign).json()["items"]) == 6
    assert len(begun) <= 2
    asked = {"campaign": campaign.id, "session": "reloaded", "n": 6, "was": ["tab"], "after": 2}
    with transactions(store.database) as begun:
        assert len(client.post("/api/next", json=asked, headers=headers()).json()["items"]) == 6
    assert len(begun) <= 2


def test_a_page_that_closed_meanwhile_costs_one_more(client: TestClient, store: Store, campaign: Campaign) -> None:
    listed(client, campaign)
    client.post("/api/release", json={"campaign": campaign.id, "session": "tab"}, headers=headers())
    with transactions(store.database) as begun:
        assert upcoming(client, campaign).status_code == 200
    assert len(begun) <= 3 and store.assignments.leases(campaign.id) == []
