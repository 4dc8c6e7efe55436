"""The glossary explains the words pages use."""

from __future__ import annotations

import re
from pathlib import Path

from app.ui import messages
from slim_core.metrics import DEFINITIONS, WGA

APP = Path(messages.__file__).parents[1]


def test_a_number_takes_the_definition_of_the_metric_that_owns_it() -> None:
    assert messages.explain("WGA") == DEFINITIONS[WGA]


def test_several_words_are_told_apart() -> None:
    told = messages.explain("cell", "budget")
    assert told.startswith("**Cell.** ") and "\n\n**Budget.** " in told


def test_every_meaning_is_short_and_a_sentence() -> None:
    for word, meaning in messages.TERMS.items():
        assert len(meaning) < 170 and meaning.endswith((".", ").")), word
        assert not re.search(r"\bS\d", meaning), f"{word}: no page says what the steps are numbered by"


def test_pages_ask_for_words_the_glossary_has() -> None:
    asked = {
        (path.relative_to(APP).as_posix(), word)
        for path in APP.rglob("*.py")
        for call in re.findall(r"\bexplain\(([^)]*)\)", path.read_text())
        for word in re.findall(r"""["']([^"']+)["']""", call)
    }
    assert len({path for path, _ in asked}) > 10, "the search finds some"
    assert not [(path, word) for path, word in sorted(asked) if word not in messages.TERMS]
