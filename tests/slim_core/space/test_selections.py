"""Selections under short ids."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import numpy as np
import pytest

from slim_core.errors import NotFoundError
from slim_core.space import selections
from slim_core.space.selections import Selections


@pytest.fixture
def kept(tmp_path: Path) -> Selections:
    return Selections(tmp_path / "selections")


def mask(n: int, *chosen: int) -> np.ndarray:
    made = np.zeros(n, bool)
    made[list(chosen)] = True
    return made


@pytest.mark.parametrize("n", [1, 8, 13, 1000])
def test_a_selection_comes_back_as_it_was(kept: Selections, n: int) -> None:
    given = mask(n, 0, n - 1, n // 2)
    assert kept.load(kept.keep("r-1", given), "r-1").tolist() == given.tolist()


def test_the_same_selection_has_the_same_id_and_another_one_another(kept: Selections) -> None:
    first = kept.keep("r-1", mask(20, 3))
    assert first == kept.keep("r-1", mask(20, 3))
    assert (
        len({first, kept.keep("r-1", mask(20, 4)), kept.keep("r-2", mask(20, 3)), kept.keep("r-1", mask(21, 3))}) == 4
    )


def test_a_selection_of_another_space_is_refused(kept: Selections) -> None:
    with pytest.raises(NotFoundError, match="of the space r-1: open that one"):
        kept.load(kept.keep("r-1", mask(20, 3)), "r-2")


@pytest.mark.parametrize("name", ["0123456789ab", "", "../../secret", "0123456789ab/x", "G" * 12])
def test_an_id_that_names_no_selection_is_refused(kept: Selections, name: str) -> None:
    with pytest.raises(NotFoundError, match="is no selection"):
        kept.load(name, "r-1")


@pytest.mark.parametrize("content", [b"", b"no zlib", zlib.compress(b"neither a run\xff nor bits", 1)])
def test_a_damaged_selection_is_refused_and_can_be_kept_again(kept: Selections, tmp_path: Path, content: bytes) -> None:
    given = mask(20, 3)
    name = kept.keep("r-1", given)
    (tmp_path / "selections" / name).write_bytes(content)
    with pytest.raises(NotFoundError, match="was damaged: select"):
        kept.load(name, "r-1")
    assert kept.load(kept.keep("r-1", given), "r-1").tolist() == given.tolist()


def test_the_ones_longest_unused_go_first(kept: Selections, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selections, "KEPT", 2)
    old, used = kept.keep("r-1", mask(9, 0)), kept.keep("r-1", mask(9, 1))
    for name, at in ((old, 100), (used, 200)):
        os.utime(tmp_path / "selections" / name, (at, at))
    new = kept.keep("r-1", mask(9, 2))
    assert {path.name for path in (tmp_path / "selections").iterdir()} == {used, new}


def test_two_sessions_that_keep_the_same_selection_at_once_do_not_disturb_each_other(
    kept: Selections, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, given = os.replace, mask(20, 3)

    def while_another_keeps_it(*names: object) -> None:
        monkeypatch.setattr(os, "replace", replace)
        kept.keep("r-1", given)
        replace(*names)

    monkeypatch.setattr(os, "replace", while_another_keeps_it)
    assert kept.load(kept.keep("r-1", given), "r-1").tolist() == given.tolist()


def test_a_selection_that_is_removed_while_it_is_kept_again_is_whole(
    kept: Selections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "exists", lambda _: True)
    given = mask(20, 3)
    assert kept.load(kept.keep("r-1", given), "r-1").tolist() == given.tolist()


def test_only_selections_are_counted_and_one_that_is_gone_meanwhile_is_passed_over(
    kept: Selections, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selections, "KEPT", 1)
    folder = tmp_path / "selections"
    folder.mkdir()
    (folder / "0123456789ab").symlink_to("gone")
    (folder / "0123456789ac.draft").touch()
    new = kept.keep("r-1", mask(9, 2))
    assert {path.name for path in folder.iterdir()} == {"0123456789ab", "0123456789ac.draft", new}
