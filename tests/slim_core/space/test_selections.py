"""Selections under short ids, and the images nearest to one."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from slim_core.errors import NotFoundError
from slim_core.space import selections
from slim_core.space.selections import Selections, nearest


@pytest.fixture
def kept(tmp_path: Path) -> Selections:
    return Selections(tmp_path / "selections")


def mask(n: int, *chosen: int) -> np.ndarray:
    made = np.zeros(n, bool)
    made[list(chosen)] = True
    return made


def comes_back(kept: Selections, n: int = 20) -> bool:
    """As it was."""
    given = mask(n, 0, n - 1, n // 2)
    return kept.load(kept.keep("r-1", given), "r-1").tolist() == given.tolist()


@pytest.mark.parametrize("n", [1, 8, 13, 1000])
def test_a_selection_comes_back_as_it_was(kept: Selections, n: int) -> None:
    assert comes_back(kept, n)


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
    with pytest.raises(NotFoundError, match="no selection"):
        kept.load(name, "r-1")


@pytest.mark.parametrize("content", [b"", b"no zlib", zlib.compress(b"neither a run\xff nor bits", 1)])
def test_a_damaged_selection_is_refused_and_can_be_kept_again(kept: Selections, tmp_path: Path, content: bytes) -> None:
    name = kept.keep("r-1", mask(20, 0, 10, 19))
    (tmp_path / "selections" / name).write_bytes(content)
    with pytest.raises(NotFoundError, match="was damaged: select"):
        kept.load(name, "r-1")
    assert comes_back(kept)


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
    replace = os.replace

    def while_another_keeps_it(*names: object) -> None:
        monkeypatch.setattr(os, "replace", replace)
        assert comes_back(kept)
        replace(*names)

    monkeypatch.setattr(os, "replace", while_another_keeps_it)
    assert comes_back(kept)


def test_a_selection_that_is_removed_while_it_is_kept_again_is_whole(
    kept: Selections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "exists", lambda _: True)
    assert comes_back(kept)


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


def test_the_nearest_images_are_those_of_a_search_through_all_that_are_asked_about(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(selections, "CHUNK_ROWS", 700)
    np.save(tmp_path / "features.npy", np.random.default_rng(0).random((3000, 64)).astype(np.float16))
    features = np.load(tmp_path / "features.npy", mmap_mode="r")
    positions = np.arange(1, 3000, 2)
    wide = np.asarray(features[positions], np.float32)
    for at in (0, 17, 1499):
        order, distance = nearest(features, positions, at, 12)
        expected = NearestNeighbors(n_neighbors=13, algorithm="brute").fit(wide).kneighbors(wide[[at]])[0][0][1:]
        assert distance == pytest.approx(expected, rel=1e-4)
        assert distance == pytest.approx(np.linalg.norm(wide[order] - wide[at], axis=1), rel=1e-4)
        assert at not in order


def test_identical_images_come_first_in_their_order_and_few_images_are_enough() -> None:
    features = np.array([[1, 0], [0, 0], [1, 0], [1, 0], [5, 5]], np.float16)
    order, distance = nearest(features, np.arange(5), 2, 24)
    assert order.tolist() == [0, 3, 1, 4] and distance[:2].tolist() == [0, 0]
    assert nearest(features[:1], np.arange(1), 0, 5)[0].tolist() == []
    assert nearest(np.ones((4, 3), np.float16), np.arange(4), 1, 2)[0].tolist() == [0, 2]
