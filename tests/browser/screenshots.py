"""Pictures of every page at 1440x900 into docs/images: `make screenshots`.

The whole loop runs first, on the demo data set, with the simulated annotator, in this process: minutes.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page

from slim_core.loop import Loop, LoopConfig
from slim_core.settings import Settings
from slim_core.store import Store
from slim_core.workbench import InProcess, Workbench
from tests.browser import chromium
from tests.browser.server import ROOT, dashboard
from tests.browser.steps import choose, visit

log = logging.getLogger(__name__)

FOLDER = ROOT / "docs" / "images"
SIZE = {"width": 1440, "height": 900}
PAGES = ("overview", "data", "train", "attention", "space", "annotate", "curate", "compare", "jobs")
METHODS = ("erm", "slim", "random")
OPEN = "Open for annotators"  # name of the campaign that is pictured half answered


def main() -> int:
    """Run the loop where it has not run, then picture every page."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="SLIM_HOME to picture; default: a new one with the demo loop")
    home = parser.parse_args().home
    executable = chromium.find()
    if executable is None:
        log.error("No Chromium on PATH: install it (Debian: apt-get install chromium).")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        if home is None:
            home = Path(folder) / "home"
            fill(home, Path(folder) / "demo")
        with dashboard(home) as address, chromium.launched(executable) as browser:
            context = browser.new_context(viewport=SIZE)
            context.add_cookies([{"name": "slim-name", "value": "ann", "domain": "127.0.0.1", "path": "/"}])
            page = context.new_page()
            FOLDER.mkdir(parents=True, exist_ok=True)
            for name in PAGES:
                picture(page, address, name)
    return 0


def fill(home: Path, data: Path) -> None:
    """The demo loop, and a campaign that is half answered."""
    from slim_core.datasets import import_data
    from slim_core.datasets.demo import DemoConfig, write_demo
    from slim_core.loop import create_campaign
    from slim_core.store import AnswerIn

    write_demo(data, DemoConfig())
    store = Store.open(Settings(home=home))
    dataset = store.datasets.register(import_data(data), by="screenshots")
    loop = Loop(Workbench(store, InProcess(store, device="cpu")), LoopConfig(dataset.id))
    for method in METHODS:
        log.info("%s: worst group %.1f %%", method, 100 * loop.outcome(method).evaluation.metrics["wga"])
    campaign = create_campaign(store, loop.space, share=0.02, seed=1, name=OPEN)
    items = store.campaigns.items(campaign.id)
    given = [AnswerIn(f"picture-{item.id}", item.id, item.id % 2, duration_ms=1500) for item in items[:19]]
    store.campaigns.save_answers(campaign.id, "ann", given)
    store.close()


def picture(page: Page, address: str, name: str) -> None:
    """One page, drawn to its end."""
    visit(page, address, name)
    if name == "curate":
        choose_finished_campaign(page)
    if name == "space":
        page.locator(".slim-space[data-ready=true]").wait_for()
        choose(page, "Colour by", "environment cluster")
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1500)
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path)
    log.info("%s", path.relative_to(ROOT))


def choose_finished_campaign(page: Page) -> None:
    """The campaign whose answers are complete, where there are several."""
    box = page.get_by_role("combobox", name="Campaign")
    box.click()
    page.get_by_role("option").last.click()
    page.wait_for_timeout(1000)


if __name__ == "__main__":
    sys.exit(main())
