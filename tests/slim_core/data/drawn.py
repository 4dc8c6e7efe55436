"""Images for tests, where any will do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def draw(*paths: Path) -> None:
    """Small images of noise, each of its own."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng([*str(path).encode()]).integers(0, 256, (12, 16, 3), np.uint8)
        Image.fromarray(noise).save(path)
