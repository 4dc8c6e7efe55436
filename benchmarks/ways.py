"""How many of our files does one act enter? Counted by running, not by reading.

    python -m benchmarks.ways --json ways.json [--write]

answer: from the POST of an answer to its response; picture: from the GET of an overlay to its response; form: from the
press of *Train* until the model is a row of Compare (submit, worker, evaluation, page). A file counts where a line of
it runs in that time, in the dashboard or in a worker; what runs because a module is imported does not. ``answer`` and
``picture`` are asked for twenty times, each time another image, and a file counts that every one of them enters: what
other threads do by the clock is left out. ``files`` names them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from app import session
from app.routes.images import image_url
from benchmarks.browser import chromium, opened, settle, visit
from benchmarks.dashboard import server
from benchmarks.entered import between, traced
from benchmarks.processes import until
from benchmarks.routes import Line
from benchmarks.synthetic import Synthetic, make_home
from slim_core.settings import Settings
from slim_core.store import Store

TIMES = 20
APART_S = 0.05
IMAGES = 240  # of train
PATIENCE_S = 300.0
PAGE = Path(__file__).parents[1] / "docs" / "architecture.md"
BEGIN, END = "<!-- ways -->\n", "<!-- /ways -->"
TITLES = {
    "answer": "A key press is answered",
    "picture": "A map becomes a picture",
    "form": "A form becomes a row of Compare",
}


def measure(folder: Path) -> dict[str, Any]:
    """The three counts, and the files behind each."""
    home = make_home(folder / "home", IMAGES)
    store = Store.open(Settings(home=folder / "home"))
    noted = folder / "entered"
    with server(folder / "home", more=traced(noted)) as dashboard, chromium() as browser, opened(browser) as page:
        netloc = urlsplit(dashboard.address).netloc
        viewer = session.Viewer("bench", "admin")
        with contextlib.closing(Line(netloc, session.sign(viewer, folder / "home"))) as line:
            files = {
                "answer": _always(noted, _answers(store, home, line)),
                "picture": _always(noted, _pictures(store, home, line)),
            }
        files["form"] = _form(noted, store, home, page, dashboard.address)
    store.close()
    return {way: len(found) for way, found in files.items()} | {"files": {way: sorted(files[way]) for way in files}}


def _always(noted: Path, acts: list[Callable[[], object]]) -> set[str]:
    """The files that each act enters; the first, which may have to load what the others find, is left out."""
    found: set[str] | None = None
    for place, act in enumerate(acts):
        time.sleep(APART_S)
        since = time.monotonic()
        act()
        entered = between(noted, since, time.monotonic())
        if place:
            found = entered if found is None else found & entered
    return found or set()


def _answers(store: Store, home: Synthetic, line: Line) -> list[Callable[[], object]]:
    rows = store.datasets.table(home.dataset).rows("train")[: TIMES + 1]
    campaign = store.campaigns.create("ways", home.dataset, home.space, rows, "bench")
    asked = line.post("/api/next", {"campaign": campaign.id, "session": "ways", "n": len(rows)})["items"]

    def given(item: int) -> Callable[[], object]:
        one = {"id": f"ways-{item}", "item": item, "value": 1, "ms": 500}
        return lambda: line.post("/api/answers", {"campaign": campaign.id, "session": "ways", "answers": [one]})

    return [given(item["id"]) for item in asked]


def _pictures(store: Store, home: Synthetic, line: Line) -> list[Callable[[], object]]:
    rows = store.datasets.table(home.dataset).rows("train")[: TIMES + 1]

    def asked(row: int) -> Callable[[], object]:
        return lambda: line.get(image_url(home.dataset, row, line.token, kind="overlay", run=home.attention))

    return [asked(int(row)) for row in rows]


def _form(noted: Path, store: Store, home: Synthetic, page: Page, address: str) -> set[str]:
    visit(page, f"{address}/train?dataset={home.dataset}")
    page.get_by_text("New training").click()
    name = "by the form"
    page.get_by_label("Run name").fill(name)
    page.get_by_label("Epochs", exact=True).fill("1")
    page.get_by_text("then compute the attention maps").click()
    settle(page)
    since = time.monotonic()
    page.get_by_test_id("stForm").get_by_role("button", name="Train", exact=True).click()
    until(lambda: _evaluations(store, name), "the evaluation of the new model", PATIENCE_S)
    evaluation = _evaluations(store, name)[0]
    visit(page, f"{address}/compare?dataset={home.dataset}&runs={evaluation}")
    expect(page.get_by_text(name).first).to_be_attached(timeout=PATIENCE_S * 1000)
    return between(noted, since, time.monotonic())


def _evaluations(store: Store, name: str) -> list[str]:
    models = [run.id for run in store.runs.all(kind="train") if run.name == name]
    done = [run.id for run in store.runs.all(kind="evaluate", status="done") if run.spec["model"] in models]
    failed = [run for run in store.runs.all(status="failed") if run.id in models or run.spec.get("model") in models]
    if failed:
        raise SystemExit(f"{failed[0].kind} has failed: {failed[0].error}")
    return done


def with_ways(page: str, found: dict[str, Any]) -> str:
    """The page with the ways between its two marks: each with its number, and its files by folder."""
    before, _, rest = page.partition(BEGIN)
    parts = []
    for way, title in TITLES.items():
        by_folder: dict[str, list[str]] = {}
        for name in found["files"][way]:
            folder, _, file = name.rpartition("/")
            by_folder.setdefault(folder, []).append(file)
        listed = "; ".join(f"`{folder}/` {', '.join(files)}" for folder, files in by_folder.items())
        parts.append(f"**{title}: {found[way]} files.** {listed}.\n")
    return f"{before}{BEGIN}{chr(10).join(parts)}{END}{rest.partition(END)[2]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="keep the result there")
    parser.add_argument("--write", action="store_true", help="write the ways into docs/architecture.md")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="slim-ways-") as folder:
        found = measure(Path(folder))
    text = json.dumps(found, indent=1)
    if args.json:
        args.json.write_text(text + "\n")
    if args.write:
        PAGE.write_text(with_ways(PAGE.read_text(), found))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
