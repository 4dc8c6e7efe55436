"""What the tests of the store put into it."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import sqlalchemy as sa

from slim_core.data.report import Imported, ImportReport
from slim_core.data.table import COLUMNS, ImageTable
from slim_core.steps.specs import TrainSpec
from slim_core.store import Dataset, Item, Run, Store
from slim_core.store.database import Database


def image_table(root: Path, n_train: int = 40, name: str = "digits", seed: int = 0) -> ImageTable:
    """n_train rows of train and 10 of val, labels 0 and 1 in turn. Nothing looks at the pixels here."""
    root.mkdir(parents=True, exist_ok=True)
    return ImageTable(name, root, _rows(n_train, seed).copy(), ("zero", "one"))


@cache
def _rows(n_train: int, seed: int) -> pd.DataFrame:
    n = n_train + 10
    frame = pd.DataFrame({column: [""] * n for column in COLUMNS})
    frame["path"] = [f"{seed}/{row}.png" for row in range(n)]
    frame["split"] = ["train"] * n_train + ["val"] * 10
    frame["label"] = np.arange(n) % 2
    frame["attribute"] = -1
    for column in COLUMNS[5:]:
        frame[column] = np.nan
    return frame


def imported(table: ImageTable) -> Imported:
    """The table as an import hands it over."""
    return Imported(table, ImportReport("demo", table.name, str(table.root), (), n_images=len(table)))


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """The statements the database is sent meanwhile: what a slow, busy machine cannot change about being fast."""
    told: list[str] = []

    def tell(_connection, _cursor, statement: str, *_rest: object) -> None:
        told.append(statement)

    sa.event.listen(database.engine, "before_cursor_execute", tell)
    try:
        yield told
    finally:
        sa.event.remove(database.engine, "before_cursor_execute", tell)


@contextmanager
def transactions(database: Database) -> Iterator[list[str]]:
    """One entry for each transaction that begins meanwhile."""
    begun: list[str] = []

    def note(_connection: object) -> None:
        begun.append("begin")

    sa.event.listen(database.engine, "begin", note)
    try:
        yield begun
    finally:
        sa.event.remove(database.engine, "begin", note)


def train_spec(dataset: Dataset, seed: int = 0) -> TrainSpec:
    """A training of the small network."""
    return TrainSpec(dataset=dataset.id, model="small-resnet", seed=seed)


def next_item(store: Store, campaign_id: str, annotator: str, session: str = "") -> Item | None:
    """The item that an annotator sees next, under a lease; None where there is none for them."""
    found = store.assignments.assign(campaign_id, annotator, 1, session).items
    return found[0] if found else None


@dataclass(frozen=True)
class Worked:
    """A finished run and the folder it published."""

    run: Run
    folder: Path


def in_processes(n: int, work: Callable[[int], object]) -> list[object]:
    """What ``work(k)`` returns in n real processes that start at the same moment; an exception comes back as one."""
    context = multiprocessing.get_context("fork")
    start, results = context.Barrier(n), context.Queue()

    def child(k: int) -> None:
        start.wait(30)
        try:
            results.put((k, work(k)))
        except Exception as error:
            results.put((k, error))

    started = [context.Process(target=child, args=(k,)) for k in range(n)]
    for process in started:
        process.start()
    answers = dict(results.get(timeout=300) for _ in started)
    for process in started:
        process.join(30)
        assert process.exitcode == 0
    return [answers[k] for k in range(n)]


def in_threads(n: int, work: Callable[[int], object]) -> list[object]:
    """What ``work(k)`` returns in n threads that start at the same moment."""
    start = threading.Barrier(n)

    def thread(k: int) -> object:
        start.wait(30)
        return work(k)

    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(thread, range(n)))
