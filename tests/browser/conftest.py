"""A real browser before a real dashboard. Without Chromium: a skip on a laptop, an error in CI."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from benchmarks.browser import find
from slim_core.store import Campaign, Store
from tests.browser import chromium, received
from tests.browser.annotator import ask_about, open_campaign
from tests.browser.server import dashboard
from tests.built_once import built_once
from tests.placed_quickly import placed_quickly

expect.set_options(timeout=30_000)  # Playwright's 5 s are short for a page that is drawn on a busy machine

SIZE = {"width": 1440, "height": 900}
NAMED = {"name": "slim-name", "value": "ann", "domain": "127.0.0.1", "path": "/"}  # as a browser that gave its name


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A failed test says what its pages have received."""
    report = yield
    if call.when == "call" and report.failed:
        pages = [page for name in ("page", "other") if isinstance(page := item.funcargs.get(name), Page)]
        report.sections += [(f"what {page.url} received last", received.by(page)) for page in pages]
    return report


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests."""
    executable = find()
    if executable is None:
        message = "No Chromium on PATH: install it (Debian: apt-get install chromium)."
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with chromium.launched(executable) as launched:
        yield launched


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a small demo set, a model, its attention and a space, a campaign without answers, and a second model.

    All that a test needs to be there is made here: what one test adds, the next may find or not.
    """
    built = built_once(tmp_path_factory, "studio", look_at_demo)
    return Path(shutil.copytree(built / "home", tmp_path_factory.mktemp("studio") / "home"))


def look_at_demo(folder: Path) -> None:
    """Into a new folder: what ``home`` begins with."""
    from slim_core.annotation.plan import create_campaign
    from slim_core.data.importing import import_data
    from slim_core.data.sets.digits import DemoConfig, write_demo
    from slim_core.runs.executor import InProcess, Workbench
    from slim_core.runs.loop_runs import LoopConfig
    from slim_core.runs.methods import Loop
    from slim_core.settings import Settings

    write_demo(folder / "demo", DemoConfig(train=240, val=80, test=120))
    store = Store.open(Settings(home=folder / "home"))
    dataset = store.datasets.register(import_data(folder / "demo"), by="tests")
    config = LoopConfig(dataset=dataset.id, answers=0.1, train={"epochs": 3})
    loop = Loop(Workbench(store, InProcess(store, device="cpu")), config)
    with placed_quickly():
        loop.evaluation(loop.reference)
        create_campaign(store, loop.space, share=config.answers, seed=config.seed, name="Campaign")
        loop.outcome("slim-no-answers")
    assert {run.status for run in store.runs.all()} == {"done"}
    store.close()


@pytest.fixture(scope="session")
def address(home: Path) -> Iterator[str]:
    """A running dashboard on that home."""
    with dashboard(home) as url:
        yield url


@pytest.fixture(scope="module")
def own_address(own_home: Path) -> Iterator[str]:
    """A dashboard with its own Redis and worker on the home that a module has for itself."""
    with dashboard(own_home) as url:
        yield url


@contextmanager
def opened(home: Path) -> Iterator[Store]:
    """What the dashboard of a home writes to, read from beside it."""
    from slim_core.settings import Settings

    store = Store.open(Settings(home=home))
    yield store
    store.close()


@pytest.fixture
def own_store(own_home: Path) -> Iterator[Store]:
    with opened(own_home) as store:
        yield store


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with opened(home) as store:
        yield store


@pytest.fixture
def campaign(store: Store) -> Campaign:
    """A campaign of its own for each test: six images."""
    return ask_about(store, 6, "Six images")


@pytest.fixture
def annotator(page: Page, address: str, campaign: Campaign) -> Page:
    """The page of that campaign, ready for keys."""
    open_campaign(page, address, campaign)
    return page


@pytest.fixture
def tolerated() -> set[str]:
    """Paths of addresses whose failing a test has arranged; it adds them here."""
    return set()


@pytest.fixture(scope="session")
def warm(browser: Browser) -> Iterator[BrowserContext]:
    """The context of every ``page``."""
    with kept_warm(browser) as context:
        yield context


@pytest.fixture(scope="session")
def others(browser: Browser) -> Iterator[BrowserContext]:
    """That of every ``other``."""
    with kept_warm(browser) as context:
        yield context


@contextmanager
def kept_warm(browser: Browser, host: str = NAMED["domain"]) -> Iterator[BrowserContext]:
    """A context whose first page stays open, and with it the process that has compiled the dashboard's JavaScript: to
    open a page in a new context takes twice the computing time. What moves is drawn moving only where a test asks for
    it: frames are a sixth of a page's computing.
    """
    context = browser.new_context(viewport=SIZE, reduced_motion="reduce")
    context.add_init_script(received.RECORD)
    first = context.new_page()
    first.route("**/*", lambda route: route.fulfill(body=""))
    first.goto(f"http://{host}/")
    yield context
    context.close()


@pytest.fixture
def page(warm: BrowserContext, tolerated: set[str]) -> Iterator[Page]:
    """A page that fails its test for every error in its console and every uncaught exception."""
    warm.add_cookies([NAMED])
    visited: set[str] = set()
    page = warm.new_page()
    page.on("framenavigated", lambda frame: visited.add(frame.url))
    problems = problems_of(page, tolerated)
    yield page
    forget(warm, visited)
    assert not problems, problems


@pytest.fixture
def other(others: BrowserContext) -> Iterator[Page]:
    """A page of another browser, without a name, whose console may tell of anything."""
    visited: set[str] = set()
    page = others.new_page()
    page.on("framenavigated", lambda frame: visited.add(frame.url))
    yield page
    forget(others, visited)


def forget(context: BrowserContext, visited: set[str]) -> None:
    """Close all pages but the first, and remove what they have stored: the next test finds a new browser."""
    first, *opened = context.pages
    for page in opened:
        page.close()
    devtools = context.new_cdp_session(first)
    for origin in {"{0.scheme}://{0.netloc}".format(urlparse(url)) for url in visited}:
        devtools.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})
    devtools.detach()
    context.clear_cookies()


def problems_of(page: Page, tolerated: set[str]) -> list[str]:
    """The errors in the console of a page, and its uncaught exceptions, from now on."""
    problems: list[str] = []

    def note(message: ConsoleMessage) -> None:
        path = urlparse(message.location.get("url", "")).path
        if message.type == "error" and path not in tolerated:
            problems.append(f"{message.text} {path}")

    page.on("console", note)
    page.on("pageerror", lambda error: problems.append(str(error)))
    return problems
