import errno
import hashlib

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from slim_core.data.images.codec import image_size
from slim_core.data.importing import import_data
from slim_core.data.report import require
from slim_core.data.sets import digits as demo
from slim_core.data.sets.digits import DemoConfig, write_demo
from slim_core.errors import DataRefusedError

SMALL = DemoConfig(seed=3, train=40, val=12, test=16)


def bytes_of(folder):
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest()


def test_a_second_call_does_nothing(tmp_path):
    write_demo(tmp_path / "a", SMALL)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "a").rglob("*")}
    write_demo(tmp_path / "a", SMALL)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "a").rglob("*")} == before


@pytest.mark.parametrize("content", ["other", "demo"])
def test_a_folder_that_holds_something_else_is_refused_and_left_as_it_is(tmp_path, content):
    folder = tmp_path / "a"
    if content == "demo":
        write_demo(folder, SMALL)
    else:
        folder.mkdir()
        (folder / "thesis.txt").write_text("mine")
    before = bytes_of(folder)
    with pytest.raises(DataRefusedError, match="delete this one"):
        write_demo(folder, DemoConfig(seed=9, train=40, val=12, test=16))
    assert bytes_of(folder) == before


def test_a_write_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    def full_disk(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(demo, "draw_on", full_disk)
    with pytest.raises(DataRefusedError, match="written .No space left.*: free some space"):
        write_demo(tmp_path / "a", SMALL)
    assert list(tmp_path.iterdir()) == []


def test_train_sees_another_part_of_each_photograph_than_val_and_test():
    for name in demo.PHOTOGRAPHS:
        whole = load_sample_image(f"{name}.jpg")
        left, right = demo.part_of(whole, "train"), demo.part_of(whole, "val")
        assert np.array_equal(np.concatenate([left, right], axis=1), whole)
        assert np.array_equal(right, demo.part_of(whole, "test"))


@pytest.mark.slow
def test_pixels_outside_the_digit_are_the_photographs_own(demo_folder):
    frame = pd.read_csv(demo_folder / "metadata.csv")
    row = frame[frame["split"] == 0].iloc[0]
    image = np.asarray(Image.open(demo_folder / row["img_filename"]))
    part = demo.part_of(load_sample_image(row["place_filename"]), "train")
    windows = np.lib.stride_tricks.sliding_window_view(part, (64, 8), axis=(0, 1))  # strips of 64 rows x 8 columns
    strips = [image[:, :8], image[:, -8:]]  # a digit of at most 40 px leaves one of the edges free
    found = [(windows == strip.transpose(2, 0, 1)).all(axis=(2, 3, 4)).any() for strip in strips]
    assert any(found)


def test_the_hole_of_a_zero_belongs_to_the_zero():
    ring = np.zeros((9, 9))
    ring[2:7, 2:7] = 1
    ring[3:6, 3:6] = 0
    assert (demo._silhouette(ring) == 255).sum() == 25


def test_more_than_two_classes_alternate_between_the_photographs(tmp_path):
    write_demo(tmp_path / "a", DemoConfig(train=40, val=16, test=16, classes=(3, 5, 7, 9), correlation=1.0))
    table = require(import_data(tmp_path / "a"))
    assert table.label_names == ("3", "5", "7", "9")
    rows = table.rows("train")
    assert np.array_equal(table.attributes[rows], table.labels[rows] % 2)


def test_another_size_is_drawn_in_proportion(tmp_path):
    write_demo(tmp_path / "a", DemoConfig(train=8, val=4, test=4, size=96))
    size = image_size(tmp_path / "a" / "images" / "train_00000.png")
    mask = np.asarray(Image.open(tmp_path / "a" / "masks" / "train_00000.png"))
    assert size == (96, 96)
    assert 36 <= np.ptp(np.nonzero(mask)[0]) + 1 <= 60


def test_progress_ends_at_the_number_of_images(tmp_path):
    calls = []
    write_demo(tmp_path / "a", SMALL, progress=lambda *call: calls.append(call))
    assert calls[-1][:2] == (68, 68)


@pytest.mark.slow
def test_the_whole_demo_set_has_4200_images(tmp_path):
    write_demo(tmp_path / "whole", DemoConfig())
    assert len(list((tmp_path / "whole" / "images").iterdir())) == 4200
