"""A mark that gives a class away: its colour, and its side, a share of the image, in pixels."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from slim_core.errors import SpecRefusedError
from slim_core.parameters import Display

COLOUR = (0, 114, 178)  # RGB
SHARES = (0.02, 0.34)  # legal sides, of the image: the largest object of a set leaves no more beside it
LEAST = 2  # pixels
_ADVICE = f"give a share of the image from {SHARES[0]} to {SHARES[1]}: the largest object leaves no more beside it"
Side = Annotated[float, Field(ge=SHARES[0], le=SHARES[1]), Display(advice=_ADVICE)]  # a parameter


def in_pixels(side: float, size: int) -> int:
    """The side of a mark on an image of ``size`` pixels."""
    return round(side * size)


def check_is_seen(name: str, side: float, size: int) -> None:
    """Refuse the side, a parameter of this name, where it is less than ``LEAST`` pixels.

    Raises:
        SpecRefusedError: it is.
    """
    if in_pixels(side, size) < LEAST:
        least = math.ceil(100 * LEAST / size) / 100
        raise SpecRefusedError(
            f"{name} is {side}, less than {LEAST} pixels of {size}: give {least} or more, or a larger size."
        )
