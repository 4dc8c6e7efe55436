"""slim answers export, slim answers import."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slim_core.cli.kit.bench import BY, bench_to_read
from slim_core.cli.kit.console import OfCampaign, console, errors, escaped, visible, writable
from slim_core.result_files import output_file

if TYPE_CHECKING:
    from slim_core.annotation.answer_files.checking import ImportedAnswers
    from slim_core.runs.executor import Workbench
    from slim_core.store import Campaign, Store


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    answers = typer.Typer(no_args_is_help=True, help="The answers of a campaign as files.")
    answers.command("export", epilog="Example: slim answers export answers.parquet")(export)
    answers.command("import", epilog="Example: slim answers import answers.csv --annotator ann")(import_)
    app.add_typer(answers, name="answers")


def export(
    path: Annotated[Path, typer.Argument(callback=writable, help="File ending in .csv, .jsonl or .parquet.")],
    campaign: OfCampaign = None,
    current: Annotated[
        bool,
        typer.Option(
            "--current",
            "--standing",  # its name before; scripts may have it
            help="Only the answers that count now, as a file that can be imported.",
        ),
    ] = False,
) -> None:
    """Write every answer, change, undo, skip and decision to a file: who, when, what was seen, how long."""
    from slim_core.annotation.answer_files.writing import export as chunks

    store, chosen = _chosen(bench_to_read(), campaign)
    content = chunks(store, chosen, path.suffix.removeprefix(".").lower(), current=current)
    with output_file(path) as draft, draft.open("wb") as file:
        for chunk in content:
            file.write(chunk)
    console.print(f"[bold green]answers[/] of [bold]{chosen.id}[/] written to {escaped(path)}", soft_wrap=True)


def import_(
    path: Annotated[Path, typer.Argument(help="CSV, .jsonl or .parquet with row (or path) and answer.")],
    campaign: OfCampaign = None,
    annotator: Annotated[str, typer.Option(help="The annotator, if the file names none.")] = "file",
    leave_out: Annotated[
        bool, typer.Option("--leave-out-unfit", help="Import the valid lines and skip the others.")
    ] = False,
) -> None:
    """Keep the answers of a file: all, or none where a line does not fit. The same file twice adds nothing."""
    from slim_core.annotation.answer_files.checking import import_file
    from slim_core.runs.executor import open_workbench

    store, chosen = _chosen(open_workbench(), campaign)
    done = import_file(store, chosen, path, BY, annotator=annotator, leave_out_unfit=leave_out)
    for one in done.unfit:
        errors.print(f"left out: {visible(one.sentence)}", style="yellow", soft_wrap=True)
    show_imported(chosen, done)


def show_imported(campaign: Campaign, done: ImportedAnswers) -> None:
    """How many answers of a file are new, and how many of these count."""
    late = f", {done.n_over_quota} of them over quota (stored, not counted)" if done.n_over_quota else ""
    console.print(
        f"[bold green]answers[/] of [bold]{campaign.id}[/]: {done.n_new} new{late}, {done.n_known} were already stored",
        soft_wrap=True,
    )


def _chosen(at: Workbench, campaign: str | None) -> tuple[Store, Campaign]:
    from slim_core.runs.resolve import newest_campaign

    return at.store, newest_campaign(at) if campaign is None else at.store.campaigns.fetch(campaign)
