"""slim run: the whole loop, every method, several seeds, one table and one JSON object."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from slim_core.cli.kit.bench import bench
from slim_core.cli.kit.console import Device, Json, Queued, errors, visible, write_json
from slim_core.cli.kit.options import numbers, on_command_line, with_settings
from slim_core.cli.kit.tables import table
from slim_core.formatting import in_percent, percent

if TYPE_CHECKING:
    from slim_core.data.table import ImageTable
    from slim_core.runs.whole_loop import Loop, Outcome


class Failure(NamedTuple):
    """A method without a result, in the words of `slim run --json`."""

    method: str
    seed: int
    message: str


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    from slim_core.runs.whole_loop import LoopConfig

    in_words = {"model": "by the data set", "size": "a share of train"}
    app.command("run", epilog="Example: slim run --data demo --seeds 0,1,2 --answers 0.03 --json result.json")(
        with_settings(run, on_command_line(LoopConfig), in_words)
    )


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
    from slim_core.runs.whole_loop import Loop, LoopConfig
    from slim_core.steps.train.first_training import model_for

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
    failed = [failure._asdict() for failure in failures]
    write_json(json_path, {"data": dataset.root, "methods": by_method(outcomes), "failed": failed})
    for failure in failures:
        message = f"{failure.method}, seed {failure.seed}, failed: {failure.message}"
        errors.print(visible(message), style="bold red", soft_wrap=True)
    if failures:
        raise typer.Exit(2)


def outcomes_of(loops: Sequence[Loop], methods: Sequence[str]) -> tuple[list[Outcome], list[Failure]]:
    """What each method came to with each seed, and what failed beside it; a database that is away is waited for.

    Raises:
        SlimError: the first method failed, so that nothing is lost; or the others cannot go on.
    """
    from slim_core.errors import QueueUnavailableError, RunCanceledError, SlimError
    from slim_core.runs.study.awaited import outlasting
    from slim_core.store.database import StoreUnavailableError

    outcomes: list[Outcome] = []
    failures: list[Failure] = []
    for loop in loops:
        for method in methods:
            try:
                outcomes.append(outlasting(partial(loop.outcome, method)))
            except (QueueUnavailableError, StoreUnavailableError, RunCanceledError):
                raise
            except SlimError as error:
                if not outcomes:
                    raise
                failures.append(Failure(method, loop.config.seed, str(error)))
    return outcomes, failures


def choose_methods(data: ImageTable, given: str | None) -> list[str]:
    """The methods asked for; by default the usual ones that the data allows, with a word on the others."""
    from slim_core.data.space_size import is_too_small
    from slim_core.runs.methods import METHODS, USUAL

    if not data.has_attributes:
        groups = "the classes" if is_too_small(data, "test") else "estimated (class x environment cluster)"
        errors.print(
            f"{visible(data.name)} has no attribute column: groups are {groups}, and there is no oracle to compare "
            f"with.",
            soft_wrap=True,
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
    rows = []
    for outcome in outcomes:
        entry = outcome.to_json()
        rates = ("wga", "average", "adjusted_average", "worst_class", "attention_precision")
        rows.append(
            [
                outcome.method,
                str(outcome.seed),
                outcome.labels_used,
                *(in_percent(entry[key]) for key in rates),
                f"{outcome.n_images:,}",
                f"{outcome.n_answers:,} ({percent(outcome.answers_share)})",
                f"{outcome.seconds:.0f}",
            ]
        )
    columns = [
        "method",
        "seed",
        "labels used",
        "worst group",
        "average",
        "adjusted",
        "worst class",
        "attention",
        "images",
        "answers",
        "seconds",
    ]
    from slim_core.metrics import of_environments

    estimated = any(of_environments(outcome.evaluation.metrics or {}) for outcome in outcomes)
    table("Test, in %" + (" (groups are estimated)" if estimated else ""), columns, rows, keys=2)
