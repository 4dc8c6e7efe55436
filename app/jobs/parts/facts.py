"""A run in numbers: what it found, and when, where, how long and with how much memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from app import session
from app.jobs.parts import attempts
from app.ui.links import link_table
from app.ui.links.link_table import Cell, Column
from slim_core.data.names import shortened
from slim_core.errors import NotFoundError
from slim_core.metrics import AIOU, ATTENTION_PRECISION, AVERAGE, COVERAGE, DEFINITIONS, WGA
from slim_core.percent import duration, percent

if TYPE_CHECKING:
    from slim_core.store import Run
    from slim_core.store.runs.shards import Together

MOST_LETTERS = 40  # of the name of the data set, whose column is narrow
# kind -> the numbers that say it: (path in the metrics, title, whether a rate, help)
HEADLINES: dict[str, tuple[tuple[tuple[str, ...], str, bool, str], ...]] = {
    "train": (
        (("val", WGA), "Worst group, val", True, f"{DEFINITIONS[WGA]} On the validation images."),
        (("val", AVERAGE), "Average, val", True, DEFINITIONS[AVERAGE]),
        (("images",), "Images", False, "Training images, including repeats."),
        (("best_epoch",), "Best epoch", False, "The best epoch on validation images."),
    ),
    "evaluate": (
        ((WGA,), "Worst group", True, DEFINITIONS[WGA]),
        ((AVERAGE,), "Average", True, DEFINITIONS[AVERAGE]),
        ((ATTENTION_PRECISION,), "Attention precision", True, DEFINITIONS[ATTENTION_PRECISION]),
        ((COVERAGE,), "Scored", True, DEFINITIONS[COVERAGE]),
        (("n",), "Images", False, "Images of the split."),
    ),
    "gradcam": (
        (("accuracy",), "Accuracy", True, "On the images of this pass."),
        ((AIOU,), "AIoU", True, DEFINITIONS[AIOU]),
        ((ATTENTION_PRECISION,), "Attention precision", True, DEFINITIONS[ATTENTION_PRECISION]),
        ((COVERAGE,), "Scored", True, DEFINITIONS[COVERAGE]),
        (("n",), "Images", False, "Images of this pass."),
    ),
    "preview": ((("n",), "Images", False, "Images of the preview."),),
    "features": ((("n",), "Images", False, "Images of this pass."),),
    "space": ((("images",), "Images", False, "Images of the space."),),
    "curate": (
        (("images",), "Images", False, "Images of the subset, including repeats."),
        (("images_unique",), "Distinct images", False, "Images of the subset without repeats."),
        (("answers",), "Answers", False, "Images with an answer behind the subset."),
        (("answers_share",), "Share answered", True, "Images with an answer, and votes on sheets, per image of train."),
    ),
}


def headline(run: Run) -> None:
    """The numbers that say what a finished run found."""
    numbers = [one for one in HEADLINES.get(run.kind, ()) if _at(run.metrics or {}, one[0]) is not None]
    if not numbers:
        return
    for column, (path, title, rate, help_text) in zip(st.columns(len(numbers)), numbers, strict=True):
        value = _at(run.metrics or {}, path)
        column.metric(title, percent(value) if rate else f"{value:,}", help=help_text, border=True)


def _at(metrics: dict[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = metrics
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def show(run: Run, shards: Together | None) -> None:
    """When, where, how long, how much. ``shards``: of a run that has some and has ended."""
    link_table.show(f"facts-{run.id}", "About this run", (Column("About"), Column("")), facts(run, shards))


def facts(run: Run, shards: Together | None = None) -> list[list[Cell]]:
    """One row a fact, those that are known."""
    run = run if shards is None else shards.with_merge(run)
    attempts_of = "All attempts." if shards is None else "All attempts of its shards, and the merge."
    found: list[tuple[str, Cell | None]] = [
        ("Data", _data(run)),
        ("Submitted", Cell(time=run.created_at)),
        ("By", Cell(run.created_by)),
        ("Waited", _waited(run)),
        ("Started", Cell(time=run.started_at) if run.started_at else None),
        ("Ended", Cell(time=run.finished_at) if run.finished_at else None),
        ("Time", _passed(run) if shards is not None else None),
        ("Computing time", Cell(duration(run.seconds), title=attempts_of) if run.seconds else None),
        ("Attempts", Cell(str(run.attempt)) if run.attempt else None),
        ("Worker", Cell(run.worker) if run.worker else None),
        ("Device", Cell(run.device) if run.device else None),
        ("Requested device", Cell(run.device_asked) if run.device_asked else None),
        ("Peak memory", Cell(f"{run.peak_memory_mb:,.0f} MB") if run.peak_memory_mb else None),
        ("Priority", Cell(str(run.priority)) if run.priority else None),
        ("Code", Cell(run.code_version) if run.code_version else None),
    ]
    return [[Cell(name, "quiet"), cell] for name, cell in found if cell is not None]


def _passed(run: Run) -> Cell | None:
    passed = run.passed_s
    return None if passed is None else Cell(duration(passed), title="From the start of its first shard to its end.")


def _data(run: Run) -> Cell | None:
    """The data set, and which version of it where there are several."""
    datasets = session.store().datasets
    try:
        used = datasets.fetch(run.dataset_id)
    except NotFoundError:
        return Cell(f"{run.dataset_id}, removed")
    versions = [one.id for one in reversed(datasets.versions(used))]
    which = f", version {versions.index(used.id) + 1} of {len(versions)}" if len(versions) > 1 else ""
    whole = f"{used.name}, {used.id}, fingerprint {used.fingerprint}, {used.root}"
    return Cell(f"{shortened(used.name, MOST_LETTERS)}{which}", title=whole)


def _waited(run: Run) -> Cell | None:
    waited = attempts.waited_s(run)
    return None if waited is None else Cell(duration(waited), title="In the queue, until the latest attempt began.")
