"""What the space of so many images costs, and how good it is: fitted on a sample, the rest placed at its neighbours.

    python -m benchmarks.spaces --rows 50000 200000 1000000 --json benchmarks/results/spaces.json

Each number of rows is a process of its own, on made features in clumps. fit_s: until UMAP is fitted, with the PCA;
place_s: the rest, and umap-learn's own ``transform`` of as many rows, from ROWS_OF_TRANSFORM of them. Of rows that were
placed: trustworthiness (1 is best) and the share of the NEIGHBOURS nearest in the features that are so in the space.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.space import synthetic_features
from slim_core.space.embedding import SpaceConfig, embed, fit_pca, project, quiet, sampled

ROWS_OF_TRANSFORM, JUDGED, NEIGHBOURS = 20_000, 5_000, 15


def measured(rows: int, folder: Path) -> dict[str, float]:
    """The numbers of one space."""
    features = synthetic_features(rows, folder / "features.npy")
    config, began = SpaceConfig(), time.perf_counter()
    fitted: list[float] = []
    points = embed(features, config, on_placed=lambda *_: fitted.append(time.perf_counter()))
    ended = time.perf_counter()
    mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    fit_s = (fitted[0] if fitted else ended) - began
    found = {"rows": rows, "fit_s": round(fit_s, 1), "place_s": round(ended - began - fit_s, 1), "peak_mb": round(mb)}
    if rows <= config.pca_above:
        judged = np.random.default_rng(1).choice(rows, JUDGED, replace=False)
        return found | quality(features[judged], points[judged])
    sample = sampled(np.arange(rows), config.pca_above, config.seed)
    rest = np.setdiff1d(np.arange(rows), sample)
    some = sampled(rest, ROWS_OF_TRANSFORM, seed=1)
    transformed, seconds = by_transform(features[sample], features[some], config)
    found["place_by_transform_s"] = round(seconds * len(rest) / len(some), 1)
    judged = np.random.default_rng(2).choice(len(some), JUDGED, replace=False)
    wide = features[some[judged]]
    theirs = quality(wide, transformed[judged])
    return found | quality(wide, points[some[judged]]) | {f"{key}_by_transform": value for key, value in theirs.items()}


def by_transform(sample: np.ndarray, rows: np.ndarray, config: SpaceConfig) -> tuple[np.ndarray, float]:
    """Points of rows by umap-learn's ``transform``, and its seconds once its search is prepared."""
    import umap

    pca = fit_pca(sample, config.pca_dims, config.seed)
    with quiet():
        model = umap.UMAP(n_neighbors=config.n_neighbors, min_dist=config.min_dist, random_state=config.seed, n_jobs=1)
        model.fit(project(pca, sample))
        reduced = project(pca, rows)
        model.transform(reduced[:100])
        began = time.perf_counter()
        points = model.transform(reduced)
    return np.asarray(points), time.perf_counter() - began


def quality(features: np.ndarray, points: np.ndarray) -> dict[str, float]:
    """Of rows of features (n, K), at points (n, 2)."""
    from sklearn.manifold import trustworthiness
    from sklearn.neighbors import NearestNeighbors

    features = np.asarray(features, np.float32)
    near = [
        NearestNeighbors(n_neighbors=NEIGHBOURS).fit(each).kneighbors(return_distance=False)
        for each in (features, points)
    ]
    overlap = np.mean([len(set(a) & set(b)) / NEIGHBOURS for a, b in zip(*near, strict=True)])
    trust = trustworthiness(features, points, n_neighbors=NEIGHBOURS)
    return {"trustworthiness": round(float(trust), 3), "overlap": round(float(overlap), 3)}


def main() -> None:
    """Each number of rows in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[50_000, 200_000, 1_000_000])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measured(arguments.rows[0], Path(folder))))
        return
    found = []
    for rows in arguments.rows:
        child = [sys.executable, "-m", "benchmarks.spaces", "--one", "--rows", str(rows)]
        found.append(json.loads(subprocess.run(child, check=True, stdout=subprocess.PIPE, text=True).stdout))
        print(found[-1], flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps({"spaces": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
