"""slim train, slim gradcam, slim features, slim evaluate."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from slim_core.cli.bench import bench
from slim_core.cli.console import (
    Device,
    Force,
    Json,
    Priority,
    Queued,
    Seed,
    done,
    in_percent,
    table,
    write_json,
)

Model = Annotated[str | None, typer.Option(help="Id of a train run; default: the newest.")]
Splits = Annotated[str, typer.Option(help="Joined by commas.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("train", epilog="Example: slim train --data waterbirds-folder --model resnet50 --epochs 30")(train)
    app.command("gradcam", epilog="Example: slim gradcam --splits train,val")(gradcam)
    app.command("features", epilog="Example: slim features")(features)
    app.command("evaluate", epilog="Example: slim evaluate --split test")(evaluate)


def train(
    data: Annotated[str | None, typer.Option(help="A folder, or a data set's name or id; default: the newest.")] = None,
    subset: Annotated[str | None, typer.Option(help='Retrain on a curate run: its id, or "latest".')] = None,
    retrain: Annotated[str, typer.Option(help="With --subset, from: reference, scratch or last-layer.")] = "reference",
    reference: Annotated[str | None, typer.Option(help="Train run to retrain; default: the subset's own.")] = None,
    model: Annotated[str | None, typer.Option(help="small-resnet, or a torchvision classifier.")] = None,
    weights: Annotated[str | None, typer.Option(help="imagenet or none.")] = None,
    checkpoint: Annotated[str | None, typer.Option(help="A local checkpoint to start from.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Default: of the model's recipe.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Default: of the recipe.")] = None,
    lr: Annotated[float | None, typer.Option(help="Step size; default: of the recipe.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Default: of the recipe.")] = None,
    image_size: Annotated[int | None, typer.Option(help="Side in pixels; default: the model's.")] = None,
    augment: Annotated[bool | None, typer.Option(help="Random crops and flips; default: of the recipe.")] = None,
    class_weights: Annotated[bool | None, typer.Option(help="Weigh the loss by inverse class frequency.")] = None,
    objective: Annotated[str | None, typer.Option(help="Loss: erm, ...")] = None,
    selection: Annotated[str | None, typer.Option(help="worst_class, average, worst_group (oracle), last.")] = None,
    seed: Seed = 0,
    queue: Queued = False,
    device: Device = None,
    priority: Priority = 0,
    force: Force = False,
) -> None:
    """Train a reference model, or retrain it on a curated subset."""
    from slim_core import api

    fields = {
        "weights": weights,
        "checkpoint": checkpoint,
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
        "weight_decay": weight_decay,
        "image_size": image_size,
        "augment": augment,
        "class_weights": class_weights,
        "objective": objective,
        "selection": selection,
    }
    given: dict[str, Any] = {key: value for key, value in fields.items() if value is not None}
    at = bench(queue, device, priority)
    if subset is None:
        done(api.train(data, model=model, seed=seed, at=at, force=force, **given), "slim gradcam")
        return
    if model is not None:
        given["model"] = model
    run = api.retrain(
        None if subset == "latest" else subset,
        how=api.how_to_retrain(retrain),
        reference=reference,
        seed=seed,
        at=at,
        force=force,
        **given,
    )
    done(run, f"slim evaluate --model {run.id}, then slim compare")


def gradcam(
    model: Model = None,
    splits: Splits = "train,val,test",
    class_of_map: Annotated[str, typer.Option(help="label, predicted, both or any.")] = "label",
    queue: Queued = False,
    device: Device = None,
    priority: Priority = 0,
    force: Force = False,
) -> None:
    """Attention maps, their scores against the masks, and all features, in one pass over the images."""
    from slim_core import api

    run = api.gradcam(
        model, splits=splits.split(","), class_of_map=class_of_map, at=bench(queue, device, priority), force=force
    )
    done(run, f"slim space --attention {run.id}")


def features(
    model: Model = None,
    splits: Splits = "train,val,test",
    class_of_map: Annotated[str, typer.Option(help="label, predicted, both or any.")] = "label",
    queue: Queued = False,
    device: Device = None,
    priority: Priority = 0,
    force: Force = False,
) -> None:
    """Attention, environment and pooled features, without maps; taken over from a gradcam run where there is one."""
    from slim_core import api

    run = api.extract_features(
        model, splits=splits.split(","), class_of_map=class_of_map, at=bench(queue, device, priority), force=force
    )
    done(run, f"slim space --attention {run.id}")


def evaluate(
    model: Model = None,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    space: Annotated[str | None, typer.Option(help="Space run of this split, for pseudo-groups.")] = None,
    json_path: Json = None,
    queue: Queued = False,
    device: Device = None,
    priority: Priority = 0,
    force: Force = False,
) -> None:
    """Every metric of a model on one split: each group with its interval, the worst, and the attention."""
    from slim_core import api

    run = api.evaluate(model, split=split, space=space, at=bench(queue, device, priority), force=force)
    show_groups(run.metrics or {})
    write_json(json_path, run.metrics)
    done(run, "slim compare")


def show_groups(metrics: dict[str, Any]) -> None:
    """Print the groups of an evaluation."""
    rows = [
        [
            group["name"],
            str(group["n"]),
            in_percent(group["accuracy"]),
            f"{in_percent(group['low'])}-{in_percent(group['high'])}",
        ]
        for group in metrics["groups"]
    ]
    estimated = " (estimated: the data has no attributes)" if metrics["estimated_groups"] else ""
    table(f"Accuracy in % per group{estimated}", ["group", "images", "accuracy", "95 % interval"], rows)
