"""Images as tiles, and which map is shown of a mistake."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from app.ui import attention_change, groups, pictures
from app.ui.pictures import ModelMaps, bold, called, joined, quiet, verdict
from slim_core.errors import NotFoundError
from tests.refusals import missing

APP = Path(__file__).parents[3] / "app"


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
    assert "a &lt; b" in grid and 'alt="Image 7 with all but' in grid


def test_linked_views_open_the_same_picture_large(drawn: list[str]) -> None:
    grid = drawn[1]
    assert grid.count("size=768") == grid.count("size=200") == 2 and grid.count("run=r-1") == 2
    assert 'alt="Image 8 under its heat' in grid and "&lt;1&gt;, confidence 97" in grid


def test_a_strip_without_maps_shows_the_images_as_they_are(drawn: list[str]) -> None:
    assert "kind=image" in drawn[2] and "run=" not in drawn[2] and ">cat</span>" in drawn[2]


def test_pictures_wait_until_they_are_in_sight(drawn: list[str]) -> None:
    assert all(grid.count("<img") == grid.count('loading="lazy"') for grid in drawn)


def test_a_line_joins_what_there_is() -> None:
    assert joined(bold("a"), quiet("<b>")) == '<b>a</b> <span class="quiet">&lt;b&gt;</span>'
    assert verdict(False, "cat").startswith('<b class="wrong">✗</b>')


def test_styles_lie_in_sheets_and_an_images_address_in_its_route() -> None:
    texts = {path.relative_to(APP).as_posix(): path.read_text() for path in APP.rglob("*.py")}
    bringing_sheets = {"routes/assets.py", "ui/tables.py"}
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


RECORD = {"row": 3, "correct": False, "no_evidence": True, "prediction_name": "kite", "confidence": 0.98,
          "label_name": "apple", "group_name": "apple, 0"}  # fmt: skip
AFTER = {f"{key}_after": RECORD[key] for key in ("correct", "no_evidence", "prediction_name", "confidence")}


@pytest.fixture
def kept(monkeypatch) -> dict[str, tuple[str, ...]]:
    """Run -> the classes whose maps it kept."""
    found = {"r-both": ("label", "predicted", "0", "1"), "r-label": ("label",)}

    def open_maps(run: str) -> SimpleNamespace:
        if run not in found:
            raise NotFoundError(run)
        return SimpleNamespace(classes=found[run])

    monkeypatch.setattr(pictures, "open_maps", open_maps)
    return found


@pytest.mark.usefixtures("kept")
def test_a_mistake_without_evidence_for_its_label_shows_where_it_looks_for_the_prediction() -> None:
    tile = groups.tile(RECORD, "r-both")
    assert [view.map_of for view in tile.views] == ["label", "predicted"]
    assert any("it looks for kite" in line for line in tile.lines)
    pair = attention_change.tile(RECORD | AFTER | {"no_evidence_after": False}, "r-both", "r-both")
    assert [view.map_of for view in pair.views] == ["label", "predicted", "label"]
    assert "it looks for kite" in pair.views[1].name and "where it looks" not in pair.views[2].name


@pytest.mark.parametrize(
    ("record", "run"),
    [
        (RECORD | {"no_evidence": False}, "r-both"),
        (RECORD | {"no_evidence": float("nan")}, "r-both"),
        (RECORD | {"correct": True}, "r-both"),
        (RECORD, "r-label"),
        (RECORD, "r-gone"),
        (RECORD, None),
    ],
)
@pytest.mark.usefixtures("kept")
def test_all_others_show_the_map_of_their_label(record, run) -> None:
    tile = groups.tile(record, run)
    assert {view.map_of for view in tile.views} == {"label"} and not any("it looks" in line for line in tile.lines)


@pytest.mark.usefixtures("kept")
def test_an_opened_mistake_says_so_below_its_maps_alone() -> None:
    drawn, said = pictures._with_evidence([ModelMaps("r-both", "label", "before")], RECORD)
    names = [str(pictures._named(view, said)) for view in pictures.large_views(drawn, ["image", "overlay", "heat"])]
    assert [one.map_of for one in drawn] == ["predicted"]
    assert ["it looks for kite" in name for name in names] == [False, True, True]
    caption = pictures._without_evidence(RECORD, "", list(said.values()))
    assert not missing(caption, "its label, apple", "kite.")
    assert "zero everywhere" in pictures._without_evidence(RECORD, "", [])
    asked = [ModelMaps("r-both", "1", "before")]
    assert pictures._with_evidence(asked, RECORD) == (asked, {}), "the map of a class that was asked for"
