"""slim study, slim studies: sets x methods x seeds x annotators from one file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slim_core.cli.kit.bench import BY, open_store
from slim_core.cli.kit.console import (
    Device,
    Json,
    Queued,
    ReportedInterrupt,
    clock,
    console,
    errors,
    require_different,
    writable_text,
    write_json,
    write_text,
)
from slim_core.cli.kit.options import with_groups
from slim_core.cli.kit.tables import table
from slim_core.errors import SpecRefusedError, quoted
from slim_core.formatting import duration, in_percent

if TYPE_CHECKING:
    from slim_core.evaluation.study.summary import Result
    from slim_core.runs.study.run import Progress
    from slim_core.store import Store, StudyRecord

INTERRUPTED = "Interrupted. What has ended is kept; the same command resumes the study."
QUEUED_INTERRUPTED = (
    "Interrupted. What has ended is kept, and runs that are queued or running continue in the queue: `slim runs` "
    "lists them, `slim stop RUN` ends one. The same command resumes the study."
)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("study", epilog="Example: slim study choose.yaml --jobs 2 --html choose.html")(with_groups(study))
    app.command("studies", epilog="Example: slim studies")(studies)


@dataclass(frozen=True)
class Outputs:
    """The files that the results go into, beside the terminal."""

    csv: Annotated[
        Path | None, typer.Option("--csv", callback=writable_text, help="Write every row of the tables.")
    ] = None
    latex: Annotated[Path | None, typer.Option("--latex", callback=writable_text, help="Write one table in LaTeX.")] = (
        None
    )
    markdown: Annotated[
        Path | None, typer.Option("--markdown", callback=writable_text, help="Write the tables in Markdown.")
    ] = None
    html: Annotated[
        Path | None, typer.Option("--html", callback=writable_text, help="Write a page with tables and charts.")
    ] = None
    json: Json = None

    def write(self, result: Result) -> None:
        """Write the files that were asked for."""
        from slim_core.evaluation.study import text

        writers = {self.csv: text.to_csv, self.latex: text.to_latex, self.markdown: text.to_markdown}
        for path, to_text in writers.items():
            if path is not None:
                write_text(path, to_text(result))
        if self.html is not None:
            from slim_core.evaluation.study.page import render

            write_text(self.html, render(result))
        write_json(self.json, text.to_json(result))


def study(
    outputs: Outputs,
    file: Annotated[Path, typer.Argument(help="A study file (YAML), or the id of a study to show it again.")],
    jobs: Annotated[
        int | None, typer.Option(help="Pairs of set and seed computed at a time; default: one per core.")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads of torch in each process; default: 1.")] = None,
    queue: Queued = False,
    device: Device = None,
) -> None:
    """Compute every combination of a study file, each once, and show the tables. A second call resumes or shows them.

    A case that fails is listed with its error, and the others go on; the command that computes it exits with 2.
    """
    from slim_core.evaluation.study.summary import result_of

    require_different(outputs.csv, outputs.latex, outputs.markdown, outputs.html, outputs.json)
    is_computed = os.path.exists(file)
    if is_computed:
        store, kept = _computed(file, jobs, 1 if threads is None else threads, queue, device)
    else:
        store, kept = _kept(file, {"--jobs": jobs, "--threads": threads, "--queue": queue or None, "--device": device})
    result = result_of(store, kept.id)
    show(result)
    outputs.write(result)
    if is_computed and len(result.failures):
        raise typer.Exit(2)


def studies() -> None:
    """List studies, the one started last first."""

    rows = [
        [one.id, one.name, f"{one.n_ended} of {one.n_cases}", clock(one.started_at)]
        for one in open_store().studies.all()
    ]
    table("Studies", ["id", "name", "cases", "started"], rows, empty="No studies yet: slim study FILE.yaml starts one.")


def _kept(file: Path, of_computing: dict[str, object]) -> tuple[Store, StudyRecord]:
    from slim_core.errors import NotFoundError

    store = open_store()
    try:
        kept = store.studies.fetch(str(file))
    except NotFoundError as error:
        raise NotFoundError(
            f"{quoted(str(file))} is neither a file nor the id of a study: see slim studies."
        ) from error
    if given := [option for option, value in of_computing.items() if value is not None]:
        raise SpecRefusedError(
            f"{file} is the id of a study, which is only shown: leave {', '.join(given)} out, or give its file."
        )
    return store, kept


def _computed(file: Path, jobs: int | None, threads: int, queue: bool, device: str | None) -> tuple[Store, StudyRecord]:
    from slim_core.runs.executor import open_workbench
    from slim_core.runs.study.run import run_study
    from slim_core.runs.study.spec import read_study

    for name, number in (("--jobs", jobs), ("--threads", threads)):
        if number is not None and number < 1:
            raise SpecRefusedError(f"{name} is {number}: give 1 or more.")
    asked = read_study(file)
    at = open_workbench(queue=queue, device=device, by=BY)
    try:
        study_id = run_study(at, asked, jobs=jobs or _usual_jobs(queue, device), threads=threads, report=say)
    except KeyboardInterrupt:
        errors.print(QUEUED_INTERRUPTED if queue else INTERRUPTED, soft_wrap=True)
        raise ReportedInterrupt from None
    return at.store, at.store.studies.fetch(study_id)


def _usual_jobs(queue: bool, device: str | None) -> int:
    """One a core; one alone where a GPU of this machine computes."""
    if not queue and device != "cpu":
        import torch

        if torch.cuda.is_available():
            return 1
    return cores()


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def say(progress: Progress) -> None:
    """One line a case: what came of it, and how long the rest will take."""
    entry = progress.entry
    asked = f" {entry['annotator']} {100 * entry['answers']:g} %" if entry["annotator"] else ""
    found = f"WGA {in_percent(entry['wga'])}" if entry["status"] == "done" else str(entry["message"])
    left = "" if progress.left_s is None else f", {duration(round(progress.left_s))} left"
    case = f"{entry['set']} seed {entry['seed']}  {entry['method']}{asked}"
    errors.print(f"{progress.done}/{progress.total}{left}  {case}  {found}", markup=False, soft_wrap=True)


def show(result: Result) -> None:
    """Print the tables, and the sentences of what failed."""
    from slim_core.evaluation.study.text import cells, headings, records, sections, sentences, warnings

    for title, frame in sections(result):
        table(title, headings(result), [cells(row) for row in records(frame)])
    for sentence in (*warnings(result), *sentences(result)):
        errors.print(sentence, style="yellow", markup=False, soft_wrap=True)
    if result.frame.empty:
        console.print("No case has ended yet.")
