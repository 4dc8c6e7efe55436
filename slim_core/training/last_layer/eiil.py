"""Environments without labels: the split of the images that a classifier is least invariant over.

Creager, Jacobsen, Zemel, "Environment Inference for Invariant Learning", ICML 2021 (EIIL).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from slim_core.errors import SpecRefusedError
from slim_core.models.runtime import never_stop
from slim_core.training.last_layer.refit import Floats, Integers

STEPS = 20_000
_LR = 0.01
_LOOK_EVERY = 200
_SETTLED = 11  # looks at which the assignment is the same


def environments(
    logits: Floats, labels: Integers, seed: int, *, steps: int = STEPS, check_stop: Callable[[], None] = never_stop
) -> NDArray[np.int64]:
    """(n,) 0 or 1: q_i > 0.5 of soft assignments q = sigmoid(w) that maximise the IRM penalty of the environments.

    The penalty of one is |d/ds mean(q loss(s z))|^2 at s = 1; its mean over q and 1 - q is maximised, by Adam.

    Args:
        logits: (n, C) of a fixed classifier.
        labels: (n,).
        seed: of the first assignment.
        steps: of Adam, learning rate 0.01, at most: it ends once no image has changed sides for 2,000 steps.
        check_stop: called now and then; raises to end the work.

    Raises:
        SpecRefusedError: every image lands in one environment.
    """
    import torch

    from slim_core.models import eager

    slopes = torch.from_numpy(np.asarray(loss_slopes(logits, labels), np.float32))
    w = torch.randn(len(slopes), generator=torch.Generator().manual_seed(seed)).requires_grad_()
    adam = eager.Adam([w], lr=_LR)
    seen: list[bytes] = []  # assignments at the looks
    for step in range(steps):
        if step % _LOOK_EVERY == 0:
            check_stop()
            seen.append((w.detach() > 0).numpy().tobytes())
            if len(seen) >= _SETTLED and len(set(seen[-_SETTLED:])) == 1:
                break
        q = w.sigmoid()
        penalty = ((q * slopes).mean() ** 2 + ((1 - q) * slopes).mean() ** 2) / 2
        adam.zero_grad()
        (-penalty).backward()  # type: ignore[no-untyped-call]
        adam.step()
    found = (w.detach() > 0).long().numpy()
    require_two(found, "EIIL")
    return found


def loss_slopes(logits: Floats, labels: Integers) -> Floats:
    """(n,) d/ds of the cross-entropy of s z at s = 1: sum_c (p_c - [c = y]) z_c."""
    from scipy.special import softmax

    slopes: Floats = (softmax(logits, axis=1) * logits).sum(1) - logits[np.arange(len(labels)), labels]
    return slopes


def require_two(environment: Integers, method: str) -> None:
    """Refuse environments of which one is empty.

    Raises:
        SpecRefusedError: one of the two has no image.
    """
    if len(np.unique(environment)) < 2:
        raise SpecRefusedError(
            f"{method} puts all {len(environment)} images into one environment: fit on more images, or on some that "
            f"the reference model was not trained on, or choose another refit."
        )


def with_environments(labels: Integers, environment: Integers) -> Integers:
    """(n,) class x environment: 2 y + e."""
    cells: Integers = 2 * labels + environment
    return cells
