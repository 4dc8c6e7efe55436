"""The values an answer can have, and the words for them: is the attention right?"""

from __future__ import annotations

RIGHT, WRONG, UNSURE = 1, 0, -1
VALUES = (RIGHT, WRONG, UNSURE)
WORDS = {RIGHT: "right", WRONG: "wrong", UNSURE: "unsure"}
NAMED = {word: value for value, word in WORDS.items()}

FROM_MASKS, FROM_ATTRIBUTES = "masks", "attribute"  # what the simulated annotator takes its answers from
SIMULATED = (FROM_MASKS, FROM_ATTRIBUTES)  # sources of answers that are no person's work
