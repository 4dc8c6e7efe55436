"""People sign in with a real OpenID Connect provider, at a dashboard that listens on an address of its own."""

from __future__ import annotations

import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from app import session
from benchmarks.processes import free_port
from slim_core.store import Campaign, Store
from tests.browser.annotator import PATIENCE_MS, ask_about, press, rows_of, shows, tells, unsent
from tests.browser.conftest import NAMED, forget, kept_warm, problems_of
from tests.browser.server import dashboard
from tests.browser.signing_in import Forwarder, auth_in, is_shown, post, provider, sign_in, signed_out, slim
from tests.browser.steps import calm, settle, shown, until

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]

HOST = "127.0.0.2"  # an address of its own, which is this machine all the same
BOSS, ANN, LEA, STRANGER = (f"{name}@example.org" for name in ("boss", "ann", "lea", "stranger"))
REFUSAL = "Your role is viewer"
Person = Callable[..., Page]  # (e-mail, link="/")


@pytest.fixture(scope="module")
def home(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the home of the tests: others have it open without sign-in."""
    own = tmp_path_factory.mktemp("sign-in") / "home"
    shutil.copytree(home, own, ignore=shutil.ignore_patterns("slim.db*", "redis", "*.log"))
    with sqlite3.connect(home / "slim.db") as source:
        source.execute("VACUUM INTO ?", (str(own / "slim.db"),))
    source.close()
    slim(own, "members", "set", BOSS, "admin")
    return own


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    """A dashboard with sign-in, and its provider."""
    port, issuer_port = free_port(HOST), free_port()
    redirect_uri = f"http://{HOST}:{port}/oauth2callback"
    secrets = auth_in(home / "secrets.toml", redirect_uri, issuer_port)
    with (
        provider(issuer_port, redirect_uri, home / "provider.log"),
        dashboard(home, "--secrets.files", str(secrets), host=HOST, port=port) as url,
    ):
        yield url


@pytest.fixture(scope="module")
def browsers(browser: Browser) -> Iterator[list[BrowserContext]]:
    """Those of the people who come at the same time."""
    with kept_warm(browser, HOST) as one, kept_warm(browser, HOST) as two:
        yield [one, two]


@pytest.fixture
def new_page(browsers: list[BrowserContext], address: str) -> Iterator[Callable[[], Page]]:
    """A page of a browser that remembers nothing; the second one is of a second browser."""
    free = iter(browsers)
    yield lambda: next(free).new_page()
    for context in browsers:
        forget(context, {address})


@pytest.fixture
def person(new_page: Callable[[], Page], address: str, tolerated: set[str]) -> Iterator[Person]:
    """Signs somebody in, in a browser of their own, which also has a name from days without sign-in."""
    pages, problems = [], []

    def signed_in(email: str, link: str = "/") -> Page:
        page = new_page()
        pages.append(page)
        page.context.add_cookies([{**NAMED, "domain": HOST, "value": "a free name"}])
        problems.append(problems_of(page, tolerated))
        page.goto(address + link)
        sign_in(page, email)
        is_shown(page, " · ")
        settle(page)
        return page

    yield signed_in
    for page in pages:
        page.close()
    assert not any(problems), problems


def answer(store: Store, campaign: Campaign) -> dict[str, object]:
    """A request that answers the first image."""
    item = store.campaigns.items(campaign.id)[0].id
    return {"campaign": campaign.id, "answers": [{"id": "one", "item": item, "value": 1, "seen": {}, "ms": 1}]}


def link(campaign: Campaign, section: str = "answer") -> str:
    return f"/annotate?campaign={campaign.id}&section={section}"


def test_a_stranger_looks_on_writes_nothing_and_is_shown_whom_to_ask(
    person: Person, address: str, store: Store, home: Path
) -> None:
    campaign = ask_about(store, 4, "Not for strangers")
    before = events(home)
    page = person(STRANGER)
    is_shown(page, f"{STRANGER} · viewer")
    is_shown(page, f"another role, ask {BOSS}.")
    is_shown(page, "worst group")
    page.goto(address + link(campaign))
    is_shown(page, "Answering requires the annotator role.")
    expect(page.locator(".slim-annotator")).to_have_count(0)
    token = session.sign(session.Viewer(STRANGER, "annotator"), home)  # as one who was annotator a while ago
    status, told = post(address, "answers", token, answer(store, campaign))
    assert status == 403 and REFUSAL in str(told["error"])
    assert events(home) == before
    assert len(store.answers.frame(campaign.id)) == 0


def events(home: Path) -> int:
    """How many writes there have been."""
    with sqlite3.connect(home / "slim.db") as database:
        (n,) = database.execute("SELECT count(*) FROM events").fetchone()
    database.close()
    return int(n)


def test_an_admin_gives_a_role_the_annotator_answers_and_the_role_is_taken_away_in_the_middle(
    person: Person, store: Store, tolerated: set[str]
) -> None:
    campaign = ask_about(store, 6, "With names")
    asked = rows_of(store, campaign)
    boss = person(BOSS, link(campaign, "campaign"))
    expander(boss, "Members").locator("summary").click()
    boss.get_by_role("textbox", name="Sign-in e-mail").fill("Ann@Example.org")
    boss.keyboard.press("Enter")
    calm(boss)
    boss.get_by_role("button", name="Set the role").click()
    until(lambda: store.members.role(ANN) == "annotator")

    ann = person(ANN.capitalize(), link(campaign))  # the provider may write it in another case
    is_shown(ann, f"{ANN} · annotator")
    for row in asked[:3]:
        shows(ann, row)
        ann.keyboard.press("1")
    unsent(ann, 0)
    given = store.answers.frame(campaign.id)
    assert given["annotator"].tolist() == [ANN] * 3 and given["row"].tolist() == asked[:3]

    tolerated.add("/api/answers")
    tolerated.add("/api/next")
    calm(ann)  # a run of the page that is still under way would be one of a viewer, without the annotator
    store.members.remove(ANN)
    shows(ann, asked[3])
    ann.keyboard.press("0")
    tells(ann, REFUSAL)
    unsent(ann, 1)
    assert len(store.answers.frame(campaign.id)) == 3
    store.members.set_role(ANN, "annotator")
    unsent(ann, 0)  # what was kept in the browser comes by itself
    assert store.answers.current(campaign.id) == dict(sorted(zip(asked, (1, 1, 1, 0), strict=False)))
    assert set(store.answers.frame(campaign.id)["annotator"]) == {ANN}


def test_a_lead_decides_and_plans_and_a_viewer_sees_no_such_control(person: Person, store: Store) -> None:
    store.members.set_role(LEA, "lead")
    campaign = ask_about(store, 2, "Two opinions", overlap=2)
    for who, value in ((ANN, 1), (BOSS, 0)):
        contradict(store, campaign, who, value)
    lead, viewer = (person(who, link(campaign)) for who in (LEA, STRANGER))
    for page, n in ((lead, 1), (viewer, 0)):
        expect(page.get_by_role("radio", name="Campaign", exact=True)).to_be_visible()
        expect(page.get_by_role("radio", name="a new campaign")).to_have_count(n)
        part(page, "Campaign", "in this campaign")
        expect(expander(page, "Manage this campaign")).to_have_count(n)
        expect(expander(page, "Add images")).to_have_count(n)
        expect(expander(page, "Members")).to_have_count(0)  # an admin's
        part(page, "Agreement", "2 to decide, 0 decided")
        expect(page.get_by_text("Deciding requires the lead role.")).to_have_count(1 - n)
        expect(page.get_by_role("button", name=re.compile("^Right"))).to_have_count(n)
    shown(lead)
    lead.get_by_role("button", name=re.compile("^Right")).click()
    is_shown(lead, "1 to decide, 1 decided")
    decisions = store.answers.frame(campaign.id).query("source == 'decision'")
    assert decisions["annotator"].tolist() == [LEA]


def part(page: Page, name: str, shows: str) -> None:
    """Turn to a part of the Annotate page."""
    page.get_by_role("radio", name=name, exact=True).click()
    is_shown(page, shows)
    settle(page)


def expander(page: Page, title: str) -> Locator:
    return page.get_by_test_id("stExpander").filter(has_text=title)


def contradict(store: Store, campaign: Campaign, who: str, value: int) -> None:
    from slim_core.store import AnswerIn

    items = store.campaigns.items(campaign.id)
    store.answers.deliver(campaign.id, who, [AnswerIn(f"{who}-{one.id}", one.id, value, {}, 1) for one in items])


def test_who_signs_out_is_out_and_an_old_token_is_worth_nothing(
    person: Person, address: str, store: Store, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.members.set_role(ANN, "annotator")
    campaign = ask_about(store, 3, "Signed out")
    ann = person(ANN, "/jobs")  # no images, of which some could still be on their way, and then refused
    ann.get_by_role("button", name="Sign out").click()
    signed_out(ann)
    ann.reload()
    signed_out(ann)
    assert not [one for one in ann.context.cookies() if one["name"].startswith("_streamlit_user")]

    now = time.time()
    monkeypatch.setattr(session.time, "time", lambda: now - session.TOKEN_VALID_S - 2 * 3600)
    old = session.sign(session.Viewer(ANN, "annotator"), home)
    monkeypatch.undo()
    status, told = post(address, "answers", old, answer(store, campaign))
    assert status == 401 and "Reload the page" in str(told["error"])
    assert len(store.answers.frame(campaign.id)) == 0


def test_who_signs_out_in_one_tab_is_out_in_the_others_and_loses_no_answer(
    person: Person, address: str, store: Store
) -> None:
    store.members.set_role(ANN, "annotator")
    campaign = ask_about(store, 4, "In two tabs")
    first = person(ANN, "/jobs")
    second = first.context.new_page()
    second.goto(address + link(campaign))
    shows(second, rows_of(store, campaign)[0])
    second.route("**/api/answers", lambda route: route.abort())  # it is kept in the browser
    press(second, "1")
    unsent(second, 1)
    first.get_by_role("button", name="Sign out").click()
    signed_out(first)
    signed_out(second)
    assert len(store.answers.frame(campaign.id)) == 0
    second.unroute("**/api/answers")
    sign_in(second, ANN)
    unsent(second, 0)
    assert store.answers.frame(campaign.id)["annotator"].tolist() == [ANN]
    second.close()


def test_who_signs_out_at_one_dashboard_is_out_at_another_behind_the_same_proxy(
    home: Path, new_page: Callable[[], Page]
) -> None:
    port, issuer_port, ports = free_port(HOST), free_port(), (free_port(HOST), free_port(HOST))
    redirect_uri = f"http://{HOST}:{port}/oauth2callback"
    secrets = auth_in(home / "behind-a-proxy.toml", redirect_uri, issuer_port)
    options = ("--secrets.files", str(secrets))
    with (
        provider(issuer_port, redirect_uri, home / "another-provider.log"),
        dashboard(home, *options, host=HOST, port=ports[0]),
        dashboard(home, *options, host=HOST, port=ports[1]),
        Forwarder(HOST, port) as proxy,
    ):
        proxy.send_to(ports[0])
        first = new_page()
        first.goto(f"http://{HOST}:{port}/jobs")
        sign_in(first, ANN)
        is_shown(first, f"{ANN} · ")
        settle(first)
        proxy.send_to(ports[1])
        second = first.context.new_page()
        second.goto(f"http://{HOST}:{port}/jobs")
        is_shown(second, f"{ANN} · ")
        settle(second)
        proxy.send_to(ports[0])  # the request that signs out, and the first page's next visit
        first.get_by_role("button", name="Sign out").click()
        signed_out(first)
        signed_out(second)
        for page in (first, second):
            page.close()


def test_an_image_of_a_page_is_nobody_elses_and_gone_after_signing_out(
    person: Person, address: str, tolerated: set[str]
) -> None:
    ann, bob = person(ANN, "/data"), person(LEA)
    seen = ann.locator(".slim-tile img").first
    expect(seen).to_be_visible(timeout=PATIENCE_MS)
    copied = f"{address}{seen.get_attribute('src')}"

    def status(page: Page) -> int:
        return int(page.context.request.get(copied, headers={"Cache-Control": "no-cache"}).status)

    assert (status(ann), status(bob)) == (200, 401)
    second = ann.context.new_page()  # another tab of the same browser, and a reload: the same sign-in
    second.goto(f"{address}/data")
    expect(second.locator(".slim-tile img").first).to_be_visible(timeout=PATIENCE_MS)
    ann.reload()
    expect(ann.locator(".slim-tile img").first).to_be_visible(timeout=PATIENCE_MS)
    assert status(second) == 200
    second.close()
    tolerated |= {urlsplit(str(one.get_attribute("src"))).path for one in ann.locator(".slim-tile img").all()}
    ann.get_by_role("button", name="Sign out").click()  # those that are still on their way are refused
    signed_out(ann)
    assert status(ann) == 401
    sign_in(ann, ANN)
    is_shown(ann, " · ")
    assert status(ann) == 401, "another sign-in of the same person"


def test_a_sign_in_that_fails_ends_at_a_plain_page_that_says_so(new_page: Callable[[], Page], address: str) -> None:
    page = new_page()
    page.goto(f"{address}/compare")
    signed_out(page).click()
    page.get_by_role("button", name="Refuse").click()
    signed_out(page)
    is_shown(page, "or you cancelled")
    sign_in(page, ANN, password="guessed")
    expect(page.get_by_text(f"Not {ANN}'s password.")).to_be_visible()
    page.goto(f"{address}/compare")
    sign_in(page, "late@example.org")  # whose id_token is over its time
    signed_out(page)
    is_shown(page, "came too late")
    page.goto(f"{address}/compare")
    sign_in(page, "elsewhere@example.org")  # whose id_token is another client's
    signed_out(page)
    is_shown(page, "came too late")
    assert not [one for one in page.context.cookies() if one["name"].startswith("_streamlit_user")]
    sign_in(page, "party@example.org")  # another client's, too; Authlib takes it, for it names us as its azp
    signed_out(page)
    is_shown(page, "came too late")
    page.goto(f"{address}/oauth2callback?code=stale&state=unknown")
    signed_out(page)
    sign_in(page, ANN)
    is_shown(page, f"{ANN} · ")


def test_a_cookie_that_was_tampered_with_is_nobody(person: Person, address: str) -> None:
    page = person(BOSS)
    (kept,) = [one for one in page.context.cookies() if one["name"] == "_streamlit_user"]
    forged = kept["value"].replace(kept["value"][10:14], "AAAA", 1)
    page.goto("about:blank")  # whose images are all there: none is asked for with the other cookie
    page.context.add_cookies([{**kept, "value": forged}])
    page.goto(f"{address}/jobs")
    sign_in(page, BOSS)
    is_shown(page, f"{BOSS} · admin")


def test_an_e_mail_that_nobody_has_checked_gets_no_role(person: Person, store: Store) -> None:
    store.members.set_role("unverified@example.org", "lead")
    page = person("unverified@example.org")
    is_shown(page, "guest · viewer")
    is_shown(page, "is not verified")
