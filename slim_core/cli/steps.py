"""One step of the loop a command: slim train, gradcam, space, curate, evaluate; any by submit; and a model's report."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slim_core.cli.kit.bench import bench, removed_if_refused
from slim_core.cli.kit.console import (
    Device,
    Force,
    Json,
    Priority,
    Queued,
    done,
    escaped,
    say,
    say_as_it_is,
    writable,
    write_json,
)
from slim_core.cli.kit.options import RunOptions, add_command, add_later, add_step, on_command_line
from slim_core.cli.kit.tables import table
from slim_core.errors import SpecRefusedError, quoted
from slim_core.formatting import UNKNOWN, in_percent

if TYPE_CHECKING:
    from slim_core.store import Run, Store

Model = Annotated[str | None, typer.Option(help="Id of a train run; default: the newest.")]
OfData = Annotated[str | None, typer.Option("--data", help="Name or id of a data set, for the newest model of it.")]
NO_REFERENCE = "none"  # in place of a train run's id: the pretrained network
Settings = dict[str, Any]  # fields of the step's spec


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    add_step(app, "train", train, example="slim train --data waterbirds-folder --model resnet50 --epochs 30")
    add_step(app, "gradcam", gradcam, example="slim gradcam --splits train,val")
    add_step(app, "space", space, example="slim space --n-neighbors 15 --n-clusters 4")
    add_step(app, "curate", curate, example="slim curate --strategy slim --size 480 --threshold 0.6")
    add_step(app, "evaluate", evaluate, example="slim evaluate --split test")
    add_later(app, "report", report, _add_report)
    example = """slim submit --spec '{"kind": "evaluate", "dataset": "d-x7k2m9qa4t", "model": "r-b5n8w3ve6y"}'"""
    app.command("submit", epilog=f"Example: {example}")(submit)


def train(
    run_options: RunOptions,
    settings: Settings,
    data: Annotated[str | None, typer.Option(help="A folder, or a data set's name or id; default: the newest.")] = None,
    subset: Annotated[str | None, typer.Option(help='Retrain on a curate run: its id, or "latest".')] = None,
    retrain: Annotated[
        str | None,
        typer.Option(help="With --subset: reference (default), scratch, or last-layer (default of a linear probe)."),
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="Train run to retrain or refit; default: the subset's own, or the newest.")
    ] = None,
) -> None:
    """Train a reference model, retrain it on a curated subset, or refit its last layer (--mode last-layer).

    With --reference none the last layer is that of a pretrained network: a linear probe.
    """
    from slim_core import api

    refits = settings.get("mode") == "last-layer"
    _check_use(settings.pop("mode", "full"), data, subset, retrain, reference)
    at = run_options.bench()
    if reference == NO_REFERENCE:
        done(api.train(data, at=at, force=run_options.force, mode="last-layer", **settings), "slim gradcam")
        return
    if subset is None and refits:
        run = api.refit_last_layer(reference, at=at, force=run_options.force, **settings)
        done(run, f"slim evaluate --model {run.id}, then slim compare")
        return
    if subset is None:
        done(api.train(data, at=at, force=run_options.force, **settings), "slim gradcam")
        return
    run = api.retrain(
        None if subset == "latest" else subset,
        how=api.how_to_retrain("last-layer" if refits else retrain),
        reference=reference,
        at=at,
        force=run_options.force,
        **settings,
    )
    done(run, f"slim evaluate --model {run.id}, then slim compare")


def _check_use(mode: str, data: str | None, subset: str | None, retrain: str | None, reference: str | None) -> None:
    """Of its four uses the command has options for one alone: none that is given goes unheard."""
    refits, of_another = mode == "last-layer", subset is not None or mode == "last-layer"
    if mode not in ("full", "last-layer"):
        raise SpecRefusedError(
            f"--mode is {quoted(mode)}: give full or last-layer; slim report takes a model trained elsewhere."
        )
    if reference == NO_REFERENCE and (subset is not None or not refits):
        raise SpecRefusedError(
            f"--reference {NO_REFERENCE} is of --mode last-layer without --subset: a new last layer of a pretrained "
            f"network, on all of train."
        )
    if retrain is not None and subset is None:
        raise SpecRefusedError("--retrain is of --subset: name a curate run there, or leave --retrain out.")
    if refits and retrain not in (None, "last-layer"):
        raise SpecRefusedError(f"--mode last-layer and --retrain {quoted(retrain)} are two ways to retrain: give one.")
    if reference is not None and not of_another:
        raise SpecRefusedError("--reference is of --subset or of --mode last-layer: give one, or leave it out.")
    if data is not None and of_another and reference != NO_REFERENCE:
        raise SpecRefusedError(
            "--data is of a new model; a subset and a refit are of their own data set: leave --data out."
        )


def gradcam(run_options: RunOptions, settings: Settings, model: Model = None, data: OfData = None) -> None:
    """Attention maps, their scores against the masks, and all features, in one pass over the images."""
    from slim_core import api
    from slim_core.evaluation.headlines import empty_maps

    at = run_options.bench()
    run = api.gradcam(model, data=data, at=at, force=run_options.force, **settings)
    if said := empty_maps(run):
        say(said)
    for sentence in _suspicions(at.store, run):
        say(sentence)
    done(run, _space_of(run))


def _suspicions(store: Store, run: Run) -> list[str]:
    """What a pass has found the model to look at, and should not."""
    from slim_core.curation import finder

    if run.status != "done":  # a worker will do it
        return []
    found = [one for one in finder.read(store.artifacts.folder(run.id)) if one.is_suspicious]
    names = store.datasets.table(run.dataset_id).label_names if found else ()
    return [one.sentence(names) for one in found]


def _space_of(run: Run) -> str:
    """The command that builds a space of a pass: of train, or of the first split that it has."""
    splits = run.spec["splits"]
    return f"slim space --attention {run.id}{'' if 'train' in splits else f' --split {splits[0]}'}"


def space(
    run_options: RunOptions,
    settings: dict[str, Any],
    attention: Annotated[str | None, typer.Option(help="Gradcam run; default: the newest.")] = None,
) -> None:
    """The attention space, the environment space and the environment clusters of a split."""
    from slim_core import api

    run = api.make_space(attention, at=run_options.bench(), force=run_options.force, **settings)
    found = (run.metrics or {}).get("clusters", {})
    table(
        "Environment clusters with images of a class",
        ["class", "clusters"],
        [[name, str(n)] for name, n in found.items()],
    )
    split = run.spec["split"]
    leads = "candidates" if split == "train" else f"evaluate --split {split}"  # of no other is a subset curated
    done(run, f"slim {leads} --space {run.id}")


def curate(
    run_options: RunOptions,
    settings: dict[str, Any],
    campaign: Annotated[
        str | None, typer.Option(help="Campaign whose answers are used; default: the newest; none: no answers.")
    ] = None,
    space_id: Annotated[str | None, typer.Option("--space", help="Default: the campaign's.")] = None,
) -> None:
    """Propagate a campaign's answers over the attention space and choose a subset to retrain on."""
    from slim_core import api

    given = settings.pop("options", {})
    options = {name: value_of(value) if isinstance(value, str) else value for name, value in given.items()}
    run = api.curate(
        campaign, space=space_id, options=options, at=run_options.bench(), force=run_options.force, **settings
    )
    done(run, f"slim train --subset {run.id}")


def value_of(text: str) -> bool | int | float | str:
    """An option's value: true, false, a number, or the text itself."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def evaluate(
    run_options: RunOptions,
    settings: Settings,
    model: Model = None,
    data: OfData = None,
    space: Annotated[str | None, typer.Option(help="Space run of this split, for estimated groups.")] = None,
    json_path: Json = None,
) -> None:
    """Every metric of a model on one split: each group with its interval, the worst, and the attention."""
    from slim_core import api

    run = api.evaluate(model, data=data, space=space, at=run_options.bench(), force=run_options.force, **settings)
    show_groups(run.metrics or {})
    show_way_to_environments(run)
    write_json(json_path, run.metrics)
    done(run, "slim compare")


def show_groups(metrics: dict[str, Any]) -> None:
    """Print the groups of an evaluation."""
    from slim_core.metrics import groups_are_classes, listed_groups, of_environments, ungrouped

    rows = [
        [
            group["name"],
            f"{group['n']:,}",
            in_percent(group["accuracy"]),
            f"{in_percent(group['low'])}-{in_percent(group['high'])}" if group["n"] else UNKNOWN,
        ]
        for group in listed_groups(metrics)
    ]
    by = "class" if groups_are_classes(metrics) else "group"
    estimated = " (estimated: class x environment)" if of_environments(metrics) else ""
    table(f"Accuracy in % per {by}{estimated}", [by, "images", "accuracy", "95 % interval"], rows)
    if said := ungrouped(metrics):
        say(said)


def show_way_to_environments(run: Run) -> None:
    """Below groups that are only the classes: the commands that find others, where there are images enough."""
    from slim_core.data.table import SMALLEST_SPACE
    from slim_core.metrics import N, groups_are_classes

    metrics = run.metrics or {}
    if not groups_are_classes(metrics) or metrics[N] < SMALLEST_SPACE:
        return
    split = run.spec["split"]
    say(
        f"Attributes are unknown, and these groups are only the classes. For estimated ones, the same for all models: "
        f"[cyan]slim gradcam[/] of the reference, [cyan]slim space --split {split}[/], then for each model "
        f"[cyan]slim evaluate --split {split} --space ID[/]"
    )


def _add_report(app: typer.Typer) -> None:
    from slim_core.steps.specs import OF_IMAGES, STEPS

    asked = on_command_line(STEPS["train"].spec)
    example = "Example: slim report resnet50.pt waterbirds-folder --html report.html"
    add_command(app, "report", report, example, {name: asked[name] for name in OF_IMAGES})


def report(
    run_options: RunOptions,
    settings: Settings,
    model: Annotated[
        str,
        typer.Argument(help="A checkpoint, package.module:function, timm:NAME, or the id of a train or evaluate run."),
    ],
    folder: Annotated[
        str | None, typer.Argument(help="A folder of images, or a data set's name or id; default: the newest.")
    ] = None,
    html: Annotated[Path, typer.Option("--html", callback=writable, help="The file to write.")] = Path("report.html"),
    architecture: Annotated[
        str | None, typer.Option("--arch", help="Network of a checkpoint; default: found by its tensors.")
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="What the outputs are, joined by commas, where not in the order of the folder.")
    ] = None,
) -> None:
    """Report on a model that you have: what it gets wrong, where it looks, what to do next, as one HTML file.

    The model and the folder are registered. Ctrl-C keeps what is done, and the same command goes on.
    """
    from slim_core import api

    with removed_if_refused():
        found = api.report(
            model,
            folder,
            architecture=architecture,
            classes=tuple(filter(None, (classes or "").split(","))),
            at=run_options.bench(),
            force=run_options.force,
            **settings,
        )
    show_groups(found.evaluation.metrics or {})
    alone = found.report.alone
    suspicions = [look.sentence for look in found.report.looks if look.is_suspicious]
    for sentence in (*suspicions, *(alone.limits if alone else ())):
        say_as_it_is(sentence.replace("**", ""))
    found.save(html)
    say(f"[bold green]report[/] {escaped(html)}")
    if alone:
        say(f"next: [cyan]{escaped(alone.step.command)}[/]")


def submit(
    spec: Annotated[str, typer.Option(help='A JSON object with the kind of the step and its fields; "-": from stdin.')],
    name: Annotated[str | None, typer.Option(help="Name of the run in lists; default: its kind and data set.")] = None,
    queue: Queued = False,
    priority: Priority = 0,
    device: Device = None,
    force: Force = False,
) -> None:
    """Run a step as its spec says; "Copy as command" on the Jobs page gives the command of each run."""
    from slim_core.steps.specs import parse_spec

    if name is not None and not name.strip():
        raise SpecRefusedError(f"The run's name is {quoted(name)}: give one, or leave --name out.")
    parsed = parse_spec(given(_stdin() if spec == "-" else spec))
    done(bench(queue, device, priority).run(parsed, name=name, force=force))


def _stdin() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise SpecRefusedError("The spec is not text in UTF-8: save it so, or leave out what is no letter.") from error


def given(text: str) -> dict[str, Any]:
    """The JSON object in a text.

    Raises:
        SpecRefusedError: it is not JSON, or no object.
    """
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise SpecRefusedError(
            f"The spec is not JSON ({error.msg} at character {error.pos + 1}): quote it, --spec '{{...}}'."
        ) from error
    except (ValueError, RecursionError) as error:
        raise SpecRefusedError(
            "The spec holds lists in lists, hundreds deep, or a number of thousands of digits: correct it."
        ) from error
    if not isinstance(found, dict):
        raise SpecRefusedError(f"The spec is {type(found).__name__}, not an object: give --spec '{{\"kind\": ...}}'.")
    return found
