"""slim run, slim compare, slim export: the whole loop, models side by side, and results as files of other tools."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from slim_core.cli.kit.bench import bench, plain_bench
from slim_core.cli.kit.console import (
    Device,
    Json,
    Queued,
    escaped,
    refuse,
    require_different,
    say,
    shown,
    tell,
    visible,
    writable_text,
    write_json,
    write_text,
)
from slim_core.cli.kit.options import add_command, add_later, numbers, on_command_line
from slim_core.cli.kit.tables import table
from slim_core.errors import NotFoundError, SpecRefusedError
from slim_core.formatting import UNKNOWN, in_percent, percent, rounded

if TYPE_CHECKING:
    import pandas as pd

    from slim_core.data.table import ImageTable
    from slim_core.runs.executor import Workbench
    from slim_core.runs.methods import Loop, Outcome
    from slim_core.store import Store

RATES_SHOWN = {  # heading -> name in what an outcome comes to
    "worst group": "wga",
    "average": "average",
    "adjusted": "adjusted_average",
    "worst class": "worst_class",
    "attention": "attention_precision",
}
MOST_COLUMNS = 8  # groups that a terminal shows beside each other
LATEST = "latest"


log = logging.getLogger(__name__)


class Failure(NamedTuple):
    """A method without a result, in the words of `slim run --json`."""

    method: str
    seed: int
    message: str


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    add_later(app, "run", run, _add_run)
    app.command("compare", epilog="Example: slim compare --html compare.html --csv compare.csv")(compare)
    add_later(app, "export", export, _add_export)


def _add_run(app: typer.Typer) -> None:
    from slim_core.runs.loop_runs import LoopConfig

    in_words = {"model": "by the data set", "size": "a share of train"}
    example = "Example: slim run --data demo --seeds 0,1,2 --answers 0.03 --json result.json"
    add_command(app, "run", run, example, on_command_line(LoopConfig), in_words)


def _add_export(app: typer.Typer) -> None:
    """Its help lists every form."""
    from slim_core.export.writing import FORMS

    listed = "\n\n".join(f"{form.name}, of {' or '.join(form.of)}: {form.title}" for form in FORMS.values())
    example = "Example: slim export latest subset-csv subset --overwrite"
    app.command("export", epilog=f"{listed}\n\n{example}")(export)


def run(
    settings: dict[str, Any],
    data: Annotated[str | None, typer.Option(help="A folder, or a data set's name or id; default: the newest.")] = None,
    seeds: Annotated[str, typer.Option(help="Joined by commas.")] = "0",
    methods: Annotated[str | None, typer.Option(help="Joined by commas; default: SLIM, ERM, subsets.")] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Epochs of reference and retraining; default: as their recipes say.")
    ] = None,
    json_path: Json = None,
    queue: Queued = False,
    device: Device = None,
) -> None:
    """Run the whole loop, from training to comparison, beside random, class-balanced and oracle subsets.

    The answers are simulated from the true masks. Runs that are done already are not done again.
    Where a method fails, the others go on, and the exit code is 2.
    """
    from slim_core import api
    from slim_core.models.names import DEFAULT_MODEL
    from slim_core.runs.loop_runs import LoopConfig
    from slim_core.runs.methods import Loop
    from slim_core.runs.trainings import model_for

    given = settings | {"train": {} if epochs is None else {"epochs": epochs}}
    known = {"model": DEFAULT_MODEL} | given  # where none is named, that of the data set takes its place
    asked = [LoopConfig(dataset=data or "newest", seed=seed, **known) for seed in numbers(seeds)]  # refused at once
    at = bench(queue, device)
    dataset = api.data_set(data, at=at)
    if "model" not in given:
        layer = {"mode": "last-layer"} if given.get("frozen") else {}
        given["model"] = model_for(at.store, dataset, layer, has_gpu=at.submitter.has_gpu())
    by_data = {"dataset": dataset.id, "model": given["model"]}
    loops = [Loop(at, config.model_copy(update=by_data)) for config in asked]
    chosen = choose_methods(loops[0].table, methods)
    for loop in loops:
        loop.require(chosen)
    outcomes, failures = outcomes_of(loops, chosen)
    show_outcomes(outcomes)
    show_verdict(at.store, outcomes)
    failed = [failure._asdict() for failure in failures]
    write_json(json_path, {"data": dataset.root, "methods": by_method(outcomes), "failed": failed})
    for failure in failures:
        refuse(f"{failure.method}, seed {failure.seed}, failed: {failure.message}")
    if failures:
        raise typer.Exit(2)


def outcomes_of(loops: Sequence[Loop], methods: Sequence[str]) -> tuple[list[Outcome], list[Failure]]:
    """What each method came to with each seed, and what failed beside it; a database that is away is waited for.

    Raises:
        SlimError: the first method failed, so that nothing is lost; or the others cannot go on.
    """
    from slim_core.errors import QueueUnavailableError, RunCanceledError, SlimError
    from slim_core.store.database import StoreUnavailableError

    outcomes: list[Outcome] = []
    failures: list[Failure] = []
    for loop in loops:
        for method in methods:
            try:
                outcomes.append(_outlasting(partial(loop.outcome, method)))
            except (QueueUnavailableError, StoreUnavailableError, RunCanceledError):
                raise
            except SlimError as error:
                if not outcomes:
                    raise
                failures.append(Failure(method, loop.config.seed, str(error)))
    return outcomes, failures


def _outlasting(do: Callable[[], Outcome]) -> Outcome:
    """What ``do`` gives, which is done again while the database does not answer; a warning says so once."""
    from slim_core.runs.executor import POLL_S
    from slim_core.store.database import DatabaseAwayError

    is_away = False
    while True:
        try:
            return do()
        except DatabaseAwayError as error:
            if not is_away:
                log.warning("%s What is under way goes on once it does.", error)
            is_away = True
        time.sleep(POLL_S)


def choose_methods(data: ImageTable, given: str | None) -> list[str]:
    """The methods asked for; by default the usual ones that the data allows, with a word on the others."""
    from slim_core.data.table import is_too_small
    from slim_core.runs.methods import METHODS, USUAL

    if not data.has_attributes:
        groups = "the classes" if is_too_small(data, "test") else "estimated (class x environment cluster)"
        tell(
            f"{visible(data.name)} has no attribute column: groups are {groups}, and there is no oracle to compare "
            f"with."
        )
    if given is None:
        return [method for method in USUAL if data.has_attributes or not METHODS[method].needs_groups]
    return [method.strip() for method in given.split(",")]


def by_method(outcomes: list[Outcome]) -> dict[str, list[dict[str, Any]]]:
    """Method -> one entry a seed."""
    found: dict[str, list[dict[str, Any]]] = {}
    for outcome in outcomes:
        found.setdefault(outcome.method, []).append(outcome.to_json())
    return found


def show_outcomes(outcomes: list[Outcome]) -> None:
    """Print one row a method and seed, in percent."""
    from slim_core.metrics import of_environments

    columns: dict[str, Callable[[Outcome], str]] = {
        "method": lambda one: one.method,
        "seed": lambda one: str(one.seed),
        "labels used": lambda one: one.labels_used,
        **{heading: partial(_rate, key=key) for heading, key in RATES_SHOWN.items()},
        "images": lambda one: f"{one.n_images:,}",
        "answers": lambda one: f"{one.n_answers:,} ({percent(one.answers_share)})",
        "seconds": lambda one: f"{one.seconds:.0f}",
    }
    rows = [[cell(outcome) for cell in columns.values()] for outcome in outcomes]
    estimated = any(of_environments(outcome.evaluation.metrics or {}) for outcome in outcomes)
    table("Test, in %" + (" (groups are estimated)" if estimated else ""), list(columns), rows)


def _rate(outcome: Outcome, key: str) -> str:
    return in_percent(outcome.to_json()[key])


def show_verdict(store: Store, outcomes: Sequence[Outcome]) -> None:
    """Print whether the second of the methods is better than the first."""
    from slim_core.evaluation import comparison
    from slim_core.evaluation.verdict import of_runs

    first, second = outcomes[0], next((one for one in outcomes if one.method != outcomes[0].method), None)
    if second is None:
        return
    evaluations = [one.evaluation for one in outcomes]
    ancestry = comparison.Ancestry.read(store, first.evaluation.dataset_id)
    rows = comparison.table(store, evaluations, ancestry)
    found = of_runs(store, first.evaluation, second.evaluation, evaluations, ancestry, rows)
    say(f"{second.method} against {first.method}: {found.sentence.replace('**', '')}")


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
    at = plain_bench()
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
    from slim_core.evaluation.report import collect, render

    runs = [store.runs.fetch(run_id) for run_id in ids]
    first = baseline or min(runs, key=lambda run: run.created_at).id
    if first not in ids:
        raise SpecRefusedError(f"The baseline {first} is not among the runs compared: name one of {', '.join(ids)}.")
    if len({run.dataset_id for run in runs}) > 1:
        raise SpecRefusedError("A report compares runs of one data set, and these are of several: name fewer runs.")
    write_text(path, render(collect(store, runs, first)))


def data_of(store: Store, ids: list[str]) -> list[str]:
    """The name of each data set; those that share a name are told apart by their ids."""
    from slim_core.evaluation.comparison import unique_labels

    different = list(dict.fromkeys(ids))
    names = unique_labels([store.datasets.fetch(one).name for one in different], different)
    by_id = dict(zip(different, names, strict=True))
    return [by_id[one] for one in ids]


def show_comparison(found: pd.DataFrame) -> None:
    """Print one table of the metrics and one of the groups. ``found``: with ``data``, what its data set is called."""
    from slim_core.evaluation.comparison import CLASSES, TITLES
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
    table(f"Models on {shown_on}, in % (attention: its precision at 0.8)", titles, rows)
    groups = [str(column) for column in found.columns if str(column).startswith("group ")]
    names = ("method", *several, "model")
    by = "class" if set(found["grouping"]) == {CLASSES} else "group"
    if len(groups) > MOST_COLUMNS:
        show_groups_below(models, groups, names, by)
    else:
        rows = [[*(str(row[key]) for key in names), *(in_percent(row[key]) for key in groups)] for row in models]
        headings = [*names, *(name.removeprefix("group ") for name in groups)]
        table(f"Accuracy in % per {by}", headings, rows)
    if "grouping" in several:
        say("Evaluations of another grouping count other groups, also where they are called the same.")


def show_groups_below(models: list[dict[Any, Any]], groups: list[str], names: Sequence[str], by: str) -> None:
    """The table of many groups: one row each, for as many columns would be a letter wide. Without the empty ones.

    ``names``: what tells the models apart; ``by``: what a group is called.
    """
    cells = {key: [in_percent(row[key]) for row in models] for key in groups}
    known = {key: texts for key, texts in cells.items() if set(texts) != {UNKNOWN}}
    rows = [[key.removeprefix("group "), *texts] for key, texts in known.items()]
    table(f"Accuracy in % per {by}", [by, *("\n".join(str(row[key]) for key in names) for row in models)], rows)
    if empty := len(groups) - len(known):
        say(f"{empty:,} more without images.")


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


def export(
    of: Annotated[str, typer.Argument(metavar="RUN", help='Id of a finished run or a campaign, or "latest".')],
    form: Annotated[str, typer.Argument(help="The form to write, one of those listed below.")],
    folder: Annotated[Path, typer.Argument(help="The new folder to write.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export in this folder.")] = False,
) -> None:
    """Export a subset, answers, maps, features, a model or its card, in a form that another tool opens."""
    from slim_core.cli.kit.progress import progress_bar
    from slim_core.export.writing import export as write
    from slim_core.export.writing import form_named

    at, chosen = plain_bench(), form_named(form)
    source = _newest(at, chosen.of) if of == LATEST else of
    with progress_bar("Exporting") as progress:
        target = write(
            at.store, source, form, folder, overwrite=overwrite, on_progress=lambda done, n: progress(done, n, "")
        )
        progress(1, 1, "")  # also of a form that is written in one go
    say(f"[bold green]{form}[/] of [bold]{source}[/] written to {escaped(target)}")
    say(f"opens in: {escaped(chosen.opens_in)}")


def _newest(at: Workbench, kinds: tuple[str, ...]) -> str:
    """Id of the newest that has the form."""
    from slim_core.export.forms import CAMPAIGN
    from slim_core.runs.executor import newest_campaign, newest_run

    return newest_campaign(at).id if CAMPAIGN in kinds else newest_run(at, kinds).id
