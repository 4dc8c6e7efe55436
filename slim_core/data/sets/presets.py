"""Sets that are the digits with another correlation: no shortcut at all, and one that is nearly always there."""

from __future__ import annotations

from typing import ClassVar

from slim_core.data.sets.digits import DemoConfig


class NoShortcut(DemoConfig):
    """The photograph says nothing of the digit."""

    correlation: float = 0.5

    name: ClassVar[str] = "no-shortcut"
    about: ClassVar[str] = "the digits, each as often on either photograph: nothing to find"


class Hard(DemoConfig):
    """The photograph gives nearly every digit away."""

    correlation: float = 0.98

    name: ClassVar[str] = "hard"
    about: ClassVar[str] = "the digits at 98 %: a group of some two dozen images"
