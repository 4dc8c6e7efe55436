"""The values an answer can have, and the words for them: is the attention right?"""

from __future__ import annotations

RIGHT, WRONG, UNSURE = 1, 0, -1
VALUES = (RIGHT, WRONG, UNSURE)
WORDS = {RIGHT: "right", WRONG: "wrong", UNSURE: "unsure"}
NAMED = {word: value for value, word in WORDS.items()}
