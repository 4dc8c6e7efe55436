"""slim compare, slim runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from slim_core.cli.console import Json, console, percent, shown, table, write_json

if TYPE_CHECKING:
    import pandas as pd

RATES = {
    "wga": "WGA",
    "average": "average",
    "adjusted_average": "adjusted",
    "worst_class": "class",
    "attention_precision": "attention",
    "aiou": "AIoU",
}


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("compare", epilog="Example: slim compare --json compare.json")(compare)
    app.command("runs", epilog="Example: slim runs --kind train")(runs)


def compare(
    evaluations: Annotated[
        list[str] | None, typer.Argument(help="Evaluate runs; default: all of the newest data.")
    ] = None,
    json_path: Json = None,
) -> None:
    """Evaluated models side by side: worst group, averages, every group, attention, cost."""
    from slim_core import api

    found = api.compare(evaluations)
    if found.empty:
        console.print("Nothing has been evaluated yet. next: [cyan]slim evaluate[/]")
        return
    show_comparison(found)
    write_json(json_path, plain(found))


def show_comparison(found: pd.DataFrame) -> None:
    """Print one table of the metrics and one of the groups."""
    models = found.to_dict("records")
    rows = [
        [str(row["method"]), str(row["seed"]), *(percent(row[key]) for key in RATES), *map(shown, costs(row))]
        for row in models
    ]
    title = "Models, in % (class: worst class, attention: its precision at 0.8)"
    table(title, ["method", "seed", *RATES.values(), "images", "answers", "seconds"], rows)
    groups = [str(column) for column in found.columns if str(column).startswith("group ")]
    rows = [[str(row["method"]), str(row["model"]), *(percent(row[key]) for key in groups)] for row in models]
    table("Accuracy in % per group", ["method", "model", *(name.removeprefix("group ") for name in groups)], rows)


def costs(row: dict[Any, Any]) -> list[Any]:
    """Images, answers and seconds of a row."""
    return [row["images"], row["answers"], round(float(row["seconds"]), 1)]


def plain(found: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as JSON can hold them."""
    return [
        {str(key): None if value != value else value for key, value in row.items()}
        for row in found.astype(object).to_dict("records")
    ]


def runs(
    kind: Annotated[str | None, typer.Option(help="train, gradcam, features, space, curate, evaluate.")] = None,
    limit: Annotated[int, typer.Option(help="How many, newest first.")] = 30,
) -> None:
    """List runs, newest first."""
    from slim_core.store import Store

    found = Store.open().runs.all(kind=kind, limit=limit, metrics=False)
    rows = [
        [run.id, run.kind, run.name, run.status, f"{run.seconds:.1f}", f"{run.created_at:%Y-%m-%d %H:%M}"]
        for run in found
    ]
    table("Runs", ["id", "kind", "name", "status", "seconds", "submitted"], rows)
