"""Every method that can stand in one table, by name. To add one, register it, and write the file that computes it.

A method gets from the runs of a loop (slim_core.runs.loop_runs) to a model. What it uses beyond the classes of the
images is said here and shown in every table. The benchmarks register further ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from slim_core import removed
from slim_core.data.labels_used import GROUPS_IN_TRAINING, GROUPS_IN_VALIDATION, LabelsUsed, together
from slim_core.errors import SpecRefusedError, instead_of
from slim_core.runs import baselines
from slim_core.runs.loop_runs import LoopRuns, Trained

if TYPE_CHECKING:
    from slim_core.data.table import ImageTable

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
        return together(self.uses)

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
    "erm": Method("ERM", "", (), baselines.erm),
    "erm-weak": Method("ERM, weak penalty", "", (), baselines.erm_weak, trains="the last"),
    "class-balanced": Method(
        "Class-balanced sampling (RWY)", "Idrissi et al., CLeaR 2022", (), baselines.class_balanced
    ),
    "group-dro": Method("GroupDRO", "Sagawa et al., ICLR 2020", _GROUPS, baselines.group_dro, trains="all"),
    "jtt": Method("Just train twice (JTT)", "Liu et al., ICML 2021", (), baselines.jtt),
    "cnc": Method("Correct-N-Contrast (CnC)", "Zhang et al., ICML 2022", (), baselines.cnc, trains="all"),
    "dfr": Method("DFR, on validation", "Kirichenko et al., ICLR 2023", (GROUPS_IN_VALIDATION,), baselines.dfr),
    "random": Method("Random subset", "", (), baselines.by_strategy("random"), is_drawn=True),
    "oracle": Method(
        "Group-balanced subset", "", (GROUPS_IN_TRAINING,), baselines.by_strategy("oracle"), is_drawn=True
    ),
    "slim": Method("SLIM", _SLIM, ("answers",), baselines.slim, unanswered="slim-no-answers", is_drawn=True),
    "slim-no-answers": Method("SLIM without answers", _SLIM, (), baselines.slim_no_answers, is_drawn=True),
    "slim-reference": Method(
        "SLIM, the steps of the paper", _SLIM, ("answers",), baselines.by_strategy("slim-reference"), is_drawn=True
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
        used = together(each for method in needing for each in METHODS[method].uses)
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
