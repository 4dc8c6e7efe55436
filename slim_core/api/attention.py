"""Where a model looks: its maps and features, and the spaces of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slim_core.errors import SpecRefusedError, quoted
from slim_core.runs.executor import Workbench, open_workbench
from slim_core.runs.resolve import a_run
from slim_core.steps.registry import parse_spec
from slim_core.store.runs.kinds import PASSES, title_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from slim_core.store import Run


def gradcam(
    model: str | None = None,
    *,
    data: str | None = None,
    at: Workbench | None = None,
    force: bool = False,
    **fields: Any,
) -> Run:
    """Attention maps, their scores and all features of a model, in one pass; ``fields`` are those of GradcamSpec.

    ``data``: name or id of a data set, whose newest model is taken.
    """
    return _look("gradcam", model, data, at, force, fields)


def preview(
    model: str | None = None,
    *,
    data: str | None = None,
    at: Workbench | None = None,
    force: bool = False,
    **fields: Any,
) -> Run:
    """Attention maps of a few images, before a whole pass; ``fields`` are those of PreviewSpec, ``data`` as above."""
    return _look("preview", model, data, at, force, fields)


def extract_features(
    model: str | None = None,
    *,
    data: str | None = None,
    at: Workbench | None = None,
    force: bool = False,
    **fields: Any,
) -> Run:
    """The features alone; taken over from a gradcam run of the same model where there is one. ``data`` as above."""
    return _look("features", model, data, at, force, fields)


def _look(
    kind: str, model: str | None, data: str | None, at: Workbench | None, force: bool, fields: dict[str, Any]
) -> Run:
    at = at or open_workbench()
    run = a_run(at, model, "train", data=data)
    spec = {"kind": kind, "dataset": run.dataset_id, "model": run.id, **fields}
    return at.run(parse_spec(spec), name=f"{title_of(kind)} of {run.name}", force=force)


def make_space(
    attention: str | None = None, *, seed: int = 0, at: Workbench | None = None, force: bool = False, **fields: Any
) -> Run:
    """The two attention spaces and the environment clusters of a split; ``fields`` are those of SpaceSpec."""
    at = at or open_workbench()
    run = a_run(at, attention, PASSES)
    spec = {"kind": "space", "dataset": run.dataset_id, "attention": run.id, "seed": seed, **fields}
    return at.run(parse_spec(spec), force=force)


def space_figure(
    space: str | None = None, *, by: str = "group", of: str = "attention", seed: int = 0, at: Workbench | None = None
) -> go.Figure:
    """A space as a Plotly figure: ``space_figure().show()``, or ``.write_html("space.html")``.

    Above 50,000 images a sample by ``seed``, which the figure says.

    Args:
        space: id of a space run; None: the newest.
        by: what gives the colour: group, split, label_name, prediction_name, correct, environment_cluster, confidence,
            loss, entropy, attention_precision, aiou or no_evidence, as far as they are known.
        of: the attention or the environment space.
        seed: of the sample.
        at: where the run is.

    Raises:
        SpecRefusedError: nothing of that name is known of the images, or there is no such space.
    """
    from slim_core.evaluation.charts.space import space_scatter
    from slim_core.evaluation.space_frame import space_frame

    at = at or open_workbench()
    if of not in ("attention", "environment"):
        raise SpecRefusedError(f"There is no space {quoted(of)}: use attention or environment.")
    run = a_run(at, space, "space")
    frame = space_frame(at.store, run, of)
    known = [str(name) for name in frame if name not in ("x", "y", "row")]
    if by not in known:
        raise SpecRefusedError(f"The colour {quoted(by)} is not known of these images: use {', '.join(known)}.")
    name = at.store.datasets.fetch(run.dataset_id).name
    return space_scatter(frame, by, title=f"{of.capitalize()} space of {name}, {run.spec['split']}", seed=seed)
