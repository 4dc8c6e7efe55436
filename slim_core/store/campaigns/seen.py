"""What an annotator saw with an answer: its names and what each may hold, so that every export can write it."""

from __future__ import annotations

from collections.abc import Mapping

from slim_core.errors import AnswersRefusedError

MAX_TEXT = 200  # letters
_TEXTS = frozenset({"run", "view"})  # whose attention, and how it was drawn
_SWITCHES = frozenset({"beside", "grid", "file"})  # image and attention side by side, a page of images, from a file
_NUMBERS = frozenset({"opacity", "page", "of", "attention_precision"})  # page, of: answered by one click
_NAMES = _TEXTS | _SWITCHES | _NUMBERS


def check_seen(seen: object) -> None:
    """Refuse what no page of ours sends; each name may hold None.

    Raises:
        AnswersRefusedError: not a mapping, an unknown name, or a value of another type or length.
    """
    if not isinstance(seen, Mapping):
        raise AnswersRefusedError(f"What was seen is an object, not {_shown(seen)}: reload the page.")
    for name, value in seen.items():
        if name not in _NAMES:
            known = ", ".join(sorted(_NAMES))
            raise AnswersRefusedError(f"What was seen has no name {_shown(name)}, only {known}: reload the page.")
        if value is not None and not _fits(name, value):
            raise AnswersRefusedError(f"{_shown(value)} is not a value of {name} in what was seen: reload the page.")


def _fits(name: str, value: object) -> bool:
    if name in _TEXTS:
        return isinstance(value, str) and len(value) <= MAX_TEXT and value.isprintable()
    if name in _SWITCHES:
        return isinstance(value, bool)
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53  # NaN is not


def _shown(value: object) -> str:
    return repr(value[:40]) if isinstance(value, str) else f"a value of the type {type(value).__name__}"
