"""What one answer costs until its effect is known, and what files of answers cost, on a campaign of 100,000 images.

    python -m benchmarks.effect --json benchmarks/results/effect.json

Writes {"answer_to_scores_ms", "preview_ms", "map_ms", "stability_ms", "max_difference", "export_8k_csv_s", ...}; times
are medians. max_difference is that of the live scores to the same scores made at once.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from app.annotate.live_map import live_map
from slim_core import result_files
from slim_core.annotation.answer_files.checking import import_file
from slim_core.annotation.answer_files.writing import FORMATS, export
from slim_core.annotation.convergence import stability
from slim_core.annotation.live_effect import effect
from slim_core.annotation.plan import Plan, open_campaign
from slim_core.annotation.propagation import expand, live_campaign
from slim_core.data.images import codec
from slim_core.data.report import Imported, ImportReport
from slim_core.data.table import COLUMNS, ImageTable
from slim_core.settings import Settings
from slim_core.steps.specs import GradcamSpec, SpaceSpec, Spec, TrainSpec
from slim_core.store import AnswerIn, Campaign, Run, Store

N_ANSWERS = 25  # measured


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--asked", type=int, default=3_000, help="images of the campaign; most are answered before")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Settings(home=Path(folder) / "home", shard_images=10**9))
        space = a_space(store, Path(folder), args.images)
        result = {"images": args.images, "asked": args.asked, **answers(store, space.id, args.asked)}
        result |= files(store, space)
        store.close()
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


def a_space(store: Store, folder: Path, n: int) -> Run:
    """A finished space run of n images in clumps, two classes, two environments each; nobody looks at their pixels."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({column: [""] * n for column in COLUMNS})
    frame["path"], frame["split"], frame["attribute"] = [f"{row}.png" for row in range(n)], "train", -1
    clump = rng.integers(0, 40, n)
    frame["label"] = labels = (clump % 2) ^ (rng.random(n) < 0.1)
    frame[list(COLUMNS[5:])] = np.nan
    table = ImageTable("bench", folder, frame, ("zero", "one"))
    dataset = store.datasets.register(Imported(table, ImportReport("demo", "bench", str(folder), (), n_images=n)))
    points = (rng.normal(size=(40, 2)) * 8)[clump] + rng.normal(size=(n, 2)) * rng.uniform(0.1, 1.5, 40)[clump, None]
    clusters = {"clusters": (clump // 2 % 5 == 0).astype(np.int64), "environment_reduced": rng.normal(size=(n, 10))}
    spaces = {"attention_space": points.astype(np.float32), "environment_space": rng.normal(size=(n, 2))}
    model = finish(store, TrainSpec(dataset=dataset.id, model="small-resnet"), {})
    attention = finish(store, GradcamSpec(dataset=dataset.id, model=model.id), {})
    about = {"n_per_class": [2] * (int(labels.max()) + 1)}
    spec = SpaceSpec(dataset=dataset.id, attention=attention.id)
    return finish(store, spec, {"rows": np.arange(n), **clusters, **spaces}, about)


def finish(store: Store, spec: Spec, arrays: dict[str, np.ndarray], clusters: dict[str, Any] | None = None) -> Run:
    """A run of the spec that leaves these arrays."""
    run = store.runs.submit(spec)[0]
    token = store.queue.claim(run.id, "bench", "cpu")
    attempt = store.runs.fetch(run.id).attempt
    out = store.artifacts.attempt(run.id, attempt)
    for name, array in arrays.items():
        np.save(out / result_files.array_file(name), array)
    (out / result_files.CLUSTERS_ABOUT).write_text(json.dumps(clusters or {}))
    store.artifacts.publish(run.id, attempt)
    store.attempts.finish(run.id, token, {})
    return store.runs.fetch(run.id)


def answers(store: Store, space: str, n_asked: int) -> dict[str, float]:
    """A campaign in which all but the last images are answered, and then those, one by one."""
    seconds, campaign = timed(lambda: open_campaign(store, Plan(space, {0: n_asked // 2, 1: n_asked // 2}), "bench"))
    items = store.campaigns.items(campaign.id)
    give(store, campaign, items[:-N_ANSWERS])
    first, _ = timed(lambda: effect(store, campaign.id))
    first_stability, _ = timed(lambda: stability(store, campaign.id))
    live = live_campaign(store, campaign.id)
    spent: dict[str, list[float]] = {"answer_to_scores_ms": [], "preview_ms": [], "map_ms": [], "stability_ms": []}
    for item in items[-N_ANSWERS:]:
        give(store, campaign, [item])
        spent["answer_to_scores_ms"].append(timed(lambda: live.refresh(store))[0])
        took, found = timed(lambda: effect(store, campaign.id))
        spent["preview_ms"].append(took)
        asked = found.answers != -1
        picture = timed(lambda: codec.encode(live_map(found.points, found.scores, found.answers, asked), "webp"))  # noqa: B023
        spent["map_ms"].append(picture[0])
        spent["stability_ms"].append(timed(lambda: stability(store, campaign.id))[0])
    at_once = expand(live.points, live.labels, found.answers)
    return {
        "open_campaign_s": seconds,
        "first_effect_s": first,
        "first_stability_s": first_stability,
        **{name: 1000 * float(np.median(times)) for name, times in spent.items()},
        "max_difference": float(np.nanmax(np.abs(at_once - found.scores))),
    }


def give(store: Store, campaign: Campaign, items: list[Any]) -> None:
    """Answer items: every third row wrong, the others right."""
    given = [AnswerIn(f"{campaign.id}-{item.id}", item.id, int(item.row % 3 > 0), {"opacity": 0.5}) for item in items]
    store.answers.save(campaign.id, "bench", given)


def files(store: Store, space: Run) -> dict[str, float]:
    """8,000 answers out in every format, and into another campaign."""
    rows = np.arange(8_000)
    first, second = (store.campaigns.create(name, space.dataset_id, space.id, rows) for name in ("out", "in"))
    give(store, first, store.campaigns.items(first.id))
    spent = {form: timed(lambda: b"".join(export(store, first, form)))[0] for form in FORMATS}  # noqa: B023
    content = b"".join(export(store, first, "csv", current=True))
    seconds, done = timed(lambda: import_file(store, second, content, "bench"))
    assert done.n_new == len(rows)
    return {**{f"export_8k_{form}_s": took for form, took in spent.items()}, "import_8k_s": seconds}


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what the action returned."""
    started = time.perf_counter()
    result = action()
    return time.perf_counter() - started, result


if __name__ == "__main__":
    main()
