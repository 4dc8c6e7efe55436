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
    assert told.endswith("Of the others, Hintergrund (2 values) may be one: attribute=Hintergrund.")
    assert hints(attribute="Hintergrund") == hints(attribute="none") == []


def test_a_column_of_words_for_splits_is_named_where_splits_would_be_made(folder, limits):
    frame = frame_of().rename(columns={"split": "Teil"}).assign(Teil=["train", "Tuning", "holdout"] * 4)
    frame.to_csv(folder / "t.csv", index=False)

    def told(**options):
        return [one.message for one in import_data(folder / "t.csv", options=options, settings=limits).report.findings]

    named = (
        "The column Teil holds only words for splits (Tuning, holdout, train), and is not read: split=Teil takes them."
    )
    assert named in told() and not any("attribute=Teil" in one for one in told())
    assert named not in told(split="Teil")
    frame.assign(Teil=["0", "1", "2"] * 4).to_csv(folder / "t.csv", index=False)
    assert not any("words for splits" in one for one in told()), "numbers may be anything"


def test_common_names_are_understood_without_options(folder, limits):
    frame = frame_of().rename(columns={"path": "filename", "label": "y"})  # SubpopBench's form
    frame.assign(id=range(12), a=[0, 1] * 6, split=np.repeat([0, 1, 2], 4)).to_csv(folder / "m.csv", index=False)
    table = require(import_data(folder, settings=limits))
    assert table.n_attributes == 2 and table.labels.tolist() == [0, 0, 1, 1] * 3


def test_labels_may_be_names_and_are_numbered_in_their_alphabet(folder, limits):
    frame_of().assign(label=["wolf", "wolf", "dog", "dog"] * 3).to_csv(folder / "m.csv", index=False)
    table = require(import_data(folder, settings=limits))
    assert table.label_names == ("dog", "wolf")
    assert table.labels.tolist() == [1, 1, 0, 0] * 3


def test_digits_behind_a_zero_are_names(folder, limits):
    frame_of().assign(label=["001", "010", "100"] * 4).to_csv(folder / "m.csv", index=False)
    table = require(import_data(folder, settings=limits))
    assert table.label_names == ("001", "010", "100") and table.labels.tolist() == [0, 1, 2] * 4
    frame_of().assign(label=["00", "01"] * 6).to_csv(folder / "m.csv", index=False)
    assert require(import_data(folder, settings=limits)).label_names == ("00", "01")


@pytest.mark.parametrize(
    ("option", "given", "said"),
    [
        ("label_names", "cat,cat", "'cat' twice"),
        ("label_names", "cat,", "empty"),
        ("attribute_names", "a, a", "'a' twice"),
    ],
)
def test_names_that_are_given_must_tell_classes_and_attributes_apart(folder, limits, option, given, said):
    frame_of().assign(attribute=[0, 1] * 6).to_csv(folder / "m.csv", index=False)
    (error,) = import_data(folder, options={option: given}, settings=limits).report.errors
    assert said in error.message


def test_the_order_of_names_can_be_given_and_others_are_refused(folder, limits):
    frame_of().assign(label=["wolf", "wolf", "dog", "cat"] * 3).to_csv(folder / "m.csv", index=False)
    report = import_data(folder, options={"label_names": "wolf,dog"}, settings=limits).report
    assert [(f.code, f.count) for f in report.errors] == [("labels", 3)]
    assert "unknown label 'cat' (lines 5, 9, 13): use one of wolf, dog" in report.errors[0].message


def test_a_name_left_empty_is_refused_with_its_row(folder, limits):
    labels = ["wolf", "wolf", "dog", "dog"] * 3
    labels[6] = ""
    frame_of().assign(label=labels).to_csv(folder / "m.csv", index=False)
    report = import_data(folder, settings=limits).report
    assert [(f.code, f.rows) for f in report.errors] == [("labels", (6,))]


def test_a_missing_column_is_named_with_the_names_understood(folder, limits):
    frame_of().drop(columns="label").to_csv(folder / "m.csv", index=False)
    report = import_data(folder, settings=limits).report
    assert [f.code for f in report.errors] == ["missing-column"]
    assert "m.csv lacks the column label (it has: path, split)" in report.errors[0].message
    assert "label=COLUMN" in report.errors[0].message


def test_a_column_named_by_option_that_is_not_there_is_refused(folder, limits):
    frame_of().assign(hour="noon").to_csv(folder / "m.csv", index=False)
    for asked in ("weather", "hour,weather"):
        (error,) = import_data(folder, options={"attribute": asked}, settings=limits).report.errors
        assert error.message == (
            "m.csv lacks the column weather (it has: path, split, label, hour): correct the option attribute."
        )


def test_a_column_that_is_crossed_into_the_attribute_may_not_be_the_split_as_well(folder, limits):
    frame_of().assign(hour="noon").to_csv(folder / "m.csv", index=False)
    (error,) = import_data(folder, options={"attribute": "hour,split"}, settings=limits).report.errors
    assert error.message == (
        "The column split of m.csv is used as split and as attribute: name another for one of them."
    )


def test_of_several_tables_the_one_with_the_usual_name_is_read(folder, limits):
    frame_of().to_csv(folder / "metadata.csv", index=False)
    frame_of().assign(label="other").to_csv(folder / "a.csv", index=False)
    assert require(import_data(folder, settings=limits)).label_names == ("0", "1")


def test_a_table_is_known_by_its_suffix_in_capitals_too(folder, limits):
    frame_of().to_csv(folder / "LABELS.CSV", index=False)
    for asked in (folder, folder / "LABELS.CSV"):
        imported = import_data(asked, settings=limits)
        assert imported.report.format == "csv" and len(require(imported)) == 12


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
    assert found.message.startswith("2 of 3 boxes lie outside their images (lines 3, 5)")


def test_a_box_that_is_no_number_is_refused(folder, limits):
    frame_of().assign(box_x="left", box_y=2, box_width=3, box_height=4).to_csv(folder / "m.csv", index=False)
    assert [f.code for f in import_data(folder, settings=limits).report.errors] == ["boxes"]


def test_a_mask_that_is_missing_is_left_out_with_a_warning(folder, limits):
    frame_of().assign(mask=["gone.png"] + [""] * 11).to_csv(folder / "m.csv", index=False)
    imported = import_data(folder, settings=limits)
    assert [f.code for f in faults(imported.report)] == ["masks"]
    assert not require(imported).has_mask.any()


def test_a_mask_path_that_leaves_the_folder_is_refused(folder, limits):
    frame_of().assign(mask=["../../m.png"] + [""] * 11).to_csv(folder / "m.csv", index=False)
    report = import_data(folder, settings=limits).report
    assert [(f.code, f.rows) for f in report.errors] == [("path-escape", (0,))]


def test_absolute_paths_inside_the_roots_are_fine(folder, limits):
    frame = frame_of()
    frame.assign(path=[str(folder / p) for p in frame["path"]]).to_csv(folder / "m.csv", index=False)
    assert require(import_data(folder, settings=limits)).image_path(0) == folder / "img" / "0.png"


def test_of_several_tables_one_must_be_named(folder, limits):
    for name in ("a.csv", "b.csv"):
        frame_of().to_csv(folder / name, index=False)
    assert import_data(folder, settings=limits).report.errors[0].code == "no-metadata"
    assert "file=NAME" in import_data(folder, format="csv", settings=limits).report.errors[0].message
    assert import_data(folder, format="csv", options={"file": "b.csv"}, settings=limits).report.ok


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00binary\x00", b'a,b\n"1,2\n3'])
def test_what_is_no_table_is_refused_by_name(folder, limits, content):
    (folder / "m.csv").write_bytes(content)
    report = import_data(folder, format="csv", settings=limits).report
    assert [f.level for f in faults(report)] == ["error"]
    assert "m.csv" in report.errors[0].message


def test_a_table_without_rows_is_refused(folder, limits):
    frame_of().head(0).to_csv(folder / "m.csv", index=False)
    report = import_data(folder, settings=limits).report
    assert [f.code for f in report.errors] == ["empty-metadata"]


def test_an_unknown_option_and_an_unknown_format_are_refused_with_the_known_ones(folder, limits):
    frame_of().to_csv(folder / "m.csv", index=False)
    wrong = import_data(folder, options={"colour": "x"}, settings=limits).report.errors[0].message
    assert "The format csv has no option 'colour': its options are path, split, label" in wrong
    wrong = import_data(folder, format="imagenet", settings=limits).report.errors[0].message
    assert f"There is no format 'imagenet': use one of {', '.join(FORMATS)}" in wrong


@pytest.mark.parametrize("seed", ["-1", "1.5", "7" * 5_000])
def test_a_seed_that_is_no_whole_number_of_a_sensible_length_is_refused(folder, limits, seed):
    frame_of().to_csv(folder / "m.csv", index=False)
    wrong = import_data(folder, options={"seed": seed}, settings=limits).report.errors[0].message
    assert f"The option seed is a whole number from 0, of 18 digits at most, not '{seed[:20]}" in wrong
    assert len(wrong) < 300


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
    assert error.message == "table.csv has 2 columns named label: rename all but the one you mean."
    assert write("note").report.ok and write("").report.ok


def test_columns_that_nobody_reads_may_share_a_name_but_for_blanks(folder, limits):
    frame_of().assign(note=0, **{" note": 1}).to_csv(folder / "table.csv", index=False)
    assert import_data(folder, settings=limits).report.ok


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "(it is empty)"),
        (
            'path,split,label\nimg/0.png,train,0\n"img/1.png,train,0\nimg/2.png,val,1\n',
            "mark that line 3 opens is never",
        ),
    ],
)
def test_why_a_table_cannot_be_read_is_said_in_plain_words(folder, limits, content, said):
    (folder / "table.csv").write_text(content)
    (error,) = import_data(folder / "table.csv", settings=limits).report.errors
    assert said in error.message


def test_columns_of_one_name_in_parquet_are_refused_by_that_name_before_and_at_the_import(folder, limits):
    frame = frame_of()
    names = [*frame.columns, "light", "light"]
    arrays = [*(pa.array(frame[name]) for name in frame.columns), pa.array([1] * 12), pa.array([2] * 12)]
    pq.write_table(pa.Table.from_arrays(arrays, names=names), folder / "t.parquet")
    said = "t.parquet has 2 columns named light: rename all but the one you mean"
    with pytest.raises(FormatRefusedError, match=said):
        preview(folder, settings=limits)
    (error,) = import_data(folder, settings=limits).report.errors
    assert error.code == "columns" and error.message.startswith(said)
