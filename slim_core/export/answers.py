"""The answers of a campaign as tables."""

from __future__ import annotations

from pathlib import Path

from slim_core.annotation.answer_files.writing import export
from slim_core.export.form import CAMPAIGN, Form, Source


def write(source: Source, folder: Path) -> None:
    """answers.csv: every event in its order; current_answers.csv: what counts now, one line an answer."""
    campaign = source.store.campaigns.fetch(source.id)
    for name, current in (("answers", False), ("current_answers", True)):
        with (folder / f"{name}.csv").open("wb") as file:
            for chunk in export(source.store, campaign, "csv", current=current):
                file.write(chunk)


FORM = Form(
    name="answers-csv",
    of=(CAMPAIGN,),
    title="Answers (CSV)",
    about="answers.csv: every answer, change and undo, with annotator, time and what was shown; current_answers.csv: "
    "what counts now.",
    opens_in="a spreadsheet, pandas, slim answers import",
    write=write,
)
