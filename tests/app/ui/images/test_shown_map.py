"""The map of a wrong prediction whose label has no evidence is the predicted class's, and is called that."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from app.ui import attention_change, groups, pictures
from app.ui.pictures import ModelMaps
from slim_core.errors import NotFoundError

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
    assert any("where it looks for kite" in line for line in tile.lines)
    pair = attention_change.tile(RECORD | AFTER | {"no_evidence_after": False}, "r-both", "r-both")
    assert [view.map_of for view in pair.views] == ["label", "predicted", "label"]
    assert "where it looks for kite" in pair.views[1].name and "where it looks" not in pair.views[2].name


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
    assert ["where it looks for kite" in name for name in names] == [False, True, True]
    caption = pictures._without_evidence(RECORD, "", list(said.values()))
    assert caption == "No evidence for its label, apple: the maps show where it looks for kite."
    assert "zero everywhere" in pictures._without_evidence(RECORD, "", [])
    asked = [ModelMaps("r-both", "1", "before")]
    assert pictures._with_evidence(asked, RECORD) == (asked, {}), "the map of a class that was asked for"
