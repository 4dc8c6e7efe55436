"""slim space, slim curate."""

from __future__ import annotations

from typing import Annotated

import typer

from slim_core.cli.bench import bench
from slim_core.cli.console import Force, Priority, Queued, Seed, done, table


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("space", epilog="Example: slim space --n-neighbors 15 --n-clusters 4")(space)
    app.command("curate", epilog="Example: slim curate --strategy slim --size 480 -o threshold=0.6")(curate)


def space(
    attention: Annotated[str | None, typer.Option(help="Gradcam or features run; default: the newest.")] = None,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "train",
    n_neighbors: Annotated[int, typer.Option(help="Of UMAP.")] = 5,
    min_dist: Annotated[float, typer.Option(help="Of UMAP.")] = 0.0,
    n_clusters: Annotated[int | None, typer.Option(help="Per class; default: chosen from the data.")] = None,
    seed: Seed = 0,
    queue: Queued = False,
    priority: Priority = 0,
    force: Force = False,
) -> None:
    """The attention space, the environment space and the environment clusters of a split."""
    from slim_core import api

    run = api.make_space(
        attention,
        split=split,
        seed=seed,
        n_neighbors=n_neighbors,
        min_dist=min_dist,
        n_clusters=n_clusters,
        at=bench(queue, priority=priority),
        force=force,
    )
    found = (run.metrics or {}).get("clusters", {})
    table("Environment clusters", ["class", "clusters"], [[name, str(n)] for name, n in found.items()])
    done(run, f"slim candidates --space {run.id}")


def curate(
    campaign: Annotated[str | None, typer.Option(help="Whose answers; default: the newest.")] = None,
    strategy: Annotated[str, typer.Option(help="slim, slim-reference, random, class-balanced, oracle.")] = "slim",
    size: Annotated[int | None, typer.Option(help="Images, repeats included; default: a share of train.")] = None,
    space_id: Annotated[str | None, typer.Option("--space", help="Default: the campaign's.")] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", "-o", help="KEY=VALUE of the strategy, such as threshold=0.6.")
    ] = None,
    seed: Seed = 0,
    queue: Queued = False,
    priority: Priority = 0,
    force: Force = False,
) -> None:
    """Propagate a campaign's answers over the attention space and choose a subset to retrain on."""
    from slim_core import api
    from slim_core.cli.data import pairs

    options = {key: value_of(text) for key, text in pairs(option).items()}
    run = api.curate(
        campaign,
        strategy=strategy,
        size=size,
        space=space_id,
        seed=seed,
        at=bench(queue, priority=priority),
        force=force,
        options=options,
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
