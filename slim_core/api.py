"""The steps as typed functions, for scripts and notebooks; ``import slim_core`` offers all of them.

Each waits until its run is done and returns the run's row. Without a workbench it works in this process, on the store
of SLIM_HOME. What is left out is the newest that fits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slim_core.datasets.table import Split
from slim_core.errors import NotFoundError, SpecRefusedError
from slim_core.loop import Loop, LoopConfig, Outcome, Retrain, create_campaign, retrain_spec
from slim_core.simulation import simulate_answers
from slim_core.steps.specs import (
    SUBSET_SHARE,
    EvaluateSpec,
    FeaturesSpec,
    GradcamSpec,
    Option,
    SpaceSpec,
    TrainSpec,
    default_model,
)
from slim_core.steps.specs import CurateSpec as _CurateSpec
from slim_core.workbench import Workbench, open_workbench

if TYPE_CHECKING:
    import pandas as pd

    from slim_core.store import Campaign, Dataset, Run

MAKERS = {"train": "slim train", "gradcam": "slim gradcam", "space": "slim space", "evaluate": "slim evaluate"}
ALL_SPLITS: tuple[Split, ...] = ("train", "val", "test")


def data_set(
    data: str | Path | None = None,
    *,
    format: str | None = None,
    name: str | None = None,
    options: Mapping[str, str] | None = None,
    at: Workbench | None = None,
    progress: Callable[..., None] | None = None,
) -> Dataset:
    """A registered data set by its id or name, a folder (which is then registered), or the newest one.

    Raises:
        DataRefusedError: the folder's import found errors.
        NotFoundError: there is no such data set or folder.
    """
    at = at or open_workbench()
    if data is None:
        return newest_data_set(at)
    found = at.store.datasets.find(str(data))
    if found is not None:
        return found
    if not Path(data).expanduser().exists():
        raise NotFoundError(f"{data} is neither a registered data set nor a folder: see slim datasets.")
    from slim_core.datasets import import_data, require

    imported = import_data(Path(data).expanduser(), format=format, name=name, options=options, progress=progress)
    require(imported)
    return at.store.datasets.register(imported, by="local")


def newest_data_set(at: Workbench) -> Dataset:
    """The data set registered last.

    Raises:
        NotFoundError: there is none.
    """
    known = at.store.datasets.all()
    if not known:
        raise NotFoundError(
            "No data set is registered yet: name a folder (--data DIR), or import one: slim import DIR."
        )
    return max(known, key=lambda dataset: dataset.created_at)


def newest_run(
    at: Workbench, kind: str, *, data: str | None = None, fits: Callable[[Run], bool] = lambda _run: True
) -> Run:
    """The finished run of a kind that was submitted last.

    Raises:
        NotFoundError: there is none that fits.
    """
    dataset = data_set(data, at=at).id if data else None
    fitting = [run for run in at.store.runs.all(kind=kind, status="done", dataset=dataset) if fits(run)]
    if not fitting:
        raise NotFoundError(f"There is no finished {kind} run that fits: start one with {MAKERS.get(kind, kind)}.")
    return max(fitting, key=lambda run: run.created_at)


def a_run(at: Workbench, run_id: str | None, kind: str, **which: Any) -> Run:
    """A run by its id, checked to be of the kind, or the newest that fits.

    Raises:
        NotFoundError: there is none.
        SpecRefusedError: the run is of another kind.
    """
    if run_id is None:
        return newest_run(at, kind, **which)
    run = at.store.runs.fetch(run_id)
    if run.kind != kind:
        raise SpecRefusedError(f"{run_id} is a {run.kind} run, but a {kind} run is needed: name another one.")
    return run


def train(
    data: str | Path | None = None,
    *,
    model: str | None = None,
    seed: int = 0,
    at: Workbench | None = None,
    **fields: Any,
) -> Run:
    """Train a reference model. ``fields`` are those of TrainSpec, such as epochs and lr."""
    at = at or open_workbench()
    dataset = data_set(data, at=at)
    model = model or default_model(dataset.format)
    return at.run(TrainSpec(dataset=dataset.id, model=model, seed=seed, **fields))


def retrain(
    subset: str | None = None,
    *,
    how: Retrain = "reference",
    reference: str | None = None,
    seed: int = 0,
    at: Workbench | None = None,
    **fields: Any,
) -> Run:
    """Retrain the architecture of a reference model on a curated subset."""
    at = at or open_workbench()
    curated = a_run(at, subset, "curate")
    origin = a_run(at, reference, "train") if reference else reference_of(at, curated)
    return at.run(retrain_spec(origin, curated, how, seed, fields))


def reference_of(at: Workbench, run: Run) -> Run:
    """The train run at the root of a space or curate run: the model whose attention was looked at."""
    while run.kind != "train":
        parents = dict(at.store.runs.parents(run.id))
        run = parents.get("model") or parents.get("attention") or parents["space"]
    return run


def gradcam(model: str | None = None, *, splits: tuple[Split, ...] = ALL_SPLITS, at: Workbench | None = None) -> Run:
    """Attention maps, their scores and all features of a model, in one pass."""
    at = at or open_workbench()
    run = a_run(at, model, "train")
    return at.run(GradcamSpec(dataset=run.dataset_id, model=run.id, splits=splits))


def extract_features(
    model: str | None = None, *, splits: tuple[Split, ...] = ALL_SPLITS, at: Workbench | None = None
) -> Run:
    """The features alone; taken over from a gradcam run of the same model where there is one."""
    at = at or open_workbench()
    run = a_run(at, model, "train")
    return at.run(FeaturesSpec(dataset=run.dataset_id, model=run.id, splits=splits))


def make_space(
    attention: str | None = None, *, split: Split = "train", seed: int = 0, at: Workbench | None = None, **fields: Any
) -> Run:
    """The two attention spaces and the environment clusters; ``fields`` are those of SpaceSpec."""
    at = at or open_workbench()
    run = at.store.runs.fetch(attention) if attention else newest_run(at, "gradcam")
    return at.run(SpaceSpec(dataset=run.dataset_id, attention=run.id, split=split, seed=seed, **fields))


def choose_candidates(
    space: str | None = None,
    *,
    share: float = 0.03,
    seed: int = 0,
    name: str | None = None,
    at: Workbench | None = None,
) -> Campaign:
    """Open a campaign about a share of the space's images."""
    at = at or open_workbench()
    run = a_run(at, space, "space")
    return create_campaign(at.store, run, share=share, seed=seed, name=name or f"Candidates {share:.1%}, seed {seed}")


def newest_campaign(at: Workbench) -> Campaign:
    """The campaign created last.

    Raises:
        NotFoundError: there is none.
    """
    known = at.store.campaigns.all()
    if not known:
        raise NotFoundError("There is no campaign yet: open one with slim candidates.")
    return max(known, key=lambda campaign: campaign.created_at)


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
    chosen = campaign or newest_campaign(at).id
    return simulate_answers(at.store, chosen, threshold=threshold, flip=flip, unsure=unsure, seed=seed)


def curate(
    campaign: str | None = None,
    *,
    strategy: str = "slim",
    size: int | None = None,
    space: str | None = None,
    seed: int = 0,
    at: Workbench | None = None,
    **options: Option,
) -> Run:
    """Propagate a campaign's answers and choose a subset; ``options`` are the strategy's own."""
    at = at or open_workbench()
    chosen = at.store.campaigns.fetch(campaign) if campaign else None
    if chosen is None and space is None:
        chosen = newest_campaign(at)
    run = a_run(at, space or (chosen.space_run_id if chosen else None), "space")
    spec = _CurateSpec(
        dataset=run.dataset_id,
        space=run.id,
        campaign=chosen.id if chosen else None,
        answers_seq=at.store.campaigns.last_seq(chosen.id) if chosen else None,
        strategy=strategy,
        size=size or default_size(at, run.dataset_id),
        seed=seed,
        options=options,
    )
    return at.run(spec)


def default_size(at: Workbench, dataset_id: str) -> int:
    """Images of a subset where nobody says how many."""
    return max(1, round(SUBSET_SHARE * len(at.store.datasets.table(dataset_id).rows("train"))))


def evaluate(
    model: str | None = None, *, split: Split = "test", space: str | None = None, at: Workbench | None = None
) -> Run:
    """Every metric of a model on a split."""
    at = at or open_workbench()
    run = a_run(at, model, "train")
    return at.run(EvaluateSpec(dataset=run.dataset_id, model=run.id, split=split, space=space))


def compare(evaluations: list[str] | None = None, *, at: Workbench | None = None) -> pd.DataFrame:
    """Evaluate runs side by side, one row each, groups in columns; all of the newest data set by default."""
    import pandas as pd

    from slim_core.comparison import row

    at = at or open_workbench()
    if evaluations:
        runs = [a_run(at, run_id, "evaluate") for run_id in evaluations]
    else:
        runs = at.store.runs.all(kind="evaluate", status="done", dataset=newest_data_set(at).id)
    return pd.DataFrame([row(at.store, run) for run in runs])


def run_loop(config: LoopConfig, methods: list[str], *, at: Workbench | None = None) -> list[Outcome]:
    """The whole loop once, with each of the methods."""
    loop = Loop(at or open_workbench(), config)
    return [loop.outcome(method) for method in methods]
