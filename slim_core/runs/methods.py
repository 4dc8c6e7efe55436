"""Every method that can stand in one table, by name. To add one, write its entry here and the file that computes it.

A method gets from the runs of a loop (slim_core.runs.loop_runs) to a model. What it uses beyond the classes of the
images is said here and shown in every table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slim_core.data.labels_used import GROUPS_IN_TRAINING, GROUPS_IN_VALIDATION, LabelsUsed, together
from slim_core.errors import SpecRefusedError, instead_of
from slim_core.runs import answers_in_training, baselines, refits
from slim_core.runs.loop_runs import AskedAbout, LoopRuns, Trained
from slim_core.steps.specs import Option

if TYPE_CHECKING:
    from slim_core.data.table import ImageTable, Split


@dataclass(frozen=True)
class Method:
    """One way to a model."""

    label: str  # as a table calls it
    paper: str  # where it is from
    uses: tuple[LabelsUsed, ...]  # beyond the classes of the images; empty: nothing
    train: Callable[[LoopRuns], Trained]
    asked: AskedAbout = "nothing"  # what people must have answered about before it can be computed
    unanswered: str | None = None  # of a method that uses answers: the method that it is without any
    refit: str | None = None  # of a method that fits the last layer anew: by which refit
    is_subset: bool = False  # whether it trains on a subset though nobody is asked
    asks_on_val: bool = False  # whether people are asked about val, too

    @property
    def labels_used(self) -> str:
        """In words: "none", or "answers, groups in validation"."""
        return together(self.uses)

    @property
    def is_drawn(self) -> bool:
        """Whether chance decides which images people are asked about, or which it trains on."""
        return self.asked != "nothing" or self.is_subset

    @property
    def spaces(self) -> tuple[Split, ...]:
        """The splits whose attention space it needs: questions and subsets come from one."""
        of_train: tuple[Split, ...] = ("train",) if self.is_drawn else ()
        return (*of_train, "val") if self.asks_on_val else of_train

    @property
    def needs_groups(self) -> bool:
        """Whether it cannot serve data without an attribute column."""
        return any(each.startswith("groups") for each in self.uses)

    @property
    def uses_answers(self) -> bool:
        """Whether people are asked."""
        return "answers" in self.uses


def _subset(strategy: str, asked: AskedAbout = "images", **options: Option) -> Callable[[LoopRuns], Trained]:
    return lambda loop: baselines.retrained_on(loop, strategy, asked, options)


def _refits(refit: str, label: str, paper: str, *uses: LabelsUsed) -> dict[str, Method]:
    """A refit of the last layer on validation, and on a fifth of train that the model has not seen."""
    name = "class-balanced-last-layer" if refit == "class-balanced" else refit  # a subset has that name
    of_train = (*uses, GROUPS_IN_TRAINING) if uses else ()
    on_val = Method(f"{label}, on validation", paper, uses, refits.refitted(refit, "val"), refit=refit)
    on_fifth = Method(f"{label}, on a fifth of train", paper, of_train, refits.refitted(refit, "held-out"), refit=refit)
    return {name: on_val, f"{name}-train-fifth": on_fifth}


_no_answers = _subset("slim", "nothing")
_all_wrong = _subset("slim", "nothing", environments="answers", presumed=0.0)
_LAST_LAYER = "LaBonte et al., NeurIPS 2023"
_SLIM = "Xuan et al., ECCV 2024"
_BALANCING = "Idrissi et al., CLeaR 2022"
_DRO = "Sagawa et al., ICLR 2020"
_XRM = "Pezeshki et al., ICML 2024"
_DFR = "Kirichenko et al., ICLR 2023"

METHODS: dict[str, Method] = {
    "erm": Method("ERM, as many epochs as the recipe says", "", (), baselines.erm),
    "slim": Method("SLIM", _SLIM, ("answers",), baselines.slim, "images", unanswered="slim-no-answers"),
    "slim-subset-only": Method(
        "SLIM, answers only in the subset", _SLIM, ("answers",), _subset("slim"), "images", unanswered="slim-no-answers"
    ),
    "slim-once": Method(
        "SLIM, classes balanced once, in a fifth of the images", _SLIM, ("answers",), baselines.slim_once, "images"
    ),
    "slim-no-answers": Method("SLIM without answers", _SLIM, (), _no_answers, is_subset=True),
    "slim-all-wrong": Method(
        "SLIM without answers, all attention taken to be wrong", _SLIM, (), _all_wrong, is_subset=True
    ),
    "slim-on-validation": Method(
        "SLIM with answers or without, as validation says",
        _SLIM,
        ("answers",),
        baselines.best_of(_no_answers, baselines.slim),
        "images",
        unanswered="slim-no-answers-on-validation",
    ),
    "slim-no-answers-on-validation": Method(
        "SLIM without answers, attention taken to be right or wrong as validation says",
        _SLIM,
        (),
        baselines.best_of(_no_answers, _all_wrong),
        is_subset=True,
    ),
    "slim-reference": Method("SLIM, the steps of the paper", _SLIM, ("answers",), _subset("slim-reference"), "images"),
    "slim-attention-loss": Method(
        "SLIM, answers in the loss",
        "Loss after CRAYON, IEEE BigData 2024",
        ("answers",),
        answers_in_training.attention_loss,
        "images",
        unanswered="slim-no-answers",
    ),
    "slim-best-of-seven": Method(
        "SLIM, the best of seven trainings",
        "",
        ("answers",),
        answers_in_training.as_many_trainings,
        "images",
        unanswered="slim-no-answers",
    ),
    "slim-val-answers": Method(
        "SLIM, half of the answers choose the epoch",
        "",
        ("answers",),
        answers_in_training.val_answers,
        "images",
        unanswered="slim-no-answers",
        asks_on_val=True,
    ),
    "slim-attention-loss-val-answers": Method(
        "SLIM, answers in the loss and the choice of the epoch",
        "",
        ("answers",),
        answers_in_training.attention_loss_and_val_answers,
        "images",
        unanswered="slim-no-answers",
        asks_on_val=True,
    ),
    "random-attention-loss": Method(
        "Random subset, answers in the loss",
        "Loss after CRAYON, IEEE BigData 2024",
        ("answers",),
        lambda loop: answers_in_training.attention_loss(loop, "random"),
        "images",
        unanswered="random",
    ),
    "random": Method("Random subset", "", (), _subset("random"), is_subset=True),
    "class-balanced": Method("Class-balanced subset", "", (), _subset("class-balanced"), is_subset=True),
    "oracle": Method("Group-balanced subset", "", (GROUPS_IN_TRAINING,), _subset("oracle"), is_subset=True),
    "erm-converged": Method("ERM, converged", "", (), baselines.erm_converged),
    "erm-same-steps": Method("ERM, as many steps as SLIM", "", (), baselines.erm_same_steps, "images"),
    "erm-retrained": Method("ERM, retrained on all images", "", (), baselines.erm_retrained),
    "rwy": Method("Class-balanced sampling (RWY)", _BALANCING, (), baselines.rwy),
    "jtt": Method("Just train twice (JTT)", "Liu et al., ICML 2021", (), baselines.jtt),
    "subg": Method(
        "Group subsampling (SUBG)",
        _BALANCING,
        (GROUPS_IN_VALIDATION, GROUPS_IN_TRAINING),
        baselines.subg,
        is_subset=True,
    ),
    "group-dro": Method("GroupDRO", _DRO, (GROUPS_IN_VALIDATION, GROUPS_IN_TRAINING), baselines.group_dro),
    "cnc": Method("Correct-N-Contrast (CnC)", "Zhang et al., ICML 2022", (), baselines.cnc),
    **_refits("dfr", "DFR", _DFR, GROUPS_IN_VALIDATION),
    **_refits("class-balanced", "Class-balanced last layer", _LAST_LAYER),
    **_refits("afr", "AFR", "Qiu et al., ICML 2023"),
    **_refits("self", "SELF", _LAST_LAYER),
    **_refits("evals", "EVaLS", "Ghaznavi et al., 2024"),
    **_refits("xrm", "XRM and a balanced last layer", _XRM),
    "xrm-train": Method(
        "XRM and a balanced last layer, on train", _XRM, (), refits.refitted("xrm", "train"), refit="xrm"
    ),
}
# What a loop of last layers (LoopConfig.frozen) cannot compute, or what would be ERM again, whose loss has one optimum.
TRAIN_THE_NETWORK = frozenset(
    {
        *("erm-same-steps", "erm-retrained", "rwy", "group-dro", "cnc"),
        *("self", "self-train-fifth", "slim-best-of-seven", "slim-val-answers", "slim-attention-loss-val-answers"),
    }
)
USUAL = ("erm", "slim", "slim-reference", "random", "class-balanced", "oracle")  # where nobody names any


def require_known(methods: Iterable[str]) -> None:
    """Refuse the first name that is no method.

    Raises:
        SpecRefusedError: there is no such method.
    """
    for method in methods:
        if method not in METHODS:
            raise SpecRefusedError(f"There is no method {method!r}: {instead_of(method, METHODS)}.")


def check_methods(methods: Sequence[str], table: ImageTable) -> None:
    """Refuse methods that do not exist or that the data cannot serve: these all at once.

    Raises:
        SpecRefusedError: there is no such method, or the data set lacks the attributes that some need.
    """
    require_known(methods)
    needing = [method for method in methods if METHODS[method].needs_groups]
    if not needing or table.has_attributes:
        return
    used = together(each for method in needing for each in METHODS[method].uses)
    listed = ", ".join(needing)
    raise SpecRefusedError(
        f"{table.name} has no attribute column, and {listed} use{'s' if len(needing) == 1 else ''} {used}: "
        f"leave {listed} out."
    )
