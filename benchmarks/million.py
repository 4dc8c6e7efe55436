"""What a million images cost behind their features: candidates, propagation, environments, budgets and picks.

    python -m benchmarks.million --rows 1000000 --json benchmarks/results/million.json

Each case is a process of its own, on made features in clumps: seconds of each step, and its largest memory in MB.
There are cases of --rows, a tenth and a hundredth of them, and of --rows with other dimensions, classes and answers.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import TypeVar

import numpy as np

from slim_core.annotation.candidates import budgets_of, kmeans_candidates
from slim_core.annotation.propagation import expand
from slim_core.curation.cells import choose_all
from slim_core.curation.data import CurateOptions, CurationData
from slim_core.curation.slim import cell_budgets, kept_or_all
from slim_core.space.environments import ClusterConfig, environment_clusters

T = TypeVar("T")
DIMS, CLASSES, ANSWERS = (10, 32), (2, 100), (3_000, 30_000)
PICKS = (20_000, 200_000)  # of a million
CLUMPS, CHANNELS = 40, 64


@dataclass(frozen=True)
class Case:
    """One set of images."""

    rows: int
    dims: int = 10  # of the reduced environment features
    classes: int = 2
    answers: int = 3_000


def cases(rows: int) -> list[Case]:
    """By the number of rows first, then by the rest."""
    varied = [Case(rows, *each) for each in product(DIMS, CLASSES, ANSWERS)]
    return [*(replace(varied[0], rows=rows // part, answers=ANSWERS[0] // part) for part in (100, 10)), *varied]


def measured(case: Case) -> dict[str, float]:
    """Seconds of each step, of all, and MB."""
    rng = np.random.default_rng(0)
    clump, labels = (rng.integers(n, size=case.rows) for n in (CLUMPS, case.classes))
    space = (rng.normal(size=(CLUMPS, 2))[clump] * 4 + rng.normal(size=(case.rows, 2))).astype(np.float32)
    features = _features(rng, clump)
    seconds: dict[str, float] = {}

    def timed(name: str, step: Callable[[], T]) -> T:
        began = time.perf_counter()
        done = step()
        seconds[f"{name}_s"] = round(time.perf_counter() - began, 2)
        return done

    share = case.answers / case.rows
    asked = timed("candidates", lambda: kmeans_candidates(space, labels, budgets_of(labels, share), seed=0))
    answers = np.full(case.rows, -1)
    answers[asked] = clump[asked] % 2
    scores = timed("propagation", lambda: expand(space, labels, answers))
    config = ClusterConfig(cluster_dims=case.dims)
    clusters = timed("environments", lambda: environment_clusters(features, labels, config))
    data = CurationData(labels, space, space, clusters.reduced, clusters, scores, answers, None, case.classes)
    options = CurateOptions()
    for n in PICKS:
        size = n * case.rows // 1_000_000
        kept = kept_or_all(data, options)
        cells, budgets = timed(f"budgets_{n}", lambda: cell_budgets(data, kept, size, options))  # noqa: B023
        timed(f"picks_{n}", lambda: choose_all(cells, budgets, data.environment, seed=0))  # noqa: B023
    mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**seconds, "all_s": round(sum(seconds.values()), 1), "peak_mb": round(mb)}


def _features(rng: np.random.Generator, clump: np.ndarray) -> np.ndarray:
    """(N, CHANNELS) float16, made a part at a time: all at once in float64 would be the largest array of the case."""
    centres = rng.normal(size=(CLUMPS, CHANNELS)) * 2
    features = np.empty((len(clump), CHANNELS), np.float16)
    for part in np.array_split(np.arange(len(clump)), max(1, len(clump) // 50_000)):
        features[part] = centres[clump[part]] + rng.normal(size=(len(part), CHANNELS))
    return features


def main() -> None:
    """Each case in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--case", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(measured(Case(**arguments.case))))
        return
    found = []
    for case in cases(arguments.rows):
        child = [sys.executable, "-m", "benchmarks.million", "--case", json.dumps(asdict(case))]
        done = subprocess.run(child, check=True, stdout=subprocess.PIPE, text=True)
        found.append(asdict(case) | json.loads(done.stdout))
        print(found[-1], flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps({"cases": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
