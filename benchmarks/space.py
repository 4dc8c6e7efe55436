"""How fast is the attention space with 100,000 points, in a real Chromium with WebGL in software?

    python -m benchmarks.space --json benchmarks/results/space.json

first_paint: from opening the page, with an empty browser cache, until both spaces are painted. lasso_to_images: from
the release of a lasso round a large part of the points until an image of them is shown. recolour: from picking another
colour until both spaces are painted in it. The medians of some turns, and beside them the worst.

more_like_this: the 24 nearest of as many images by 2,048 features on disk, once they were asked about; the first
question, which reads all; and its ratio to scikit-learn's NearestNeighbors by brute force, with all features in memory.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
from playwright.sync_api import Browser, Page

from benchmarks.browser import chromium, opened, resident_mb, settle
from benchmarks.dashboard import Server, server
from benchmarks.synthetic import Synthetic, make_home
from slim_core.space.selections import nearest

T = TypeVar("T")
NEAREST, N_FEATURES, CENTRES = 24, 2048, 40
COLOURS = (("label", "Label"), ("attention precision", "Attention precision"), ("group", "Group"))
TIMEOUT_MS = 60_000
# The pointer's release and the choice of a colour are noted by the page itself; the rest is seen frame by frame.
NOTE = """() => { for (const kind of ["pointerup", "click"])
  window.addEventListener(kind, () => { window.since = performance.now(); }, { capture: true }); }"""
PAINTED = "title => document.querySelector('.slim-space')?.dataset.painted === title && performance.now()"
SHOWN = """before => { const one = document.querySelector('.slim-pictures img');
  return one && one.src !== before && one.naturalWidth > 0 && performance.now() - window.since }"""


def measure_space_100k(browser: Browser, dashboard: Server, home: Synthetic, repeats: int = 5) -> dict[str, object]:
    """The numbers of one space; the dashboard serves the home ``home`` was made as."""
    address = f"{dashboard}/space?dataset={home.dataset}&run={home.space}&colour=group"
    paints, lassos, recolours, kept = [], [], [], []
    for turn in range(repeats + 1):  # the first one finds a server that has read nothing yet
        with opened(browser) as page:
            paints.append(first_paint(page, address))
            settle(page)
            page.evaluate(NOTE)
            lassos.append(lasso_to_images(page, part=0.5 + 0.08 * (turn % 5)))
            settle(page)
            before = selection_of(page)
            recolours += [recolour(page, *colour) for colour in COLOURS]
            settle(page)
            kept.append(before == selection_of(page) and before[0].split()[0] != "0")
    return {
        "points": home.n,
        **_told("first_paint", paints[1:]),
        **_told("lasso_to_images", lassos),
        **_told("recolour", recolours),
        "selection_kept": all(kept),
        "first_paint_cold_server_s": round(paints[0], 3),
        "app_rss_mb": round(resident_mb(dashboard.pid)),
    }


def _told(name: str, seconds: Sequence[float]) -> dict[str, float]:
    return {f"{name}_s": round(median(seconds), 3), f"{name}_worst_s": round(max(seconds), 3)}


def first_paint(page: Page, address: str) -> float:
    """Seconds until both spaces are painted, by the page's own clock."""
    page.goto(address, wait_until="commit")
    return page.wait_for_function(PAINTED, arg="Group", polling="raf", timeout=TIMEOUT_MS).json_value() / 1000


def lasso_to_images(page: Page, part: float) -> float:
    """Seconds from the release of a lasso over ``part`` of the first space to an image of what it selects."""
    box = page.locator(".slim-space-plot").first.bounding_box()
    assert box is not None
    left, top, bottom = box["x"] + 4, box["y"] + 4, box["y"] + box["height"] - 4
    right = box["x"] + box["width"] * part
    before = page.evaluate("() => document.querySelector('.slim-pictures img')?.src ?? ''")
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top)):
        page.mouse.move(x, y, steps=8)
    page.mouse.up()
    return page.wait_for_function(SHOWN, arg=before, polling="raf", timeout=TIMEOUT_MS).json_value() / 1000


def recolour(page: Page, name: str, title: str) -> float:
    """Seconds from the click on a colour's name to the spaces painted in it."""
    page.get_by_role("combobox", name="Colour by").click()
    page.get_by_role("option", name=name, exact=True).click()
    ended = page.wait_for_function(PAINTED, arg=title, polling="raf", timeout=TIMEOUT_MS).json_value()
    return (ended - page.evaluate("window.since")) / 1000


def selection_of(page: Page) -> tuple[str, str]:
    """What the browser and the server say is selected."""
    counted = page.locator(".slim-counts caption").inner_text()
    return page.locator(".slim-space-status").inner_text(), counted


def measure_similarity(n: int, folder: Path, repeats: int = 5) -> dict[str, object]:
    """The numbers of "more like this", on clumps of features that are written to ``folder``."""
    from sklearn.neighbors import NearestNeighbors

    features = synthetic_features(n, folder / "features.npy")
    queries = np.random.default_rng(1).choice(n, repeats, replace=False)
    timed = [_timed(lambda at=at: nearest(features, np.arange(n), at, NEAREST)) for at in queries]
    wide = np.asarray(features, np.float32)
    whole = NearestNeighbors(n_neighbors=NEAREST + 1, algorithm="brute").fit(wide)
    theirs = [np.sort(whole.kneighbors(wide[[at]])[0][0])[1:] for at in queries]
    return {
        "more_like_this_s": round(median(seconds for seconds, _ in timed), 4),
        "more_like_this_worst_s": round(max(seconds for seconds, _ in timed), 4),
        "same_distances": all(
            np.allclose(found[1], other, rtol=1e-3, atol=1e-2) for (_, found), other in zip(timed, theirs, strict=True)
        ),
    }


def synthetic_features(n: int, path: Path) -> np.ndarray:
    """(n, N_FEATURES) float16 on disk: clumps with a few directions in which images vary, as features of a network."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(CENTRES, N_FEATURES)).astype(np.float32)
    directions = random.normal(size=(CENTRES, N_FEATURES)).astype(np.float32)
    features = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(n, N_FEATURES))
    for start in range(0, n, 4096):
        k = min(4096, n - start)
        along = (random.normal(size=(k, CENTRES)) * 0.5 ** np.arange(CENTRES)).astype(np.float32) @ directions
        noise = random.normal(size=(k, N_FEATURES)).astype(np.float32) * 0.1
        features[start : start + k] = centres[random.integers(0, CENTRES, k)] + along + noise
    features.flush()
    return np.load(path, mmap_mode="r")


def _timed(what: Callable[[], T]) -> tuple[float, T]:
    since = time.perf_counter()
    found = what()
    return time.perf_counter() - since, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--home", type=Path, help="where the synthetic home is, or is made; default: a temporary one")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = make_home(args.home or Path(folder) / "home", args.points)
        with server(Path(home.home)) as dashboard, chromium() as browser:
            result = measure_space_100k(browser, dashboard, home, args.repeats)
        result |= measure_similarity(args.points, Path(folder), args.repeats)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
