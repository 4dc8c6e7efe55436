"""What a pass leaves on disk: filled batch by batch, kept, taken up again, merged."""

from __future__ import annotations

import errno
import json
import multiprocessing
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from slim_core.attention import arrays as attention_arrays
from slim_core.attention.arrays import PassArrays, merge_arrays, n_clipped, summed_up_masks
from slim_core.errors import RunCanceledError
from slim_core.metrics import AIOU, ATTENTION_PRECISION, COVERAGE, DEFINITIONS, IOU
from tests.small_disk import mounted

N, BATCH = 20, 3
ROWS = np.arange(N) * 2
STARTS = range(0, N, BATCH)


def batch(start: int) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    part = ROWS[start : start + BATCH]
    rng = np.random.default_rng(start)
    maps, logits = rng.normal(size=(len(part), 4, 4)).astype(np.float16), rng.normal(size=(len(part), 2))
    return {"maps": maps, "logits": logits}, pd.DataFrame({"row": part, "loss": rng.normal(size=len(part))})


def left(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Where results go, and the checkpoints."""
    for name in ("out", "kept", "plain"):
        (tmp_path / name).mkdir()
    return tmp_path / "out", tmp_path / "kept"


@pytest.fixture
def expected(tmp_path: Path, folders) -> dict[str, bytes]:
    """What a pass leaves that nothing interrupts."""
    arrays = PassArrays(tmp_path / "plain", N)
    for start in STARTS:
        arrays.add(*batch(start))
    arrays.finish(ROWS)
    assert set(left(tmp_path / "plain")) == {"maps.npy", "logits.npy", "rows.npy", "scores.parquet"}
    return left(tmp_path / "plain")


@pytest.mark.parametrize("every_s", [0.0, 1e9])
def test_a_pass_that_was_killed_goes_on_from_its_last_checkpoint(folders, expected, monkeypatch, every_s):
    monkeypatch.setattr(attention_arrays, "KEEP_EVERY_S", every_s)
    out, kept = folders
    killed = PassArrays(out, N, kept, "key")
    for start in (0, 3, 6, 9):
        killed.add(*batch(start))
        if start == 6:
            killed.keep()
    again = PassArrays(out, N, kept, "key")
    assert again.done == (9 if every_s else 12)
    for start in range(again.done, N, BATCH):
        again.add(*batch(start))
    again.finish(ROWS)
    assert left(out) == expected


def test_a_pass_that_ended_just_before_its_results_were_published_has_nothing_left_to_do(folders, expected):
    out, kept = folders
    first = PassArrays(out, N, kept, "key")
    for start in STARTS:
        first.add(*batch(start))
    first.keep()
    first.finish(ROWS)
    for path in out.iterdir():
        path.unlink()
    again = PassArrays(out, N, kept, "key")
    assert again.done == N
    again.finish(ROWS)
    assert left(out) == expected


def test_two_passes_in_one_folder_do_no_harm_to_each_other(folders, expected):
    out, kept = folders
    lost = PassArrays(out, N, kept, "key")
    lost.add(*batch(0))
    lost.keep()
    ours = PassArrays(out, N, kept, "key")
    for start in STARTS[1:]:
        ours.add(*batch(start))
        ours.keep()
        if start < 12:
            lost.add(*batch(start))
            lost.keep()
    third = PassArrays(out, N, kept, "key")
    assert third.done == N
    third.finish(ROWS)
    assert left(out) == expected


def test_a_checkpoint_of_another_pass_or_a_damaged_one_is_not_taken_up(folders, expected):
    out, kept = folders
    before = PassArrays(out, N, kept, "key")
    before.add(*batch(0))
    before.keep()
    assert PassArrays(out, N, kept, "another").done == 0
    assert PassArrays(out, N + 1, kept, "key").done == 0
    assert PassArrays(out, N, kept, "key").done == BATCH
    state = json.loads((kept / "pass.json").read_text())
    (kept / state["folder"] / state["scores"][0]).write_bytes(b"PAR1 and no more")
    assert PassArrays(out, N, kept, "key").done == 0
    (kept / "pass.json").write_text("{")
    anew = PassArrays(out, N, kept, "key")
    for start in STARTS:
        anew.add(*batch(start))
    anew.finish(ROWS)
    assert left(out) == expected


def test_a_checkpoint_that_cannot_be_written_does_not_end_the_pass(folders, expected, caplog):
    out, kept = folders
    arrays = PassArrays(out, N, kept, "key")
    arrays.add(*batch(0))
    (kept / "pass.json").mkdir()  # nothing can be renamed onto it
    arrays.keep()
    assert "No checkpoint of" in caplog.text
    for start in STARTS[1:]:
        arrays.add(*batch(start))
    arrays.finish(ROWS)
    assert left(out) == expected


def test_merging_streams_a_few_thousand_rows_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(attention_arrays, "_AT_ONCE", 4)
    folders = [tmp_path / name for name in "abc"]
    whole = np.arange(66, dtype=np.float16).reshape(22, 3)
    for folder, part in zip(folders, (whole[:9], whole[9:10], whole[10:]), strict=True):
        folder.mkdir()
        np.save(folder / "maps.npy", part)
    (tmp_path / "out").mkdir()
    told: list[tuple[int, int]] = []
    merge_arrays(folders, tmp_path / "out", lambda *at: told.append(at), lambda: None)
    np.save(tmp_path / "whole.npy", whole)
    assert (tmp_path / "out" / "maps.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()
    assert told == [(4, 22), (8, 22), (9, 22), (10, 22), (14, 22), (18, 22), (22, 22)]


def begin_pass(out: Path) -> None:
    arrays = PassArrays(out, 1_000)
    for _ in range(10):
        values = {"logits": np.ones((100, 2)), "maps": np.ones((100, 64, 64), np.float16)}
        arrays.add(values, pd.DataFrame({"row": range(100)}))


def merge_parts(out: Path) -> None:
    part = out.parent / "part"
    part.mkdir(exist_ok=True)
    np.save(part / "maps.npy", np.ones((1_000, 64, 64), np.float16))
    merge_arrays([part], out, lambda *_: None, lambda: None)


@pytest.mark.parametrize("write", [begin_pass, merge_parts])
def test_a_full_disk_is_an_error_that_names_the_file_and_not_the_end_of_the_process(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    def exit_by(out: Path) -> None:
        try:
            write(out)
        except OSError as error:
            (out / "last words").write_bytes(b"x" * 1_000_000)  # there is room for it at once
            sys.exit(error.errno if error.filename == str(out / "maps.npy") else 1)

    with mounted(tmp_path / "small-disk", 4) as disk:
        process = multiprocessing.get_context("fork").Process(target=exit_by, args=(disk,))
        process.start()
        process.join()
        assert process.exitcode == errno.ENOSPC  # not that of a bus error
        assert [path.name for path in disk.iterdir()] == ["last words"]  # what was begun takes no room
        subprocess.run(["mount", "-o", "remount,size=20m", disk], check=True)
        write(disk)
        assert (np.load(disk / "maps.npy") == 1).all()


def test_an_empty_map_counts_as_scored_and_has_no_share_in_the_mean_precision():
    scores = pd.DataFrame(
        {IOU: [0.4, 0.0, np.nan], AIOU: [0.7, 0.0, np.nan], ATTENTION_PRECISION: [0.6, np.nan, np.nan]}
    )
    found = summed_up_masks(scores)  # a map on the object, an empty one, and an image without a mask
    assert found["n_masks"] == 2 and found[COVERAGE] == pytest.approx(2 / 3)
    assert found[ATTENTION_PRECISION] == pytest.approx(0.6) and found[AIOU] == pytest.approx(0.35)
    assert "Empty maps are" in DEFINITIONS[COVERAGE]


def test_the_search_for_clipped_values_says_how_far_it_is_and_can_be_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(attention_arrays, "_AT_ONCE", 4)
    for name in ("maps", "pooled_features"):
        np.save(tmp_path / f"{name}.npy", np.zeros((10, 3), np.float16))
    maps = np.load(tmp_path / "maps.npy", mmap_mode="r+")
    maps[[2, 9], 1] = 65504
    said: list[tuple[int, int]] = []

    def look(stop_at: int) -> int:
        def check_stop() -> None:
            if len(said) == stop_at:
                raise RunCanceledError("stopped")

        return n_clipped(tmp_path, lambda *progress: said.append(progress), check_stop)

    assert look(stop_at=-1) == 2
    assert said == [(0, 20), (4, 20), (8, 20), (10, 20), (14, 20), (18, 20)]
    said.clear()
    with pytest.raises(RunCanceledError):
        look(stop_at=3)
    assert len(said) == 3
