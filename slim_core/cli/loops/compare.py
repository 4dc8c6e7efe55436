"""slim compare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slim_core.cli.kit.bench import bench_to_read
from slim_core.cli.kit.console import (
    Json,
    console,
    require_different,
    shown,
    writable_text,
    write_json,
    write_text,
)
from slim_core.cli.kit.tables import table
from slim_core.errors import NotFoundError, SpecRefusedError
from slim_core.formatting import UNKNOWN, in_percent, rounded

if TYPE_CHECKING:
    import pandas as pd

    from slim_core.store import Store

MOST_COLUMNS = 8  # groups that a terminal shows beside each other


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("compare", epilog="Example: slim compare --html compare.html --csv compare.csv")(compare)


def compare(
    evaluations: Annotated[
        list[str] | None, typer.Argument(help="Evaluate runs; default: all of the data set that was evaluated last.")
    ] = None,
    data: Annotated[str | None, typer.Option(help="Name or id of a data set, for all evaluate runs of it.")] = None,
    html_path: Annotated[
        Path | None,
        typer.Option("--html", callback=writable_text, help="Write a report with plots that opens without a server."),
    ] = None,
    csv_path: Annotated[
        Path | None, typer.Option("--csv", callback=writable_text, help="Write every number to this file as CSV.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(help="Evaluate run that the report compares with; default: the oldest.")
    ] = None,
    json_path: Json = None,
) -> None:
    """Evaluated models side by side: worst group, averages, every group, attention, cost."""
    from slim_core import api

    require_different(html_path, csv_path, json_path)
    if baseline is not None and html_path is None:
        raise SpecRefusedError("--baseline is of the report: add --html FILE, or leave it out.")
    at = bench_to_read()
    found = api.compare(evaluations, data=data, at=at)
    if found.empty:
        of_data = "" if data is None else f" of {data}"
        raise NotFoundError(f"There is no finished evaluate run{of_data} yet: start one with slim evaluate.")
    found.insert(1, "data", data_of(at.store, found["dataset"].tolist()))
    show_comparison(found)
    write_json(json_path, plain(found))
    if csv_path is not None:
        from slim_core.formatting import to_csv

        write_text(csv_path, to_csv(found))
    if html_path is not None:
        write_report(at.store, found["evaluation"].tolist(), baseline, html_path)


def write_report(store: Store, ids: list[str], baseline: str | None, path: Path) -> None:
    """The comparison as one HTML file.

    Raises:
        SpecRefusedError: the baseline is not among the runs, they are of several data sets, or the file cannot be
            written.
    """
    from slim_core.evaluation.report.build import collect
    from slim_core.evaluation.report.page import render

    runs = [store.runs.fetch(run_id) for run_id in ids]
    first = baseline or min(runs, key=lambda run: run.created_at).id
    if first not in ids:
        raise SpecRefusedError(f"The baseline {first} is not among the runs compared: name one of {', '.join(ids)}.")
    if len({run.dataset_id for run in runs}) > 1:
        raise SpecRefusedError("A report compares runs of one data set, and these are of several: name fewer runs.")
    write_text(path, render(collect(store, runs, first)))


def data_of(store: Store, ids: list[str]) -> list[str]:
    """The name of each data set; those that share a name are told apart by their ids."""
    from slim_core.evaluation.run_names import unique_labels

    different = list(dict.fromkeys(ids))
    names = unique_labels([store.datasets.fetch(one).name for one in different], different)
    by_id = dict(zip(different, names, strict=True))
    return [by_id[one] for one in ids]


def show_comparison(found: pd.DataFrame) -> None:
    """Print one table of the metrics and one of the groups. ``found``: with ``data``, what its data set is called."""
    from slim_core.evaluation.comparison import CLASSES
    from slim_core.evaluation.report.frames import TITLES
    from slim_core.metrics import RATES

    models, splits, data = found.to_dict("records"), sorted(set(found["split"])), list(found["data"])
    several = [key for key in ("data", "split", "grouping") if key in found and found[key].nunique() > 1]
    columns = ["method", *several, "seed"]
    alike = ["model"] if found.duplicated(columns).any() else []  # two of one method and seed, such as of other sizes
    named = (*columns, *alike, "labels_used")
    rows = [
        [*(shown(row[key]) for key in named), *(in_percent(row[key]) for key in RATES), *map(shown, costs(row))]
        for row in models
    ]
    titles = [*named[:-1], *(TITLES[key] for key in ("labels_used", *RATES, "images", "answers", "seconds"))]
    shown_on = f"{' and '.join(splits)} of {' and '.join(dict.fromkeys(data))}"
    table(f"Models on {shown_on}, in % (attention: its precision at 0.8)", titles, rows, keys=len(named) - 1)
    groups = [str(column) for column in found.columns if str(column).startswith("group ")]
    names = ("method", *several, "model")
    by = "class" if set(found["grouping"]) == {CLASSES} else "group"
    if len(groups) > MOST_COLUMNS:
        show_groups_below(models, groups, names, by)
    else:
        rows = [[*(str(row[key]) for key in names), *(in_percent(row[key]) for key in groups)] for row in models]
        headings = [*names, *(name.removeprefix("group ") for name in groups)]
        table(f"Accuracy in % per {by}", headings, rows, keys=len(names))
    if "grouping" in several:
        console.print("Evaluations of another grouping count other groups, also where they are called the same.")


def show_groups_below(models: list[dict[Any, Any]], groups: list[str], names: Sequence[str], by: str) -> None:
    """The table of many groups: one row each, for as many columns would be a letter wide. Without the empty ones.

    ``names``: what tells the models apart; ``by``: what a group is called.
    """
    cells = {key: [in_percent(row[key]) for row in models] for key in groups}
    known = {key: texts for key, texts in cells.items() if set(texts) != {UNKNOWN}}
    rows = [[key.removeprefix("group "), *texts] for key, texts in known.items()]
    table(f"Accuracy in % per {by}", [by, *("\n".join(str(row[key]) for key in names) for row in models)], rows)
    if empty := len(groups) - len(known):
        console.print(f"{empty:,} more without images.")


def costs(row: dict[Any, Any]) -> list[Any]:
    """Images, answers and seconds of a row."""
    images, answers, seconds = (_known(row[key]) for key in ("images", "answers", "seconds"))
    counts = [None if n is None else f"{int(n):,}" for n in (images, answers)]
    return [*counts, None if seconds is None else rounded(seconds)]


def _known(value: float | None) -> float | None:
    """None for NaN too, which a column of a table has where nothing is known."""
    return None if value is None or value != value else value


def plain(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as JSON can hold them."""
    return [
        {str(key): None if value != value else value for key, value in row.items()}
        for row in rows.astype(object).to_dict("records")
    ]
