"""The annotation page's routes: items, leases, answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app import access, session
from app.access import Viewer
from app.routes import guard
from slim_core.store import Campaign, Dataset

if TYPE_CHECKING:
    from starlette.testclient import TestClient


@pytest.fixture
def campaign(dataset: Dataset) -> Campaign:
    rows = session.store().datasets.table(dataset.id).rows("train")[:6]
    return session.store().campaigns.create("first", dataset.id, None, rows, by="tests")


def headers(role: str = "annotator", name: str = "ann", **limits: tuple[str, ...]) -> dict[str, str]:
    return {access.TOKEN_HEADER: access.sign(Viewer(name, role, **limits))}


def post(client: TestClient, campaign: Campaign, answers: list[dict], **who: object):
    return client.post("/api/answers", json={"campaign": campaign.id, "answers": answers}, headers=headers(**who))


def listed(client: TestClient, campaign: Campaign) -> list[dict]:
    return client.get("/api/items", params={"campaign": campaign.id}, headers=headers()).json()["items"]


def test_items_tell_their_row_label_and_answer(client: TestClient, campaign: Campaign) -> None:
    items = listed(client, campaign)
    assert len(items) == 6
    assert set(items[0]) == {"id", "row", "label", "label_name", "answer"}
    assert {item["answer"] for item in items} == {None}


def test_an_answer_is_kept_acknowledged_and_counted(client: TestClient, campaign: Campaign) -> None:
    item = listed(client, campaign)[0]
    answer = post(
        client, campaign, [{"id": "a1", "item": item["id"], "value": 1, "seen": {"kind": "overlay"}, "ms": 900}]
    )
    assert answer.json()["ids"] == ["a1"]
    assert answer.json()["progress"]["right"] == 1
    assert listed(client, campaign)[0]["answer"] == 1


def test_an_answer_that_arrives_twice_counts_once(client: TestClient, campaign: Campaign) -> None:
    item = listed(client, campaign)[0]
    for _ in range(2):
        answer = post(client, campaign, [{"id": "a1", "item": item["id"], "value": 0}])
        assert answer.json()["ids"] == ["a1"]
    assert answer.json()["progress"]["answers"] == 1


def test_undo_takes_the_answer_back(client: TestClient, campaign: Campaign) -> None:
    item = listed(client, campaign)[0]
    post(
        client,
        campaign,
        [{"id": "a1", "item": item["id"], "value": 1}, {"id": "a2", "item": item["id"], "value": None}],
    )
    assert listed(client, campaign)[0]["answer"] is None


def test_two_annotators_are_given_different_items(client: TestClient, campaign: Campaign) -> None:
    leases = [
        client.post("/api/lease", json={"campaign": campaign.id}, headers=headers(name=name)).json()["item"]["id"]
        for name in ("ann", "ben")
    ]
    assert leases[0] != leases[1]


def test_a_viewer_may_look_but_not_answer(client: TestClient, campaign: Campaign) -> None:
    item = listed(client, campaign)[0]
    answer = post(client, campaign, [{"id": "a1", "item": item["id"], "value": 1}], role="viewer")
    assert answer.status_code == 403
    assert "needs the role annotator" in answer.json()["error"]
    assert listed(client, campaign)[0]["answer"] is None


def test_a_post_takes_its_token_from_the_header_alone(client: TestClient, campaign: Campaign) -> None:
    token = access.sign(Viewer("ann", "annotator"))
    answer = client.post(f"/api/answers?token={token}", json={"campaign": campaign.id, "answers": []})
    assert answer.status_code == 401


def test_a_token_for_another_campaign_does_not_reach_this_one(client: TestClient, campaign: Campaign) -> None:
    answer = post(client, campaign, [], campaigns=("c-other",))
    assert answer.status_code == 404


@pytest.mark.parametrize(("answer", "sentence"), [
    ({"item": 1, "value": 1}, "needs an id"),
    ({"id": "a1", "item": 1, "value": 2}, "not 2"),
    ({"id": "a1", "item": 1, "value": True}, "not True"),
    ({"id": "a1", "item": 1, "value": "1"}, "not '1'"),
    ({"id": "a1", "item": 1, "value": 1, "ms": "long"}, "malformed"),
    ({"id": "a1", "item": "x", "value": 1}, "not the number of an item"),
    ({"id": "a1", "item": 999_999, "value": 1}, "999999"),
    ("1", "needs an id"),
])  # fmt: skip
def test_a_malformed_answer_is_refused_and_nothing_is_kept(
    client: TestClient, campaign: Campaign, answer: object, sentence: str
) -> None:
    good = {"id": "good", "item": listed(client, campaign)[0]["id"], "value": 1}
    refused = post(client, campaign, [good, answer])  # type: ignore[list-item]
    assert refused.status_code in (400, 404)
    assert sentence in refused.json()["error"]
    assert session.store().campaigns.progress(campaign.id)["answers"] == 0


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"answers": []}', b'{"campaign": "c-none", "answers": []}',
                                  b'{"campaign": "c-none", "answers": 3}'])  # fmt: skip
def test_a_malformed_request_gets_one_sentence(client: TestClient, campaign: Campaign, body: bytes) -> None:
    answer = client.post("/api/answers", content=body, headers=headers())
    assert answer.status_code in (400, 404)
    assert answer.json()["error"].endswith(".")


def test_a_request_that_is_too_large_is_refused(client: TestClient, campaign: Campaign) -> None:
    answer = client.post("/api/answers", content=b" " * (guard.MAX_BODY_BYTES + 1), headers=headers())
    assert answer.status_code == 400
    assert "send fewer answers" in answer.json()["error"]
