"""The texts of each room are those that are kept, and no test repeats one: a better sentence breaks one line here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.production_sentences import (
    KEPT,
    allowance,
    file_of,
    files_of_tests,
    repeated,
    rooms,
    runs_of_four,
    sentences,
    texts,
)


@pytest.mark.parametrize("room", rooms())
def test_the_sentences_of_a_room_are_those_that_are_kept(room: str) -> None:
    path = file_of(room)
    kept = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    now = sentences(room)
    changed = [*(f"- {text}" for text in kept if text not in now), *(f"+ {text}" for text in now if text not in kept)]
    assert not changed, "read them, then: make sentences\n" + "\n".join(changed)


def test_nothing_is_kept_of_a_room_that_is_gone() -> None:
    assert {path.name for path in KEPT.glob("*.txt")} <= {file_of(room).name for room in rooms()}


def test_no_test_holds_four_words_in_a_row_of_a_sentence() -> None:
    """Hold the error's class and the values that it names (tests.refusals), a key, or a constant of the code."""
    allowed = allowance()
    found = {name: repeated(path) for name, path in files_of_tests().items()}
    assert not {name: texts for name, texts in found.items() if len(texts) > allowed.get(name, 0)}


def test_what_is_said_to_users_is_collected_and_what_is_said_to_readers_is_not(tmp_path: Path) -> None:
    path = tmp_path / "said.py"
    path.write_text('"""To readers."""\na: "one hint of types" = f"{1} of " f"{2} images"\nb = "two\\n lines"\n')
    assert sorted(texts(path)) == ["two lines", "{} of {} images"]


def test_four_words_in_a_row_do_not_reach_over_a_hole() -> None:
    assert runs_of_four("A share of {} images is too large") == {("images", "is", "too", "large")}
    assert runs_of_four("one, two: THREE four") == {("one", "two", "three", "four")}
