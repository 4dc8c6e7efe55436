"""A folder that the set cutouts is drawn from."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw


def put_cutouts(folder: Path, objects=5, classes=("bird", "mammal"), scenes=("shore", "wood")) -> Path:
    """Objects of one hue a class and another shape each, cut out, and photographs of noise; returns the folder."""
    rng = np.random.default_rng(0)
    for number, name in enumerate(classes):
        (folder / "objects" / name).mkdir(parents=True)
        for k in range(objects):
            image = Image.new("RGBA", (90, 60))
            ImageDraw.Draw(image).ellipse((5, 5, 50 + 7 * k, 50), fill=(200 * number, 40 * k, 90, 255))
            image.save(folder / "objects" / name / f"{name} {k}.png")
    for number, name in enumerate(scenes):
        (folder / "scenes" / name).mkdir(parents=True)
        for k in range(2):
            noise = rng.integers(0, 120, (300, 500, 3)).astype(np.uint8) + np.uint8(100 * number)
            Image.fromarray(noise).save(folder / "scenes" / name / f"{k}.jpg")
    return folder
