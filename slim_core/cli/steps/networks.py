"""slim inspect, slim preview, slim register-model: what a network is, and where it looks, before a whole pass."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from slim_core.attention.config import PassConfig
from slim_core.cli.kit.bench import open_store
from slim_core.cli.kit.console import Json, console, done, escaped, write_json
from slim_core.cli.kit.options import RunOptions, add_step, on_command_line, with_groups, with_settings
from slim_core.cli.steps.models import Model, Settings
from slim_core.errors import SpecRefusedError
from slim_core.parameters import Parameter
from slim_core.runs.commands import command
from slim_core.steps.registry import STEPS, parse_spec
from slim_core.steps.specs import OF_IMAGES

if TYPE_CHECKING:
    from slim_core.models.model import Model as Network
    from slim_core.store import Run, Store


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("inspect", epilog="Example: slim inspect timm:vit_tiny_patch16_224")(inspect)
    add_step(app, "preview", preview, example="slim preview --model r-b5n8w3ve6y --target-layer layer3")
    example = "Example: slim register-model resnet50.pt --model resnet50 --data waterbirds-folder"
    app.command("register-model", epilog=example)(with_groups(with_settings(register_model, _of_images(), {})))


def inspect(
    model: Annotated[str, typer.Argument(help="A name as slim train --model takes it, or the id of a train run.")],
    target_layer: Annotated[str | None, typer.Option(help="Another layer, by its dotted name.")] = None,
    image_size: Annotated[int | None, typer.Option(help="Side in pixels; default: the model's own.")] = None,
    json_path: Json = None,
) -> None:
    """Target layer, head and input of a network, and how its attention is computed; downloads no weights."""
    network = _opened(model, image_size).at_layer(target_layer)
    facts = network.layout.facts
    console.print(facts.described, markup=False, soft_wrap=True)
    console.print(network.transform.described, markup=False, soft_wrap=True)
    console.print(f"Head: {facts.head or 'not a linear layer'}.", markup=False, soft_wrap=True)
    console.print(f"Layers with a map: {', '.join(facts.layers)}.", markup=False, soft_wrap=True)
    write_json(json_path, {"name": network.name, "transform": network.transform.to_json(), "network": facts.to_json()})


def _opened(model: str, image_size: int | None) -> Network:
    from slim_core.models.build import build, load_model

    store = open_store()
    run = store.runs.find(model)
    if run is not None:
        if image_size is not None:
            raise SpecRefusedError(f"{run.id} keeps the image size that it was trained with: leave --image-size out.")
        return load_model(store.artifacts.folder(run.id))
    return build(model, 2, weights="none", image_size=image_size)


def preview(run_options: RunOptions, settings: Settings, model: Model = None) -> None:
    """Attention maps of a few images in seconds, to see whether model and target layer are worth a whole pass."""
    from slim_core import api

    at = run_options.bench()
    run = api.preview(model, at=at, force=run_options.force, **settings)
    show_sheet(at.store, run)
    done(run, _whole_pass(run))


def _whole_pass(preview: Run) -> str:
    """The command of a pass over all images, with the layer, the method and the class that were previewed."""
    same = {name: preview.spec[name] for name in PassConfig.model_fields if name in preview.spec}
    whole = {"kind": "gradcam", "dataset": preview.dataset_id, "model": preview.spec["model"], **same}
    return command(parse_spec(whole)).removesuffix(" --queue")


def show_sheet(store: Store, run: Run) -> None:
    """Print where the pictures of a preview are."""
    from slim_core.store.results import AttentionResult

    sheet = AttentionResult(store.artifacts.folder(run.id)).sheet
    console.print(f"each image beside its overlay: [bold]{escape(str(sheet))}[/]", soft_wrap=True)


def _of_images() -> dict[str, Parameter]:
    asked = on_command_line(STEPS["train"].spec)
    return {name: asked[name] for name in OF_IMAGES}


def register_model(
    run_options: RunOptions,
    settings: Settings,
    file: Annotated[Path, typer.Argument(help="A .safetensors, .pt or .pth file of plain tensors.")],
    model: Annotated[str, typer.Option(help="Its architecture, as slim train --model takes it.")],
    data: Annotated[str | None, typer.Option(help="A folder, or a data set's name or id; default: the newest.")] = None,
    name: Annotated[str | None, typer.Option(help="Name shown in lists; default: its architecture and file.")] = None,
) -> None:
    """Register a model that was trained elsewhere, to preview, evaluate, curate for and retrain it.

    Its outputs must be the classes of the data set, in their order, which is printed.
    """
    from slim_core import api

    at = run_options.bench()
    run = api.register_model(file, model=model, data=data, name=name, at=at, force=run_options.force, **settings)
    classes = at.store.datasets.table(run.dataset_id).label_names
    console.print(f"its outputs are taken to be, in this order: {escaped(', '.join(classes))}", soft_wrap=True)
    done(run, f"slim preview --model {run.id}")
