"""A report of a model that somebody has: registered, passed over the images, evaluated, and written as one file.

Each part is a run of the store: a second call goes on where the first was interrupted.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slim_core import result_files
from slim_core.data.table import ImageTable, is_too_small
from slim_core.errors import CheckpointRefusedError, NotFoundError, SpecRefusedError
from slim_core.formatting import first_few
from slim_core.models.checkpoints import check_checkpoint_file
from slim_core.models.names import check_model, is_custom, usual_name
from slim_core.runs.executor import Workbench, data_set, open_workbench
from slim_core.runs.trainings import first_training, registered_model
from slim_core.steps.specs import parse_spec
from slim_core.store.results import ModelResult

if TYPE_CHECKING:
    from slim_core.evaluation.report import Report
    from slim_core.settings import Settings
    from slim_core.steps.specs import TrainSpec
    from slim_core.store import Dataset, Run, Store

SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".safetensors")  # of what is taken for a file also where there is none
TO_EVALUATE = ("test", "val", "train")  # the first that has images
CHECKPOINTS = "checkpoints"  # folder of the home: tensors that are in no file of the user's as they are needed


@dataclass(frozen=True)
class ModelReport:
    """A finished report, which a notebook shows."""

    store: Store
    evaluation: Run

    @cached_property
    def report(self) -> Report:
        """What the file shows."""
        from slim_core.evaluation.report import collect

        return collect(self.store, [self.evaluation])

    @property
    def html(self) -> str:
        """The whole file, some 5 MB of it plotly.js."""
        from slim_core.evaluation.report import render

        return render(self.report)

    def save(self, path: Path | str) -> None:
        """Write the file, whole or not at all.

        Raises:
            SpecRefusedError: it cannot be written.
        """
        result_files.write_text(Path(path), self.html)

    def _repr_html_(self) -> str:
        """A frame of its own, so that styles and scripts do not meet those of the notebook."""
        return f'<iframe style="width: 100%; height: 48rem; border: 0" srcdoc="{escape(self.html)}"></iframe>'


def report(
    model: str | Path,
    data: str | Path | None = None,
    *,
    architecture: str | None = None,
    classes: Sequence[str] = (),
    at: Workbench | None = None,
    force: bool = False,
    **fields: Any,
) -> ModelReport:
    """What a model gets wrong, where it looks, what the test images can show, and what to do next.

    Args:
        model: a checkpoint (.pt, .pth, .safetensors of plain tensors); a function that returns a trained network, as
            package.module:function; a published network, as timm:NAME or resnet50, of which a last layer is fitted to
            the training images; or the id of a train or evaluate run.
        data: a folder in any form that ``import_data`` reads, or a registered data set; default: the newest.
        architecture: of a checkpoint; default: found by its tensors.
        classes: what the outputs of the model are called, in their order, where that is not the order of the data.
        at: where it is computed.
        force: also where it is done already.
        fields: of TrainSpec: image_size, resize_ratio, mean and std, where they are not the model's own.

    Raises:
        SlimError: of what is refused. A folder whose classes do not fit is not registered.
    """
    at = at or open_workbench()
    run = at.store.runs.find(str(model))
    if run is not None:
        is_evaluated = run.kind == "evaluate" and run.status == "done"
        return ModelReport(at.store, run if is_evaluated else _evaluated(run, at, force=force))
    asked = Asked(str(model), architecture, tuple(classes), fields, at.store.settings)
    dataset = data_set(data, at=at, check=asked.fit)
    spec = asked.spec(dataset, at.store.datasets.table(dataset.id))
    trained = at.run(spec, name=asked.name(dataset), force=force)
    return ModelReport(at.store, _evaluated(trained, at, force=force))


@dataclass
class Asked:
    """A model as it was named, and what is known of it beside."""

    model: str
    architecture: str | None
    classes: tuple[str, ...]
    fields: Mapping[str, Any]
    settings: Settings
    _fitted: dict[tuple[str, ...], tuple[str, Path]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no images can mend.

        Raises:
            CheckpointRefusedError, PathRefusedError: there is no such file, or it is none of plain tensors.
            SpecRefusedError: there is no such model, or an option is of another kind of model.
        """
        if self.is_file:
            check_checkpoint_file(self.settings.allowed(self.model))
        elif self.architecture is not None:
            raise SpecRefusedError("--arch is of a checkpoint: name a file, or leave it out.")
        elif self.classes and not is_custom(self.model):
            raise SpecRefusedError(
                f"{self.model} gets a new last layer for the classes of the data: leave --classes out."
            )
        name = self.architecture if self.is_file else self.model
        if name is not None:
            try:
                check_model(name)
            except ValueError as error:
                raise SpecRefusedError(f"{name} is not a checkpoint, a run or a model: {error}.") from error

    @property
    def is_file(self) -> bool:
        """Whether a checkpoint is meant."""
        return Path(self.model).suffix in SUFFIXES or os.path.isfile(os.path.expanduser(self.model))

    def name(self, dataset: Dataset) -> str:
        """What lists call the run."""
        return Path(self.model).name if self.is_file else usual_name(self.model, dataset.name)

    def spec(self, dataset: Dataset, table: ImageTable) -> TrainSpec:
        """Of the run that it becomes.

        Raises:
            CheckpointRefusedError, SpecRefusedError: as ``fit``, of a data set that was registered before.
        """
        if not self.is_file and not is_custom(self.model):
            return first_training(dataset, self.model, mode="last-layer", **self.fields)
        network, path = self.fit(table)
        return registered_model(dataset.id, path, network, self.settings, self.fields)

    def fit(self, table: ImageTable) -> tuple[str, Path]:
        """The network and a file of its tensors, with an output for each class of the images, in their order.

        Raises:
            CheckpointRefusedError, SpecRefusedError: they do not fit; with the outputs and the classes.
        """
        if table.label_names not in self._fitted and (self.is_file or is_custom(self.model)):
            self._fitted[table.label_names] = self._fit(table.label_names)
        return self._fitted.get(table.label_names, (self.model, Path()))

    def _fit(self, wanted: tuple[str, ...]) -> tuple[str, Path]:
        from slim_core.models import foreign

        given, size = self.classes or wanted, self.fields.get("image_size")
        if not set(wanted) <= set(given) or len(set(given)) < len(given):
            raise SpecRefusedError(
                f"--classes names {_listed(given)}, and the classes of the images are {_listed(wanted)}: name each "
                f"output of the model once, in its order, and those of the images as they are called there."
            )
        folder, stem = self.settings.home.resolve() / CHECKPOINTS, Path(self.model.replace(":", ".")).stem
        if not self.is_file:
            network, tensors = self.model, foreign.given_by(self.model, len(given), size)
        else:
            path = self.settings.allowed(self.model)
            network, tensors, n_outputs = foreign.recognised(path, self.architecture, size)
            if n_outputs != len(given):
                named = f"--classes names {_listed(given)}" if self.classes else f"the images have {_listed(wanted)}"
                raise CheckpointRefusedError(
                    f"{path} has {n_outputs} outputs, and {named}: name all outputs in their order, --classes "
                    f"NAME,NAME,... with those of the images among them."
                )
            if given == wanted:
                return network, path
        if given != wanted:
            tensors = foreign.in_order(tensors, network, given, wanted, size)
        return network, foreign.keep(tensors, folder, stem)


def _listed(names: Sequence[str]) -> str:
    return f"{len(names)} ({first_few(names)})"


def _evaluated(model: Run, at: Workbench, *, force: bool) -> Run:
    """The pass over all images, the space of those that are evaluated, and the evaluation itself.

    Raises:
        NotFoundError: the model is not done.
    """
    if model.kind != "train" or model.status != "done":
        raise NotFoundError(f"{model.id} is no finished train or evaluate run: name one of slim runs.")
    table = at.store.datasets.table(model.dataset_id)
    split = next(each for each in TO_EVALUATE if len(table.rows(each)))
    maps = space = None
    common = {"dataset": model.dataset_id, "model": model.id}
    if not ModelResult(at.store.artifacts.folder(model.id)).no_attention:
        seen = [each for each in ("train", "val", "test") if len(table.rows(each))]
        maps = at.run(parse_spec({"kind": "gradcam", "splits": seen, **common}), force=force)
        if not is_too_small(table, split):
            of_split = {"kind": "space", "dataset": model.dataset_id, "attention": maps.id, "split": split}
            space = at.run(parse_spec(of_split), force=force).id
    network, is_masked = ModelResult(at.store.artifacts.folder(model.id)).network, bool(table.has_mask.any())
    # without masks there is nothing to score: the features of the pass take the place of another one
    features = maps.id if maps and network and network.head and not is_masked else None
    groups = {"space": None if table.has_attributes else space, "features": features}
    asked = {"kind": "evaluate", "split": split, "attention": maps is not None and is_masked, **groups, **common}
    return at.run(parse_spec(asked), name=f"{model.name} on {split}", force=force)
