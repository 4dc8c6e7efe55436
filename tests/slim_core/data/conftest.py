"""Folders of the real shapes, with small images."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from slim_core.settings import Settings


@pytest.fixture
def limits(tmp_path):
    """Settings that allow the test's own folder alone."""
    return Settings(home=tmp_path / "home", data_roots=(tmp_path,))


@pytest.fixture
def narrow_limits(tmp_path):
    """Settings that allow ``data`` alone: all beside it is outside."""
    return Settings(home=tmp_path / "home", data_roots=(tmp_path / "data",))


@pytest.fixture
def data(tmp_path):
    """A folder for data, beside which others lie."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def root(data):
    """An empty folder for one data set."""
    folder = data / "mine"
    folder.mkdir()
    return folder


def save_image(path, seed, size=(40, 30)):
    """An image of noise; another seed gives other bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(noise).save(path, quality=90)


def metadata_rows(per_cell=2):
    """Waterbirds' rows: three splits x two labels x two places x ``per_cell``."""
    rows = []
    for split in range(3):
        for y in (0, 1):
            for place in (0, 1):
                for copy in range(per_cell):
                    number = len(rows) + 1
                    name = f"{y:03d}.Bird/Bird_{number:04d}_{copy}.jpg"
                    rows.append((number, name, y, split, place, f"/o/ocean/{number}.jpg"))
    return pd.DataFrame(rows, columns=["img_id", "img_filename", "y", "split", "place", "place_filename"])


def write_waterbirds(folder, frame):
    """The folder as released: metadata.csv and images by class folder."""
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_csv(folder / "metadata.csv", index=False)
    for number, name in zip(frame["img_id"], frame["img_filename"], strict=True):
        if not (folder / name).exists():
            save_image(folder / name, int(number))


@pytest.fixture
def waterbirds(data):
    """A folder of Waterbirds' real shape with 24 images."""
    folder = data / "waterbird_complete95_forest2water2"
    write_waterbirds(folder, metadata_rows())
    return folder


@pytest.fixture
def codes():
    """The kinds of findings of an import, errors or warnings."""
    return lambda findings: [finding.code for finding in findings]
