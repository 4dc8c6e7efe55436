"""The selection a browser sends up."""

from __future__ import annotations

import base64
import posixpath
import re

import numpy as np
import pytest

from app.routes.assets import static
from app.space.view import MODULES, Selection, positions


def bits(chosen: list[int], n: int) -> str:
    """As space_plot.js writes it: bit k of byte k // 8, the lowest first."""
    data = bytearray(-(-n // 8))
    for at in chosen:
        data[at >> 3] |= 1 << (at & 7)
    return base64.b64encode(data).decode()


@pytest.mark.parametrize("chosen", [[0], [7, 8, 9], [99], list(range(100))])
def test_a_bitset_gives_back_the_positions_that_were_set(chosen: list[int]) -> None:
    assert positions({"n": 100, "count": len(chosen), "bits": bits(chosen, 100)}, 100).tolist() == chosen


def test_padding_bits_after_the_last_point_select_nothing() -> None:
    assert positions({"n": 3, "bits": base64.b64encode(b"\xff").decode()}, 3).tolist() == [0, 1, 2]


@pytest.mark.parametrize("selection", [None, {}, {"n": 3, "bits": ""}, {"n": 4, "bits": bits([1], 4)}])
def test_nothing_and_a_selection_of_another_space_select_nothing(selection) -> None:
    assert positions(selection, 3).dtype == np.int64
    assert len(positions(selection, 3)) == 0


@pytest.mark.parametrize("chosen", [[], [0], [7, 8, 9], [99], list(range(100))])
def test_what_goes_down_to_the_browser_comes_up_the_same(chosen: list[int]) -> None:
    wire = Selection(100, np.array(chosen, np.int64), "v").wire()
    assert positions({"n": 100, "bits": wire["bits"]}, 100).tolist() == chosen


def test_every_module_the_plot_imports_is_preloaded_and_served() -> None:
    imported, waiting = set(), ["space/plot.js"]
    while waiting:
        name = waiting.pop()
        named = re.findall(r'from "(\.\.?/[a-z_/]+\.js)"', static(name).read_text())
        found = {posixpath.normpath(f"{posixpath.dirname(name)}/{one}") for one in named} - imported
        imported |= found
        waiting += found
    assert imported == {f"{name}.js" for name in MODULES}
