"""From an empty home to a verdict on one's own data, in a real Chromium, on three data sets.

    python -m benchmarks.first_hour --json benchmarks/results/first_hour.json

Of each data set, and the worst of all (asked: at most 25 clicks and 10 typed fields, no dead end, one Back a page):
clicks, typed (fields), answers (keys), seconds_waited (for jobs), waits_without_time_left (looks, a second apart, at a
page that said nothing of the time left), dead_ends, console_errors (with requests that were refused), back_presses (a
page), cls (the layout shift of each page that is opened by its address on the finished project, as web.dev defines it)
and cls_max, moved (the same on the way, after presses: what a press opens may take more than the half second that the
definition excuses), verdicts (what Overview says in the end), words_overview, height_max_1440 (pixels of the highest
page in a window of 1440 x 900; asked: 220 and 1,500), verdict_conflicts (tiles, arrows and sentences of the pages that
are against the verdict) and odd (sentences that a new user found odd, in the product and its documents).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.browser import chromium, opened
from benchmarks.dashboard import server
from benchmarks.first_hour.folders import three_folders
from benchmarks.first_hour.journey import first_hour
from benchmarks.first_hour.person import Counts, Person, back_presses, shifts, sizes, verdict_conflicts
from benchmarks.first_hour.words import odd
from slim_core.settings import Settings
from slim_core.store import Store

PAGES = ["Data", "Train", "Attention", "Space", "Annotate", "Curate", "Compare", "Jobs"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="where the result is written")
    parser.add_argument("--seed", type=int, default=0, help="of the data")
    parser.add_argument("--only", help="one of the data sets, by its name")
    parser.add_argument("--home", type=Path, help="an empty folder that stays; default: one that goes")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(given.home or Path(folder), given.seed, given.only)
    text = json.dumps(result, indent=1)
    print(text)
    if given.json:
        given.json.write_text(text + "\n")


def measure(folder: Path, seed: int, only: str | None) -> dict[str, Any]:
    """Each data set in a home of its own, and what is the worst of all."""
    found = {}
    for data in three_folders(folder / "data", seed):
        if only in (None, data.name):
            found[data.name] = one(folder / f"home-{data.name}", folder / "data", data)
    return {**worst(list(found.values())), "odd": odd(), "of_each": found}


def one(home: Path, root: Path, data: Any) -> dict[str, Any]:
    """The way with one data set."""
    environment = {"SLIM_DATA_ROOTS": str(root)}
    with server(home, more=environment) as dashboard, chromium() as browser, opened(browser) as page:
        person = Person(page)
        store = Store.open(Settings(home=home))
        try:
            arrival = first_hour(person, str(dashboard), store, data)
            counts, presses = person.finish(), back_presses(page, PAGES)
            names = ["", *(name.lower() for name in PAGES)]
            opening, seen = shifts(page, str(dashboard), names), sizes(page, str(dashboard), names)
            conflicts = verdict_conflicts(page, str(dashboard), names)
        finally:
            store.close()
        heights = {name: height for name, (_, height) in seen.items()}
        looks = {"words_overview": seen["/"][0], "height_max_1440": max(heights.values()), "heights": heights}
        looks["verdict_conflicts"] = conflicts
        return of(counts, opening, presses, arrival.verdict) | looks


def of(counts: Counts, opening: dict[str, float], presses: float, verdict: str) -> dict[str, Any]:
    """The counts of one way, as they are kept."""
    return {
        **asdict(counts),
        "seconds_waited": round(counts.seconds_waited, 1),
        "moved": _rounded(counts.moved),
        "cls": _rounded(opening),
        "cls_max": round(max(opening.values()), 3),
        "back_presses": presses,
        "verdict": verdict,
    }


def _rounded(shifts: dict[str, float]) -> dict[str, float]:
    return {page: round(shift, 3) for page, shift in shifts.items()}


def worst(each: list[dict[str, Any]]) -> dict[str, Any]:
    """The keys that are asked for, over all data sets: the largest numbers, every fault, every verdict."""
    largest = ("clicks", "typed", "seconds_waited", "waits_without_time_left", "back_presses", "cls_max")
    largest += ("words_overview", "height_max_1440")
    return {
        **{key: max(one[key] for one in each) for key in largest},
        "dead_ends": [end for one in each for end in one["dead_ends"]],
        "verdict_conflicts": [one for each_set in each for one in each_set["verdict_conflicts"]],
        "console_errors": [error for one in each for error in one["console_errors"]],
        "verdicts": [one["verdict"] for one in each],
    }


if __name__ == "__main__":
    main()
