"""The answers of a campaign, in each format that they can be written and read in."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from slim_core.annotation.answer_files.writing import FORMATS, export
from slim_core.export.form import CAMPAIGN, Form, Source

OPENS_IN = {"csv": "a spreadsheet, pandas", "jsonl": "pandas, any text editor", "parquet": "pandas, DuckDB"}


def write(source: Source, folder: Path, *, format: str) -> None:
    """answers.<format>: every event in its order; current_answers.<format>: what counts now, one line an answer."""
    campaign = source.store.campaigns.fetch(source.id)
    for name, standing in (("answers", False), ("current_answers", True)):
        with (folder / f"{name}.{format}").open("wb") as file:
            for chunk in export(source.store, campaign, format, standing=standing):
                file.write(chunk)


FORMS = tuple(
    Form(
        name=f"answers-{format}",
        of=(CAMPAIGN,),
        title=f"Answers ({format})",
        about=f"answers.{format}: every answer, change and undo, with who, when and what was seen; "
        f"current_answers.{format}: what counts now.",
        opens_in=f"{OPENS_IN[format]}, slim answers import",
        write=partial(write, format=format),
    )
    for format in FORMATS
)
