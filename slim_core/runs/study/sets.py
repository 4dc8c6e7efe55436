"""The data set of each set of a study, and the model that it is computed with where the file names none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from slim_core.data.sets import make_set
from slim_core.data.sets.demo_set import write_set
from slim_core.runs.executor import Workbench
from slim_core.runs.methods import check_methods
from slim_core.runs.resolve import data_set
from slim_core.runs.study.spec import Study, StudySet
from slim_core.steps.train.first_training import model_for

if TYPE_CHECKING:
    from slim_core.data.progress import Progress as FilesProgress
    from slim_core.store import Dataset


def check_groups(at: Workbench, study: Study) -> None:
    """Refuse a method that needs groups where no set of the study has them; demo sets always have.

    Raises:
        SpecRefusedError: there is such a method.
    """
    if any(one.set for one in study.sets):
        return
    tables = [at.store.datasets.table(data_of(at, one, seed=0).id) for one in study.sets]
    with_groups = [table for table in tables if table.has_attributes]
    check_methods(study.methods, (with_groups or tables)[0])


def data_of(at: Workbench, asked: StudySet, seed: int, progress: FilesProgress | None = None) -> Dataset:
    """The registered data set; a demo set is drawn with the seed first. ``progress``: called while files are.

    Raises:
        DataRefusedError, NotFoundError: it cannot be imported, drawn or found.
    """
    if asked.set is None:
        return data_set(asked.data, format=asked.format, options=asked.options or None, at=at, progress=progress)
    demo = make_set(asked.set, **asked.parameters, seed=seed)
    folder = at.store.settings.home / "demo-data" / f"{demo.name}-seed-{seed}-{demo.digest}"
    write_set(folder, demo, progress)
    return data_set(folder, at=at, progress=progress)


def with_models(at: Workbench, study: Study) -> Study:
    """A new study as it is kept: with the models that `slim run` would propose for its data here and now.

    They are kept since elsewhere, as on a machine with a GPU, others would be proposed.

    Raises:
        DataRefusedError, NotFoundError: a set for which no model is named cannot be imported, drawn or found.
    """
    return _with(study, [one.model or _proposed(at, one, study.seeds[0]) for one in study.sets])


def as_kept(study: Study, kept: Mapping[str, Any]) -> Study:
    """The study with the models with which it was begun; ``kept``: its spec, as ``with_models`` has made it.

    Of a study that is older than they are there is none: see slim_core.steps.train.recipes.default_model.
    """
    return _with(study, [one["model"] for one in kept["sets"]])


def _with(study: Study, models: Sequence[str | None]) -> Study:
    sets = [one.model_copy(update={"model": model}) for one, model in zip(study.sets, models, strict=True)]
    return study.model_copy(update={"sets": tuple(sets)})


def _proposed(at: Workbench, asked: StudySet, seed: int) -> str | None:
    """None: of a demo set, which is made for one of them, wherever it is drawn."""
    if asked.set is not None and not asked.frozen:
        return None
    layer = {"mode": "last-layer"} if asked.frozen else {}
    dataset = data_of(at, asked, seed)
    return model_for(at.store, dataset, asked.train | layer, has_gpu=at.submitter.has_gpu())
