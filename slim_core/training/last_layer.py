"""Retraining the last layer alone: l1 logistic regression on standardised pooled features (METHOD S10, after DFR).

Kirichenko, Izmailov, Wilson, "Last Layer Re-Training is Sufficient for Robustness to Spurious Correlations", ICLR 2023.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from slim_core.errors import SpecRefusedError
from slim_core.models.model import Model

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]
C_GRID = (1.0, 0.7, 0.5, 0.3, 0.1, 0.07, 0.05, 0.03, 0.01, 0.007, 0.003)  # inverse strengths of the l1 penalty
N_REFITS = 20
_N_TUNING_FITS = 3  # draws averaged while C is chosen
_MAX_ITER = 300


@dataclass(frozen=True)
class _Layer:
    """A linear layer: logits = X weight^T + bias."""

    weight: Floats  # (C, K)
    bias: Floats  # (C,)

    def predict(self, X: Floats) -> NDArray[np.int64]:
        """(n,) classes of standardised features (n, K)."""
        classes: NDArray[np.int64] = (X @ self.weight.T + self.bias).argmax(1)
        return classes


@dataclass(frozen=True, eq=False)
class PooledImages:
    """Images as the head sees them."""

    features: np.ndarray  # (n, K) inputs of the head
    labels: np.ndarray  # (n,) in 0..C-1
    counts: np.ndarray | None = None  # (n,) how often each image counts; None: once
    groups: np.ndarray | None = None  # (n,), -1 unknown


def fit_last_layer(
    train: PooledImages,
    val: PooledImages,
    *,
    seed: int,
    n_refits: int = N_REFITS,
    grid: tuple[float, ...] = C_GRID,
) -> tuple[np.ndarray, np.ndarray]:
    """A new last layer, for pooled features as they are (the standardisation is folded in).

    The penalty is chosen by worst-class accuracy on images that are not fitted: the validation images, or, where
    there are none, a held-out half of the training images. The layer is the mean of refits on class-balanced draws.

    Args:
        train: n images to fit.
        val: m images to choose the penalty by; m may be 0. With groups it is chosen by worst *group*: an oracle, to be
            named as one.
        seed: of draws and solver.
        n_refits: draws averaged at the end.
        grid: inverse penalties tried.

    Returns:
        weight (C, K) float32 and bias (C,) float32.

    Raises:
        SpecRefusedError: a class has no image, or groups were given without validation images.
    """
    labels = train.labels
    n_classes = int(max(labels.max(), val.labels.max(initial=0))) + 1
    _check(labels, n_classes, val)
    counts = np.ones(len(labels)) if train.counts is None else np.asarray(train.counts, np.float64)
    mean, std = _scale(train.features)
    X = (np.asarray(train.features, np.float64) - mean) / std  # (n, K)
    fit, held_out = _halves(labels, seed) if not len(val.labels) else (np.arange(len(labels)), None)
    if held_out is None:
        X_val, y_val = (np.asarray(val.features, np.float64) - mean) / std, val.labels
    else:
        X_val, y_val = X[held_out], labels[held_out]
    C = _choose(X[fit], labels[fit], counts[fit], X_val, y_val, val.groups, grid, seed)
    layer = _mean_layer(X, labels, counts, C, n_refits, seed, n_classes)
    weight = layer.weight / std
    return weight.astype(np.float32), (layer.bias - weight @ mean).astype(np.float32)


def apply_last_layer(model: Model, weight: np.ndarray, bias: np.ndarray) -> None:
    """Put a fitted layer (C, K), (C,) into the model.

    Raises:
        SpecRefusedError: the model has no linear last layer of this shape.
    """
    head = model.head
    if head is None or head.weight.shape != weight.shape or head.bias is None:
        found = "none" if head is None else str(tuple(head.weight.shape))
        raise SpecRefusedError(
            f"The last layer of {model.name} ({found}) does not take weights of shape {weight.shape}: "
            f"retrain the whole model instead."
        )
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weight))
        head.bias.copy_(torch.from_numpy(bias))


def _check(labels: np.ndarray, n_classes: int, val: PooledImages) -> None:
    empty = np.flatnonzero(np.bincount(labels, minlength=n_classes) == 0)
    if len(empty):
        raise SpecRefusedError(f"The last layer cannot be fitted without images of class {empty[0]}: choose some.")
    if n_classes < 2:
        raise SpecRefusedError("The last layer cannot be fitted on images of one class: choose images of each class.")
    if val.groups is not None and not len(val.labels):
        raise SpecRefusedError("Choosing the last layer by worst group needs validation images: there are none.")


def _scale(pooled: np.ndarray) -> tuple[Floats, Floats]:
    """Mean and standard deviation (K,) of the training images; a constant feature keeps its scale."""
    values = np.asarray(pooled, np.float64)
    std: Floats = values.std(0)
    return values.mean(0), np.where(std > 1e-8, std, 1.0)


def _halves(labels: np.ndarray, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(fitted, held out): halves of each class; an image that is alone in its class is in both."""
    rng = np.random.default_rng(seed)
    shuffled = [rng.permutation(np.flatnonzero(labels == c)) for c in np.unique(labels)]
    fitted = np.concatenate([rows[: (len(rows) + 1) // 2] for rows in shuffled])
    held_out = np.concatenate([rows[(len(rows) + 1) // 2 :] if len(rows) > 1 else rows for rows in shuffled])
    return fitted, held_out


def _choose(
    X: Floats,
    labels: np.ndarray,
    counts: Floats,
    X_val: Floats,
    y_val: np.ndarray,
    val_groups: np.ndarray | None,
    grid: tuple[float, ...],
    seed: int,
) -> float:
    """The inverse penalty with the best worst class (or group), then the best average."""
    n_classes = int(labels.max()) + 1
    parts = y_val if val_groups is None else val_groups

    def score(C: float) -> tuple[float, float]:
        right = _mean_layer(X, labels, counts, C, _N_TUNING_FITS, seed, n_classes).predict(X_val) == y_val
        return min(float(right[parts == part].mean()) for part in np.unique(parts) if part >= 0), float(right.mean())

    scores = {C: score(C) for C in grid}
    best = max(grid, key=scores.__getitem__)
    log.info("last layer: C = %g (worst %.3f, average %.3f of those not fitted)", best, *scores[best])
    return best


def _mean_layer(
    X: Floats, labels: np.ndarray, counts: Floats, C: float, n_fits: int, seed: int, n_classes: int
) -> _Layer:
    """The mean of layers fitted on class-balanced draws; draws that would be equal are fitted once."""
    sizes = np.bincount(labels, minlength=n_classes)
    n_draws = 1 if sizes.min() == sizes.max() else n_fits
    layers = []
    for draw in range(n_draws):
        rng = np.random.default_rng([seed, draw])
        rows = [rng.choice(np.flatnonzero(labels == c), sizes.min(), replace=False) for c in range(n_classes)]
        chosen = np.sort(np.concatenate(rows))
        layers.append(_fit(X[chosen], labels[chosen], counts[chosen], C, seed, n_classes))
    return _Layer(np.mean([layer.weight for layer in layers], 0), np.mean([layer.bias for layer in layers], 0))


def _fit(X: Floats, labels: np.ndarray, counts: Floats, C: float, seed: int, n_classes: int) -> _Layer:
    """One classifier for two classes, else one against the rest a class."""
    if n_classes == 2:
        w, b = _fit_binary(X, labels == 1, counts, C, seed)
        return _Layer(np.stack([-w / 2, w / 2]), np.array([-b / 2, b / 2]))  # softmax of these = sigmoid(w x + b)
    fits = [_fit_binary(X, labels == c, counts, C, seed) for c in range(n_classes)]
    return _Layer(np.stack([w for w, _ in fits]), np.array([b for _, b in fits]))


def _fit_binary(X: Floats, positive: np.ndarray, counts: Floats, C: float, seed: int) -> tuple[Floats, float]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    solver = LogisticRegression(**_l1_penalty(), C=C, solver="liblinear", max_iter=_MAX_ITER, random_state=seed)
    with warnings.catch_warnings():  # an unfinished fit at a weak penalty loses to the others in the choice of C
        warnings.simplefilter("ignore", ConvergenceWarning)
        solver.fit(X, positive, sample_weight=counts)
    return solver.coef_[0], float(solver.intercept_[0])


def _l1_penalty() -> dict[str, Any]:
    """The l1 penalty as the installed scikit-learn names it, which renamed it in 1.8."""
    from sklearn.linear_model import LogisticRegression

    return {"l1_ratio": 1} if LogisticRegression().penalty == "deprecated" else {"penalty": "l1"}
