"""Refits of the last layer by name: to add one, write its class and name it in REFITS. Light: no torch.

The rest of the network stays as it is; what is fitted takes pooled features, the inputs of the head (METHOD S10).
"""

from __future__ import annotations

import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from slim_core import removed
from slim_core.data.groups import GROUPS_IN_VALIDATION, UNGROUPED, LabelsUsed, no_attribute
from slim_core.data.images.heat import minmax
from slim_core.data.table import ImageTable
from slim_core.errors import NothingToRepeatError, SpecRefusedError
from slim_core.models.runtime import never_stop
from slim_core.parameters import Config, Display, one_of, options_of_the_named
from slim_core.training.config import labels_of

if TYPE_CHECKING:
    from slim_core.models.model import Model

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
FittedOn = Literal["train", "val"]


_GRID, _FILLED_IN = Display(place="more"), Display(place="nowhere")


def _apart(given: Any) -> Any:
    return [part for part in given.strip("[]").split(",") if part.strip()] if isinstance(given, str) else given


# Values of a hyper-parameter, of which one is chosen on images that are not fitted; typed with commas between them.
Grid = Annotated[tuple[Annotated[float, Field(ge=0)], ...], BeforeValidator(_apart), Field(min_length=1), _GRID]
CGrid = Annotated[
    tuple[Annotated[float, Field(gt=0)], ...],
    BeforeValidator(_apart),
    Field(
        min_length=1,
        title="C",
        description="Inverse strengths of the l1 penalty that are tried, with commas between them.",
    ),
    _GRID,
]
USUAL_C = (1.0, 0.7, 0.3, 0.1, 0.07, 0.03, 0.01)  # those of DFR
Sizes = Annotated[tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(_apart), Field(min_length=1), _GRID]


class AnswerSource(Config):
    """Whose answers, and up to which."""

    campaign: str = Field(min_length=1, title="Campaign", description="Campaign whose answers are used.")
    answers_seq: Annotated[int | None, _FILLED_IN] = Field(
        default=None, ge=0, title="Answers", description="Last answer that counts; filled in when submitted."
    )
    space: Annotated[str | None, _FILLED_IN] = Field(
        default=None, title="Space", description="Space run the campaign asks about; filled in when submitted."
    )

    @classmethod
    def among(cls, options: Mapping[str, Any]) -> AnswerSource:
        """The source that the options of a refit hold beside their own."""
        return AnswerSource(**{name: options[name] for name in AnswerSource.model_fields})


@dataclass(frozen=True, eq=False)
class Layer:
    """A linear layer: logits = X weight^T + bias."""

    weight: Floats  # (C, K)
    bias: Floats  # (C,)

    def logits(self, X: np.ndarray) -> Floats:
        """(n, C) of features (n, K)."""
        found: Floats = np.asarray(X, np.float64) @ self.weight.T + self.bias
        return found

    def predict(self, X: np.ndarray) -> Integers:
        """(n,) classes of features (n, K)."""
        classes: Integers = self.logits(X).argmax(1)
        return classes

    def probabilities(self, X: np.ndarray) -> Floats:
        """(n, C), each row with sum 1, of features (n, K)."""
        from scipy.special import softmax

        found: Floats = softmax(self.logits(X), axis=1)
        return found

    def folded(self, mean: Floats, std: Floats) -> Layer:
        """The same layer for features as they are, where this one takes (features - mean) / std."""
        weight = self.weight / std
        return Layer(weight, self.bias - weight @ mean)


@dataclass(frozen=True, eq=False)
class PooledImages:
    """Images as the head sees them."""

    features: np.ndarray  # (n, K) inputs of the head
    labels: np.ndarray  # (n,) in 0..C-1
    counts: np.ndarray | None = None  # (n,) how often each image counts; None: once
    groups: np.ndarray | None = None  # (n,), UNGROUPED where not known

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, which: np.ndarray) -> PooledImages:
        """Some of the images, in the order of ``which``, (m,) positions or (n,) bool."""
        counts, groups = (None if each is None else each[which] for each in (self.counts, self.groups))
        return PooledImages(self.features[which], self.labels[which], counts, groups)

    @property
    def times(self) -> Floats:
        """(n,) how often each image counts."""
        return np.ones(len(self)) if self.counts is None else np.asarray(self.counts, np.float64)

    @property
    def cells(self) -> np.ndarray:
        """(n,) the groups where they are known, else the classes: whatever is to be right everywhere."""
        return self.labels if self.groups is None else self.groups


@dataclass(frozen=True, eq=False)
class RefitData:
    """What a last layer is fitted on, and what it was."""

    fitted: PooledImages  # n images; their groups are given to methods that use them
    val: PooledImages  # to choose hyper-parameters on; none: a part of the fitted ones is left for that
    layer: Layer  # as the reference model has it
    class_names: tuple[str, ...]
    group_names: tuple[str, ...] = ()
    surroundings: np.ndarray | None = None  # (m, K) of regions that are no part of a class, as people answered
    check_stop: Callable[[], None] = never_stop  # called now and then; raises to end the work

    @property
    def n_classes(self) -> int:
        """C."""
        return len(self.class_names)

    def parts(self, seed: int) -> tuple[Integers, PooledImages]:
        """Positions of the images to fit, and the images to choose hyper-parameters on, which are not among them.

        Each half has its part of every class, or group; of the images of unknown group, of every class. An image that
        is alone in its class (or group) is in both.
        """
        if len(self.val):
            return np.arange(len(self.fitted)), self.val
        cells = self.fitted.cells
        to_fit, to_choose = halves(np.where(cells == UNGROUPED, UNGROUPED - 1 - self.fitted.labels, cells), seed)
        return to_fit, self.fitted.take(to_choose)

    def check_groups(self) -> None:
        """Refuse groups that cannot be balanced; one without an image to fit does not count.

        Raises:
            SpecRefusedError: the groups are not known, or those of a class are not, or one has a single image to fit.
        """
        if self.fitted.groups is None:
            raise SpecRefusedError("This refit uses group labels, but the data has no attribute: choose another refit.")
        is_known = self.fitted.groups != UNGROUPED
        absent = np.setdiff1d(np.arange(self.n_classes), self.fitted.labels[is_known])
        if len(absent):
            raise SpecRefusedError(
                f"Of class {self.class_names[absent[0]]} no image is of a known group among the {len(self.fitted)} to "
                f"fit: choose a refit without group labels, or fit on images that hold some."
            )
        known = self.fitted.groups[is_known]
        for name, n in zip(self.group_names, np.bincount(known, minlength=len(self.group_names)), strict=True):
            if n == 1:
                raise SpecRefusedError(
                    f"The group {name} has 1 of the {len(self.fitted)} images to fit, and every group is cut to the "
                    f"smallest: choose a refit without group labels, or fit on images that hold at least 2 of it."
                )


class Refit(ABC):
    """A way to fit the last layer anew, the rest of the network frozen."""

    label: ClassVar[str]  # on the form
    Options: ClassVar[type[Config]] = Config  # its own settings: fields with title, description and bounds
    labels_used: ClassVar[LabelsUsed] = "none"  # by the fit, beyond the classes
    fitted_on: ClassVar[FittedOn] = "train"  # the split whose images it fits

    def __init__(self, options: Mapping[str, Any], seed: int) -> None:
        """``options``: by name, those of ``Options``; ``seed``: of whatever is random."""
        self.options, self.seed = options, seed

    @classmethod
    def answers(cls, options: Mapping[str, Any]) -> AnswerSource | None:
        """The answers about training images that a refit with these options needs; None: no answers."""
        del options
        return None

    @classmethod
    def uses_groups(cls) -> bool:
        """Whether the fit takes the groups of its images."""
        return cls.labels_used == GROUPS_IN_VALIDATION

    @abstractmethod
    def fit(self, data: RefitData) -> Layer:
        """The new layer, for features as they are.

        Raises:
            SpecRefusedError: the images do not allow it.
        """


def halves(cells: np.ndarray, seed: int) -> tuple[Integers, Integers]:
    """(to fit, to choose by): halves of each cell; an image that is alone in its cell is in both."""
    rng = np.random.default_rng(seed)
    shuffled = [rng.permutation(np.flatnonzero(cells == cell)) for cell in np.unique(cells)]
    to_fit = np.concatenate([rows[: (len(rows) + 1) // 2] for rows in shuffled])
    to_choose = np.concatenate([rows[(len(rows) + 1) // 2 :] if len(rows) > 1 else rows for rows in shuffled])
    return to_fit, to_choose


def worst_and_average(predictions: np.ndarray, images: PooledImages) -> tuple[float, float]:
    """The accuracy in the worst class, or group where these are known, and over all images; a score to choose by."""
    right, cells = predictions == images.labels, images.cells
    worst = min((float(right[cells == cell].mean()) for cell in np.unique(cells) if cell != UNGROUPED), default=0.0)
    return worst, float(right.mean())


def scale(pooled: np.ndarray) -> tuple[Floats, Floats]:
    """Mean and standard deviation (K,) of features (n, K); a constant feature keeps its scale."""
    values = np.asarray(pooled, np.float64)
    std: Floats = values.std(0)
    return values.mean(0), np.where(std > 1e-8, std, 1.0)


def best_of(grid: Sequence[float], score: Callable[[float], tuple[float, float]], name: str) -> float:
    """The value with the best worst class (or group), then the best average; of equals the first."""
    scores = {value: score(value) for value in grid}
    best = max(grid, key=scores.__getitem__)
    log.info("last layer: %s = %g (worst %.3f, average %.3f of those not fitted)", name, best, *scores[best])
    return best


def check_classes(data: RefitData) -> None:
    """Refuse data without an image of each class to fit, or with one class.

    Raises:
        SpecRefusedError: there is one class, or a class without an image to fit.
    """
    if data.n_classes < 2:
        raise SpecRefusedError("The last layer cannot be fitted on images of one class: choose images of each class.")
    empty = np.flatnonzero(np.bincount(data.fitted.labels, minlength=data.n_classes) == 0)
    if len(empty):
        name = data.class_names[empty[0]]
        raise SpecRefusedError(f"The last layer cannot be fitted without images of class {name}: choose some.")


def read_last_layer(model: Model) -> Layer:
    """The last layer as it is.

    Raises:
        SpecRefusedError: the model has no linear last layer with a bias.
    """
    head = model.head
    if head is None or head.bias is None:
        raise SpecRefusedError(f"{model.name} has no linear last layer with a bias: retrain the whole model instead.")
    return Layer(*(each.detach().cpu().double().numpy() for each in (head.weight, head.bias)))


def apply_last_layer(model: Model, layer: Layer) -> None:
    """Put a fitted layer into the model.

    Raises:
        SpecRefusedError: the model has no linear last layer of this shape.
    """
    import torch

    head, shape = model.head, layer.weight.shape
    if head is None or head.weight.shape != shape or head.bias is None:
        found = "none" if head is None else str(tuple(head.weight.shape))
        raise SpecRefusedError(
            f"The last layer of {model.name} ({found}) does not take weights of shape {shape}: "
            f"retrain the whole model instead."
        )
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(layer.weight.astype(np.float32)))
        head.bias.copy_(torch.from_numpy(layer.bias.astype(np.float32)))


C_GRID = (1.0, 0.7, 0.5, 0.3, 0.1, 0.07, 0.05, 0.03, 0.01, 0.007, 0.003)  # inverse strengths of the l1 penalty
N_REFITS = 20

_N_TUNING_FITS = 3  # draws averaged while C is chosen
_MAX_ITER = 300


@dataclass(frozen=True, eq=False)
class Standardised:
    """Images to fit, each feature with mean 0 and standard deviation 1."""

    X: Floats  # (n, K)
    labels: np.ndarray  # (n,)
    counts: Floats  # (n,) how often each image counts
    cells: np.ndarray  # (n,) what a draw is balanced over: classes, groups, or class x environment
    n_classes: int

    def take(self, which: np.ndarray) -> Standardised:
        """Some of the images."""
        return Standardised(self.X[which], self.labels[which], self.counts[which], self.cells[which], self.n_classes)


def fit_balanced(data: RefitData, cells: np.ndarray, *, grid: Sequence[float], n_refits: int, seed: int) -> Layer:
    """The mean of refits on balanced draws, for pooled features as they are (the standardisation is folded in).

    Args:
        data: the images; the penalty is chosen by the worst class, or group where ``data.val`` has groups.
        cells: (n,) of the fitted images, what each draw is balanced over.
        grid: inverse penalties tried.
        n_refits: draws averaged at the end.
        seed: of draws and solver.

    Raises:
        SpecRefusedError: a class has no image.
    """
    check_classes(data)
    mean, std = scale(data.fitted.features)
    images = standardised(data.fitted, cells, data.n_classes, mean, std)
    to_fit, to_choose = data.parts(seed)
    X, part = (to_choose.features - mean) / std, images.take(to_fit)

    def score(C: float) -> tuple[float, float]:
        data.check_stop()
        return worst_and_average(mean_layer(part, C, _N_TUNING_FITS, seed).predict(X), to_choose)

    C = best_of(grid, score, "C")
    return mean_layer(images, C, n_refits, seed).folded(mean, std)


def standardised(images: PooledImages, cells: np.ndarray, n_classes: int, mean: Floats, std: Floats) -> Standardised:
    """The images with (features - mean) / std."""
    X = (np.asarray(images.features, np.float64) - mean) / std
    return Standardised(X, images.labels, images.times, cells, n_classes)


def mean_layer(images: Standardised, C: float, n_fits: int, seed: int) -> Layer:
    """The mean of layers fitted on balanced draws; draws that would be equal are fitted once.

    An image that counts k times is k images to draw from: else a class of a few images that are repeated until it is
    as large as the others would weigh more than these.
    """
    copies = np.repeat(np.arange(len(images.labels)), images.counts.astype(np.int64))
    labels, cells = images.labels[copies], images.cells[copies]
    sizes = np.unique(cells, return_counts=True)[1]
    n_draws = 1 if sizes.min() == sizes.max() else n_fits
    layers = []
    for draw in range(n_draws):
        drawn = copies[balanced_draw(labels, cells, np.random.default_rng([seed, draw]))]
        rows, times = np.unique(drawn, return_counts=True)
        layers.append(fit_l1(replace(images.take(rows), counts=times.astype(np.float64)), C, seed))
    return Layer(np.mean([layer.weight for layer in layers], 0), np.mean([layer.bias for layer in layers], 0))


def balanced_draw(labels: np.ndarray, cells: np.ndarray, rng: np.random.Generator) -> Integers:
    """Rows of a draw without replacement, ascending: each cell cut to the smallest.

    Cells lie inside classes. A class with fewer cells than another gives as many images in all, so far as it has them.
    """
    names, sizes = np.unique(cells, return_counts=True)
    owner = np.array([labels[cells == cell][0] for cell in names])
    n_cells = np.bincount(owner)  # of each class
    smallest, most = sizes.min(), n_cells.max()
    wanted = np.minimum(sizes, smallest * most // n_cells[owner])
    rows = [rng.choice(np.flatnonzero(cells == cell), n, replace=False) for cell, n in zip(names, wanted, strict=True)]
    return np.sort(np.concatenate(rows))


def fit_l1(images: Standardised, C: float, seed: int) -> Layer:
    """One classifier for two classes, else one against the rest a class."""
    if images.n_classes == 2:
        w, b = _fit_binary(images, 1, C, seed)
        return Layer(np.stack([-w / 2, w / 2]), np.array([-b / 2, b / 2]))  # softmax of these = sigmoid(w x + b)
    fits = [_fit_binary(images, c, C, seed) for c in range(images.n_classes)]
    return Layer(np.stack([w for w, _ in fits]), np.array([b for _, b in fits]))


def _fit_binary(images: Standardised, positive: int, C: float, seed: int) -> tuple[Floats, float]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    solver = LogisticRegression(**l1_penalty(), C=C, solver="liblinear", max_iter=_MAX_ITER, random_state=seed)
    with warnings.catch_warnings():  # an unfinished fit at a weak penalty loses to the others in the choice of C
        warnings.simplefilter("ignore", ConvergenceWarning)
        solver.fit(images.X, images.labels == positive, sample_weight=images.counts)
    return solver.coef_[0], float(solver.intercept_[0])


def l1_penalty() -> dict[str, Any]:
    """The l1 penalty as the installed scikit-learn names it, which renamed it in 1.8."""
    from sklearn.linear_model import LogisticRegression

    return {"l1_ratio": 1} if LogisticRegression().penalty == "deprecated" else {"penalty": "l1"}


class L1(Refit):
    """The mean of 20 refits on class-balanced draws; the penalty by the worst class of images that are not fitted."""

    label = "l1 logistic regression, balanced over classes"

    def fit(self, data: RefitData) -> Layer:
        """An image that counts several times is as many images."""
        return fit_balanced(data, data.fitted.labels, grid=C_GRID, n_refits=N_REFITS, seed=self.seed)


_MAX_ITER_L2 = 500
STRENGTHS = Field(
    default=(3.0, 1.0, 0.3, 0.1, 0.03, 0.01),
    title="Strengths",
    description="Weights of the l2 penalty against the mean loss that are tried.",
)


class L2Options(Config):
    """Its hyper-parameters; of the strengths one is chosen by the worst class."""

    strengths: Grid = STRENGTHS
    class_balanced: bool = Field(
        default=False, title="Class-balanced", description="Classes count equally, however many images they have."
    )


class L2(Refit):
    """Softmax regression on the images as often as they count; the penalty by the worst class of images not fitted."""

    label = "l2 logistic regression"
    Options = L2Options

    def fit(self, data: RefitData) -> Layer:
        """The fit of the best penalty, to all of the images."""
        check_classes(data)
        images = _balanced(data.fitted) if self.options["class_balanced"] else data.fitted
        strength, _ = best_strength(data, images, self.options["strengths"], self.seed)
        return fit_probe(images, strength)


def _balanced(images: PooledImages) -> PooledImages:
    """The images, counted so that each class weighs the same and all of them as much as before."""
    of_class = np.bincount(images.labels, weights=images.times)
    shares = images.times / of_class[images.labels] / len(of_class)
    return replace(images, counts=shares * images.times.sum())


def best_strength(
    data: RefitData, images: PooledImages, strengths: Sequence[float], seed: int, beside: PooledImages | None = None
) -> tuple[float, tuple[float, float]]:
    """The strength whose probe is best on images that are not fitted, and its (worst class or group, average) there.

    ``images``: those of ``data.fitted``, maybe counted otherwise; ``beside``: as of ``fit_probe``.
    """
    to_fit, to_choose = data.parts(seed)
    part, scores = images.take(to_fit), {}

    def score(strength: float) -> tuple[float, float]:
        data.check_stop()
        scores[strength] = worst_and_average(fit_probe(part, strength, beside).predict(to_choose.features), to_choose)
        return scores[strength]

    best = best_of(strengths, score, "strength")
    return best, scores[best]


def fit_probe(images: PooledImages, strength: float, beside: PooledImages | None = None) -> Layer:
    """The minimum of the mean cross-entropy, images as often as they count, + strength / 2 |weight|^2.

    The weight that is penalised is that of standardised features, and of two classes the difference of their rows; the
    layer is for features as they are. What is fitted ``beside`` the images counts as a share of all of them: it changes
    neither the scale of the features nor what the penalty is weighed against.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    mean, std = scale(images.features)
    features, labels, times = images.features, images.labels, images.times
    if beside is not None:
        features, labels = (np.concatenate(both) for both in ((features, beside.features), (labels, beside.labels)))
        times = np.concatenate([times, beside.times * times.sum()])
    C = 1 / (strength * images.times.sum()) if strength else np.inf
    solver = LogisticRegression(C=C, max_iter=_MAX_ITER_L2)
    with warnings.catch_warnings():  # an unfinished fit at a weak penalty loses to the others in the choice
        warnings.simplefilter("ignore", ConvergenceWarning)
        solver.fit((np.asarray(features, np.float64) - mean) / std, labels, sample_weight=times)
    return _a_row_a_class(solver.coef_, solver.intercept_).folded(mean, std)


def _a_row_a_class(coef: Floats, intercept: Floats) -> Layer:
    """Of two classes scikit-learn keeps one row, the logit of the second."""
    if len(coef) > 1:
        return Layer(coef, intercept)
    return Layer(np.concatenate([-coef, coef]) / 2, np.concatenate([-intercept, intercept]) / 2)


class DfrOptions(Config):
    """Its settings."""

    c_grid: CGrid = USUAL_C
    refits: int = Field(default=20, ge=1, le=1000, title="Refits", description="Balanced draws that are averaged.")


class Dfr(Refit):
    """Balanced over the true groups; the penalty by the worst group of images that are not fitted."""

    label = "Deep feature reweighting (DFR, uses group labels)"
    Options = DfrOptions
    labels_used = GROUPS_IN_VALIDATION
    fitted_on = "val"

    def fit(self, data: RefitData) -> Layer:
        """Images whose group is not known do not count."""
        data.check_groups()
        known = replace(data, fitted=_of_known_group(data.fitted), val=_of_known_group(data.val))
        return fit_balanced(
            known, known.fitted.cells, grid=self.options["c_grid"], n_refits=self.options["refits"], seed=self.seed
        )


def _of_known_group(images: PooledImages) -> PooledImages:
    """Those whose group is known."""
    return images.take(images.cells != UNGROUPED)


class JttOptions(Config):
    """Its hyper-parameters; one of each list is chosen by the worst class."""

    strengths: Grid = STRENGTHS
    firsts: Grid = Field(
        default=(100.0, 10.0),
        title="First strengths",
        description="Penalties of the first fit that are tried.",
    )
    upweights: Sizes = Field(
        default=(5, 20), title="Repeats of an error", description="Numbers of repeats that are tried."
    )


class Jtt(Refit):
    """Both fits by l2 logistic regression; everything by the worst class of images that are not fitted."""

    label = "Just train twice (JTT)"
    Options = JttOptions

    def fit(self, data: RefitData) -> Layer:
        """The second fit, to all of the images; of equal choices the first.

        First fits without an error leave nothing to repeat, and do not count.

        Raises:
            NothingToRepeatError: none of them makes one.
        """
        check_classes(data)
        best: tuple[tuple[float, float], PooledImages, float] | None = None
        for first in self.options["firsts"]:
            wrong = fit_probe(data.fitted, first).predict(data.fitted.features) != data.fitted.labels
            if not wrong.any():
                continue
            for upweight in self.options["upweights"]:
                images = _repeated(data.fitted, wrong, upweight)
                strength, score = best_strength(data, images, self.options["strengths"], self.seed)
                if best is None or score > best[0]:
                    best = score, images, strength
        if best is None:
            raise NothingToRepeatError(
                f"The first fit of JTT predicts all training images correctly ({len(data.fitted)}) under every penalty "
                f"that is tried, so none can be repeated: give larger first strengths, or choose another refit."
            )
        return fit_probe(*best[1:])


def _repeated(images: PooledImages, wrong: np.ndarray, upweight: int) -> PooledImages:
    return replace(images, counts=np.where(wrong, upweight, 1) * images.times)


USUAL_WEIGHT = 0.01  # of 0.003, 0.01 and 0.03, on seeds 20 to 24


class AnsweredOptions(AnswerSource):
    """Whose answers, how much they count, and the penalties tried."""

    weight: Annotated[float, Display(step=0.01)] = Field(
        default=USUAL_WEIGHT,
        ge=0,
        le=100,
        title="Weight",
        description="Of the areas marked as background, against the images.",
    )
    strengths: Grid = STRENGTHS


class Answered(Refit):
    """As l2, with regions that tell nothing of the class; the penalty by the worst class of images not fitted."""

    label = "l2 logistic regression and answered attention (uses answers)"
    Options = AnsweredOptions
    labels_used = "answers"

    @classmethod
    def answers(cls, options: Mapping[str, Any]) -> AnswerSource:
        """Those of its campaign."""
        return AnswerSource.among(options)

    def fit(self, data: RefitData) -> Layer:
        """The fit of the best penalty, to all of the images and regions.

        Raises:
            SpecRefusedError: a class has no image; or each answer is about an image with an empty map.
        """
        check_classes(data)
        assert data.surroundings is not None
        if not len(data.surroundings):
            raise no_region()
        beside = self._of_every_class(data.surroundings, data.n_classes)
        strength, _ = best_strength(data, data.fitted, self.options["strengths"], self.seed, beside)
        return fit_probe(data.fitted, strength, beside)

    def _of_every_class(self, surroundings: np.ndarray, n_classes: int) -> PooledImages:
        """Each of m regions once with every class: together they weigh as ``weight`` says, the images weighing 1."""
        m, share = len(surroundings), self.options["weight"] / (len(surroundings) * n_classes)
        labels = np.repeat(np.arange(n_classes), m)
        return PooledImages(np.tile(surroundings, (n_classes, 1)), labels, np.full(m * n_classes, share))


def no_region() -> SpecRefusedError:
    return SpecRefusedError(
        "The attention of every answered image is empty, so that no region of them is right or wrong: answer others, "
        "or refit by l2."
    )


def regions(maps: np.ndarray, attended: np.ndarray, outside: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Mean features of what is no part of the class in m images: outside right attention, and on what wrong one is.

    Args:
        maps: (m, U, V) raw maps S, 0 or more.
        attended, outside: (m, K) attention features sum(A S), and environment features sum(A (1 - S')), with S' the map
            scaled to 0..1 (METHOD S1).
        right: (m,) bool, what was answered.

    Returns:
        (k, K) float32, images with an empty map left out.
    """
    weights = [(1 - minmax(S)).sum() if is_right else S.sum() for S, is_right in zip(maps, right, strict=True)]
    sums, seen = np.where(right[:, None], outside, attended), maps.any((1, 2))
    found: np.ndarray = sums[seen] / np.asarray(weights, np.float64)[seen, None]
    return found.astype(np.float32)


REFITS: dict[str, type[Refit]] = {
    "l1": L1,
    "l2": L2,
    "dfr": Dfr,
    "jtt": Jtt,
    "answered": Answered,
}


def require_groups(refit: str, table: ImageTable) -> None:
    """Refuse a refit by groups where there are none.

    Raises:
        SpecRefusedError: the data set has no attribute.
    """
    if REFITS[refit].uses_groups() and not table.has_attributes:
        raise no_attribute(table, f"The refit {refit}", "refit")


_LAST_LAYER = {"mode": ("last-layer",)}


def _refits() -> dict[str, str]:
    return {name: refit.label for name, refit in REFITS.items()}


class RefitConfig(Config):
    """How to refit the last layer."""

    refit: Annotated[str, Display(labels=_refits, only=_LAST_LAYER)] = Field(
        default="l1", title="Refit", description="How the last layer is fitted."
    )
    refit_options: Annotated[dict[str, Any], Display(only=_LAST_LAYER)] = Field(
        default_factory=dict, validate_default=True, title="Refit options", description="Options of the refit."
    )

    @field_validator("refit")
    @classmethod
    def _check_refit(cls, refit: str) -> str:
        return one_of(REFITS, refit, removed.REFITS)

    @field_validator("refit_options")
    @classmethod
    def _fill_refit_options(cls, given: dict[str, Any], about: ValidationInfo) -> dict[str, Any]:
        return options_of_the_named(REFITS, "refit", given, about)


def refit_name(refit: str) -> str:
    """How a last layer was fitted, as names of models and methods say it: "last layer by l2", or "with answers"."""
    known = REFITS.get(refit)
    return f"last layer {'with answers' if known and known.labels_used == 'answers' else f'by {refit}'}"


def refit_labels(refit: str, selection: str) -> set[LabelsUsed]:
    """What a refit uses beyond the classes; of a refit that is not known any more, its selection's."""
    known = REFITS.get(refit)
    return ({known.labels_used} if known else set()) | labels_of(selection)
