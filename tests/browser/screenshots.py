"""Pictures of every page: empty, filled and failing, light and dark, at two sizes.

    python -m tests.browser.screenshots --out FOLDER    all of them, to look at; not to be committed
    make screenshots                                    those that README and tutorial show, into docs/images

The whole loop runs first, on the demo data set, with the simulated annotator, in this process: minutes. A filled page
in light colours at 1440 pixels is <page>.png, every other one <page>-<state>-<theme>-<width>.webp.
"""

from __future__ import annotations

import argparse
import io
import logging
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from benchmarks.browser import find
from benchmarks.dashboard import ROOT
from slim_core.runs.executor import InProcess, Workbench
from slim_core.runs.methods import Loop
from slim_core.settings import Settings
from slim_core.store import Store
from tests.browser import chromium
from tests.browser.conftest import NAMED
from tests.browser.server import dashboard
from tests.browser.steps import choose, settle, visit

log = logging.getLogger(__name__)

README_IMAGES = ROOT / "docs" / "images"
SIZES = ((1440, 900), (1280, 800))
THEMES = ("light", "dark")
PAGES = ("overview", "data", "draw", "train", "attention", "space", "annotate", "curate", "compare", "jobs")
IN_README = ("overview", "space", "annotate", "draw", "compare")  # filled, light, at the first size
METHODS = ("erm", "random", "slim")  # the newest is what the pages open with
OPEN = "Open for annotators"  # name of the campaign that is pictured half answered
FAILED = "From a checkpoint that is gone"
DRAWN_MS = 60_000
EXACT, OF_NAVIGATION = 48, 24  # colours of a picture's palette
NAVIGATION_PX = 230


def main() -> int:
    """Run the loop where it has not run, then picture every page in every state."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, help="SLIM_HOME to picture; default: a new one with the demo loop")
    parser.add_argument("--only", default=",".join(PAGES), help="pages, joined by commas")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", type=Path, help="folder of all pictures")
    where.add_argument("--readme", action="store_true", help="only what README and tutorial show, into docs/images")
    asked = parser.parse_args()
    executable = find()
    if executable is None:
        log.error("No Chromium on PATH: install it (Debian: apt-get install chromium).")
        return 2
    out = README_IMAGES if asked.readme else asked.out
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chromium.launched(executable) as browser:
        home = asked.home or Path(folder) / "home"
        if asked.home is None:
            fill(home, Path(folder) / "demo")
        if asked.readme:
            with dashboard(home) as address:
                picture_all(browser, address, list(IN_README), "filled", "light", SIZES[:1], out)
            return 0
        for state, there in (("filled", home), ("failing", lost(home, Path(folder))), ("empty", Path(folder) / "new")):
            there.mkdir(exist_ok=True)
            with dashboard(there) as address:
                for theme in THEMES:
                    picture_all(browser, address, asked.only.split(","), state, theme, SIZES, out)
    return 0


def fill(home: Path, data: Path) -> None:
    """The demo loop, and a campaign that is half answered."""
    from slim_core.annotation.plan import create_campaign
    from slim_core.data.importing import import_data
    from slim_core.data.sets.demo_set import write_set
    from slim_core.store import AnswerIn
    from workers.demo import config_of, demo_set

    drawn = demo_set("pictures", seed=0)
    write_set(data, drawn)
    store = Store.open(Settings(home=home))
    dataset = store.datasets.register(import_data(data), by="screenshots")
    loop = Loop(Workbench(store, InProcess(store, device="cpu")), config_of(dataset, drawn))
    for method in METHODS:
        log.info("%s: worst group %.1f %%", method, 100 * loop.outcome(method).evaluation.metrics["wga"])
    campaign = create_campaign(store, loop.space, share=0.02, seed=1, name=OPEN)
    items = store.campaigns.items(campaign.id)
    given = [AnswerIn(f"picture-{item.id}", item.id, item.id % 2, duration_ms=1500) for item in items[:19]]
    store.answers.save(campaign.id, NAMED["value"], given)
    store.close()


def lost(home: Path, folder: Path) -> Path:
    """The same home after its disk of artifacts was lost, and with a training that fails."""
    from slim_core.steps.specs import parse_spec

    there = folder / "failing"
    shutil.copytree(home, there, ignore=shutil.ignore_patterns("runs", "redis", "work", "demo-data"))
    store = Store.open(Settings(home=there))
    (dataset,) = store.datasets.all()[:1]
    gone = {"kind": "train", "dataset": dataset.id, "model": "small-resnet", "checkpoint": str(there / "gone.pt")}
    store.runs.submit(parse_spec(gone), by="screenshots", name=FAILED)
    store.close()
    return there


def picture_all(
    browser: Browser,
    address: str,
    pages: list[str],
    state: str,
    theme: str,
    sizes: Sequence[tuple[int, int]],
    out: Path,
) -> None:
    """The pages in one state and theme, each at every size."""
    context = browser.new_context(color_scheme=theme)  # type: ignore[arg-type]  # one of THEMES
    context.add_cookies([NAMED])
    page = context.new_page()
    if state == "failing":
        wait_for_failure(page, address)
    for name in pages:
        page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})
        visit(page, address, name)
        if state == "filled":
            prepare(page, name)
        for width, height in sizes:
            page.set_viewport_size({"width": width, "height": height})
            save(page, out, name, state, theme, width)
    context.close()


def wait_for_failure(page: Page, address: str) -> None:
    """Until the worker has tried the training."""
    visit(page, address, "jobs")
    expect(page.get_by_text("failed").first).to_be_visible(timeout=DRAWN_MS)


def prepare(page: Page, name: str) -> None:
    """What makes the picture tell more."""
    if name == "curate":  # the campaign whose answers are complete
        page.get_by_role("combobox", name="Campaign").click()
        page.get_by_role("option").last.click()
        settle(page)
    if name == "draw":  # around the digit of the image that is proposed first
        page.locator(".slim-draw[data-row]").wait_for(timeout=DRAWN_MS)
        box = page.locator(".slim-draw [data-part=surface]").bounding_box()
        assert box is not None
        for x, y, press in ((0.31, 0.25, page.mouse.down), (0.77, 0.83, page.mouse.up)):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=5)
            press()
    if name == "space":
        page.locator(".slim-space[data-ready=true]").wait_for(timeout=DRAWN_MS)
        choose(page, "Colour by", "environment cluster")


def save(page: Page, out: Path, name: str, state: str, theme: str, width: int) -> None:
    """One picture: a palette suffices for what the README shows, WebP for all others."""
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1500)  # charts and images fade in
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    if (state, theme, width) == ("filled", "light", SIZES[0][0]):
        path = out / f"{name}.png"
        in_few_colours(image).save(path, optimize=True)
    else:
        path = out / f"{name}-{state}-{theme}-{width}.webp"
        image.save(path, quality=70, method=6)
    log.info("%s", path)


def in_few_colours(image: Image.Image) -> Image.Image:
    """In 256 colours: the most frequent ones, and those of the navigation with its logo, exactly, so that white stays
    white, and mixtures of others in pictures."""
    pixels = np.asarray(image) @ [1 << 16, 1 << 8, 1]
    exact = np.unique([*_most_frequent(pixels, EXACT), *_most_frequent(pixels[:, :NAVIGATION_PX], OF_NAVIGATION)])
    palette = Image.new("P", (1, 1))
    parts = [int(part) for colour in exact for part in (colour >> 16, colour >> 8 & 255, colour & 255)]
    palette.putpalette(parts + (image.quantize(256 - len(exact)).getpalette() or []))
    drawn = image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
    index = np.array(drawn)
    for place, colour in enumerate(exact):
        index[pixels == colour] = place
    made = Image.fromarray(index, "P")
    made.putpalette(palette.getpalette() or [])
    return made


def _most_frequent(pixels: np.ndarray, n: int) -> np.ndarray:
    colours, counts = np.unique(pixels, return_counts=True)
    return colours[np.argsort(-counts, kind="stable")[:n]]


if __name__ == "__main__":
    sys.exit(main())
