"""The annotation page's routes: the next images under leases, answers, the way back."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from starlette.requests import Request
from starlette.responses import Response

from app import session
from app.annotate import routes
from app.routes import guard
from app.session import Viewer
from slim_core.store import Campaign, CampaignSettings, Dataset, StoreUnavailableError
from slim_core.store.database import Database
from tests.app.conftest import headers
from tests.refusals import missing

if TYPE_CHECKING:
    from starlette.testclient import TestClient


@pytest.fixture
def campaign(dataset: Dataset) -> Campaign:
    rows = session.store().datasets.table(dataset.id).rows("train")[:6]
    return session.store().campaigns.create("first", dataset.id, None, rows, by="tests")


def post(client: TestClient, campaign: Campaign, answers: list[dict], **who: object):
    return client.post(
        "/api/answers", json={"campaign": campaign.id, "session": "tab", "answers": answers}, headers=headers(**who)
    )


def upcoming(client: TestClient, campaign: Campaign, n: int = 6, tab: str = "tab", **who: object):
    """What a page of this person is given to show."""
    asked = {"campaign": campaign.id, "session": tab, "n": n}
    return client.post("/api/next", json=asked, headers=headers(**who))


def listed(client: TestClient, campaign: Campaign) -> list[dict]:
    return upcoming(client, campaign).json()["items"]


def current(campaign: Campaign) -> dict[int, int]:
    return session.store().answers.current(campaign.id)


def test_images_come_with_their_label_and_how_far_the_campaign_is(client: TestClient, campaign: Campaign) -> None:
    body = upcoming(client, campaign, n=4).json()
    assert len(body["items"]) == 4
    of_each = {"id", "row", "position", "label", "prediction", "confidence", "empty", "guess", "guideline"}
    assert set(body["items"][0]) == of_each
    assert body["items"][0]["label"] in ("0", "1")
    assert body["progress"] == {"total": 6, "done": 0, "answered": 0, "held": []}


def test_a_question_that_the_farewell_of_its_page_has_overtaken_holds_no_image(
    client: TestClient, campaign: Campaign
) -> None:
    assert len(upcoming(client, campaign, n=2).json()["items"]) == 2
    gone = client.post("/api/release", json={"campaign": campaign.id, "session": "tab"}, headers=headers())
    assert gone.status_code == 200
    assert upcoming(client, campaign, n=2).status_code == 200
    assert session.store().assignments.leases(campaign.id) == []
    assert len(upcoming(client, campaign, n=6, tab="next page").json()["items"]) == 6


def test_a_blind_campaign_tells_neither_label_nor_prediction(client: TestClient, dataset: Dataset) -> None:
    rows = session.store().datasets.table(dataset.id).rows("train")[:3]
    blind = session.store().campaigns.create(
        "blind", dataset.id, None, rows, settings=CampaignSettings(options={"blind": True})
    )
    assert set(listed(client, blind)[0]) == {"id", "row", "position"}


@pytest.mark.usefixtures("filled_home")
def test_the_models_prediction_and_what_the_answers_suggest_are_told(client: TestClient) -> None:
    campaign = session.store().campaigns.all()[0]
    rows = session.store().datasets.table(campaign.dataset_id).rows("train")
    asked = session.store().campaigns.items(campaign.id)
    known = {item.row for item in asked}
    session.store().campaigns.extend(campaign.id, [row for row in rows if row not in known][:4])
    body = {"campaign": campaign.id, "session": "tab", "n": 4, "guess": True}
    items = client.post("/api/next", json=body, headers=headers()).json()["items"]
    assert len(items) == 4
    assert all(item["prediction"] in ("0", "1") and 0 <= item["confidence"] <= 1 for item in items)
    assert all(item["guess"] in (0, 1) for item in items)


def test_an_answer_is_kept_acknowledged_and_counted(client: TestClient, campaign: Campaign) -> None:
    item = listed(client, campaign)[0]
    answer = post(
        client, campaign, [{"id": "a1", "item": item["id"], "value": 1, "seen": {"view": "overlay"}, "ms": 900}]
    )
    assert answer.json().items() >= {"ids": ["a1"], "over_quota": [], "lost": [], "unknown": []}.items()
    assert current(campaign) == {item["row"]: 1}
    assert item["id"] not in [one["id"] for one in listed(client, campaign)]


def test_undo_takes_the_answer_back(client: TestClient, campaign: Campaign) -> None:
    item = listed(client, campaign)[0]
    post(
        client,
        campaign,
        [{"id": "a1", "item": item["id"], "value": 1}, {"id": "a2", "item": item["id"], "value": None}],
    )
    assert current(campaign) == {}
    assert listed(client, campaign)[0] == item


def test_whoever_finds_nothing_is_told_who_holds_the_rest_and_until_when(
    client: TestClient, campaign: Campaign
) -> None:
    assert len(upcoming(client, campaign, name="ann").json()["items"]) == 6
    body = upcoming(client, campaign, name="ben").json()
    (held,) = body["progress"]["held"]
    assert body["items"] == [] and (held["who"], held["n"], held["you"]) == ("ann", 6, False)
    assert 100 < held["seconds"] <= 120
    assert upcoming(client, campaign, tab="other", name="ann").json()["progress"]["held"][0]["you"]
    client.post("/api/release", json={"campaign": campaign.id, "session": "tab"}, headers=headers(name="ann"))
    assert len(upcoming(client, campaign, name="ben").json()["items"]) == 6


def test_a_reloaded_page_goes_on_where_it_was(client: TestClient, campaign: Campaign) -> None:
    before = upcoming(client, campaign, 3, tab="page 1").json()["items"]
    upcoming(client, campaign, 1, name="ben")
    asked = {"campaign": campaign.id, "session": "page 2", "n": 3, "was": ["page 1"]}
    assert client.post("/api/next", json=asked, headers=headers()).json()["items"] == before


def test_a_skipped_image_comes_last(client: TestClient, campaign: Campaign) -> None:
    first = upcoming(client, campaign, 1).json()["items"][0]
    skip = [{"id": "s1", "item": first["id"], "value": None, "skip": True, "ms": 800}]
    assert post(client, campaign, skip).json()["ids"] == ["s1"]
    assert [item["id"] for item in listed(client, campaign)][-1] == first["id"]


def test_the_last_answers_are_found_again(client: TestClient, campaign: Campaign) -> None:
    one, two = listed(client, campaign)[:2]
    post(client, campaign, [{"id": "a1", "item": one["id"], "value": 1}, {"id": "a2", "item": two["id"], "value": 0}])
    ask = {"campaign": campaign.id, "n": 1}
    (last,) = client.post("/api/given", json=ask, headers=headers()).json()["given"]
    assert (last["id"], last["value"]) == (two["id"], 0)
    (older,) = client.post("/api/given", json=ask | {"before": last["seq"]}, headers=headers()).json()["given"]
    assert (older["id"], older["value"]) == (one["id"], 1)


def test_a_closed_campaign_says_so_and_keeps_nothing(client: TestClient, campaign: Campaign) -> None:
    item = listed(client, campaign)[0]
    session.store().campaigns.close(campaign.id)
    for answer in (upcoming(client, campaign), post(client, campaign, [{"id": "a1", "item": item["id"], "value": 1}])):
        assert answer.status_code == 409 and answer.json()["closed"] is True
        assert not missing(answer.json()["error"], "first is closed", "lead")
    assert current(campaign) == {}


def test_a_member_who_was_removed_is_refused_although_their_page_is_still_open(
    client: TestClient, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "signs_in", lambda: True)
    members = session.store().members
    members.set_role("ann@example.org", "annotator")
    item = upcoming(client, campaign, name="ann@example.org").json()["items"][0]
    members.remove("ann@example.org")
    refused = post(client, campaign, [{"id": "a1", "item": item["id"], "value": 1}], name="ann@example.org")
    assert refused.status_code == 403
    assert not missing(refused.json()["error"], "viewer", "annotator")
    assert current(campaign) == {}


def test_a_campaign_that_names_its_annotators_takes_answers_of_them_alone(
    client: TestClient, campaign: Campaign
) -> None:
    item = upcoming(client, campaign).json()["items"][0]
    session.store().campaigns.set_members(campaign.id, ["ben"])
    refused = post(client, campaign, [{"id": "a1", "item": item["id"], "value": 1}])
    assert refused.status_code == 403
    assert not missing(refused.json()["error"], "ann is not", "first", "lead")
    assert upcoming(client, campaign, name="Ben").status_code == 200 and current(campaign) == {}


@pytest.mark.parametrize(("change", "sentence"), [
    ({"session": ""}, "of 1 to 80 characters"),
    ({"session": None}, "not None"),
    ({"n": 0}, "from 1 to 100, not 0"),
    ({"n": True}, "not True"),
    ({"was": 5}, "of at most 10 sessions, not 5"),
    ({"was": ["\ud800"]}, "of at most 10 sessions, not ['\\ud800']"),
    ({"was": ["x" * 81]}, "of at most 10 sessions"),
    ({"session": "\ud800"}, r"not '\ud800'"),
    ({"session": ["x"] * 1_000}, "not ['x', 'x', 'x', 'x', 'x', 'x', ...]"),
    ({"campaign": "\ud800"}, "Name the campaign"),
    ({"n": float("nan")}, "not JSON"),
    ({"after": 0.5}, "after is a whole"),
])  # fmt: skip
def test_a_malformed_question_gets_one_sentence(
    client: TestClient, campaign: Campaign, change: dict, sentence: str
) -> None:
    asked = json.dumps({"campaign": campaign.id, "session": "tab", "n": 6} | change)
    answer = client.post("/api/next", content=asked, headers=headers())
    assert answer.status_code == 400 and sentence in answer.json()["error"]


def test_a_viewer_may_look_but_not_answer(client: TestClient, campaign: Campaign) -> None:
    item = listed(client, campaign)[0]
    answer = post(client, campaign, [{"id": "a1", "item": item["id"], "value": 1}], role="viewer")
    assert answer.status_code == 403
    assert "requires the role annotator" in answer.json()["error"]
    assert current(campaign) == {}


def test_a_post_takes_its_token_from_the_header_alone(client: TestClient, campaign: Campaign) -> None:
    token = session.sign(Viewer("ann", "annotator"))
    answer = client.post(f"/api/answers?token={token}", json={"campaign": campaign.id, "answers": []})
    assert answer.status_code == 401


def test_a_token_for_another_campaign_does_not_reach_this_one(client: TestClient, campaign: Campaign) -> None:
    answer = post(client, campaign, [], campaigns=("c-other",))
    assert answer.status_code == 404


@pytest.mark.parametrize(("change", "named"), [
    ({"id": None}, "80"),
    ({"value": 1.0}, "1.0"),
    ({"skip": True}, "1"),
    ({"ms": "long"}, "'long'"),
    ({"ms": 10**400}, "1000"),
    ({"ms": float("nan")}, "JSON"),
    ({"seen": []}, "[]"),
    ({"item": {}}, "{}"),
    ("1", "80"),
])  # fmt: skip
def test_a_malformed_answer_is_refused_and_nothing_is_kept(
    client: TestClient, campaign: Campaign, change: dict | str, named: str
) -> None:
    good = {"id": "good", "item": listed(client, campaign)[0]["id"], "value": 1}
    odd = good | {"id": "odd"} | change if isinstance(change, dict) else change
    body = json.dumps({"campaign": campaign.id, "session": "tab", "answers": [good, odd]})
    refused = client.post("/api/answers", content=body, headers=headers())
    assert refused.status_code == 400 and not missing(refused.json()["error"], named)
    assert session.store().campaigns.progress(campaign.id)["answers"] == 0


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"answers": []}', b'{"campaign": "c-none", "answers": []}',
                                  b'{"campaign": "c-none", "answers": 3}', b"[" * 100_000 + b"]" * 100_000,
                                  b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
                                  b'{"campaign": "c-\\ud800", "answers": []}'])  # fmt: skip
@pytest.mark.usefixtures("uncollected")
def test_a_malformed_request_gets_one_sentence(client: TestClient, campaign: Campaign, body: bytes) -> None:
    answer = client.post("/api/answers", content=body, headers=headers())
    assert answer.status_code in (400, 404)
    assert answer.json()["error"].endswith(".")


def test_a_time_beyond_all_numbers_is_refused(client: TestClient, campaign: Campaign) -> None:
    body = f'{{"campaign": "{campaign.id}", "answers": [{{"id": "a", "item": 1, "value": 1, "ms": 1e400}}]}}'
    answer = client.post("/api/answers", content=body, headers=headers())
    assert answer.status_code == 400 and not missing(answer.json()["error"], "inf")


def test_a_request_that_is_too_large_is_refused(client: TestClient, campaign: Campaign) -> None:
    answer = client.post("/api/answers", content=b" " * (guard.MAX_BODY_BYTES + 1), headers=headers())
    assert answer.status_code == 400
    assert "send fewer answers" in answer.json()["error"]


def test_an_answer_about_a_foreign_image_holds_up_no_other(client: TestClient, campaign: Campaign) -> None:
    item = listed(client, campaign)[0]
    sent = [{"id": "a", "item": 2**31 - 1, "value": 1}, {"id": "b", "item": item["id"], "value": 0}]
    reply = post(client, campaign, sent)
    assert reply.status_code == 200
    assert reply.json().items() >= {"ids": ["b"], "over_quota": [], "lost": [], "unknown": ["a"]}.items()
    assert current(campaign) == {item["row"]: 0}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["/api/nothing", "/api/", "/api/image/d-1/x", "/api/answers/5", "/assets/a/b/c"])
def test_an_unknown_address_is_404_in_a_sentence(client: TestClient, method: str, path: str) -> None:
    answer = client.request(method, path)
    assert answer.status_code == 404
    assert answer.json()["error"].startswith(f"There is no {method} '{path}'")


def test_a_body_that_does_not_arrive_is_given_up(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_S", 0.05)
    parts = [{"type": "http.request", "body": b'{"campaign": ', "more_body": True}]

    async def receive() -> dict:
        if not parts:
            await asyncio.sleep(60)
        return parts.pop()

    told = [(name.lower().encode(), value.encode()) for name, value in headers().items()]
    scope = {"type": "http", "method": "POST", "path": "/api/answers", "headers": told, "query_string": b""}

    async def answered() -> Response:
        return await asyncio.wait_for(routes.answers(Request(scope, receive)), 10)

    with ThreadPoolExecutor(1) as thread:  # the browser of another test may leave this one an event loop that runs
        answer = thread.submit(lambda: asyncio.run(answered())).result()
    assert answer.status_code == 408 and answer.headers["Connection"] == "close"
    assert "not arrive within" in json.loads(answer.body)["error"]


@pytest.mark.parametrize(("role", "named"), [("annotator", True), ("lead", True), ("admin", False)])
def test_an_answer_on_a_full_disk_is_refused_without_the_path_of_the_database_but_to_admins(
    client: TestClient, campaign: Campaign, monkeypatch: pytest.MonkeyPatch, role: str, named: bool
) -> None:
    (item,) = upcoming(client, campaign, n=1, role=role).json()["items"]
    path = session.store().database.redacted_url

    def refuse(*_: object) -> None:
        raise StoreUnavailableError(f"The database {path} has no room.")

    monkeypatch.setattr(Database, "write", refuse)
    answer = {"id": "a", "item": item["id"], "value": 1, "seen": {}, "ms": 1}
    refused = post(client, campaign, [answer], role=role)
    assert refused.status_code == 503
    shown = "SLIM_HOME/slim.db" if named else path
    assert refused.json()["error"] == f"The database {shown} has no room."


def test_a_disk_that_is_full_as_a_route_writes_is_logged_once_and_with_its_file(
    client: TestClient, campaign: Campaign, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (item,) = upcoming(client, campaign, n=1).json()["items"]

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device", "/srv/slim/answers")

    monkeypatch.setattr(Database, "write", refuse)
    refused = post(client, campaign, [{"id": "a", "item": item["id"], "value": 1, "seen": {}, "ms": 1}])
    assert refused.status_code == 503 and "(No space left on device): check its disk" in refused.json()["error"]
    (record,) = [one for one in caplog.records if one.name == "app.routes.guard"]
    assert record.exc_info is not None and "/srv/slim/answers" in str(record.exc_info[1])


def test_who_is_taken_off_a_campaign_is_refused_in_the_middle_and_loses_no_answer(
    client: TestClient, campaign: Campaign
) -> None:
    def answer(name: str, item: int) -> int:
        return post(client, campaign, [{"id": f"{name}-{item}", "item": item, "value": 1}], name=name).status_code

    campaigns = session.store().campaigns
    campaigns.set_members(campaign.id, ["ann", "ben"], by="lea")
    first, second, third, *_ = (item.id for item in campaigns.items(campaign.id))
    assert [answer("ann", first), answer("ben", second), answer("eve", third)] == [200, 200, 403]
    campaigns.set_members(campaign.id, ["ben"], by="lea")
    assert [answer("ann", third), answer("ben", third)] == [403, 200]
    assert campaigns.progress(campaign.id)["answered"] == 3
    assert session.store().answers.current(campaign.id, "ann") != {}
