"""Features of two clumps, for tests of spaces."""

from __future__ import annotations

import numpy as np


def features(n: int = 200, k: int = 24, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two well separated clumps of non-negative features, and which clump each row is from."""
    rng = np.random.default_rng(seed)
    clump = np.arange(n) % 2
    prototypes = rng.uniform(0, 4, size=(2, k))
    return (np.abs(prototypes[clump] + rng.normal(size=(n, k)) * 0.3)).astype(np.float16), clump
