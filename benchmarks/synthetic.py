"""A home of any size, filled without training: what pages and queries are measured on.

    python -m benchmarks.synthetic /tmp/synthetic-home --images 100000

Its images are a few real ones of the demo data set, shared by all rows. Every array, table and number has the form
its step would leave; the campaign is answered and the subsets are curated by the real code. Only what would take hours
is drawn from a generator instead: the models' predictions, the attention and the spaces.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from slim_core import result_files
from slim_core.annotation.candidates import budgets_of, kmeans_candidates
from slim_core.annotation.simulated_annotator import simulate_answers
from slim_core.data.groups import Grouping, grouping
from slim_core.data.importing import import_data
from slim_core.data.report import Imported, ImportReport, describe, require
from slim_core.data.sets.digits import DemoConfig, write_demo
from slim_core.data.table import ImageTable
from slim_core.metrics import AIOU, ATTENTION_PRECISION, COVERAGE, IOU, classification_metrics, name_classes
from slim_core.runs.execute import environment
from slim_core.runs.trainings import retrain_spec
from slim_core.space.environments import Clusters
from slim_core.steps.specs import parse_spec
from slim_core.store import CampaignSettings, Dataset, Run, Store
from slim_core.store.results import SpaceResult

HELD_OUT = 0.1  # val and test images each, as a share of the training images
CORRELATION = 0.9  # of label and photograph in train
N_FEATURES, N_REDUCED = 8, 10
ANSWERED = 0.01  # of the training images
MARKER = "synthetic.json"
MAP_SIDE = 8
Write = Callable[[Path], dict[str, Any]]


@dataclass(frozen=True)
class Synthetic:
    """Ids of what a home holds."""

    home: str
    n: int  # training images, the points of the space
    dataset: str
    model: str
    attention: str
    space: str
    campaign: str
    subsets: tuple[str, ...]
    retrained: tuple[str, ...]
    evaluations: tuple[str, ...]


def make_home(folder: Path, n: int = 100_000, seed: int = 0) -> Synthetic:
    """Fill a home with ``n`` training images (and a tenth as many val and test ones); takes what is there already.

    Raises:
        SystemExit: the folder holds something else.
    """
    marker = folder / MARKER
    if marker.exists():
        kept = json.loads(marker.read_text())
        if (kept["n"], kept.pop("seed")) == (n, seed):
            return Synthetic(**{key: tuple(v) if isinstance(v, list) else v for key, v in kept.items()})
    if folder.exists() and any(folder.iterdir()):
        raise SystemExit(f"{folder} holds something else: name another folder, or delete this one first.")
    from slim_core.settings import Settings

    store = Store.open(Settings(home=folder))
    store.runs.shard_images = 10**9  # its one gradcam run is not split
    try:
        made = _Filling(store, folder, n, seed).all()
    finally:
        store.close()
    marker.write_text(json.dumps(asdict(made) | {"seed": seed}, indent=1))
    return made


class _Filling:
    """Registers a data set, and one finished run after another."""

    def __init__(self, store: Store, folder: Path, n: int, seed: int) -> None:
        self.store, self.folder, self.n, self.seed = store, folder, n, seed
        self.rng = np.random.default_rng(seed)

    def all(self) -> Synthetic:
        """Everything the pages show."""
        model = self.finished(self.spec("train", model="small-resnet"), "ERM reference", self.train(0.6))
        attention = self.finished(self.spec("gradcam", model=model.id), "Attention of the reference", self.gradcam)
        space = self.finished(self.spec("space", attention=attention.id), "Attention space of train", self.space)
        campaign = self.campaign(space)
        subsets = [self.subset(space, campaign, strategy) for strategy in ("slim", "random")]
        models = [self.retrained(model, subset) for subset in subsets]
        judged = [
            self.finished(self.spec("evaluate", model=one.id), f"{one.name} on test", self.evaluate(wga))
            for one, wga in zip((model, *models), (0.62, 0.9, 0.7), strict=True)
        ]
        named = {"dataset": self.dataset, "model": model, "attention": attention, "space": space}
        listed = {"subsets": subsets, "retrained": models, "evaluations": judged}
        return Synthetic(
            home=str(self.folder),
            n=self.n,
            campaign=campaign,
            **{name: one.id for name, one in named.items()},
            **{name: tuple(one.id for one in runs) for name, runs in listed.items()},
        )

    @cached_property
    def dataset(self) -> Dataset:
        """Rows of three splits, over the images of a small demo data set."""
        write_demo(self.folder / "images", DemoConfig(seed=self.seed, train=160, val=40, test=40))
        small = require(import_data(self.folder / "images", name=f"synthetic-{self.n}"))
        table = dataclasses.replace(small, frame=small.frame.iloc[self._rows(small)].reset_index(drop=True))
        splits, groups = describe(table)
        report = ImportReport("demo", table.name, str(table.root), (), len(table), splits, groups, len(table), "all")
        return self.store.datasets.register(Imported(table, report), by="benchmark")

    def _rows(self, small: ImageTable) -> np.ndarray:
        """Rows of the small table, drawn so that each split has its size and its correlation."""
        held = max(8, round(HELD_OUT * self.n))
        drawn = []
        for split, n, share in (("train", self.n, CORRELATION), ("val", held, 0.5), ("test", held, 0.5)):
            label = np.arange(n) % small.n_classes
            attribute = np.where(self.rng.random(n) < share, label, 1 - label)
            of_split = small.rows(split)
            for group in np.unique(label * 2 + attribute):
                mine = of_split[(small.labels * 2 + small.attributes)[of_split] == group]
                drawn.append(self.rng.choice(mine, int((label * 2 + attribute == group).sum())))
        return np.concatenate(drawn)

    @cached_property
    def drawn(self) -> Drawn:
        """What a model sees in the registered table."""
        return Drawn(self.store.datasets.table(self.dataset.id), self.rng)

    @property
    def table(self) -> ImageTable:
        """The registered table."""
        return self.drawn.table

    def spec(self, kind: str, **fields: Any) -> Mapping[str, Any]:
        """The spec of a step on this data set."""
        return {"kind": kind, "dataset": self.dataset.id, "seed": self.seed, **fields}

    def finished(self, spec: Mapping[str, Any], name: str, write: Write) -> Run:
        """A run that is done, with what ``write`` leaves in its folder."""
        run, _ = self.store.runs.submit(parse_spec(dict(spec)), by="benchmark", name=name)
        token = self.store.attempts.claim(run.id, "synthetic", "cpu", None)
        run = self.store.runs.fetch(run.id)
        out = self.store.artifacts.attempt(run.id, run.attempt)
        metrics = write(out)
        recorded = {
            result_files.SPEC: run.spec,
            result_files.ENVIRONMENT: environment(run),
            result_files.METRICS: metrics,
        }
        for file, content in recorded.items():
            (out / file).write_text(json.dumps(content, indent=1))
        (out / result_files.LOG).write_text(f"INFO synthetic {run.kind} {run.id}\n")
        self.store.artifacts.publish(run.id, run.attempt)
        self.store.attempts.finish(run.id, token, metrics)
        return self.store.runs.fetch(run.id)

    def train(self, worst: float, images: int | None = None) -> Write:
        """A model of the demo's kind with its first weights, and curves that rise."""

        def write(out: Path) -> dict[str, Any]:
            from slim_core.models.build import build
            from slim_core.models.model import save_model

            save_model(build("small-resnet", 2, label_names=self.table.label_names, seed=self.seed), out)
            rows, history = self.table.rows("val"), []
            for epoch in range(1, 11):
                val = self._classified(rows, self.drawn.probabilities(rows, worst * epoch / 10))
                about = {"lr": 0.05, "train_loss": 0.7 / epoch, "train_accuracy": 1 - 0.3 / epoch}
                history.append({"epoch": epoch, **about, "val": val | {"loss": 0.6 / epoch}, "seconds": 1.0})
            (out / result_files.HISTORY).write_text(json.dumps(history))
            n = images or self.n
            best = {"epochs": 10, "best_epoch": 10, "seconds": 10.0, "val": history[-1]["val"]}
            return {"images": n, "images_unique": n, **best}

        return write

    def gradcam(self, out: Path) -> dict[str, Any]:
        """Maps, features, logits and scores of every row."""
        n = len(self.table)
        probabilities = self.drawn.probabilities(np.arange(n), 0.62)
        np.save(out / result_files.ROWS, np.arange(n))
        np.save(out / result_files.MAPS, self.drawn.maps())
        for file in result_files.FEATURES.values():
            features = self.rng.normal(size=(n, N_FEATURES)).astype(np.float16)
            np.save(out / file, features)
        np.save(out / result_files.LOGITS, np.log(probabilities).astype(np.float32))
        scores = self.drawn.scores(probabilities)
        scores.to_parquet(out / result_files.SCORES, index=False)
        means = {name: float(scores[name].mean()) for name in (IOU, AIOU, ATTENTION_PRECISION)}
        right = float((scores["prediction"] == self.table.labels).mean())
        shape = {"path": "forward", "map_shape": [MAP_SIDE, MAP_SIDE], "n_features": N_FEATURES}
        return {"n": n, "accuracy": right, "no_evidence": 0, "n_masks": n, COVERAGE: 1.0, **means, **shape}

    def space(self, out: Path) -> dict[str, Any]:
        """Islands of points: in E by class and by where the model looks, in Q by class and photograph."""
        rows = self.table.rows("train")
        labels, attributes = self.table.labels[rows], self.table.attributes[rows]
        part = self.rng.integers(0, 6, len(rows))
        np.save(out / result_files.ROWS, rows)
        np.save(
            out / result_files.SPACES["attention"],
            self.drawn.islands(labels * 12 + self.drawn.looks_right[rows] * 6 + part),
        )
        np.save(out / result_files.SPACES["environment"], self.drawn.islands(labels * 12 + attributes * 6 + part))
        reduced = self.rng.normal(size=(len(rows), N_REDUCED)) + 4 * attributes[:, None]
        clusters = Clusters(index=attributes, n_per_class=(2, 2), reduced=reduced)
        np.save(out / result_files.ENVIRONMENT_REDUCED, clusters.reduced)
        np.save(out / result_files.CLUSTERS, clusters.index)
        (out / result_files.CLUSTERS_ABOUT).write_text(json.dumps(clusters.to_json()))
        return {"images": len(rows), "clusters": dict.fromkeys(self.table.label_names, 2)}

    def campaign(self, space: Run) -> str:
        """A campaign with all its answers."""
        folder, rows = self.store.artifacts.folder(space.id), self.table.rows("train")
        points, labels = SpaceResult(folder).points(), self.table.labels[rows]
        budgets = budgets_of(labels, min(ANSWERED, 1000 / self.n))
        asked = rows[kmeans_candidates(points, labels, budgets, self.seed)]
        campaign = self.store.campaigns.create(
            "Candidates", self.dataset.id, space.id, asked, settings=CampaignSettings(seed=self.seed)
        )
        simulate_answers(self.store, campaign.id, flip=0.03, unsure=0.02, seed=self.seed)
        return campaign.id

    def subset(self, space: Run, campaign: str, strategy: str) -> Run:
        """A subset, by the real step."""
        from slim_core.runs.executor import InProcess, Workbench

        spec = self.spec(
            "curate",
            space=space.id,
            campaign=campaign if strategy == "slim" else None,
            strategy=strategy,
            size=self.n // 10,
        )
        bench = Workbench(self.store, InProcess(self.store, by="benchmark", device="cpu"))
        return bench.run(parse_spec(dict(spec)), name=f"Subset by {strategy}")

    def retrained(self, model: Run, subset: Run) -> Run:
        """A model trained on a subset."""
        spec = retrain_spec(model, subset, "reference", self.seed, {}).model_dump(mode="json")
        name = f"Retrained on {subset.spec['strategy']}"
        return self.finished(spec, name, self.train(0.9, images=self.n // 10))

    def evaluate(self, worst: float) -> Write:
        """Metrics and predictions on test."""

        def write(out: Path) -> dict[str, Any]:
            rows = self.table.rows("test")
            probabilities = self.drawn.probabilities(rows, worst)
            metrics = name_classes(self._classified(rows, probabilities), self.table.label_names)
            columns = {"row": rows, "label": self.table.labels[rows], "prediction": probabilities.argmax(1)}
            columns |= {"group": self.drawn.groups.index[rows], "confidence": probabilities.max(1)}
            pd.DataFrame(columns).to_parquet(out / result_files.PREDICTIONS, index=False)
            return metrics | {
                IOU: 0.3,
                AIOU: 0.7,
                ATTENTION_PRECISION: worst * 0.8,
                COVERAGE: 1.0,
                "n_masks": len(rows),
            }

        return write

    def _classified(self, rows: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
        counts = self.drawn.groups.counts(self.table.rows("train"))
        return classification_metrics(self.table.labels[rows], probabilities, self.drawn.groups.take(rows), counts)


class Drawn:
    """A table of N images and two classes; what the photograph of an image says of its label misleads the model."""

    def __init__(self, table: ImageTable, rng: np.random.Generator) -> None:
        self.table, self.rng = table, rng

    @cached_property
    def groups(self) -> Grouping:
        """Of all rows."""
        return grouping(self.table)

    @cached_property
    def agrees(self) -> np.ndarray:
        """(N,) bool: the photograph is the one of the label."""
        return self.table.labels == self.table.attributes

    @cached_property
    def looks_right(self) -> np.ndarray:
        """(N,) bool: the attention lies on the digit; rarer where the photograph alone gives the label away."""
        return self.rng.random(len(self.table)) < np.where(self.agrees, 0.55, 0.8)

    def probabilities(self, rows: np.ndarray, worst: float) -> np.ndarray:
        """(n, 2) of a model that gets ``worst`` of the images right whose photograph misleads, and 97 % of others."""
        right = self.rng.random(len(rows)) < np.where(self.agrees[rows], 0.97, worst)
        sure = np.clip(self.rng.beta(6, 1.5, len(rows)) * 0.5 + 0.5, 0.5, 0.999)
        of_label = np.where(right, sure, 1 - sure)
        return np.column_stack([np.where(self.table.labels[rows] == c, of_label, 1 - of_label) for c in (0, 1)])

    def maps(self) -> np.ndarray:
        """(N, 8, 8) float16: one bright spot an image."""
        at = self.rng.integers(0, MAP_SIDE, (len(self.table), 2))
        grid = np.arange(MAP_SIDE)
        y, x = (np.exp(-((grid - at[:, k, None]) ** 2) / 4).astype(np.float16) for k in (0, 1))
        return np.asarray(y[:, :, None] * x[:, None, :])

    def scores(self, probabilities: np.ndarray) -> pd.DataFrame:
        """scores.parquet of an attention pass over all rows, given (N, 2) probabilities."""
        precision = np.where(
            self.looks_right, self.rng.beta(8, 2, len(self.table)), self.rng.beta(2, 8, len(self.table))
        )
        of_label = probabilities[np.arange(len(self.table)), self.table.labels]
        return pd.DataFrame(
            {
                "row": np.arange(len(self.table)),
                "prediction": probabilities.argmax(1),
                "confidence": probabilities.max(1),
                "loss": -np.log(of_label),
                "entropy": -(probabilities * np.log2(probabilities)).sum(1),
                "no_evidence": False,
                IOU: precision * 0.4,
                AIOU: 0.3 + 0.6 * precision,
                ATTENTION_PRECISION: precision,
            }
        )

    def islands(self, index: np.ndarray) -> np.ndarray:
        """(n, 2) float32: an elongated cloud for each number in ``index`` (n,)."""
        n = int(index.max()) + 1
        centres, spread = self.rng.uniform(-12, 12, (n, 2)), self.rng.uniform(0.4, 1.6, (n, 2))
        return np.asarray(self.rng.normal(size=(len(index), 2)) * spread[index] + centres[index], np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, help="a folder that does not exist yet")
    parser.add_argument("--images", type=int, default=100_000, help="training images")
    parser.add_argument("--again", action="store_true", help="delete what the folder holds first")
    args = parser.parse_args()
    if args.again and (args.home / MARKER).exists():
        shutil.rmtree(args.home)
    started = time.perf_counter()
    made = make_home(args.home, args.images)
    print(json.dumps(asdict(made) | {"seconds": round(time.perf_counter() - started, 1)}))


if __name__ == "__main__":
    main()
