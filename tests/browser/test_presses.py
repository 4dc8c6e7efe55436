"""Presses on pages that follow runs: what has changed since the page was drawn takes none of them away, what a person
has opened or folded stays so, and a page on which nothing changes is not drawn anew.

Where what the page is told, and when, must be exact, the page is one without a browser (benchmarks.page_session).
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.ui.progress import LINGER
from benchmarks.page_session import PageSession
from slim_core.data.importing import import_data
from slim_core.steps.specs import EvaluateSpec, GradcamSpec, SpaceSpec, TrainSpec, parse_spec
from slim_core.store import Run, Store
from tests.browser.conftest import NAMED, look_at_demo
from tests.browser.steps import end_run, settle, until, visit
from tests.built_once import built_once

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]

Opened = Callable[..., PageSession]  # (page, query)


@pytest.fixture(scope="module")
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the home of the tests: runs that are stopped here would be the newest of others."""
    built = built_once(tmp_path_factory, "studio", look_at_demo)
    return Path(shutil.copytree(built / "home", tmp_path_factory.mktemp("presses") / "home"))


@pytest.fixture
def own_store(own_store: Store) -> Iterator[Store]:
    """Its queue is paused: what is queued here waits. A pass over 100 images is one over many."""
    own_store.runs.shard_images = 100
    own_store.queue.pause("ben")
    yield own_store
    for run in own_store.runs.all():
        own_store.attempts.request_stop(run.id)
    own_store.queue.resume("ben")


@pytest.fixture
def opened(own_address: str) -> Iterator[Opened]:
    """A page without a browser, which is closed with the test."""
    pages: list[PageSession] = []

    def open_page(name: str, query: str = "") -> PageSession:
        cookie = {"Cookie": f"{NAMED['name']}={NAMED['value']}"}
        page = PageSession(int(own_address.rpartition(":")[2]), name, query, cookie)
        pages.append(page)
        page.open()
        return page

    yield open_page
    for page in pages:
        page.close()
        assert not page.problems


def queued(store: Store) -> Run:
    """One more evaluation, which waits."""
    model = store.runs.all(kind="train", status="done")[0]
    run, _ = store.runs.submit(EvaluateSpec(dataset=model.dataset_id, model=model.id), force=True)
    return run


def test_a_press_on_a_run_counts_though_another_person_has_just_stopped_it(own_store: Store, opened: Opened) -> None:
    run = queued(own_store)
    page = opened("jobs", f"run={run.id}")
    own_store.attempts.request_stop(run.id, "ben")
    page.press("Run it again")
    page.follow(time.monotonic() + 1)
    until(lambda: [one for one in own_store.runs.all(kind="evaluate", status="queued") if one.id != run.id])


def test_a_press_on_one_run_counts_though_another_one_has_just_ended(own_store: Store, opened: Opened) -> None:
    other, run = queued(own_store), queued(own_store)
    page = opened("jobs")  # which lists them in this order
    own_store.attempts.request_stop(other.id, "ben")
    page.press("Yes, stop it")
    until(lambda: own_store.runs.fetch(run.id).status == "canceled")


def test_a_press_on_a_pipeline_counts_though_its_next_step_has_just_begun(own_store: Store, opened: Opened) -> None:
    first, last = queued(own_store), queued(own_store)
    own_store.pipelines.create("spaces", [first.id, last.id])
    page = opened("overview")
    token = own_store.attempts.claim(first.id, "w", "cpu")
    page.press("Yes, stop all")
    until(lambda: own_store.runs.fetch(last.id).status == "canceled")
    own_store.attempts.cancel(first.id, token)


def test_what_is_opened_beside_a_run_stays_what_it_is_when_the_run_ends(
    page: Page, own_address: str, own_store: Store
) -> None:
    model = own_store.runs.all(kind="train", status="done")[0]
    training, _ = own_store.runs.submit(parse_spec(model.spec), force=True)
    run, _ = own_store.runs.submit(EvaluateSpec(dataset=model.dataset_id, model=training.id))
    visit(page, own_address, "jobs", f"?run={run.id}")
    page.get_by_role("button", name="Copy as command").click()
    opened = page.get_by_test_id("stPopoverBody")
    expect(opened).to_contain_text("Queues exactly")
    own_store.attempts.request_stop(training.id, "ben")  # and the run with it: its row of buttons has others then
    expect(page.get_by_role("button", name="Delete")).to_be_visible()
    settle(page)
    expect(opened).to_contain_text("Queues exactly")
    expect(page.get_by_role("button", name="Yes, delete it")).to_have_count(0)


def test_a_note_that_is_not_saved_yet_stays_when_the_run_ends(page: Page, own_address: str, own_store: Store) -> None:
    run = queued(own_store)
    visit(page, own_address, "jobs", f"?run={run.id}")
    page.get_by_role("button", name="Name, note, tags").click()
    note = page.get_by_label("Note", exact=True)
    note.click()
    page.keyboard.type("Stopped, since the light is wrong.")
    page.get_by_label("Name", exact=True).click()  # to name it, too
    own_store.attempts.request_stop(run.id, "ben")
    expect(page.get_by_role("button", name="Delete")).to_be_attached()
    settle(page)
    expect(note).to_have_value("Stopped, since the light is wrong.")


def test_a_table_of_shards_that_was_folded_stays_so_when_one_of_them_is_done_and_its_links_open_them(
    page: Page, own_address: str, own_store: Store
) -> None:
    model = own_store.runs.all(kind="train", status="done")[0]
    run, _ = own_store.runs.submit(GradcamSpec(dataset=model.dataset_id, model=model.id), force=True)
    first, second, *others = own_store.runs.shards(run.id)
    visit(page, own_address, "jobs", f"?run={run.id}")
    table = page.get_by_test_id("stExpander").filter(has_text="Shards: ")
    table.locator("summary").click()
    expect(table.locator("details")).not_to_have_attribute("open", "")
    own_store.attempts.finish(first.id, own_store.attempts.claim(first.id, "w", "cpu"), {})
    expect(table).to_contain_text(f"Shards: 1 of {2 + len(others)} done")
    settle(page)
    expect(table.locator("details")).not_to_have_attribute("open", "")
    table.locator("summary").click()
    table.get_by_role("link").nth(1).click()
    expect(page).to_have_url(re.compile(f"run={second.id}"))
    expect(page.get_by_text(second.id).first).to_be_visible()


def drawn_within(page: PageSession, lapse: timedelta) -> int:
    """How often the page was drawn until its last run has ended so long ago that no page follows it."""
    before = page.n_runs
    page.follow(time.monotonic() + lapse.total_seconds() + 3)
    return page.n_runs - before


def test_a_page_is_not_drawn_anew_because_its_last_run_has_ended_a_while_ago(own_store: Store, opened: Opened) -> None:
    end_run(own_store.database, own_store.runs.all(kind="evaluate", status="done")[0])
    page = opened("compare")
    assert page.polls, "the next step is often submitted just then"
    assert drawn_within(page, LINGER) == 0
    assert not page.polls


def test_overview_follows_what_others_begin_also_a_while_after_its_last_run(own_store: Store, opened: Opened) -> None:
    end_run(own_store.database, own_store.runs.all(kind="evaluate", status="done")[0], LINGER / 2)
    page = opened("overview")
    assert drawn_within(page, LINGER / 2) == 0
    before = page.n_runs
    queued(own_store)
    follow_until_drawn(page, before)
    assert page.n_runs > before


@pytest.mark.parametrize("name", ["train", "jobs"])
def test_a_page_that_shows_a_stopped_run_follows_it_when_somebody_else_has_it_tried_again(
    own_store: Store, opened: Opened, name: str
) -> None:
    model = own_store.runs.all(kind="train", status="done")[0]
    run, _ = own_store.runs.submit(parse_spec(model.spec), force=True)
    own_store.attempts.request_stop(run.id, "ben")
    page = opened(name, f"run={run.id}")
    before = page.n_runs
    own_store.attempts.retry(run.id, "ben")
    follow_until_drawn(page, before)
    assert page.n_runs > before


@pytest.mark.parametrize("name", ["attention", "space"])
def test_a_page_whose_step_was_stopped_follows_it_when_somebody_else_has_it_tried_again(
    own_store: Store, opened: Opened, small_demo: Path, tmp_path: Path, name: str
) -> None:
    data = own_store.datasets.register(import_data(shutil.copytree(small_demo, tmp_path / name)))
    run = stopped(own_store, data.id, name)
    page = opened(name, f"dataset={data.id}")
    before = page.n_runs
    own_store.attempts.retry(run.id, "ben")
    follow_until_drawn(page, before)
    assert page.n_runs > before
    before = page.n_runs
    own_store.attempts.request_stop(run.id, "ben")
    follow_until_drawn(page, before)
    assert page.n_runs > before, "it is followed while it waits, too"


def stopped(store: Store, dataset: str, page: str) -> Run:
    """The step of a page, stopped before it began; those before it are done."""
    specs = {
        "train": lambda _: TrainSpec(dataset=dataset, model="small-resnet"),
        "attention": lambda model: GradcamSpec(dataset=dataset, model=model.id),
        "space": lambda attention: SpaceSpec(dataset=dataset, attention=attention.id),
    }
    run = None
    for name, spec in specs.items():
        run, _ = store.runs.submit(spec(run))
        if name == page:
            break
        store.attempts.finish(run.id, store.attempts.claim(run.id, "w", "cpu"), {})
    store.attempts.request_stop(run.id, "ben")
    return run


def follow_until_drawn(page: PageSession, before: int) -> None:
    """Until the whole page is drawn anew, for a minute at most."""
    ends = time.monotonic() + 60
    while page.n_runs == before and time.monotonic() < ends:
        page.follow(time.monotonic() + 0.5)
