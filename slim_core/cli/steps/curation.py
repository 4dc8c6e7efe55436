"""slim space, slim curate."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from slim_core.cli.kit.console import done
from slim_core.cli.kit.options import RunOptions, add_step
from slim_core.cli.kit.tables import table


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    add_step(app, "space", space, example="slim space --n-neighbors 15 --n-clusters 4")
    add_step(app, "curate", curate, example="slim curate --strategy slim --size 480 --threshold 0.6")


def space(
    run_options: RunOptions,
    settings: dict[str, Any],
    attention: Annotated[str | None, typer.Option(help="Gradcam or features run; default: the newest.")] = None,
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
