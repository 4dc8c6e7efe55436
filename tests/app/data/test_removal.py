"""A data set is named, described and removed on its page; what is asked for afterwards says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app import session
from app.session import Viewer
from app.ui import pick
from slim_core.annotation.plan import Plan, open_campaign
from slim_core.errors import NotFoundError
from slim_core.store import Dataset
from tests.app.conftest import Show, box, hop


def told(app) -> str:
    kinds = (app.markdown, app.caption, app.success, app.error, app.warning, app.info)
    return "\n".join(one.value for kind in kinds for one in kind)


def opened(app, dataset: Dataset):
    """The page with the removal's popover open."""
    app.session_state[f"remove-{dataset.id}"] = True
    return app.run()


@pytest.mark.usefixtures("filled_home")
def test_what_goes_is_counted_first_and_a_tick_is_needed(show: Show) -> None:
    store = session.store()
    (dataset,) = store.datasets.all()
    n_runs, root = len(store.runs.all()), Path(dataset.root)
    app = opened(show("data"), dataset)
    assert f"This also removes {n_runs} runs, " in told(app) and "be exported afterwards" in told(app)
    assert "are kept." in told(app)
    assert app.button(key=f"remove-yes-{dataset.id}").disabled
    app.checkbox(key=f"remove-all-{dataset.id}").check().run()
    app.button(key=f"remove-yes-{dataset.id}").click().run()
    assert not app.exception
    assert "demo-data was removed, with" in told(app) and "is registered yet" in told(app)
    assert store.datasets.all() == [] and store.runs.all() == [] and root.is_dir()
    assert not app.toast, "the one who has removed it knows"
    assert store.events.recent(1)[0].who == "local"


def test_a_data_set_with_nothing_on_it_needs_no_tick(
    show: Show, older: Dataset, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pick, "unquote", lambda _kept: dataset.id)  # the cookie of this browser
    app = opened(show("data", dataset=dataset.id), dataset)
    app.button(key=f"remove-yes-{dataset.id}").click().run()
    assert [one.id for one in session.store().datasets.all()] == [older.id]
    assert box(app, "dataset").value == older.id
    assert not app.toast, "the one who has removed it knows"


@pytest.mark.usefixtures("filled_home")
def test_a_campaign_that_was_opened_since_it_was_counted_does_not_go_with_it(show: Show) -> None:
    store = session.store()
    (dataset,) = store.datasets.all()
    app = opened(show("data"), dataset)
    app.checkbox(key=f"remove-all-{dataset.id}").check().run()
    open_campaign(store, Plan(store.runs.all(kind="space")[0].id, {0: 4, 1: 4}), "lea")
    app.button(key=f"remove-yes-{dataset.id}").click().run()
    assert "changed meanwhile: read" in told(app) and "2 campaigns" in told(app)
    assert store.datasets.all() == [dataset]
    app.button(key=f"remove-yes-{dataset.id}").click().run()
    assert store.datasets.all() == []


def test_a_run_on_its_way_keeps_it_and_the_page_says_where_to_stop_it(show: Show, dataset: Dataset) -> None:
    from slim_core.steps.specs import parse_spec

    run, _ = session.store().runs.submit(parse_spec({"kind": "train", "dataset": dataset.id, "model": "small-resnet"}))
    app = opened(show("data"), dataset)
    assert f"1 run queued or running ({run.id}): stop or await" in told(app)
    assert f"remove-yes-{dataset.id}" not in [one.key for one in app.button]


@pytest.mark.parametrize("role", ["viewer", "annotator"])
def test_who_is_no_lead_can_neither_see_nor_press_it(
    show: Show, dataset: Dataset, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    from app.services import actions
    from slim_core.errors import ForbiddenError

    monkeypatch.setattr(session, "viewer", lambda: Viewer("ann", role))
    app = show("data")
    assert not any("Remove" in str(one.proto) for one in app.get("popover"))
    with pytest.raises(ForbiddenError, match="requires the role lead"):
        actions.remove_dataset(dataset.id)
    assert session.store().datasets.all() == [dataset]


def test_pages_that_have_it_chosen_say_that_it_is_gone_and_show_another(
    show: Show, older: Dataset, dataset: Dataset
) -> None:
    app = show("train", dataset=dataset.id)
    session.store().removals.remove(dataset.id)
    app.run()
    (toast,) = app.toast
    assert f"({dataset.id}) was removed on" in toast.value and "choose another" in toast.value
    assert box(app, "dataset").value == older.id
    assert not hop(app, "space").toast, "once"


@pytest.mark.usefixtures("filled_home")
def test_every_deep_link_to_what_is_gone_ends_in_a_sentence(show: Show) -> None:
    store = session.store()
    (dataset,) = store.datasets.all()
    runs = {run.kind: run.id for run in store.runs.all()}
    campaign = open_campaign(store, Plan(runs["space"], {0: 4, 1: 4}), "lea")
    store.removals.remove(dataset.id)
    links = [
        ("jobs", {"run": runs["train"]}, "was removed with"),
        *((page, {"dataset": dataset.id}, "was removed on") for page in ("overview", "data", "train", "space")),
        ("attention", {"run": runs["gradcam"]}, "register a folder"),
        ("annotate", {"campaign": campaign.id}, "register a folder"),
        ("curate", {"space": runs["space"]}, "register a folder"),
        ("compare", {"runs": runs["evaluate"]}, "register a folder"),
    ]
    for page, params, said in links:
        app = show(page, **params)
        shown = told(app) + "".join(one.value for one in app.toast)
        assert said in shown, (page, shown)


@pytest.mark.usefixtures("filled_home")
def test_the_routes_refuse_what_is_gone_with_a_sentence(client: TestClient) -> None:
    from app import session

    store = session.store()
    (dataset,) = store.datasets.all()
    runs = {run.kind: run.id for run in store.runs.all()}
    campaign = open_campaign(store, Plan(runs["space"], {0: 4, 1: 4}), "lea")
    item = store.campaigns.items(campaign.id)[0]
    token = session.sign(Viewer("local", "admin"))
    headers = {"X-Slim-Token": token}
    about = {"campaign": campaign.id, "session": "tab"}
    store.removals.remove(dataset.id)
    answer = {"id": "a-1", "item": item.id, "value": 1, "seen": {}, "ms": 5}
    replies = [
        client.get(f"/api/image/{dataset.id}/0", params={"token": token}),
        client.get(f"/api/points/{runs['space']}/points.bin", params={"token": token}),
        client.get(f"/api/points/{runs['space']}/at/0", params={"token": token}),
        client.get(f"/api/export/{campaign.id}/answers-csv", params={"token": token}),
        client.get(f"/api/export/{runs['curate']}/subset-csv", params={"token": token}),
        client.post("/api/next", json={**about, "n": 3}, headers=headers),
        client.post("/api/answers", json={**about, "answers": [answer]}, headers=headers),
        client.post("/api/given", json={**about, "n": 3}, headers=headers),
        client.post("/api/release", json=about, headers=headers),
    ]
    assert [reply.status_code for reply in replies] == [404] * len(replies), [reply.text for reply in replies]
    assert all(reply.json()["error"].endswith((".", "?")) for reply in replies)
    assert "was removed with" in replies[5].json()["error"]
    with pytest.raises(NotFoundError):
        store.datasets.table(dataset.id)
