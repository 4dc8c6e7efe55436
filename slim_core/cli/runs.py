"""slim runs, stop, retry, delete, queue: the runs, and what the Jobs page can do with one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from slim_core.cli.kit.bench import BY, open_store, say_blocks, say_workers
from slim_core.cli.kit.console import Yes, clock, confirm, console, errors, escaped, refuse, say, visible, warn
from slim_core.cli.kit.tables import table
from slim_core.errors import ConflictError, NotFoundError, SlimError, SpecRefusedError
from slim_core.formatting import counted, first_few

if TYPE_CHECKING:
    from slim_core.store import Run, Store
    from slim_core.store.removal import Removal

MOST_LISTED = 1_000_000
DATASET = "d-"  # what ids of data sets begin with
SILENT = "no heartbeat"  # in place of running: no service is there that would queue the run again
Ids = Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids of runs; slim runs lists them.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("runs", epilog="Example: slim runs --kind train")(runs)
    app.command("stop", epilog="Example: slim stop r-b5n8w3ve6y")(stop)
    app.command("retry", epilog="Example: slim retry r-b5n8w3ve6y")(retry)
    app.command("delete", epilog="Example: slim delete r-b5n8w3ve6y --cascade")(delete)
    app.command("queue", epilog="Example: slim queue front r-b5n8w3ve6y")(queue)


def runs(
    run_id: Annotated[
        str | None, typer.Argument(metavar="RUN", help="Of one run: its status, its message and the end of its log.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="train, gradcam, preview, space, candidates, curate, evaluate.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many runs, newest first; of one, the lines of its log.")] = 30,
) -> None:
    """List runs, newest first, or print the log of one.

    Seconds are of computing; of a pass in shards, from its first shard to its end.
    """
    from slim_core.steps.specs import step_named
    from slim_core.store.runs.rows import label_of

    if run_id is not None:
        _print_log(run_id, kind, limit)
        return
    if kind is not None:
        step_named(kind)
    if not 1 <= limit <= MOST_LISTED:
        raise SpecRefusedError(f"--limit is {limit}: give 1 or more, the number of runs to list, to {MOST_LISTED:,}.")
    store = open_store()
    found, silent = store.runs.all(kind=kind, limit=limit, metrics=False), set(store.attempts.overdue())
    states = {run.id: SILENT if run.id in silent else label_of(run.shown_status) for run in found}
    parts = store.history.shard_totals(found)  # of the passes in shards
    took = {run.id: parts[run.id].with_merge(run).passed_s if run.id in parts else run.seconds for run in found}
    rows = [
        [run.id, run.kind, run.name, states[run.id], f"{took[run.id] or 0:.1f}", clock(run.created_at)] for run in found
    ]
    empty = "No runs yet: slim train --data FOLDER starts one." if kind is None else f"No runs of {kind}."
    table("Runs", ["id", "kind", "name", "status", "seconds", "submitted"], rows, empty=empty)
    if SILENT in states.values():
        warn(
            f"{SILENT}: the process that computed the run was killed, or is suspended. The same command, or "
            "`slim retry RUN` and a worker, resumes it; `slim stop RUN` ends it."
        )
    if "queued" in states.values():
        say_blocks(store)


def _print_log(run_id: str, kind: str | None, lines: int) -> None:
    """The end of a log on stdout; above it, on stderr, the status and message of the run."""
    from slim_core.store.runs.log import tail, why_missing
    from slim_core.store.runs.rows import label_of

    if kind is not None:
        raise SpecRefusedError("--kind is of the list of runs: leave it out beside the id of one.")
    if lines < 1:
        raise SpecRefusedError(f"--limit is {lines}: give 1 or more, the number of lines to print.")
    store = open_store()
    run = store.runs.fetch(run_id)
    status = SILENT if run.id in store.attempts.overdue() else label_of(run.shown_status)
    state = f"{run.kind} {run.id} {run.name}: {status}. {run.message or ''}"
    errors.print(visible(state.rstrip()), style="bold", soft_wrap=True)
    path = store.artifacts.log(run.id)
    if path is None:
        warn(why_missing(run))
        return
    try:
        end = tail(path, lines)
    except OSError as error:  # removed, or moved by its worker, a moment ago
        raise NotFoundError(f"{visible(path)} cannot be read now ({error.strerror}): try again.") from error
    console.print(visible(end.text), markup=False, soft_wrap=True, end="")


def stop(run_ids: Ids) -> None:
    """Stop runs: waiting ones at once, running ones within seconds. Their checkpoints are kept for a retry."""
    from slim_core.store.runs.rows import label_of

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
        say(f"[bold green]{state}[/] {_named(run)}")
        say(f"to resume it: [cyan]slim retry {run.id}[/]")

    _each(_fetched(store, run_ids), end)


def retry(run_ids: Ids) -> None:
    """Queue failed or stopped runs again for the workers, with the runs that ended only because they waited for them.

    Each resumes from its last checkpoint, where it has one.
    """
    from slim_core.store.runs.rows import UNFINISHED

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
        say(f"[bold green]queued again[/] {_named(run)}{waited}")

    def say_what_they_wait_for() -> None:
        if queued:
            say_workers(store, "give the run's own command again")

    _each(sorted(_fetched(store, run_ids), key=lambda run: run.created_at), queue, after=say_what_they_wait_for)


def delete(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of runs, or of data sets.")],
    cascade: Annotated[
        bool, typer.Option("--cascade", help="Also the runs made from them, and a space that campaigns ask about.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Delete runs, or data sets with their runs and campaigns, after listing what is deleted.

    Your images stay where they are; the answers of a campaign stay, unless its data set goes.
    """
    store = open_store()
    store.removals.finish()  # of one that was killed: no command would name it again
    gone: set[str] = set()

    def remove(run: Run) -> None:
        if run.id in gone:
            return
        dependants = _resting(store, run)
        if not yes and (cascade or not dependants):  # else the store refuses it
            say(f"{_named(run)}{dependants}")
            confirm("Delete them?" if dependants else "Delete it?", refusal=f"Run {run.id} was not deleted")
        gone.update(store.runs.delete(run.id, by=BY, cascade=cascade))
        say(f"[bold green]deleted[/] {_named(run)}{dependants}")

    data_sets = [one for one in dict.fromkeys(ids) if one.startswith(DATASET)]
    chosen = _fetched(store, (one for one in ids if one not in data_sets))
    for one in data_sets:
        _remove_data_set(store, one, yes)
    if not cascade:
        chosen.sort(key=lambda run: run.created_at, reverse=True)  # what was made from another of them goes before it
    _each(chosen, remove)


def _remove_data_set(store: Store, dataset_id: str, yes: bool) -> None:
    if store.datasets.find(dataset_id) is None and store.datasets.removal_of(dataset_id) is not None:
        dataset = store.removals.remove(dataset_id, by=BY)  # again: the files that were left
        say(f"[bold green]removed[/] what was left of {escaped(dataset.name)} {dataset.id}")
        return
    going = store.removals.preview(dataset_id)
    say(_what_goes(going))
    if not yes:
        confirm(f"Remove {going.dataset.name}?", refusal="Nothing was removed")
    store.removals.remove(going.dataset.id, by=BY)
    say(f"[bold green]removed[/] {escaped(going.dataset.name)} {going.dataset.id}")


def _what_goes(going: Removal) -> str:
    name, root = escaped(going.dataset.name), escaped(going.dataset.root)
    images = "The images that SLIM unpacked are deleted" if going.unpacks else f"The images in {root} stay"
    return f"Removing [bold]{name}[/] {going.dataset.id} also removes {escaped(going.in_words())}. {images}."


def queue(
    action: Annotated[Literal["status", "pause", "resume", "front"], typer.Argument()] = "status",
    run_id: Annotated[str | None, typer.Argument(metavar="RUN", help="front: a waiting run, which goes first.")] = None,
) -> None:
    """Pause the queue, resume it, or put a run to its front. Running jobs continue while it is paused."""
    if (action == "front") != (run_id is not None):
        raise SpecRefusedError("Give `slim queue front RUN`, or status, pause or resume without a run.")
    store = open_store()
    if action == "pause":
        say(escaped(store.queue.pause(BY)))
        say("next, to resume it: [cyan]slim queue resume[/]")
    elif action == "resume":
        resumed = store.queue.resume(BY)
        say("[bold green]resumed[/]: workers start runs again." if resumed else "The queue was not paused.")
    elif run_id is not None:
        run = store.runs.fetch(run_id)
        store.queue.move_to_front(run_id, BY)
        say(f"[bold green]next[/] {run.kind} [bold]{run.id}[/] {escaped(run.name)}")
    else:
        _show_queue(store)


def _show_queue(store: Store) -> None:
    """Whether the queue is paused, by whom and since when, and what waits."""
    paused = store.queue.paused()
    waiting = sum(store.queue.count_waiting().values())
    say(escaped(paused or "The queue is not paused."))
    say(f"{counted(waiting, 'run')} can start{' once it is resumed' if paused else ''}.")
    say_blocks(store)


def _resting(store: Store, run: Run) -> str:
    """What rests on a run, to be said behind its name; nothing where nothing does."""
    from slim_core.runs.details import find_dependants

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
            refuse(error)
            refused += 1
    after()
    if refused:
        raise typer.Exit(2)


def _named(run: Run) -> str:
    return f"{run.kind} [bold]{run.id}[/] {escaped(run.name)}"
