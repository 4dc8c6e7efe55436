"""Every method that can stand in one table, by name, and the whole loop that takes one from its data to its metrics.

A method gets from the runs of a loop (slim_core.runs.loop_runs) to a model (METHOD section 4). To add one, write its
function and register it. What it uses beyond the classes of the images is said here and shown in every table. The same
code serves `slim run` in one process, `make demo` through the queue, and the benchmarks, which register further ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from slim_core import removed
from slim_core.curation import STRATEGIES
from slim_core.curation.data import SLIM
from slim_core.data.groups import GROUPS_IN_TRAINING, GROUPS_IN_VALIDATION, LabelsUsed, used_together
from slim_core.data.table import require_for_space
from slim_core.errors import AnswersRefusedError, DataRefusedError, NothingToRepeatError, SpecRefusedError, instead_of
from slim_core.evaluation.comparison import Ancestry
from slim_core.metrics import CLASS_GROUPS, ESTIMATED_GROUPS, GROUPS, RATES, WORST_CLASS, groups_are_classes
from slim_core.runs.loop_runs import LoopRuns, Trained
from slim_core.runs.trainings import retrain_spec, usual_fit
from slim_core.steps.specs import GradcamSpec, Option
from slim_core.training.config import jtt_grid, regularised, to_convergence

if TYPE_CHECKING:
    from slim_core.data.table import ImageTable
    from slim_core.store import Run

WEAK = 0.001  # of the l2 penalty: a tenth of the weakest that is tried where validation chooses


def erm(loop: LoopRuns) -> Trained:
    """ERM until the worst class on validation no longer rises; of a last layer, the penalty by validation."""
    return Trained(loop.converged_erm)


def erm_weak(loop: LoopRuns) -> Trained:
    """A last layer under a weak penalty, which validation does not choose."""
    return Trained(loop.retrained(None, refit_options={"strengths": (WEAK,)}))


def class_balanced(loop: LoopRuns) -> Trained:
    """ERM to convergence, classes drawn equally often; in the fit of a last layer, they count equally."""
    if loop.config.frozen:
        return Trained(loop.retrained(None, refit_options={"class_balanced": True}))
    return Trained(loop.trained("RWY", **to_convergence(loop.config.model), sampling="class-balanced"))


def group_dro(loop: LoopRuns) -> Trained:
    """GroupDRO to convergence, its epoch chosen by the worst group."""
    how = to_convergence(loop.config.model) | {"objective": "group-dro", "selection": "worst_group"}
    return Trained(loop.trained("GroupDRO", **how))


def jtt(loop: LoopRuns) -> Trained:
    """ERM of T epochs, then training with its errors repeated; T and how often by the worst class on validation.

    Raises:
        SpecRefusedError: after none of the T epochs does it make an error on train.
    """
    if loop.config.frozen:
        return _refitted(loop, "jtt")
    grid, seconds, without_errors = jtt_grid(loop.config.model), [], []
    for epochs, upweight in grid:
        name, fields = jtt_first(epochs)
        first = loop.trained(name, **fields)
        name, fields = jtt_second(first, upweight)
        try:
            seconds.append(loop.trained(name, **fields))
        except NothingToRepeatError:
            without_errors.append(first)
    if not seconds:
        raise SpecRefusedError(
            f"JTT has no errors to repeat: its first model predicts all training images correctly after "
            f"{' as after '.join(f'{epochs} epochs' for epochs, _ in grid)}: train with more weight decay, or leave "
            f"jtt out."
        )
    best = best_on_validation(seconds)
    return Trained(best, tried=(*(run for run in seconds if run.id != best.id), *without_errors))


def jtt_first(epochs: int) -> tuple[str, dict[str, Any]]:
    """Name, and fields of TrainSpec, of the first training of JTT."""
    return f"JTT, the first {epochs} epochs", {"epochs": epochs, "selection": "last"}


def jtt_second(first: Run, upweight: int) -> tuple[str, dict[str, Any]]:
    """Name, and fields of TrainSpec, of the second training, in which the errors of the first are repeated."""
    options = {"errors_of": first.id, "upweight": upweight}
    fields = {**to_convergence(first.spec["model"]), "objective": "jtt", "objective_options": options}
    return f"JTT, errors of {first.spec['epochs']} epochs {upweight} times", fields


def cnc(loop: LoopRuns) -> Trained:
    """ERM that is strongly regularised, then Correct-N-Contrast on its predictions to convergence."""
    first = loop.trained("CnC, the strongly regularised ERM", **regularised(loop.config.model))
    how = to_convergence(loop.config.model)
    options = {"predictions_of": first.id}
    return Trained(loop.trained("CnC", **how, objective="cnc", objective_options=options))


def dfr(loop: LoopRuns) -> Trained:
    """The last layer of the model that subsets are retrained from, fitted anew by DFR on validation."""
    return _refitted(loop, "dfr")


def _refitted(loop: LoopRuns, refit: str) -> Trained:
    fields = {"refit": refit, "attention": _features(loop, loop.start).id}
    spec = retrain_spec(loop.start, None, "last-layer", loop.config.drawn_seed, fields)
    return Trained(loop.at.run(spec, name=f"Last layer by {refit}"))


def _features(loop: LoopRuns, start: Run) -> Run:
    """Of train and val; of the reference, whose attention SLIM needs, they come with that pass.

    A network that is frozen has those of the reference, whatever its last layer.
    """
    if loop.config.frozen or start.id == loop.reference.id:
        return loop.attention
    spec = GradcamSpec(dataset=start.dataset_id, model=start.id, splits=("train", "val"))
    return loop.at.run(spec, name=f"Attention of {start.name}")


def by_strategy(
    strategy: str, *, is_answered: bool = True, options: Mapping[str, Option] | None = None
) -> Callable[[LoopRuns], Trained]:
    """The method that retrains on the subset of a strategy; ``is_answered`` and ``options``: as of LoopRuns.subset."""

    def train(loop: LoopRuns) -> Trained:
        subset = loop.subset(strategy, is_answered=is_answered, options=options)
        return Trained(loop.retrained(subset), subset)

    return train


slim_no_answers = by_strategy(SLIM, is_answered=False)


def slim(loop: LoopRuns) -> Trained:
    """SLIM as it retrains where nobody says: of a frozen network answers enter the fit of the last layer, too."""
    subset = loop.subset(SLIM)
    return Trained(loop.retrained(subset, **usual_fit(loop.store, loop.start, subset)), subset)


def best_on_validation(runs: Sequence[Run], metric: str = WORST_CLASS) -> Run:
    """The train run whose kept epoch has the highest ``metric`` on validation; of equals the first."""
    return max(runs, key=lambda run: ((run.metrics or {}).get("val") or {}).get(metric) or 0.0)


Layers = Literal["all or the last", "all", "the last"]  # which layers a method can train


@dataclass(frozen=True)
class Method:
    """One way to a model."""

    label: str  # as a table calls it
    paper: str  # where it is from
    uses: tuple[LabelsUsed, ...]  # beyond the classes of the images; empty: nothing
    train: Callable[[LoopRuns], Trained]
    unanswered: str | None = None  # of a method that uses answers: the method that it is without any
    is_drawn: bool = False  # whether it rests on a subset, so that chance decides which images it trains on
    trains: Layers = "all or the last"

    @property
    def labels_used(self) -> str:
        """In words: "none", or "answers, groups in validation"."""
        return used_together(self.uses)

    @property
    def needs_groups(self) -> bool:
        """Whether it cannot serve data without an attribute column."""
        return any(each.startswith("groups") for each in self.uses)

    @property
    def uses_answers(self) -> bool:
        """Whether people are asked."""
        return "answers" in self.uses


_SLIM = "Xuan et al., ECCV 2024"
_GROUPS: tuple[LabelsUsed, ...] = (GROUPS_IN_VALIDATION, GROUPS_IN_TRAINING)

METHODS: dict[str, Method] = {
    "erm": Method("ERM", "", (), erm),
    "erm-weak": Method("ERM, weak penalty", "", (), erm_weak, trains="the last"),
    "class-balanced": Method("Class-balanced sampling (RWY)", "Idrissi et al., CLeaR 2022", (), class_balanced),
    "group-dro": Method("GroupDRO", "Sagawa et al., ICLR 2020", _GROUPS, group_dro, trains="all"),
    "jtt": Method("Just train twice (JTT)", "Liu et al., ICML 2021", (), jtt),
    "cnc": Method("Correct-N-Contrast (CnC)", "Zhang et al., ICML 2022", (), cnc, trains="all"),
    "dfr": Method("DFR, on validation", "Kirichenko et al., ICLR 2023", (GROUPS_IN_VALIDATION,), dfr),
    "random": Method("Random subset", "", (), by_strategy("random"), is_drawn=True),
    "oracle": Method("Group-balanced subset", "", (GROUPS_IN_TRAINING,), by_strategy("oracle"), is_drawn=True),
    "slim": Method("SLIM", _SLIM, ("answers",), slim, unanswered="slim-no-answers", is_drawn=True),
    "slim-no-answers": Method("SLIM without answers", _SLIM, (), slim_no_answers, is_drawn=True),
    "slim-reference": Method(
        "SLIM, the steps of the paper", _SLIM, ("answers",), by_strategy("slim-reference"), is_drawn=True
    ),
}
USUAL = ("erm", "slim", "slim-reference", "random", "class-balanced", "oracle")  # where nobody names any


def register(name: str, method: Method) -> None:
    """Add a method, such as an ablation of a benchmark.

    Raises:
        ValueError: there is another method of this name.
    """
    if METHODS.setdefault(name, method) is not method:
        raise ValueError(f"There is a method {name!r} already")


def require_known(methods: Iterable[str]) -> None:
    """Refuse the first name that is no method.

    Raises:
        SpecRefusedError: there is no such method.
    """
    for method in methods:
        if method not in METHODS and method in removed.METHODS:
            raise SpecRefusedError(f"There is no method {method!r} any more. {removed.METHODS[method]}")
        if method not in METHODS:
            raise SpecRefusedError(f"There is no method {method!r}: {instead_of(method, METHODS)}.")


def check_methods(methods: Sequence[str], table: ImageTable) -> None:
    """Refuse methods that do not exist or that the data cannot serve: these all at once.

    Raises:
        SpecRefusedError: there is no such method, or the data set lacks the attributes that some need.
    """
    require_known(methods)
    needing = [method for method in methods if METHODS[method].needs_groups]
    if needing and not table.has_attributes:
        used = used_together(each for method in needing for each in METHODS[method].uses)
        listed = ", ".join(needing)
        raise SpecRefusedError(
            f"{table.name} has no attribute column, and {listed} use{'s' if len(needing) == 1 else ''} {used}: "
            f"leave {listed} out."
        )


def check_layers(methods: Iterable[str], *, last_layers: bool) -> None:
    """Refuse methods that train more than last layers where these alone are trained, or only these elsewhere.

    Raises:
        SpecRefusedError: there is such a method.
    """
    for method in methods:
        if last_layers and METHODS[method].trains == "all":
            raise SpecRefusedError(f"{method} trains the whole network, not its last layer alone: leave it out.")
        if not last_layers and METHODS[method].trains == "the last":
            raise SpecRefusedError(f"{method} trains a last layer alone: leave it out, or train last layers (frozen).")


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
