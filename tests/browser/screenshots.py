"""Pictures of every page: empty, filled and failing, light and dark, at two sizes.

    python -m tests.browser.screenshots --out FOLDER    all of them, to look at; not to be committed
    make screenshots                                    those that README and tutorial show, into docs/images
    make screenshots FROM=SLIM_HOME                     the same of a home that make demo has filled: two minutes

Without a home the loop of make demo runs first, with the simulated annotator, in this process: minutes. A filled page
in light colours at 1440 pixels is <page>.webp, every other one <page>-<state>-<theme>-<width>.webp.
"""

from __future__ import annotations

import argparse
import io
import logging
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Browser, Page, expect

from benchmarks.browser import find
from benchmarks.dashboard import ROOT
from slim_core.runs.executor import InProcess, Workbench
from slim_core.runs.methods import Loop
from slim_core.runs.reporting import report
from slim_core.settings import Settings
from slim_core.store import Store
from tests.browser import chromium
from tests.browser.conftest import NAMED
from tests.browser.server import dashboard
from tests.browser.steps import choose, settle, shown, visit

log = logging.getLogger(__name__)

README_IMAGES = ROOT / "docs" / "images"
SIZES = ((1440, 900), (1280, 800))
THEMES = ("light", "dark")
PAGES = ("overview", "data", "draw", "train", "attention", "space", "annotate", "curate", "compare", "jobs")
STORY = (  # of the moving picture: a page, and what is done there
    ("train", "Train: one group fails"),
    ("attention", "Look: the heat lies on the chart"),
    ("annotate", "Answer: is the attention right? One image, one key"),
    ("curate", "Curate: balance a small subset"),
    ("compare", "Compare: every group, before and after"),
    ("overview", "One sentence says whether it is better"),
)
STORY_SIZE, CAPTION_PX, LASTS_MS = (1120, 700), 44, 2400
REPORT_PX = 1000
ANSWERED = ("0", "1", "0", "0")
OPEN = "Open for annotators"  # name of the campaign that is pictured half answered
FAILED = "From a checkpoint that is gone"
DRAWN_MS, FADE_MS = 60_000, 1_500  # until something is there; until charts and images have faded in


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
        home = Path(folder) / "home"
        if asked.home is None:
            fill(home, Path(folder) / "demo")
        else:  # answers are given below
            shutil.copytree(asked.home, home, ignore=shutil.ignore_patterns("redis", "work"))
        if asked.readme:
            references = half_answered(home)
            with dashboard(home) as address:
                picture_all(browser, address, list(PAGES), "filled", "light", SIZES[:1], out)
                tell(browser, address, references, out / "loop.webp")
            picture_report(browser, home, out / "report.webp")
            return 0
        for state, there in (("filled", home), ("failing", lost(home, Path(folder))), ("empty", Path(folder) / "new")):
            there.mkdir(exist_ok=True)
            with dashboard(there) as address:
                for theme in THEMES:
                    picture_all(browser, address, asked.only.split(","), state, theme, SIZES, out)
    return 0


def fill(home: Path, data: Path) -> None:
    """The loop of make demo."""
    from slim_core.data.importing import import_data
    from slim_core.data.sets.demo_set import write_set
    from workers.demo import METHODS, called, config_of, demo_set

    drawn = demo_set("charts", seed=0)
    write_set(data, drawn)
    store = Store.open(Settings(home=home))
    dataset = store.datasets.register(import_data(data, name=called(drawn)), by="screenshots")
    loop = Loop(Workbench(store, InProcess(store, device="cpu")), config_of(dataset, drawn))
    for method in METHODS:
        log.info("%s: worst group %.1f %%", method, 100 * loop.outcome(method).evaluation.metrics["wga"])
    store.close()


def half_answered(home: Path) -> dict[str, str]:
    """Open a campaign that is half answered; page -> the query that shows the reference there."""
    from slim_core.annotation.plan import create_campaign
    from slim_core.store import AnswerIn

    store = Store.open(Settings(home=home))
    runs = [run for run in store.runs.all() if run.status == "done"]
    space, reference = (next(run for run in reversed(runs) if run.kind == kind) for kind in ("space", "train"))
    campaign = create_campaign(store, space, share=0.02, seed=1, name=OPEN)
    items = store.campaigns.items(campaign.id)
    given = [AnswerIn(f"picture-{item.id}", item.id, item.id % 2, duration_ms=1500) for item in items[:19]]
    store.answers.save(campaign.id, NAMED["value"], given)
    store.close()
    return {"train": f"?run={reference.id}"}


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
        page.locator(".slim-space[data-drawn]").wait_for(timeout=DRAWN_MS)
        choose(page, "Colour by", "environment cluster")


def save(page: Page, out: Path, name: str, state: str, theme: str, width: int) -> None:
    """One picture, in colours that leave letters sharp."""
    is_usual = (state, theme, width) == ("filled", "light", SIZES[0][0])
    path = out / (f"{name}.webp" if is_usual else f"{name}-{state}-{theme}-{width}.webp")
    shot(page).save(path, quality=80 if is_usual else 70, method=6)
    log.info("%s", path)


def tell(browser: Browser, address: str, references: Mapping[str, str], path: Path) -> None:
    """The loop as one moving picture; ``references``: page -> the query of its address that shows the reference."""
    context = browser.new_context(viewport={"width": SIZES[0][0], "height": SIZES[0][1]})
    context.add_cookies([NAMED])
    page = context.new_page()
    frames: list[tuple[Image.Image, int]] = []

    def keep(caption: str, lasts_ms: int) -> None:
        frames.append((captioned(shot(page), caption), lasts_ms))

    for name, caption in STORY:
        visit(page, address, name, references.get(name, ""))
        keep(caption, LASTS_MS)
        if name == "annotate":
            for key in ANSWERED:
                shown(page)
                page.keyboard.press(key)
                keep(caption, LASTS_MS // 3)
    images, lasting = zip(*frames, strict=True)
    images[0].save(path, save_all=True, append_images=images[1:], duration=lasting, loop=0, quality=72, method=6)
    log.info("%s: %.1f MB", path, path.stat().st_size / 1e6)
    context.close()


def picture_report(browser: Browser, home: Path, path: Path) -> None:
    """What slim report says of the reference, from top to bottom."""
    store = Store.open(Settings(home=home))
    reference = next(run for run in reversed(store.runs.all(kind="train")) if run.status == "done")
    file = home / "report.html"
    report(reference.id, at=Workbench(store, InProcess(store, device="cpu"))).save(file)
    store.close()
    page = browser.new_page(viewport={"width": REPORT_PX, "height": SIZES[0][1]})
    page.goto(file.as_uri())
    page.wait_for_timeout(FADE_MS)
    whole = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    whole.save(path, quality=80, method=6)
    log.info("%s: %s", path, whole.size)
    page.close()


def captioned(image: Image.Image, caption: str) -> Image.Image:
    """Smaller, with a line below."""
    width, height = STORY_SIZE
    made = Image.new("RGB", (width, height + CAPTION_PX), "#0F161C")
    made.paste(image.resize((width, height), Image.Resampling.LANCZOS))
    font = ImageFont.load_default(CAPTION_PX // 2)
    ImageDraw.Draw(made).text((width // 2, height + CAPTION_PX // 2), caption, "#FFFFFF", font, anchor="mm")
    return made


def shot(page: Page) -> Image.Image:
    """What is on the screen, once all of it is there."""
    page.wait_for_load_state("networkidle")
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=DRAWN_MS)
    page.wait_for_timeout(FADE_MS)
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


if __name__ == "__main__":
    sys.exit(main())
