"""slim queue: pause the workers, let them go on, and say who is next."""

from __future__ import annotations

from typing import Annotated

import typer

from slim_core.cli.kit.bench import BY, open_store, say_blocks
from slim_core.cli.kit.console import console, escaped
from slim_core.formatting import counted


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    queue = typer.Typer(no_args_is_help=True, help="Pause the queue, resume it, or change its order.")
    queue.command("pause", epilog="Example: slim queue pause")(pause)
    queue.command("resume", epilog="Example: slim queue resume")(resume)
    queue.command("status", epilog="Example: slim queue status")(status)
    queue.command("front", epilog="Example: slim queue front r-b5n8w3ve6y")(front)
    app.add_typer(queue, name="queue")


def pause() -> None:
    """Let no worker start a new run. Running jobs continue; submitted runs wait."""
    console.print(escaped(open_store().queue.pause(BY)), soft_wrap=True)
    console.print("next, to resume it: [cyan]slim queue resume[/]")


def resume() -> None:
    """Let workers take work again; they do within seconds."""
    resumed = open_store().queue.resume(BY)
    console.print("[bold green]resumed[/]: workers start runs again." if resumed else "The queue was not paused.")


def status() -> None:
    """Whether the queue is paused, by whom and since when, and what waits."""
    store = open_store()
    paused = store.queue.paused()
    waiting = sum(store.queue.count_waiting().values())
    console.print(escaped(paused or "The queue is not paused."), soft_wrap=True)
    console.print(f"{counted(waiting, 'run')} can start{' once it is resumed' if paused else ''}.")
    say_blocks(store)


def front(run_id: Annotated[str, typer.Argument(metavar="RUN", help="Id of a waiting run.")]) -> None:
    """Place a waiting run, and what it waits for, before all others that wait."""
    store = open_store()
    run = store.runs.fetch(run_id)
    store.queue.move_to_front(run_id, BY)
    console.print(f"[bold green]next[/] {run.kind} [bold]{run.id}[/] {escaped(run.name)}", soft_wrap=True)
