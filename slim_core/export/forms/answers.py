"""The answers of a campaign, in each format that they can be written and read in."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd

from slim_core.annotation.answer_files.writing import FORMATS, export
from slim_core.export.form import CAMPAIGN, Form, Source
from slim_core.export.image_list import write_csv
from slim_core.space.sheets import BELONGS

OPENS_IN = {"csv": "a spreadsheet, pandas", "jsonl": "pandas, any text editor", "parquet": "pandas, DuckDB"}
ABOUT_ENVIRONMENTS = "environment_answers"


def write(source: Source, folder: Path, *, format: str) -> None:
    """answers.<format>: every event in its order; current_answers.<format>: what counts now, one line an answer.

    Where people were asked about environments, environment_answers.<format>: what each says of each now.
    """
    campaign = source.store.campaigns.fetch(source.id)
    for name, current in (("answers", False), ("current_answers", True)):
        with (folder / f"{name}.{format}").open("wb") as file:
            for chunk in export(source.store, campaign, format, current=current):
                file.write(chunk)
    said = _about_environments(source)
    if len(said):
        _write_table(said, folder / f"{ABOUT_ENVIRONMENTS}.{format}")


def _about_environments(source: Source) -> pd.DataFrame:
    """environment (its path), name, annotator, answer (yes, no, mixed, unsure) and value."""
    votes = source.store.environment_answers.votes(source.id)
    columns = ["environment", "name", "annotator", "answer", "value"]
    lines = [(vote.environment, vote.name, vote.annotator, BELONGS[vote.value], vote.value) for vote in votes]
    return pd.DataFrame(lines, columns=columns)


def _write_table(frame: pd.DataFrame, path: Path) -> None:
    """In the format of the path's suffix."""
    if path.suffix == ".csv":
        write_csv(frame, path)
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True, force_ascii=False)
    else:
        frame.to_parquet(path, index=False)


FORMS = tuple(
    Form(
        name=f"answers-{format}",
        of=(CAMPAIGN,),
        title=f"Answers ({format})",
        about=f"answers.{format}: every answer, change and undo, with annotator, time and what was shown; "
        f"current_answers.{format}: what counts now; {ABOUT_ENVIRONMENTS}.{format}, where there are any.",
        opens_in=f"{OPENS_IN[format]}, slim answers import",
        write=partial(write, format=format),
    )
    for format in FORMATS
)
