"""A private data set in the dashboard: for others no page, route, ticket or export has it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex

import pytest
from PIL import Image
from starlette.responses import Response
from starlette.testclient import TestClient

from app import access, server, session
from app.access import Viewer
from app.annotate.parts import live_effect
from app.navigation import PAGES
from app.routes.exports import export_url
from app.routes.images import image_url
from app.services import actions
from app.services.results.comparison import read
from slim_core.data.importing import ToImport
from slim_core.data.report import FormatRefusedError
from slim_core.errors import ForbiddenError, NotFoundError, PathRefusedError
from slim_core.evaluation.comparison import row
from slim_core.result_files import WEIGHTS
from slim_core.store import Store
from tests.app.conftest import Show, Sign, drawn
from tests.slim_core.store.store_makers import image_table, imported

OWNER, ADMIN, LEAD, ANNOTATOR, VIEWER = (f"{who}@lab.org" for who in ("olga", "adam", "lea", "ann", "vic"))
NAME = "hushbirds"
ROLES = {OWNER: "lead", ADMIN: "admin", LEAD: "lead", ANNOTATOR: "annotator"}


@dataclass(frozen=True)
class Ids:
    """What somebody may have noted while the data set was visible."""

    dataset: str
    space: str
    gradcam: str
    evaluation: str
    curate: str
    campaign: str


@pytest.fixture
def ids(filled_home, as_person: Sign) -> Ids:
    """Of the loop that ran here, whose data set is olga's and private now."""
    store = session.whole_store()
    for who, role in ROLES.items():
        store.members.set_role(who, role)
    (dataset,), (campaign,) = store.datasets.all(), store.campaigns.all()
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE datasets SET created_by = ?", (OWNER,))
        connection.exec_driver_sql("UPDATE campaigns SET options = '{}', status = 'open', deadline = NULL")
    newest = {kind: store.runs.all(kind, "done")[0].id for kind in ("space", "gradcam", "evaluate", "curate")}
    found = Ids(dataset.id, newest["space"], newest["gradcam"], newest["evaluate"], newest["curate"], campaign.id)
    store.notes.rename(dataset.id, NAME, by=OWNER)
    store.sharing.set(dataset.id, private=True, by=OWNER)
    return found


PARAMS = {
    "dataset": "dataset", "run": "evaluation", "space": "space", "attention": "gradcam", "subset": "curate",
    "campaign": "campaign",
}  # fmt: skip


def _hidden(store: Store, ids: Ids) -> list[str]:
    return [*(run.id for run in store.runs.all(shards=True)), ids.dataset, ids.campaign, NAME]


def told(drawn: str, hidden: list[str], asked: str) -> list[str]:
    """The secrets on a page, but for the id in its own address, which a person who types it knows."""
    return [one for one in hidden if one in drawn.replace(asked, "")]


@pytest.mark.slow
@pytest.mark.parametrize("page", [name for entries in PAGES.values() for name, _ in entries])
def test_no_page_shows_it_to_others_whatever_the_address_names(
    page: str, ids: Ids, as_person: Sign, show: Show
) -> None:
    hidden = _hidden(session.whole_store(), ids)
    as_person(OWNER)
    if page != "activity":
        assert any(one in drawn(show(page)) for one in hidden), "the owner sees it"
    for who in (LEAD, VIEWER):
        as_person(who)
        assert told(drawn(show(page)), hidden, "\0") == [], who
        for param, field in PARAMS.items():
            asked = getattr(ids, field)
            assert told(drawn(show(page, **{param: asked})), hidden, asked) == [], f"{who} {param}"


def calls(ids: Ids, ticket: str) -> dict[str, tuple[str, str, dict[str, object]]]:
    """Route -> method, address and body of what a page of the data set asks for."""
    overlay = image_url(ids.dataset, 0, ticket, kind="overlay", run=ids.gradcam)
    drawn = [[[1, 1], [20, 1], [10, 20]]]
    shape = {"dataset": ids.dataset, "row": 0, "id": token_hex(8), "split": "train", "polygons": drawn}
    annotate = {"campaign": ids.campaign, "session": "tab", "n": 3}
    return {
        "/api/image/{dataset}/{row:number}": (
            "GET",
            overlay,
            {},
        ),
        "/api/export/{of}/{form}": ("GET", export_url(ids.campaign, "answers-csv", ticket), {}),
        "/api/points/{run}/{name}.bin": ("GET", f"/api/points/{ids.space}/attention_space.bin?token={ticket}", {}),
        "/api/points/{run}/at/{position:number}": ("GET", f"/api/points/{ids.space}/at/0?token={ticket}", {}),
        "/api/next": ("POST", "/api/next", annotate),
        "/api/answers": ("POST", "/api/answers", {"campaign": ids.campaign, "answers": []}),
        "/api/given": ("POST", "/api/given", annotate),
        "/api/shapes/image": ("POST", "/api/shapes/image", {"dataset": ids.dataset, "row": 0}),
        "/api/shapes": ("POST", "/api/shapes", shape),
        "/api/release": ("POST", "/api/release", annotate),
    }


OPEN = {  # nothing of a data set
    "/assets/{folder}/{name}", "/api/{path:path}", "/assets/{path:path}", "/healthz", "/readyz",
    "/metrics", "/overview",
}  # fmt: skip


def answer(client: TestClient, call: tuple[str, str, dict[str, object]], ticket: str) -> Response:
    method, url, body = call
    headers = {access.TOKEN_HEADER: ticket} if method == "POST" else {}
    return client.request(method, url, headers=headers, json=body if method == "POST" else None)


@pytest.mark.slow
def test_no_route_gives_it_to_others_also_by_a_ticket_from_before(ids: Ids, client: TestClient) -> None:
    assert {route.path for route in server.ROUTES} == OPEN | set(calls(ids, "")), "a new route: say what others get"
    narrowed = {"datasets": (ids.dataset,), "campaigns": None}
    for who in (OWNER, ADMIN, LEAD, ANNOTATOR):  # the owner first: what they were shown is cached
        for limits in ({}, narrowed):
            ticket = access.sign(Viewer(who, ROLES[who], **limits))
            for path, call in calls(ids, ticket).items():
                found = answer(client, call, ticket)
                if who in (OWNER, ADMIN):
                    assert found.status_code == 200, (path, who, found.text)
                    continue
                assert found.status_code == 404, (path, who, found.text)


def test_every_form_of_export_and_every_picture_is_refused(ids: Ids, client: TestClient) -> None:
    from app.routes.images import KINDS
    from slim_core.export.registry import FORMS

    ticket = access.sign(Viewer(LEAD, "lead"))
    for form in FORMS:
        for of in (ids.campaign, ids.curate, ids.evaluation, ids.space):
            assert client.get(export_url(of, form, ticket)).status_code == 404, (of, form)
    for kind in KINDS:
        assert client.get(image_url(ids.dataset, 1, ticket, kind=kind, run=ids.gradcam)).status_code == 404


@pytest.mark.slow
def test_the_owner_shares_it_by_the_page_and_takes_it_back(ids: Ids, as_person: Sign, show: Show) -> None:
    store = session.whole_store()
    as_person(OWNER)
    app = show("data", dataset=ids.dataset)
    app.multiselect(key=f"shared-{ids.dataset}").set_value([ANNOTATOR])
    next(one for one in app.button if one.label == "Save" and "privacy" in one.form_id).click().run()
    assert store.sharing.of(ids.dataset).shared_with == (ANNOTATOR,)
    as_person(ANNOTATOR)
    assert "Data set of olga" in drawn(show("data", dataset=ids.dataset))
    as_person(LEAD)
    with pytest.raises(Exception, match="There is no data set"):
        actions.set_privacy(ids.dataset, private=False, shared_with=[])
    as_person(OWNER)
    app = show("data", dataset=ids.dataset)
    app.toggle(key=f"private-{ids.dataset}").set_value(False)
    next(one for one in app.button if one.label == "Save" and "privacy" in one.form_id).click().run()
    as_person(LEAD)
    assert session.store().datasets.fetch(ids.dataset) and not store.sharing.of(ids.dataset).private
    assert [one.who for one in store.events.recent(2, subject=ids.dataset)] == [OWNER, OWNER]


def test_actions_of_others_reach_nothing_of_it(ids: Ids, as_person: Sign) -> None:
    as_person(LEAD)
    for act in (
        lambda: actions.stop(ids.evaluation),
        lambda: actions.retry(ids.evaluation),
        lambda: actions.delete_run(ids.evaluation, cascade=True),
        lambda: actions.remove_dataset(ids.dataset),
        lambda: actions.describe(ids.dataset, name="mine", text="", tags=[]),
        lambda: actions.move_to_front(ids.evaluation),
    ):
        with pytest.raises(Exception, match="There is no"):
            act()
    as_person(VIEWER)
    with pytest.raises(ForbiddenError):
        actions.set_privacy(ids.dataset, private=False, shared_with=[])


def test_without_sign_in_the_one_user_sees_everything(ids: Ids, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "signs_in", lambda: False)
    assert session.store() is session.whole_store() and session.store().datasets.fetch(ids.dataset).private


def test_a_page_that_is_still_open_follows_no_campaign_that_became_private(
    ids: Ids, as_person: Sign, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_person(LEAD)
    drawn: list[tuple[object, ...]] = []
    monkeypatch.setattr(live_effect, "_drawn", lambda *of: drawn.append(of) or "")
    with pytest.raises(NotFoundError):
        live_effect._follow(session.whole_store().campaigns.fetch(ids.campaign))
    assert drawn == []


def test_others_can_neither_check_nor_register_its_files_nor_read_its_table(ids: Ids, as_person: Sign) -> None:
    dataset = session.whole_store().datasets.fetch(ids.dataset)
    asked = ToImport(dataset.root, files="none")
    as_person(LEAD)
    for press in (actions.check, actions.register):
        for wanted in (asked, replace(asked, name="mine")):
            with pytest.raises(PathRefusedError, match=f"^{asked.path} is not allowed: choose another folder or file"):
                press(wanted)
    table = Path(dataset.report["metadata"][0]).name
    with pytest.raises(PathRefusedError, match="is not allowed"):
        actions.preview_table(dataset.root, table)
    as_person(OWNER)
    assert actions.check(asked)[0].ok and actions.preview_table(dataset.root, table) is not None


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize("options", [{"label": "nobody"}, {"split": "patient"}])
def test_a_check_that_is_refused_quotes_no_table_of_others(
    as_person: Sign, tmp_path: Path, options: dict[str, str]
) -> None:
    """By the names of its columns, or by what stands in one of them."""
    outer, table = tmp_path / "outer", _written(tmp_path / "outer" / "hush")
    as_person(OWNER)
    found = actions.register(ToImport(table.parent))[1]
    assert found is not None
    actions.set_privacy(found.id, private=True)
    as_person(LEAD)
    for path in (table, table.parent, outer):
        for press in (actions.check, actions.register):
            with pytest.raises(PathRefusedError, match=f"^{path} is not allowed: choose another folder or file"):
                press(ToImport(path, options=options))
        with pytest.raises(PathRefusedError, match="is not allowed"):
            actions.preview_table(str(path), None)
    as_person(OWNER)
    assert not actions.check(ToImport(outer, options=options))[0].ok
    assert actions.preview_table(str(outer), None) is not None


@pytest.mark.usefixtures("ids")
def test_a_table_of_others_that_cannot_be_read_is_not_quoted_by_its_preview(as_person: Sign, tmp_path: Path) -> None:
    table = _written(tmp_path / "hush")
    as_person(OWNER)
    found = actions.register(ToImport(table.parent))[1]
    assert found is not None
    actions.set_privacy(found.id, private=True)
    table.write_bytes(table.read_bytes() + "9.png,b,test,J\u00e9r\u00f4me\n".encode("latin-1"))
    as_person(LEAD)
    with pytest.raises(PathRefusedError, match="is not allowed"):
        actions.preview_table(str(table), None)
    as_person(OWNER)
    with pytest.raises(FormatRefusedError, match="Latin-1"):
        actions.preview_table(str(table), None)


def _written(folder: Path) -> Path:
    """A table of images whose names of patients are nobody's business."""
    folder.mkdir(parents=True)
    rows = ["path,label,split,patient"]
    for n in range(12):
        Image.new("RGB", (32, 32), (20 * n, 90, 90)).save(folder / f"{n}.png")
        rows.append(f"{n}.png,{'ab'[n % 2]},{('train', 'val', 'test')[n % 3]},John {n}")
    (folder / "metadata.csv").write_text("\n".join(rows) + "\n")
    return folder / "metadata.csv"


def test_the_weights_of_its_runs_are_no_checkpoint_for_others(ids: Ids, as_person: Sign, tmp_path: Path) -> None:
    whole = session.whole_store()
    weights = whole.artifacts.folder(whole.runs.all("train", "done")[0].id) / WEIGHTS
    link = tmp_path / "mine.safetensors"
    link.symlink_to(weights)
    as_person(LEAD)
    mine = session.store().datasets.register(imported(image_table(tmp_path / "mine")), by=LEAD)
    for named in (weights, link):
        spec = {"kind": "train", "dataset": mine.id, "model": "small-resnet", "checkpoint": str(named)}
        as_person(LEAD)
        with pytest.raises(NotFoundError, match="There are no artifacts of"):
            actions.save(spec)
        as_person(OWNER)
        assert actions.save(spec)[1]


@pytest.mark.slow
def test_of_a_private_campaign_others_see_what_was_made_from_it_and_nothing_of_who_answered(
    ids: Ids, as_person: Sign, show: Show, client: TestClient
) -> None:
    store, secrets = session.whole_store(), ("hush-person@lab.org", "hush-campaign", "hush-guideline")
    with store.database.write() as connection:
        for table in ("answers", "current_answers"):
            connection.exec_driver_sql(f"UPDATE {table} SET annotator = ?", (secrets[0],))
        connection.exec_driver_sql(
            "UPDATE campaigns SET name = ?, guideline = ?, created_by = ?", (*secrets[1:], OWNER)
        )
    store.sharing.set(ids.dataset, private=False, by=OWNER)
    store.sharing.set(ids.campaign, private=True, by=OWNER)
    as_person(OWNER)
    assert secrets[1] in drawn(show("annotate", campaign=ids.campaign))
    as_person(LEAD)
    for page in ("overview", "space", "annotate", "curate", "compare", "jobs"):
        text = drawn(show(page, run=ids.curate) if page == "jobs" else show(page, dataset=ids.dataset))
        assert [one for one in secrets if one in text] == [], page
        assert page not in ("curate", "jobs") or ids.curate in text, "its subset is the data set's"
    ticket = access.sign(Viewer(LEAD, "lead"))
    for form in ("subset-csv", "model-safetensors"):
        for of in (ids.curate, ids.evaluation):
            content = client.get(export_url(of, form, ticket)).content.decode(errors="replace")
            assert [one for one in secrets if one in content] == [], form
    assert client.get(export_url(ids.campaign, "answers-csv", ticket)).status_code == 404


def hide_the_campaign_alone(ids: Ids) -> None:
    """Everybody sees the data set; its campaign is private to who owns it."""
    store = session.whole_store()
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE campaigns SET created_by = ?", (OWNER,))
    store.sharing.set(ids.dataset, private=False, by=OWNER)
    store.sharing.set(ids.campaign, private=True, by=OWNER)


def test_the_lineage_of_a_run_leaves_out_the_private_campaign_that_it_came_from(
    ids: Ids, as_person: Sign, show: Show
) -> None:
    hide_the_campaign_alone(ids)
    for who, is_shown in (OWNER, True), (LEAD, False):
        as_person(who)
        app = show("jobs", run=ids.curate, about="Lineage")
        assert not app.error and "**Used by**" in [one.value for one in app.markdown], who
        links = [link.proto.query_string for link in app.get("page_link") if link.proto.label == "Answers"]
        assert bool(links) == is_shown
        (graph,) = app.get("graphviz_chart")
        assert (ids.campaign in graph.proto.spec) == is_shown


def test_what_a_private_campaign_took_is_not_said_to_be_nothing(ids: Ids, as_person: Sign, show: Show) -> None:
    hide_the_campaign_alone(ids)
    told = {}
    for who in (OWNER, LEAD):
        as_person(who)
        told[who] = row(session.store(), session.store().runs.fetch(ids.evaluation))
    assert told[OWNER]["answers"] == told[LEAD]["answers"] > 0
    assert told[LEAD]["spent"] == "answers of a private campaign" and told[OWNER]["share"] > 0
    assert all(math.isnan(told[LEAD][name]) for name in ("minutes", "share"))
    assert "Annotation took **answers of a private campaign**" in drawn(show("overview", dataset=ids.dataset))


def test_what_a_private_campaign_took_is_said_to_those_alone_who_see_it_whoever_comes_first(
    ids: Ids, as_person: Sign
) -> None:
    hide_the_campaign_alone(ids)
    told = []
    for who in (OWNER, LEAD, OWNER):
        as_person(who)
        compared = read(ids.dataset)
        assert compared is not None
        told.append(compared.rows.at[ids.evaluation, "spent"])
    assert told[1] == "answers of a private campaign" and told[0] == told[2] != told[1]
