"""slim runs, slim log, slim stop, slim retry, slim delete: the runs, and what the Jobs page can do with one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from slim_core.cli.kit.bench import BY, open_store, open_store_to_remove, say_blocks, say_workers
from slim_core.cli.kit.console import Yes, clock, confirm, console, errors, escaped, visible
from slim_core.cli.kit.tables import table
from slim_core.errors import ConflictError, NotFoundError, SlimError, SpecRefusedError
from slim_core.formatting import counted, first_few
from slim_core.store.runs.states import UNFINISHED, label_of

if TYPE_CHECKING:
    from slim_core.store import Run, Store

MOST_LISTED = 1_000_000
SILENT = "no heartbeat"  # in place of running: no service is there that would queue the run again
Ids = Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids of runs; slim runs lists them.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("runs", epilog="Example: slim runs --kind train")(runs)
    app.command("log", epilog="Example: slim log r-b5n8w3ve6y --lines 50")(log)
    app.command("stop", epilog="Example: slim stop r-b5n8w3ve6y")(stop)
    app.command("retry", epilog="Example: slim retry r-b5n8w3ve6y")(retry)
    app.command("delete", epilog="Example: slim delete r-b5n8w3ve6y --cascade")(delete)


def runs(
    kind: Annotated[
        str | None, typer.Option(help="train, gradcam, preview, features, space, candidates, curate, evaluate.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many runs, newest first.")] = 30,
) -> None:
    """List runs, newest first. Seconds are of computing; of a pass in shards, from its first shard to its end."""
    from slim_core.steps.registry import step_named
    from slim_core.store.runs.history import History

    if kind is not None:
        step_named(kind)
    if not 1 <= limit <= MOST_LISTED:
        raise SpecRefusedError(f"--limit is {limit}: give 1 or more, the number of runs to list, to {MOST_LISTED:,}.")
    store = open_store()
    found, silent = store.runs.all(kind=kind, limit=limit, metrics=False), set(store.attempts.overdue())
    states = {run.id: SILENT if run.id in silent else label_of(run.shown_status) for run in found}
    parts = History(store.database).shard_totals(found)  # of the passes in shards
    took = {run.id: parts[run.id].with_merge(run).passed_s if run.id in parts else run.seconds for run in found}
    rows = [
        [run.id, run.kind, run.name, states[run.id], f"{took[run.id] or 0:.1f}", clock(run.created_at)] for run in found
    ]
    empty = "No runs yet: slim train --data FOLDER starts one." if kind is None else f"No runs of {kind}."
    table("Runs", ["id", "kind", "name", "status", "seconds", "submitted"], rows, empty=empty)
    if SILENT in states.values():
        errors.print(
            f"{SILENT}: the process that computed the run was killed, or is suspended. The same command, or "
            "`slim retry RUN` and a worker, resumes it; `slim stop RUN` ends it.",
            style="yellow",
            soft_wrap=True,
        )
    if "queued" in states.values():
        say_blocks(store)


def log(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Id of a run; slim runs lists them.")],
    lines: Annotated[int, typer.Option(help="How many lines, from the end.")] = 200,
) -> None:
    """Print the end of a run's log, and above it, on stderr, its status and message."""
    from slim_core.store.runs.log import tail, why_missing

    if lines < 1:
        raise SpecRefusedError(f"--lines is {lines}: give 1 or more, the number of lines to print.")
    store = open_store()
    run = store.runs.fetch(run_id)
    status = SILENT if run.id in store.attempts.overdue() else label_of(run.shown_status)
    state = f"{run.kind} {run.id} {run.name}: {status}. {run.message or ''}"
    errors.print(visible(state.rstrip()), style="bold", soft_wrap=True)
    path = store.artifacts.log(run.id)
    if path is None:
        errors.print(why_missing(run), style="yellow", soft_wrap=True)
        return
    try:
        end = tail(path, lines)
    except OSError as error:  # removed, or moved by its worker, a moment ago
        raise NotFoundError(f"{visible(path)} cannot be read now ({error.strerror}): try again.") from error
    console.print(visible(end.text), markup=False, soft_wrap=True, end="")


def stop(run_ids: Ids) -> None:
    """Stop runs: waiting ones at once, running ones within seconds. Their checkpoints are kept for a retry."""
    store = open_store()

    def end(run: Run) -> None:
        if run.ended:
            raise ConflictError(
                f"Run {run.id} is {label_of(run.status)}: only a queued or running run is stopped; "
                "`slim runs` lists all."
            )
        stopped = store.attempts.request_stop(run.id, BY)
        stopped = _lost(store, run) or stopped
        state = "stopped" if stopped.ended else "stops within seconds"
        console.print(f"[bold green]{state}[/] {_named(run)}", soft_wrap=True)
        console.print(f"to resume it: [cyan]slim retry {run.id}[/]", soft_wrap=True)

    _each(_fetched(store, run_ids), end)


def retry(run_ids: Ids) -> None:
    """Queue failed or stopped runs again for the workers, with the runs that ended only because they waited for them.

    Each resumes from its last checkpoint, where it has one.
    """
    store = open_store()
    queued: set[str] = set()

    def queue(run: Run) -> None:
        if run.id in queued:
            return
        lost = _lost(store, run)
        run = lost or run
        others = store.attempts.retried_with(run.id) if run.status in UNFINISHED else []
        if lost is None or lost.status != "queued":
            store.attempts.retry(run.id, BY)
        queued.update((run.id, *others))
        waited = f", with {counted(len(others), 'run')} that waited for it: {first_few(others)}" if others else ""
        console.print(f"[bold green]queued again[/] {_named(run)}{waited}", soft_wrap=True)

    def say_what_they_wait_for() -> None:
        if queued:
            say_workers(store, "give the run's own command again")

    _each(sorted(_fetched(store, run_ids), key=lambda run: run.created_at), queue, after=say_what_they_wait_for)


def delete(
    run_ids: Ids,
    cascade: Annotated[
        bool, typer.Option("--cascade", help="Also the runs made from them, and a space that campaigns ask about.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Delete runs with results, logs and checkpoints, after listing what is deleted. Images and answers are kept."""
    store = open_store_to_remove()
    gone: set[str] = set()

    def remove(run: Run) -> None:
        if run.id in gone:
            return
        dependants = _resting(store, run)
        if not yes and (cascade or not dependants):  # else the store refuses it
            console.print(f"{_named(run)}{dependants}", soft_wrap=True)
            confirm("Delete them?" if dependants else "Delete it?", refusal=f"Run {run.id} was not deleted")
        gone.update(store.runs.delete(run.id, by=BY, cascade=cascade))
        console.print(f"[bold green]deleted[/] {_named(run)}{dependants}", soft_wrap=True)

    chosen = _fetched(store, run_ids)
    if not cascade:
        chosen.sort(key=lambda run: run.created_at, reverse=True)  # what was made from another of them goes before it
    _each(chosen, remove)


def _resting(store: Store, run: Run) -> str:
    """What rests on a run, to be said behind its name; nothing where nothing does."""
    from slim_core.runs.dependants import find_dependants

    found = find_dependants(store, run)
    runs = f", with {counted(len(found.runs), 'run')} made from it: {first_few([one.id for one in found.runs])}"
    text = runs if found.runs else ""
    return f"{text}; {counted(len(found.campaigns), 'campaign')} can no longer ask" if found.campaigns else text


def _lost(store: Store, run: Run) -> Run | None:
    """The run once it was taken from a process that was killed; None where one computes it, or where it waits."""
    if run.id not in store.attempts.overdue():
        return None
    store.attempts.lose_expired()
    return store.runs.fetch(run.id)


def _fetched(store: Store, run_ids: Iterable[str]) -> list[Run]:
    """Each once; one that does not exist is refused before anything is done to the others."""
    return [store.runs.fetch(run_id) for run_id in dict.fromkeys(run_ids)]


def _each(chosen: Iterable[Run], act: Callable[[Run], None], after: Callable[[], None] = lambda: None) -> None:
    """Do it to every run: one that is refused says why, and the others go on; then the command exits with 2."""
    refused = 0
    for run in chosen:
        try:
            act(run)
        except SlimError as error:
            errors.print(visible(error), style="bold red", soft_wrap=True)
            refused += 1
    after()
    if refused:
        raise typer.Exit(2)


def _named(run: Run) -> str:
    return f"{run.kind} [bold]{run.id}[/] {escaped(run.name)}"
