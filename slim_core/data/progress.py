"""How far work on files is, as whoever waits for it is called: a bar of the terminal, or one of a page."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int, str], None]  # done, total, what is being done
