"""What the finder says where a model uses a known shortcut, and where it uses none.

    python -m benchmarks.finder --seeds 910 911 --json benchmarks/results/finder.json

Sets with a shortcut: two demo sets of digits, three of drawings, and three whose mark sits at one place of the frame (a
scale bar, a date stamp, a lamp). The same without: the mark or scene is as frequent in either class. ``drop``: what the
accuracy of the class falls by without its shortcut, on held-out images. found: a class that has the shortcut is named;
wrong: another one is; each with the true masks, and as if there were none. The rule was chosen on seeds 20, 21 and
910 to 918.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from slim_core import api
from slim_core.curation.finder import Seen, find
from slim_core.data.sets import Charts, DemoConfig, DemoSet, Patch, Pictures, Stickers
from slim_core.data.sets.demo_set import Picture, any_of, write_set
from slim_core.data.sets.digits import draw_on
from slim_core.runs.executor import InProcess, Workbench
from slim_core.settings import Settings
from slim_core.steps.passes import seen_in
from slim_core.store import Run, Store
from slim_core.store.results import AttentionResult, ModelResult

if TYPE_CHECKING:
    from slim_core.data.table import ImageTable

Mark = Literal["scale bar", "date stamp", "lamp"]


class Marked(Patch):
    """Digits on one background: the second class mostly has a mark, always at the same place of the frame.

    As in pictures of microscopes, cameras and machines.
    """

    kind: Mark = "lamp"

    name: ClassVar[str] = "marked"

    def drawn(
        self, glyph: np.ndarray, attribute: int, backgrounds: Sequence[np.ndarray], seed: tuple[int, int]
    ) -> Callable[[], Picture]:
        """With the mark, or without."""
        return partial(_draw_marked, glyph, backgrounds[0], self.size, seed, self.kind if attribute else None)


def _draw_marked(glyph: np.ndarray, place: np.ndarray, size: int, seed: tuple[int, int], kind: Mark | None) -> Picture:
    """The mark is no part of the object's mask; it lies over it where they meet."""
    pixels, mask = draw_on(glyph, place, size, seed)
    if kind is None:
        return pixels, mask
    image = Image.fromarray(pixels)
    _MARKS[kind](ImageDraw.Draw(image), size, np.random.default_rng([*seed, 2]))
    after = np.asarray(image)
    return after, np.where((after != pixels).any(axis=2), 0, mask).astype(np.uint8)


def _scale_bar(draw: ImageDraw.ImageDraw, size: int, rng: np.random.Generator) -> None:
    """White, at the lower right, of three lengths, with its number."""
    length, height = int(any_of([0.25, 0.3, 0.35], rng) * size), max(2, size // 32)
    right, bottom = size - size // 20, size - size // 20
    draw.rectangle((right - length, bottom - height, right, bottom), fill=(255, 255, 255))
    text = str(any_of(["20 um", "50 um", "100 um"], rng))
    draw.text((right - length, bottom - height - size // 9), text, (255, 255, 255), ImageFont.load_default(size // 11))


def _date_stamp(draw: ImageDraw.ImageDraw, size: int, rng: np.random.Generator) -> None:
    """Orange digits at the lower right, of another day in each image."""
    text = f"{rng.integers(1, 29):02d}.{rng.integers(1, 13):02d}.{rng.integers(10, 26)}"
    font = ImageFont.load_default(size // 9)
    draw.text((size - draw.textlength(text, font) - size // 25, size - size // 6), text, (255, 140, 0), font)


def _lamp(draw: ImageDraw.ImageDraw, size: int, rng: np.random.Generator) -> None:
    """A bright disc at the upper left, a little to and fro."""
    x, y, r = (int(v * size) for v in (rng.uniform(0.09, 0.15), rng.uniform(0.09, 0.15), rng.uniform(0.06, 0.09)))
    draw.ellipse((x - r, y - r, x + r, y + r), fill=(255, 250, 225))


_MARKS: dict[Mark, Callable[[ImageDraw.ImageDraw, int, np.random.Generator], None]] = {
    "scale bar": _scale_bar,
    "date stamp": _date_stamp,
    "lamp": _lamp,
}
_DRAWN = {"train": 800, "val": 200, "test": 300}
_DIGITS = {"train": 1200, "val": 240, "test": 360}
# name -> (set of a seed, classes that are given away)
CASES: dict[str, tuple[Callable[[int], DemoSet], tuple[int, ...]]] = {
    "stickers": (lambda seed: Stickers(seed=seed, correlation=0.95, **_DRAWN), (1,)),
    "charts": (lambda seed: Charts(seed=seed, **_DRAWN), (1,)),
    "scene": (lambda seed: Pictures(seed=seed, correlation=0.95, **_DRAWN), (0, 1)),
    "scale bar": (lambda seed: Marked(seed=seed, kind="scale bar", **_DIGITS), (1,)),
    "date stamp": (lambda seed: Marked(seed=seed, kind="date stamp", **_DIGITS), (1,)),
    "lamp": (lambda seed: Marked(seed=seed, kind="lamp", **_DIGITS), (1,)),
    "digits on photographs": (lambda seed: DemoConfig(seed=seed, **_DIGITS), (0, 1)),
    "patch": (lambda seed: Patch(seed=seed, **_DIGITS), (1,)),
    "stickers, no shortcut": (lambda seed: Stickers(seed=seed, correlation=0.5, **_DRAWN), ()),
    "scene, no shortcut": (lambda seed: Pictures(seed=seed, correlation=0.5, **_DRAWN), ()),
    "digits, no shortcut": (lambda seed: DemoConfig(seed=seed, correlation=0.5, **_DIGITS), ()),
    "patch, no shortcut": (lambda seed: Patch(seed=seed, correlation=0.5, **_DIGITS), ()),
}
EPOCHS = {"small-resnet": 15}  # the pretrained network: 3


def main() -> None:
    """Train, look and print; runs that --folder holds already are taken as they are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[920, 921])
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES), metavar="CASE")
    parser.add_argument("--folder", type=Path, help="where the runs are kept; default: nowhere")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        rows = [measured(name, seed, folder) for seed in args.seeds for name in args.cases]
    found = {"rows": rows, "cases": {name: _summed_up([row for row in rows if row["case"] == name]) for name in CASES}}
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found["cases"], indent=1))


def measured(name: str, seed: int, folder: Path) -> dict[str, Any]:
    """One set and seed."""
    make, given_away = CASES[name]
    demo = make(seed)
    store, model, attention = looked_at(demo, folder / f"{name.replace(' ', '_')}-{seed}")
    table, result = store.datasets.table(attention.dataset_id), AttentionResult(store.artifacts.folder(attention.id))
    transform, seen = ModelResult(store.artifacts.folder(model.id)).transform, seen_in(result)
    without_masks = replace(table, frame=table.frame.assign(mask=""))
    row: dict[str, Any] = {"case": name, "seed": seed, "drop": _drop(seen, table, given_away)}
    for which, masks in (("masks", table), ("no_masks", without_masks)):
        suspicious = [one for one in find(seen, masks, transform) if one.is_suspicious]
        row[which] = {
            "found": any(one.label in given_away for one in suspicious),
            "wrong": any(one.label not in given_away for one in suspicious),
            "sentences": [one.sentence(table.label_names) for one in suspicious],
        }
    store.close()
    return row


def _drop(seen: Seen, table: ImageTable, given_away: Sequence[int]) -> float | None:
    """The largest of the classes: accuracy with their usual attribute less that without, on held-out images."""
    labels, attributes = table.labels[seen.rows], table.attributes[seen.rows]
    right = (seen.predictions == labels) & ~np.isin(seen.rows, table.rows("train"))
    held_out = ~np.isin(seen.rows, table.rows("train"))
    rates = {
        (c, a): right[part].mean()
        for c in given_away
        for a in (0, 1)
        if (part := held_out & (labels == c) & (attributes == a)).any()
    }
    return max((float(rates[c, c] - rates[c, 1 - c]) for c in given_away), default=None)


def _summed_up(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    drops = [row["drop"] for row in rows if row["drop"] is not None]
    counts = {
        f"{what}_{which}": sum(row[which][what] for row in rows)
        for which in ("masks", "no_masks")
        for what in ("found", "wrong")
    }
    return {"n": len(rows), "drop": float(np.mean(drops)) if drops else None, **counts}


def looked_at(demo: DemoSet, folder: Path) -> tuple[Store, Run, Run]:
    """A store with the set, a model trained on it, and its attention."""
    write_set(folder / "set", demo)
    store = Store.open(Settings(home=folder / "home", data_roots=(folder,)))
    at = Workbench(store, InProcess(store, device="cpu"))
    data = api.data_set(folder / "set", at=at)
    model = api.train(data.id, at=at, model=demo.model, seed=demo.seed, epochs=EPOCHS.get(demo.model, 3))
    return store, model, api.gradcam(model.id, at=at)


if __name__ == "__main__":
    main()
