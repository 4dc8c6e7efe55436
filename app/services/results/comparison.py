"""What each finished run found, read once and then kept; evaluations side by side; the page of each result."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import pandas as pd

from app import session
from slim_core.data.table import SMALLEST_SPACE
from slim_core.errors import NotFoundError
from slim_core.evaluation import comparison, predictions, two_models
from slim_core.evaluation.comparison import ELSEWHERE, Ancestry, given_name, method_of, scored_last, titled
from slim_core.metrics import of_environments
from slim_core.models.names import short_name
from slim_core.result_files import PREDICTIONS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from slim_core.evaluation.predictions import Slices
    from slim_core.store import Dataset, Run, Store

Named = tuple[tuple[str, str], ...]  # (id, name) each
# kind -> (page, what is done there)
RESULT_PAGES = {
    "train": ("train", "see its accuracy per group."),
    "gradcam": ("attention", "see where the model looks."),
    "preview": ("attention", "see where the model looks, before the full pass."),
    "space": ("space", "see which images have similar attention."),
    "candidates": ("annotate", "answer for each image whether the attention is right."),
    "curate": ("curate", "retrain a model on this subset."),
    "evaluate": ("train", "see the accuracy of every group, and the images behind it."),
}


def compared_on(dataset: Dataset) -> str:
    """The split that models are compared on."""
    return "test" if dataset.report["splits"].get("test") else "val"


def estimates_groups(dataset: Dataset, split: str) -> bool:
    """Whether groups are estimated on a split: the data set names none, and there are images enough for a space."""
    return dataset.n_attributes == 0 and dataset.report["splits"].get(split, 0) >= SMALLEST_SPACE


def predictions_of(evaluation: Run) -> pd.DataFrame:
    """slim_core.evaluation.predictions of a finished evaluation; read only, for it is shared."""
    return _predictions(session.store(), evaluation.id)


@lru_cache(maxsize=16)
def _predictions(store: Store, evaluation: str) -> pd.DataFrame:
    return predictions.predictions(store, store.runs.fetch(evaluation))


def outcomes_of(before: Run, after: Run) -> NDArray[np.int64] | None:
    """slim_core.evaluation.two_models.outcomes_of, read once while its files stay as they are; read only, shared.

    None also where one was deleted.
    """
    try:
        return _outcomes(session.store(), *((one.id, _version(one)) for one in (before, after)))
    except (NotFoundError, FileNotFoundError):
        return None


@lru_cache(maxsize=16)
def _outcomes(
    store: Store, before: tuple[str, tuple[int, int]], after: tuple[str, tuple[int, int]]
) -> NDArray[np.int64] | None:
    return two_models.outcomes_of(store, *(store.runs.fetch(run) for run, _ in (before, after)))


def _version(evaluation: Run) -> tuple[int, int]:
    """The version of its file of predictions: another one where it was written anew."""
    found = (session.store().artifacts.folder(evaluation.id) / PREDICTIONS).stat()
    return found.st_mtime_ns, found.st_size


def slices_of(evaluation: Run, ancestry: Ancestry) -> Slices:
    """slim_core.evaluation.predictions of a finished evaluation, found once: clustering takes a moment."""
    return _slices(session.store(), evaluation.id, ancestry)


@lru_cache(maxsize=16)
def _slices(store: Store, evaluation: str, ancestry: Ancestry) -> Slices:
    return predictions.slices_of(store, store.runs.fetch(evaluation), ancestry)


def maps_of(evaluation: Run, ancestry: Ancestry) -> str | None:
    """The run that kept the attention maps of the evaluated images; None where no run did."""
    return session.store().lineage.maps_of(evaluation, ancestry.runs.values())


@dataclass(frozen=True)
class Result:
    """A reference model and, where it has come so far, a model retrained on a subset of its images: both evaluated.

    ``id``: of the evaluation of the retrained model; of the reference model where there is none.
    """

    reference: Run
    before: Run | None = None  # finished evaluation of the reference
    subset: Run | None = None
    model: Run | None = None  # trained on the subset
    after: Run | None = None  # finished evaluation of that model, of the same images in the same groups

    @property
    def id(self) -> str:
        """What an address names it by."""
        return (self.after or self.reference).id

    @property
    def method(self) -> str:
        """What the retrained model is called among others; "" where there is none."""
        return "" if self.model is None else method_of(self.model, self.subset).partition(",")[0]

    @property
    def name(self) -> str:
        """The models, by the names they were given too, their seeds, and when."""
        is_elsewhere = self.reference.spec.get("mode") == "registered"
        made = ELSEWHERE if is_elsewhere else f"seed {self.reference.spec['seed']}"
        dataset = session.store().datasets.fetch(self.reference.dataset_id).name
        given = given_name(self.reference, dataset)
        reference = titled(given, f"{short_name(self.reference.spec['model'])}, {made}")
        when = session.clock((self.after or self.reference).created_at)
        if self.model is None:
            return f"{reference}: no retrained model yet · {when}"
        made = f"{method_of(self.model, self.subset)}, seed {self.model.spec['seed']}"
        model = titled(given_name(self.model, dataset), made)
        return f"{model} · from {reference} · {when}"


@dataclass(frozen=True, eq=False)
class Compared:
    """``rows`` by evaluation id, ``groups`` one row a run and group, and their lineage."""

    rows: pd.DataFrame
    groups: pd.DataFrame
    evaluations: dict[str, Run]
    ancestry: Ancestry
    estimated: bool  # some groups are class x environment, as no attributes are known


def read(dataset: str) -> Compared | None:
    """All finished evaluations of a data set, newest first; None where there is none."""
    store = session.store()
    finished = store.history.finished(dataset)
    if all(kind != "evaluate" for _, kind, _ in finished):
        return None
    known = tuple((run_id, name) for run_id, _, name in finished)
    campaigns = tuple((one.id, one.name) for one in store.campaigns.all(dataset))
    return _read(store, dataset, known, campaigns)


@lru_cache(maxsize=4)
def _read(store: Store, dataset: str, known: Named, campaigns: Named) -> Compared:  # noqa: ARG001
    """``known``: all finished runs, in which nothing else changes; maps made after an evaluation belong to its
    ancestry. ``campaigns``: those that the reader is shown, for what one took is said to them alone."""
    wanted = {run_id for run_id, _ in known}
    done = store.runs.all(kind="evaluate", status="done", dataset=dataset)
    found = scored_last([one for one in done if one.id in wanted])
    ancestry = Ancestry.read(store, dataset)
    rows = comparison.table(store, found, ancestry)
    estimated = any(of_environments(one.metrics or {}) for one in found)
    evaluations = {one.id: one for one in found}
    groups = comparison.groups(found, rows["label"].to_dict())
    return Compared(rows, groups, evaluations, ancestry, estimated)


def compare_parameters(before: Run, after: Run) -> dict[str, str]:
    """The parameters with which the Compare page shows two evaluations of a split; it begins with those of test."""
    split = str(after.spec["split"])
    return {"baseline": before.id, "runs": f"{before.id},{after.id}"} | ({"split": split} if split != "test" else {})


def page_of(run: Run) -> tuple[str, dict[str, str]]:
    """(page, parameters) of a run's result.

    Raises:
        KeyError: its kind has no page.
    """
    spec = run.spec
    named: dict[str, dict[str, str | None]] = {
        "preview": {"model": spec.get("model"), "preview": run.id},
        "candidates": {"space": spec.get("space"), "campaign": (run.metrics or {}).get("campaign")},
        "curate": {"subset": run.id, "space": spec.get("space"), "campaign": spec.get("campaign")},
        "evaluate": {"run": spec.get("model"), "on": spec.get("split")},
    }
    given = named.get(run.kind, {"run": run.id})
    return RESULT_PAGES[run.kind][0], {"dataset": run.dataset_id} | {
        name: value for name, value in given.items() if value
    }
