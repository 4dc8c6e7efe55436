"""Training, retraining and refitting a model, and the whole loop with each of several methods."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from slim_core.errors import SpecRefusedError, quoted
from slim_core.runs.executor import Workbench, open_workbench
from slim_core.runs.loop_runs import LoopConfig
from slim_core.runs.resolve import a_run, data_set
from slim_core.runs.trainings import (
    Retrain,
    first_training,
    registered_model,
    retrain_spec,
    retrained_name,
    usual_retraining,
)
from slim_core.runs.whole_loop import Loop, Outcome
from slim_core.steps.specs import refits
from slim_core.steps.train.recipes import model_for, usual_name

if TYPE_CHECKING:
    from slim_core.store import Run


def train(
    data: str | Path | None = None,
    *,
    model: str | None = None,
    seed: int = 0,
    at: Workbench | None = None,
    force: bool = False,
    **fields: Any,
) -> Run:
    """Train a reference model. ``fields`` are those of TrainSpec, such as epochs and lr; ``force``: even if done.

    Model, epochs and the fit of a new last layer that nobody names are those that the Train page proposes.
    """
    at = at or open_workbench()
    dataset = data_set(data, at=at)
    if model is None:
        model = model_for(at.store, dataset, fields, has_gpu=at.submitter.has_gpu())
    return at.run(first_training(dataset, model, seed=seed, **fields), name=usual_name(model, dataset), force=force)


def retrain(
    subset: str | None = None,
    *,
    how: Retrain | None = None,
    reference: str | None = None,
    seed: int = 0,
    at: Workbench | None = None,
    force: bool = False,
    **fields: Any,
) -> Run:
    """Retrain the architecture of a reference model on a curated subset.

    ``how``: None goes on from the reference model; of a linear probe, or a refit of one, it fits the last layer again.
    Where the subset rests on answers, these enter that fit, too, unless ``fields`` name another ``refit``, such as l2.
    """
    at = at or open_workbench()
    curated = a_run(at, subset, "curate")
    origin = a_run(at, reference, "train") if reference else None
    spec = usual_retraining(at.store, curated, reference=origin, way=how, seed=seed, fields=fields)
    return at.run(spec, name=retrained_name(spec, curated), force=force)


def refit_last_layer(
    reference: str | None = None,
    *,
    refit: str = "l1",
    seed: int = 0,
    at: Workbench | None = None,
    force: bool = False,
    **fields: Any,
) -> Run:
    """Refit the last layer of a model by a method of slim_core.training.last_layer.

    ``fields``: further ones of TrainSpec, such as refit_options, or attention, a pass over the model whose features are
    taken.
    """
    at = at or open_workbench()
    origin = a_run(at, reference, "train", fits=_is_reference)
    spec = retrain_spec(origin, None, "last-layer", seed, {"refit": refit, **fields})
    return at.run(spec, name=f"Last layer by {refit}", force=force)


def _is_reference(model: Run) -> bool:
    return not refits(model.spec) and not model.spec["subset"]


def register_model(
    file: str | Path,
    *,
    model: str,
    data: str | Path | None = None,
    name: str | None = None,
    at: Workbench | None = None,
    force: bool = False,
    **fields: Any,
) -> Run:
    """A model that was trained elsewhere as a run of its own, to preview, evaluate, curate for and retrain from.

    Args:
        file: a .safetensors, .pt or .pth file of plain tensors; its outputs are the classes in the data set's order.
        model: its architecture, as training names it.
        data: the data set whose classes it predicts, as in ``data_set``.
        name: what lists call the run.
        at: where it runs.
        force: even if it is registered already.
        fields: of TrainSpec: image_size, resize_ratio, mean and std, where they are not the model's own.
    """
    at = at or open_workbench()
    dataset = data_set(data, at=at)
    spec = registered_model(dataset.id, file, model, at.store.settings, fields)
    return at.run(spec, name=name or f"{model} from {Path(file).name}", force=force)


def how_to_retrain(text: str | None) -> Retrain | None:
    """One of the three ways to retrain; None is left to the reference model.

    Raises:
        SpecRefusedError: there is no such way.
    """
    if text is None or text in get_args(Retrain):
        return cast(Retrain | None, text)
    raise SpecRefusedError(f"There is no way to retrain {quoted(text)}: choose {', '.join(get_args(Retrain))}.")


def run_loop(config: LoopConfig, methods: list[str], *, at: Workbench | None = None) -> list[Outcome]:
    """The whole loop once, with each of the methods; what the data cannot serve is refused before any work.

    Raises:
        DataRefusedError, SpecRefusedError, AnswersRefusedError: as ``Loop.require``.
    """
    loop = Loop(at or open_workbench(), config)
    loop.require(methods)
    return [loop.outcome(method) for method in methods]
