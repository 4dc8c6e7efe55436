import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from slim_core.data.choosing import preview
from slim_core.data.draft import as_option, names_option
from slim_core.data.importing import FORMATS, import_data
from slim_core.data.report import FormatRefusedError, require
from tests.refusals import missing, refusal
from tests.slim_core.data.conftest import save_image
from tests.slim_core.data.faults import faults


def frame_of(n=12):
    return pd.DataFrame(
        {
            "path": [f"img/{i}.png" for i in range(n)],
            "split": np.repeat(["train", "val", "test"], n // 3),
            "label": [0, 0, 1, 1] * (n // 4),
        }
    )


@pytest.fixture
def folder(data):
    """Twelve images and no table yet."""
    folder = data / "mine"
    (folder / "img").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(12):
        Image.fromarray(rng.integers(0, 256, (20, 20, 3), np.uint8)).save(folder / "img" / f"{i}.png")
    return folder


@pytest.mark.parametrize("form", ["comma", "tab", "semicolon", "byte order mark", "parquet"])
def test_every_usual_form_of_table_is_read(folder, limits, form):
    frame = frame_of()
    if form == "parquet":
        frame.to_parquet(folder / "data.parquet")
    else:
        separator = {"tab": "\t", "semicolon": ";"}.get(form, ",")
        encoding = "utf-8-sig" if form == "byte order mark" else "utf-8"
        frame.to_csv(folder / "table.csv", index=False, sep=separator, encoding=encoding)
    imported = import_data(folder, settings=limits)
    table = require(imported)
    assert imported.report.format == "csv" and faults(imported.report) == ()
    assert table.labels.tolist() == [0, 0, 1, 1] * 3
    assert not table.has_attributes


@pytest.mark.parametrize(
    "cells",
    [
        pd.array([1, None] * 6, "Int64"),
        pd.array([True, None] * 6, "boolean"),
        pd.array([0.5, None] * 6, "Float64"),
        pd.Categorical(["x", None] * 6),
    ],
    ids=["Int64", "boolean", "Float64", "category"],
)
@pytest.mark.parametrize("column", ["patient", "notes"])
def test_gaps_in_columns_of_pandas_own_types_are_empty_cells(folder, limits, cells, column):
    frame_of().assign(**{column: cells}).to_parquet(folder / "data.parquet")
    assert preview(folder, settings=limits).head[column].tolist()[1::2] == ["", ""]
    table = require(import_data(folder, settings=limits))
    assert table.labels.tolist() == [0, 0, 1, 1] * 3


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_of_crossed_attributes_one_that_is_missing_makes_the_group_unknown(folder, limits, form):
    frame = frame_of().assign(place=["sea", "land"] * 6, time=["day", "day", "night", None] * 3)
    if form == "parquet":
        frame.to_parquet(folder / "t.parquet")
    else:
        frame.fillna("NaN").to_csv(folder / "t.csv", index=False)
    table = require(import_data(folder, options={"attribute": "place,time"}, settings=limits))
    assert table.attribute_names == ("land, day", "sea, day", "sea, night")
    assert table.attributes.tolist() == [1, 0, 2, -1] * 3


def test_crossed_values_that_occur_in_both_columns_say_of_which_they_are(folder, limits):
    frame_of().assign(glasses=[*"01"] * 6, beard=[*"011", ""] * 3).to_csv(folder / "t.csv", index=False)
    table = require(import_data(folder, options={"attribute": "glasses,beard"}, settings=limits))
    assert table.attribute_names == ("glasses=0, beard=0", "glasses=0, beard=1", "glasses=1, beard=1")
    assert table.attributes.tolist() == [0, 2, 1, -1] * 3 and table.attribute_name == "glasses, beard"


def test_crossed_values_that_hold_commas_stay_apart(folder, limits):
    frame = frame_of().assign(place=["a", "a, b"] * 6, time=["b, c", "c"] * 6)
    frame.to_csv(folder / "t.csv", index=False)
    table = require(import_data(folder, options={"attribute": "place,time"}, settings=limits))
    assert table.attribute_names == ('"a, b", c', 'a, "b, c"')
    assert table.attributes.tolist() == [1, 0] * 6
    frame.assign(time="c").to_csv(folder / "t.csv", index=False)
    table = require(import_data(folder, options={"attribute": "place,time"}, settings=limits))
    assert table.attribute_names == ("a, b, c", "a, c"), "no two are alike: they are called as ever"


@pytest.mark.parametrize(
    ("named", "values"),
    [
        ("time, local", ("day", "night")),
        ('"time, local"', ("day", "night")),
        ('place,"time, local"', ("land, day", "land, night", "sea, day", "sea, night")),
        ('"time, local", the "place"', ("day, land", "day, sea", "night, land", "night, sea")),
    ],
)
def test_a_name_that_holds_a_comma_is_quoted_in_an_option_of_several(folder, limits, named, values):
    places, times = ["sea", "land"] * 6, ["day", "day", "night", "night"] * 3
    frame = frame_of().assign(**{"place": places, 'the "place"': places, "time, local": times})
    frame.to_csv(folder / "t.csv", index=False)
    options = {"attribute": named, "label_names": '"cat, small",dog'}
    table = require(import_data(folder, options=options, settings=limits))
    assert table.attribute_names == values and table.label_names == ("cat, small", "dog")


@pytest.mark.parametrize("names", [["a"], ["a", "b, c"], ['"a"', 'b "c"', " d"], ['a, "b"', "c"]])
def test_names_are_read_from_an_option_as_they_were_written_into_it(names):
    assert names_option({"attribute": as_option(names)}, "attribute") == tuple(names)


def test_columns_can_be_named(folder, limits):
    frame = frame_of().rename(columns={"path": "where", "split": "fold", "label": "kind"})
    frame.assign(light=["day", "night"] * 6).to_csv(folder / "t.csv", index=False)
    options = {"path": "where", "split": "fold", "label": "kind", "attribute": "light"}
    table = require(import_data(folder / "t.csv", options=options, settings=limits))
    assert table.attribute_name == "light" and table.attribute_names == ("day", "night")
    assert table.attributes.tolist() == [0, 1] * 6


def test_a_column_that_may_be_the_attribute_is_named_where_none_is_read_as_one(folder, limits):
    more = {"Hintergrund": ["Wald", "See"] * 6, "id": range(12), "note": [""] * 12}
    frame_of().assign(**more).to_csv(folder / "t.csv", index=False)

    def hints(**options):
        found = import_data(folder / "t.csv", options=options, settings=limits).report.findings
        return [one.message for one in found if "as the attribute" in one.message]

    (told,) = hints()
    assert not missing(told, "Hintergrund", 2, "attribute=Hintergrund")
    assert hints(attribute="Hintergrund") == hints(attribute="none") == []


def test_a_column_of_words_for_splits_is_named_where_splits_would_be_made(folder, limits):
    frame = frame_of().rename(columns={"split": "Teil"}).assign(Teil=["train", "Tuning", "holdout"] * 4)
    frame.to_csv(folder / "t.csv", index=False)

    def told(**options):
        return [one.message for one in import_data(folder / "t.csv", options=options, settings=limits).report.findings]

    named = "(Tuning, holdout, train)"
    assert any(named in one for one in told()) and not any("attribute=Teil" in one for one in told())
    assert not any(named in one for one in told(split="Teil"))
    frame.assign(Teil=["0", "1", "2"] * 4).to_csv(folder / "t.csv", index=False)
    assert not any("words for splits" in one for one in told()), "numbers may be anything"


def test_a_table_beside_class_folders_that_cannot_be_read_is_refused_and_not_passed_over(folder, limits):
    for i in range(12):
        (folder / "ab"[i % 2]).mkdir(exist_ok=True)
        (folder / "img" / f"{i}.png").rename(folder / "ab"[i % 2] / f"{i}.png")
    (folder / "img").rmdir()
    (folder / "t.csv").write_text("name,note\na,1,2,3\nb,1\n")
    (error,) = import_data(folder, settings=limits).report.errors
    assert "t.csv" in error.message


def test_masks_and_boxes_are_read_by_their_columns(folder, limits):
    Image.new("L", (20, 20), 255).save(folder / "img" / "mask.png")
    boxes = {"box_x": [1.5] * 3 + [""] * 9, "box_y": 2, "box_width": 3, "box_height": 4}
    frame_of().assign(mask=["img/mask.png"] + [""] * 11, **boxes).to_csv(folder / "m.csv", index=False)
    imported = import_data(folder, settings=limits)
    table = require(imported)
    assert imported.report.n_masks == 3
    assert table.mask_path(0) == folder / "img" / "mask.png"
    assert table.box(2) == (1.5, 2, 3, 4) and table.box(3) is None


def test_boxes_outside_their_images_are_counted_where_no_mask_goes_before_them(folder, limits):
    save_image(folder / "img" / "mask.png", 3, (20, 20))
    boxes = {"box_x": [20, 20, 19, -3] + [""] * 8, "box_y": 2, "box_width": [9, 9, 9, 3] + [9] * 8, "box_height": 4}
    frame_of().assign(mask=["img/mask.png"] + [""] * 11, **boxes).to_csv(folder / "m.csv", index=False)
    report = import_data(folder, settings=limits).report
    (found,) = [one for one in faults(report) if one.code == "stray-boxes"]
    assert (found.level, found.rows) == ("warning", (1, 3)), "row 0 has a mask; one column of row 2 is inside"
    assert not missing(found.message, 2, 3, "3, 5")


def test_a_mask_that_is_missing_is_left_out_with_a_warning(folder, limits):
    frame_of().assign(mask=["gone.png"] + [""] * 11).to_csv(folder / "m.csv", index=False)
    imported = import_data(folder, settings=limits)
    assert [f.code for f in faults(imported.report)] == ["masks"]
    assert not require(imported).has_mask.any()


def test_of_several_tables_one_must_be_named(folder, limits):
    for name in ("a.csv", "b.csv"):
        frame_of().to_csv(folder / name, index=False)
    assert import_data(folder, settings=limits).report.errors[0].code == "no-metadata"
    assert "file=NAME" in import_data(folder, format="csv", settings=limits).report.errors[0].message
    assert import_data(folder, format="csv", options={"file": "b.csv"}, settings=limits).report.ok


def test_the_report_is_plain_json(folder, limits):
    import json

    frame_of().to_csv(folder / "m.csv", index=False)
    report = import_data(folder, settings=limits, name="my set").report
    values = json.loads(json.dumps(report.to_json()))
    assert (values["name"], values["n_images"], values["ok"]) == ("my set", 12, True)
    assert values["splits"] == {"train": 4, "val": 4, "test": 4}


def test_a_table_that_is_a_link_out_of_its_folder_is_refused(folder, limits, tmp_path):
    frame_of().to_csv(tmp_path / "elsewhere.csv", index=False)
    (folder / "metadata.csv").symlink_to(tmp_path / "elsewhere.csv")
    imported = import_data(folder, settings=limits)
    assert imported.table is None
    assert "link out of" in imported.report.errors[0].message


@pytest.mark.parametrize("second", ["label", " label", '"label"'])
def test_two_columns_of_a_name_that_is_read_are_refused_and_of_others_are_not(folder, limits, second):
    def write(name):
        lines = frame_of().assign(other=0).to_csv(index=False).splitlines()
        (folder / "table.csv").write_text("\n".join([f"path,split,label,{name}", *lines[1:]]))
        return import_data(folder, settings=limits)

    (error,) = write(second).report.errors
    assert not missing(error.message, 2)
    assert write("note").report.ok and write("").report.ok


def test_columns_of_one_name_in_parquet_are_refused_by_that_name_before_and_at_the_import(folder, limits):
    frame = frame_of()
    names = [*frame.columns, "light", "light"]
    arrays = [*(pa.array(frame[name]) for name in frame.columns), pa.array([1] * 12), pa.array([2] * 12)]
    pq.write_table(pa.Table.from_arrays(arrays, names=names), folder / "t.parquet")
    with refusal(FormatRefusedError, "t.parquet", 2, "light"):
        preview(folder, settings=limits)
    (error,) = import_data(folder, settings=limits).report.errors
    assert error.code == "columns" and not missing(error.message, "t.parquet", 2, "light")


@pytest.mark.parametrize(
    ("columns", "options", "code", "rows", "named"),
    [
        ({}, {"label_names": "cat,cat"}, "labels", (), ["'cat'"]),
        ({}, {"label_names": "cat,"}, "labels", (), ["empty"]),
        ({"attribute": [0, 1] * 6}, {"attribute_names": "a, a"}, "attributes", (), ["'a'"]),
        ({"label": ["wolf", "wolf", "dog", "cat"] * 3}, {"label_names": "wolf,dog"}, "labels", (3, 7, 11),
         ["'cat'", "5, 9, 13", "wolf, dog"]),
        ({"label": ["wolf", "dog"] * 5 + ["wolf", ""]}, {}, "labels", (11,), ["13"]),
        ({"label": None}, {}, "missing-column", (), ["m.csv", "path, split", "label=COLUMN"]),
        ({"hour": "noon"}, {"attribute": "weather"}, "missing-column", (), ["weather", "hour"]),
        ({"hour": "noon"}, {"attribute": "hour,weather"}, "missing-column", (), ["weather", "hour"]),
        ({"hour": "noon"}, {"attribute": "hour,split"}, "columns", (), ["split", "m.csv", "attribute"]),
        ({"box_x": "left", "box_y": 2, "box_width": 3, "box_height": 4}, {}, "boxes", (), ["left"]),
        ({"mask": ["../../m.png"] + [""] * 11}, {}, "path-escape", (0,), ["../../m.png"]),
        ({}, {"colour": "x"}, "options", (), ["csv", "'colour'", "path, split, label"]),
        *(({}, {"seed": seed}, "options", (), [18, seed[:20]]) for seed in ("-1", "1.5", "7" * 5_000)),
    ],
)  # fmt: skip
def test_what_cannot_be_read_from_a_table_is_refused(folder, limits, columns, options, code, rows, named):
    frame = frame_of().assign(**columns).dropna(axis=1, how="all")
    frame.to_csv(folder / "m.csv", index=False)
    (error,) = import_data(folder, options=options, settings=limits).report.errors
    assert (error.code, error.rows) == (code, rows) and not missing(error.message, *named)
    assert len(error.message) < 300


@pytest.mark.parametrize(
    ("content", "code", "named"),
    [
        (b"", "unreadable-metadata", ["m.csv", "empty"]),
        (b"path,split,label\n", "empty-metadata", ["m.csv"]),
        (b"\xff\xfe\x00binary\x00", "unreadable-metadata", ["m.csv"]),
        (b'a,b\n"1,2\n3', "unreadable-metadata", ["m.csv", "line 2"]),
        (b'path,label\nimg/0.png,0\n"img/1.png,0\nimg/2.png,1\n', "unreadable-metadata", ["m.csv", "line 3"]),
    ],
)
def test_what_is_no_table_is_refused_by_name(folder, limits, content, code, named):
    (folder / "m.csv").write_bytes(content)
    (error,) = import_data(folder / "m.csv", settings=limits).report.errors
    assert error.code == code and not missing(error.message, *named)


def test_a_format_that_is_not_known_is_refused_with_those_that_are(folder, limits):
    (error,) = import_data(folder, format="imagenet", settings=limits).report.errors
    assert not missing(error.message, "'imagenet'", ", ".join(FORMATS))


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["wolf", "wolf", "dog", "dog"], ("dog", "wolf")),
        (["001", "010", "100", "001"], ("001", "010", "100")),  # digits behind a zero are names
        (["00", "01", "00", "01"], ("00", "01")),
    ],
)
@pytest.mark.parametrize("file", ["m.csv", "LABELS.CSV"])
def test_labels_may_be_names_and_are_numbered_in_their_alphabet(folder, limits, labels, names, file):
    frame_of().assign(label=labels * 3, note=0, **{" note": 1}).to_csv(folder / file, index=False)
    frame_of().assign(label="other").to_csv(folder / "z.csv", index=False)
    table = require(import_data(folder / file, settings=limits))
    assert table.label_names == names and table.labels.tolist() == [names.index(one) for one in labels] * 3


def test_common_names_and_absolute_paths_are_understood_and_of_several_tables_the_usual_one_is_read(folder, limits):
    frame = frame_of().rename(columns={"path": "filename", "label": "y"}).assign(id=range(12), a=[0, 1] * 6)
    frame["filename"] = [str(folder / name) for name in frame["filename"]]
    frame.assign(split=np.repeat([0, 1, 2], 4)).to_csv(folder / "metadata.csv", index=False)
    frame_of().assign(label="other").to_csv(folder / "a.csv", index=False)
    table = require(import_data(folder, settings=limits))
    assert table.n_attributes == 2 and table.labels.tolist() == [0, 0, 1, 1] * 3
    assert table.image_path(0) == folder / "img" / "0.png"
