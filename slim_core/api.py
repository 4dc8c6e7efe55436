"""The steps as typed functions, for scripts and notebooks; ``import slim_core`` offers all of them.

Each waits until its run is done and returns the run's row. Without a workbench it works in this process, on the store
of SLIM_HOME. What is left out is the newest that fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from slim_core.annotation.plan import create_campaign
from slim_core.annotation.simulated_annotator import simulate_answers
from slim_core.curation import ANSWERED, NEEDS_ANSWERS
from slim_core.errors import SpecRefusedError, quoted
from slim_core.models.names import usual_name
from slim_core.runs.executor import Workbench, a_run, find_newest_campaign, newest_campaign, open_workbench
from slim_core.runs.executor import data_set as data_set
from slim_core.runs.loop_runs import LoopConfig
from slim_core.runs.methods import Loop, Outcome
from slim_core.runs.reporting import report as report
from slim_core.runs.trainings import (
    Retrain,
    first_training,
    model_for,
    registered_model,
    retrain_spec,
    retrained_name,
    usual_curation_of,
    usual_retraining,
)
from slim_core.steps.specs import Option, parse_spec, refits
from slim_core.store.runs.rows import PASSES, title_of

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from slim_core.store import Campaign, Run


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
    spec = first_training(dataset, model, seed=seed, **fields)
    return at.run(spec, name=usual_name(model, dataset.name), force=force)


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
    from slim_core.evaluation.predictions import space_frame

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


NO_CAMPAIGN = "none"  # in place of a campaign's id: no answers are used


def choose_candidates(
    space: str | None = None,
    *,
    share: float | None = None,
    seed: int = 0,
    name: str | None = None,
    overlap: int = 1,
    gold: int = 0,
    at: Workbench | None = None,
) -> Campaign:
    """Open a campaign about a share of the space's images; without one, about what ``candidates.budgets_of`` proposes.

    ``overlap``: how many people answer each; ``gold``: images whose right answer is known.
    """
    at = at or open_workbench()
    run = a_run(at, space, "space", fits=_of_train)
    return create_campaign(at.store, run, share=share, seed=seed, name=name, overlap=overlap, n_gold=gold, by=at.by)


def answer_from_masks(
    campaign: str | None = None,
    *,
    threshold: float = 0.5,
    flip: float = 0.0,
    unsure: float = 0.0,
    seed: int = 0,
    at: Workbench | None = None,
) -> int:
    """Answer a campaign with the simulated annotator; returns the number of answers."""
    at = at or open_workbench()
    chosen = newest_campaign(at).id if campaign is None else campaign
    return simulate_answers(at.store, chosen, threshold=threshold, flip=flip, unsure=unsure, seed=seed)


def curate(
    campaign: str | None = None,
    *,
    strategy: str = "slim",
    size: int | None = None,
    space: str | None = None,
    seed: int = 0,
    options: Mapping[str, Option] | None = None,
    at: Workbench | None = None,
    force: bool = False,
    **fields: Any,
) -> Run:
    """Propagate a campaign's answers and choose a subset; ``options`` are the strategy's own, ``fields`` of CurateSpec.

    A strategy that uses answers takes those of the newest campaign, where none is named and there is one; NO_CAMPAIGN
    keeps it from that. ``size`` and ``options`` that are left out are those that are usual for the reference model.

    Raises:
        NotFoundError: there is no campaign of that id, or none at all, and the strategy cannot do without answers.
        SpecRefusedError: the space is not of train, or there is no such strategy or option.
    """
    from slim_core.curation import check_options

    check_options(strategy, options or {})
    at = at or open_workbench()
    chosen = _campaign_for(strategy, campaign, space, at)
    run = _space_to_train_on(space, chosen, at)
    usual_size, usual = usual_curation_of(at.store, run, strategy)
    spec = {
        "kind": "curate",
        "dataset": run.dataset_id,
        "space": run.id,
        **_answers_now(chosen, at),
        "strategy": strategy,
        "size": usual_size if size is None else size,
        "seed": seed,
        "options": {**usual, **(options or {})},
        **fields,
    }
    return at.run(parse_spec(spec), name=f"Subset by {strategy}", force=force)


def _campaign_for(strategy: str, campaign: str | None, space: str | None, at: Workbench) -> Campaign | None:
    if campaign == NO_CAMPAIGN:
        return None
    if campaign is not None:
        return at.store.campaigns.fetch(campaign)
    if strategy in NEEDS_ANSWERS:
        return newest_campaign(at, space)
    return find_newest_campaign(at, space) if strategy in ANSWERED else None


def _space_to_train_on(space: str | None, campaign: Campaign | None, at: Workbench) -> Run:
    """The space that is named, else that of the campaign, else the newest of train."""
    from slim_core.steps.curate import require_train

    of_campaign = campaign.space_run_id if campaign else None
    run = a_run(at, of_campaign if space is None else space, "space", fits=_of_train)
    require_train(run)
    return run


def _answers_now(campaign: Campaign | None, at: Workbench) -> dict[str, Any]:
    """Fields of CurateSpec: the answers that a campaign has by now."""
    if campaign is None:
        return {"campaign": None, "answers_seq": None}
    return {"campaign": campaign.id, "answers_seq": at.store.answers.last_seq(campaign.id)}


def _of_train(space: Run) -> bool:
    return bool(space.spec["split"] == "train")


def evaluate(
    model: str | None = None,
    *,
    data: str | None = None,
    split: str = "test",
    space: str | None = None,
    at: Workbench | None = None,
    force: bool = False,
    **fields: Any,
) -> Run:
    """Every metric of a model on a split; ``fields`` are those of EvaluateSpec.

    ``data``: name or id of a data set, whose newest model is taken.
    """
    at = at or open_workbench()
    run = a_run(at, model, "train", data=data)
    clusters = None if space is None else a_run(at, space, "space").id
    spec = {"kind": "evaluate", "dataset": run.dataset_id, "model": run.id, "split": split, "space": clusters} | fields
    return at.run(parse_spec(spec), name=f"{run.name} on {split}", force=force)


def compare(
    evaluations: list[str] | None = None, *, data: str | None = None, at: Workbench | None = None
) -> pd.DataFrame:
    """Evaluate runs side by side, one row each, groups in columns; by default all of the data set evaluated last.

    ``data``: all of this one, by name or id.
    """
    import pandas as pd

    from slim_core.evaluation.comparison import rows, scored_last

    at = at or open_workbench()
    if evaluations:
        runs = [a_run(at, run_id, "evaluate", data=data) for run_id in evaluations]
    else:
        over = None if data is None else at.store.datasets.of(data).id
        runs = scored_last(_of_one_data_set(at.store.runs.all(kind="evaluate", status="done", dataset=over)))
    found = rows(at.store, runs)
    whole = {key: pd.Series([one[key] for one in found], dtype=object) for key in ("seed", "images") if found}
    return pd.DataFrame(found).assign(**whole)  # a row without one does not make 36 of the others 36.0


def _of_one_data_set(runs: list[Run]) -> list[Run]:
    """The runs over the data set of the newest one; a data set that was registered since has none to show."""
    return [run for run in runs if run.dataset_id == runs[0].dataset_id]
