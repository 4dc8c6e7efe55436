"""The whole loop once: a method from its data to its metrics.

The same code serves `slim run` in one process, `make demo` through the queue, and the benchmarks. What the
methods are made of is in slim_core.runs.loop_runs, the methods themselves in slim_core.runs.methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slim_core.curation import STRATEGIES
from slim_core.data.table import require_for_space
from slim_core.errors import AnswersRefusedError, DataRefusedError, SpecRefusedError
from slim_core.evaluation.ancestry import Ancestry
from slim_core.metrics import CLASS_GROUPS, ESTIMATED_GROUPS, GROUPS, RATES, groups_are_classes
from slim_core.runs.loop_runs import LoopConfig, LoopRuns, Trained
from slim_core.runs.methods import METHODS, check_layers, check_methods

if TYPE_CHECKING:
    from slim_core.store import Run

__all__ = ["Loop", "LoopConfig", "Outcome"]


@dataclass(frozen=True)
class Outcome:
    """A method's model on the test split, and what it took to get there."""

    method: str
    seed: int
    labels_used: str  # beyond the classes of the images
    model: Run  # the train run
    evaluation: Run
    subset: Run | None  # the curate run
    n_images: int
    n_unique: int
    n_answers: int
    answers_share: float
    seconds: float  # of computing: the model's run, those tried beside it, and every run these descend from

    def to_json(self) -> dict[str, Any]:
        """One entry of `slim run --json`."""
        metrics = self.evaluation.metrics or {}
        return {
            "seed": self.seed,
            "labels_used": self.labels_used,
            **{key: metrics.get(key) for key in (*RATES, GROUPS)},
            ESTIMATED_GROUPS: bool(metrics.get(ESTIMATED_GROUPS)),
            CLASS_GROUPS: groups_are_classes(metrics),
            "answers": self.n_answers,
            "answers_share": self.answers_share,
            "images": self.n_images,
            "images_unique": self.n_unique,
            "seconds": self.seconds,
        }


class Loop(LoopRuns):
    """The runs of one data set and seed, and what each method makes of them."""

    def require(self, methods: Sequence[str]) -> None:
        """Refuse what the data set cannot serve: called before any work, it leaves no run behind.

        Raises:
            DataRefusedError: there are no test images. Those of val are no substitute: methods choose epochs by them,
                and some fit a last layer to them.
            SpecRefusedError: there is no such method, it needs attributes that the data set does not have, or a space
                of too few images, it trains more than last layers where these alone are trained, or subsets are
                smaller than one image per class.
            AnswersRefusedError: a method uses answers, and the data set lacks what they are simulated from.
        """
        if not len(self.table.rows("test")):
            raise DataRefusedError(
                f"{self.table.name} has no images in test, on which the methods are compared: mark some of its images "
                f"so and import it again, or take the steps one by one and `slim evaluate --split val`."
            )
        check_methods(methods, self.table)
        check_layers(methods, last_layers=self.config.frozen)
        if any(METHODS[method].is_drawn for method in methods):
            require_for_space(self.table, "train")
        if set(methods) & set(STRATEGIES) and self.size < self.table.n_classes:
            raise SpecRefusedError(
                f"The size of the subsets is {self.size}: give at least {self.table.n_classes}, one image per class."
            )
        answered = next((method for method in methods if METHODS[method].uses_answers), None)
        if answered and self.is_simulated and not self.table.has_mask[self.table.rows("train")].any():
            raise AnswersRefusedError(
                f"{self.table.name} has no masks, from which the answers of {answered} are simulated: leave it out "
                f"(erm, slim-no-answers and random need none), or answer on the Annotate page."
            )

    def outcome(self, method: str) -> Outcome:
        """A method from its data to its metrics.

        Raises:
            DataRefusedError, SpecRefusedError, AnswersRefusedError: as ``require``.
        """
        self.require([method])
        trained = METHODS[method].train(self)
        if trained.subset is not None:
            self.evaluation(self.reference)  # which pages compare it with
        return self.came_to(method, METHODS[method].labels_used, trained)

    def came_to(self, method: str, labels_used: str, trained: Trained) -> Outcome:
        """The metrics of a model, and what it took to get there."""
        model, subset = trained.model, trained.subset
        chosen = (subset or model).metrics or {}
        ancestry = Ancestry.read(self.store, model.dataset_id)
        n_answers = ancestry.answers_used(model, *trained.tried)
        return Outcome(
            method=method,
            seed=self.config.seed,
            labels_used=labels_used,
            model=model,
            evaluation=self.evaluation(model),
            subset=subset,
            n_images=chosen["images"],
            n_unique=chosen["images_unique"],
            n_answers=n_answers,
            answers_share=n_answers / len(self.table.rows("train")),
            seconds=round(ancestry.seconds(model, *trained.tried), 3),
        )
