"""Pictures: one markup of tiles, one address of an image, one style sheet."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.ui.pictures import bold, called, joined, quiet, verdict

APP = Path(__file__).parents[4] / "app"


def page() -> None:
    from app.ui import pictures
    from app.ui.pictures import Tile, View, quiet, under, verdict

    pictures.show("d-1", [Tile(7, [View("mask")], [quiet("a < b")])], wide=112, size=224, small=True)
    pictures.linked("d-1", [Tile(8, [View(), under("r-1", whose="before", name=verdict(True, "<1>", 0.97))])], side=100)
    pictures.strip("d-1", [9], ["cat"], None)


@pytest.fixture
def drawn(empty_home: Path) -> list[str]:
    return [str(block.proto.body) for block in AppTest.from_function(page).run().get("html")]


def test_a_tile_names_its_row_and_escapes_what_is_said_of_it(drawn: list[str]) -> None:
    grid = drawn[0]
    assert 'data-row="7"' in grid and "/api/image/d-1/7?size=224&amp;kind=mask" in grid
    assert "a &lt; b" in grid and 'alt="Image 7 with all but its object dimmed"' in grid


def test_linked_views_open_the_same_picture_large(drawn: list[str]) -> None:
    grid = drawn[1]
    assert grid.count("size=768") == grid.count("size=200") == 2 and grid.count("run=r-1") == 2
    assert 'alt="Image 8 under its heat map, before"' in grid and "&lt;1&gt;, confidence 97" in grid


def test_a_strip_without_maps_shows_the_images_as_they_are(drawn: list[str]) -> None:
    assert "kind=image" in drawn[2] and "run=" not in drawn[2] and ">cat</span>" in drawn[2]


def test_pictures_wait_until_they_are_in_sight(drawn: list[str]) -> None:
    assert all(grid.count("<img") == grid.count('loading="lazy"') for grid in drawn)


def test_a_line_joins_what_there_is() -> None:
    assert joined(bold("a"), quiet("<b>")) == '<b>a</b> <span class="quiet">&lt;b&gt;</span>'
    assert verdict(False, "cat").startswith('<b class="wrong">✗</b>')


def test_styles_lie_in_sheets_and_an_images_address_in_its_route() -> None:
    texts = {path.relative_to(APP).as_posix(): path.read_text() for path in APP.rglob("*.py")}
    bringing_sheets = {"routes/assets.py", "ui/chart.py"}
    assert {name for name, text in texts.items() if "<style" in text} == bringing_sheets
    assert [name for name, text in texts.items() if "/api/image/{dataset}" in text and 'f"/api' in text] == [
        "routes/images.py"
    ]


def test_an_image_of_no_known_group_is_called_by_its_class() -> None:
    """ "unknown" alone says less than the class, which is known."""
    known = {"label_name": "owl", "group": "owl, snow"}
    assert called(known) == "owl, snow"
    assert called(known | {"group": "unknown"}) == "owl"
    assert called({"label_name": "owl", "group": -1, "group_name": "unknown"}, "group_name") == "owl"
