"""The values an answer can have, and the words and keys for them: is the attention right?

This is the one list of answers: files, pages, the terminal and the browser take theirs from it.
"""

from __future__ import annotations

import reprlib

from slim_core.errors import AnswersRefusedError

RIGHT, WRONG, UNSURE, EMPTY = 1, 0, -1, 2
WORDS = {RIGHT: "right", WRONG: "wrong", EMPTY: "empty", UNSURE: "unsure"}  # in the order in which they are offered
KEYS = {RIGHT: "1", WRONG: "0", EMPTY: "e", UNSURE: "u"}
VALUES = tuple(WORDS)
NAMED = {word: value for value, word in WORDS.items()}
WRITTEN = {**NAMED, **{key: value for value, key in KEYS.items()}, **{str(value): value for value in VALUES}}
LISTED = ", ".join(f"{value} or {word}" for value, word in WORDS.items())  # for messages

# What answers add up to, and all that is computed from them: an empty map is a wrong one.
COUNTED = (RIGHT, WRONG, UNSURE)
COUNTED_AS_WRONG = (WRONG, EMPTY)

FROM_MASKS = "masks"  # the source of what the simulated annotator answers, which is no person's work


def counts_as(value: int) -> int:
    """What an answer counts as, one of COUNTED: empty counts as wrong."""
    return WRONG if value in COUNTED_AS_WRONG else value


def check_value(value: object) -> None:
    """Refuse what is none of VALUES; 1.0 and True are none, however equal.

    Raises:
        AnswersRefusedError: it is none.
    """
    if isinstance(value, bool | float) or value not in VALUES:
        raise AnswersRefusedError(f"{reprlib.repr(value)} is not an answer: give {LISTED}, or null to undo.")


def value_of(text: object) -> int:
    """The answer that a word, a key or a number stands for.

    Raises:
        AnswersRefusedError: it is none of the words.
    """
    word = str(text).strip().lower().removesuffix(".0")
    if word not in WRITTEN:
        raise AnswersRefusedError(f"{text!r} is not an answer: write {LISTED}.")
    return WRITTEN[word]
