"""A curated subset as a table."""

from __future__ import annotations

from pathlib import Path

from slim_core.export.form import Form, Source
from slim_core.export.image_list import image_list, write_csv
from slim_core.store.results import SubsetResult

FILE = "subset.csv"


def write(source: Source, folder: Path) -> None:
    """subset.csv: one line a distinct image."""
    chosen = SubsetResult(source.folder).images()
    about = image_list(source.table, chosen["row"].to_numpy())
    extra = chosen[["count", "cell", "score"]].rename(columns=lambda name: f"subset_{name}" if name in about else name)
    write_csv(about.join(extra), folder / FILE)


FORM = Form(
    name="subset-csv",
    of=("curate",),
    title="Table (CSV)",
    about=f"{FILE}: one line for each distinct image, with its path, label, cell, and how often it is used.",
    opens_in="a spreadsheet, pandas",
    write=write,
)
