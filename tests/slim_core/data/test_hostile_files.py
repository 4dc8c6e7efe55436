"""Files that are not what they seem: links, pipes, strips, and metadata that would grow without bound."""

import gzip
import json
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from slim_core.data.choosing import preview
from slim_core.data.images.codec import ImageTransform, load_picture, load_pixels, open_image
from slim_core.data.importing import import_data
from slim_core.data.report import FormatRefusedError
from slim_core.data.sets import made_for
from slim_core.data.sets.demo_set import demo_marker
from slim_core.data.tables import header_of, read_json, read_table
from slim_core.errors import ImageRefusedError, PathRefusedError
from slim_core.settings import Settings
from tests.refusals import missing


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "inside"
    folder.mkdir()
    for i in range(8):
        picture(folder / f"{i}.png", i)
    return folder


@pytest.fixture
def limits(tmp_path, root, monkeypatch):
    """Only ``inside`` and the home are allowed, for this process too."""
    given = Settings(home=tmp_path / "home", data_roots=(root,))
    monkeypatch.setattr("slim_core.data.images.codec.settings", lambda: given)
    return given


def picture(path, seed=0, size=(16, 12)):
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)).save(path)


def table(root, **columns):
    frame = pd.DataFrame(
        {"path": [f"{i}.png" for i in range(8)], "split": ["train"] * 4 + ["val"] * 4, "label": [0, 1] * 4}
    )
    frame.assign(**columns).to_csv(root / "table.csv", index=False)
    return root


def errors(root, limits):
    return [(finding.code, finding.message) for finding in import_data(root, settings=limits).report.errors]


def test_a_path_back_through_a_link_is_refused(tmp_path, root, limits):
    (tmp_path / "outside" / "sub").mkdir(parents=True)
    picture(tmp_path / "outside" / "secret.png")
    (root / "m").symlink_to(tmp_path / "outside" / "sub")
    table(root, path=["m/../secret.png", *(f"{i}.png" for i in range(1, 8))])
    assert [code for code, _ in errors(root, limits)] == ["path-escape"]


@pytest.mark.parametrize("what", ["image", "folder"])
def test_a_link_that_took_the_place_of_an_image_or_its_folder_is_not_read(tmp_path, root, limits, what):
    outside = tmp_path / "outside"
    outside.mkdir()
    picture(outside / "0.png", 99)
    open_image(root / "0.png")
    if what == "image":
        (root / "0.png").unlink()
        (root / "0.png").symlink_to(outside / "0.png")
    else:
        root.rename(tmp_path / "gone")
        root.symlink_to(outside)
        limits = limits.model_copy(update={"data_roots": (tmp_path / "gone",)})
    for read in (
        open_image,
        lambda path: load_pixels(path, ImageTransform(8)),
        lambda p: load_picture(p, ImageTransform(8)),
    ):
        with pytest.raises(ImageRefusedError, match="outside the allowed"):
            read(root / "0.png")


def test_a_link_inside_the_roots_is_read(root, limits):
    (root / "link.png").symlink_to(root / "0.png")
    assert np.array_equal(np.asarray(open_image(root / "link.png")), np.asarray(open_image(root / "0.png")))


def test_a_pipe_is_refused_at_once_as_an_image_and_as_metadata(root, limits):
    os.mkfifo(root / "pipe.png")
    with pytest.raises(ImageRefusedError, match="a regular file"):
        open_image(root / "pipe.png")
    os.mkfifo(root / "metadata.csv")
    assert import_data(root, settings=limits).report.errors


@pytest.mark.parametrize("size", [(50_000, 1), (1, 50_000), (9_000, 2)])
def test_a_strip_is_not_enlarged_by_its_shorter_side(root, limits, size):
    picture(root / "strip.png", size=size)
    drawn: list[int] = []
    real = Image.Image.resize

    def resized(image, target, *rest, **options):
        drawn.append(target[0] * target[1])
        return real(image, target, *rest, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Image.Image, "resize", resized)
        assert load_pixels(root / "strip.png", ImageTransform(256)).shape == (256, 256, 3)
    assert max(drawn) <= 9 * round(256 * 8 / 7) ** 2


def test_more_names_than_classes_can_be_are_refused_before_anything_is_listed(root, limits):
    for i in range(8, 20):
        picture(root / f"{i}.png", i)
    many = pd.DataFrame({"path": "0.png", "split": "train", "label": [f"name {i}" for i in range(10_001)]})
    many.to_csv(root / "table.csv", index=False)
    ((code, message),) = errors(root, limits)
    assert code == "labels" and "10,001 different labels, more than 10,000" in message


@pytest.mark.slow
@pytest.mark.parametrize("file", ["table.csv", "table.parquet"])
def test_more_columns_than_can_be_read_are_refused_before_they_are(root, limits, file, monkeypatch):
    many = pd.DataFrame({"path": ["0.png"], "label": ["a"]} | {f"c{i}": ["1"] for i in range(10_001)})
    many.to_csv(root / file, index=False) if file.endswith("csv") else many.to_parquet(root / file)
    for name in ("read_csv", "read_parquet"):
        monkeypatch.setattr(pd, name, lambda *_, **__: pytest.fail("it was read"))
    ((code, message),) = errors(root, limits)
    assert code == "columns" and "has 10,003 columns, more than 10,000: leave some out." in message


def test_a_parquet_with_an_empty_label_is_refused_with_its_row(root, limits):
    frame = pd.DataFrame({"path": [f"{i}.png" for i in range(8)], "split": ["train"] * 4 + ["val"] * 4})
    frame.assign(label=["cat", None, "dog", "cat", "cat", "dog", "dog", "cat"]).to_parquet(root / "table.parquet")
    ((code, message),) = errors(root, limits)
    assert code == "labels" and "unknown label '' (row 1)" in message


@pytest.mark.parametrize("column", ["label", "path", "attribute"])
def test_bytes_in_a_parquet_are_read_where_they_are_text_and_refused_where_not(root, limits, column):
    table(root, attribute=["a", "b"] * 4)
    frame = pd.read_csv(root / "table.csv", dtype=str)
    (root / "table.csv").unlink()
    frame.assign(**{column: frame[column].map(str.encode)}).to_parquet(root / "table.parquet")
    imported = import_data(root, settings=limits)
    assert imported.table is not None and imported.table.n_classes == 2
    frame.assign(**{column: [b"\xff", b"\xfe"] * 4}).to_parquet(root / "table.parquet")
    ((code, message),) = errors(root, limits)
    assert code == "bytes" and not missing(message, column)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "path,label\n0.png,a\n1.png,caf\xe9\n".encode("latin-1"),
            "1.png,café",
        ),
        ("path,label\n0.png,a\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_a_table_in_another_encoding_or_of_another_kind_names_the_line(root, limits, content, message):
    (root / "table.csv").write_bytes(content)
    ((_, said),) = errors(root, limits)
    assert not missing(said, "table.csv", message)


@pytest.mark.parametrize("name", ["table.csv", "table.parquet", "annotations.json", "data.tar.gz"])
def test_a_web_page_that_is_named_as_a_data_set_is_called_one(root, limits, name):
    (root / name).write_bytes(b"\xef\xbb\xbf <html><body>404")
    report = import_data(root / name, settings=limits).report
    (finding,) = report.errors
    assert "web page and" in finding.message and finding.message.endswith("download it again.")


def test_labels_with_gaps_are_names_and_it_is_said_what_is_missing(root, limits):
    draw_all(root, 24)
    labels = [(0, 2, 5)[i // 3 % 3] for i in range(24)]
    frame = pd.DataFrame({"path": [f"{i}.png" for i in range(24)], "label": labels})
    frame.to_csv(root / "table.csv", index=False)
    found = import_data(root, settings=limits)
    message = next(finding.message for finding in found.report.warnings if finding.code == "labels")
    assert "0, 2, 5, but 1, 3, 4" in message
    assert found.table is not None and found.table.label_names == ("0", "2", "5")
    at = [int(Path(path).stem) for path in found.table.frame["path"]]
    assert [found.table.label_names[label] for label in found.table.labels] == [str(labels[i]) for i in at]


def test_classes_with_fewer_images_than_splits_are_named_with_their_number(root, limits):
    for name, n in (("a", 6), ("b", 6), ("c", 1), ("d", 2)):
        (root / name).mkdir()
        draw_all(root / name, n)
    ((code, message),) = errors(root, limits)
    assert code == "split-without-class"
    assert "are splits (3): c (1), d (2);" in message


def draw_all(folder, n):
    for i in range(n):
        Image.new("RGB", (8, 8), (i, 2 * i, 99)).save(folder / f"{i}.png")


def test_a_small_parquet_of_millions_of_rows_is_refused_before_it_is_unpacked(root, limits, monkeypatch):
    monkeypatch.setattr("slim_core.data.bounds.MOST_ROWS", 1_000)
    pd.DataFrame({"path": ["0.png"] * 1_001, "label": 0}).to_parquet(root / "table.parquet")
    monkeypatch.setattr(pd, "read_parquet", lambda *_: pytest.fail("it was unpacked"))
    ((code, message),) = errors(root, limits)
    assert code == "rows" and "has 1,001 rows, more than 1,000: split it" in message


@pytest.mark.parametrize("line", ["0.png,a\n", "\n"])
@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_of_a_text_table_no_more_rows_are_read_than_may_be(root, limits, monkeypatch, line, suffix):
    monkeypatch.setattr("slim_core.data.bounds.MOST_ROWS", 1_000)
    with (gzip.open if suffix.endswith(".gz") else open)(root / f"table{suffix}", "wt") as file:
        file.write(f"path,label\n0.png,b\n{line * 200_000}")
    read, read_csv = list[int](), pd.read_csv
    monkeypatch.setattr(pd, "read_csv", lambda *given, **options: noted(read, read_csv(*given, **options)))
    ((code, message),) = errors(root, limits)
    assert code == "rows" and not missing(message, "1,000")
    assert all(n <= 1_001 for n in read)


def noted(read: list[int], frame: pd.DataFrame) -> pd.DataFrame:
    read.append(len(frame))
    return frame


def as_often(text: str, n: int) -> pa.DictionaryArray:
    """One text that stands in so many cells, and is written once."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * n, pa.int32()), pa.array([text]))


@pytest.mark.parametrize("inside", ["texts", "lists", "objects", "maps"])
def test_a_small_parquet_of_gigabytes_of_text_is_refused_or_left_packed(root, limits, monkeypatch, inside):
    long, n, ends = "x" * 1_000_000, 3_000, [*range(3_001)]
    notes = {
        "texts": lambda: as_often(long, n),
        "lists": lambda: pa.ListArray.from_arrays(ends, as_often(long, n)),
        "objects": lambda: pa.StructArray.from_arrays([as_often(long, n)], ["text"]),
        "maps": lambda: pa.MapArray.from_arrays(ends, pa.array(["key"] * n), as_often(long, n)),
    }[inside]()
    columns = {"path": [f"{row}.png" for row in range(n)], "label": ["a", "b"] * (n // 2), "note": notes}
    pq.write_table(pa.table(columns), root / "table.parquet", compression="zstd", store_schema=False)
    assert (root / "table.parquet").stat().st_size < 100_000
    if inside != "texts":  # cells of several values are not looked at
        ((code, _),) = errors(root, limits)
        assert code == "missing-files" and "note" in preview(root / "table.parquet", settings=limits).head
        return
    monkeypatch.setattr(pd, "read_parquet", lambda *_, **__: pytest.fail("it was unpacked"))
    ((code, message),) = errors(root, limits)
    assert code == "size" and "to more than 10" in message
    with pytest.raises(FormatRefusedError, match="to more than 10. MB"):
        preview(root / "table.parquet", settings=limits)


@pytest.mark.parametrize("name", ["annotations.json", "config.json"])
@pytest.mark.usefixtures("uncollected")
def test_json_nested_without_end_is_no_data_set(root, limits, name):
    (root / name).write_text("[" * 200_000)
    assert import_data(table(root), settings=limits).table is not None


@pytest.mark.usefixtures("limits")
@pytest.mark.parametrize("half", [r"\ud83d", r"\udC36"])
def test_half_a_letter_in_a_name_is_refused_and_a_whole_one_is_not(root, half):
    for name, letter, is_read in (("a", half, False), ("b", r"\ud83d\udc36", True)):
        content = f'{{"path": "0.png", "label": "{letter}"}}\n' + '{"path": "1.png", "label": "cat"}\n'
        (root / f"{name}.jsonl").write_text(content)
        (root / f"{name}.json").write_text(f'{{"name": "{letter}"}}')
        if is_read:
            assert read_table(root / f"{name}.jsonl")["label"].tolist() == ["\U0001f436", "cat"]
            assert read_json(root / f"{name}.json") == {"name": "\U0001f436"}
            continue
        for read, file in ((read_table, "a.jsonl"), (read_json, "a.json")):
            with pytest.raises(FormatRefusedError, match=r"is not readable .*surrogates not allowed"):
                read(root / file)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_metadata_that_a_link_shows_from_outside_is_not_read(tmp_path, root, monkeypatch, what):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "config.json").write_text('{"format": "slim-demo"}')
    (outside / "metadata.csv").write_text("path,label")
    inside = root if what == "file" else root / "linked"
    monkeypatch.setattr("slim_core.data.bounds.settings", lambda: Settings(home=tmp_path / "home", data_roots=(root,)))
    if what == "file":
        for name in ("config.json", "metadata.csv"):
            (root / name).symlink_to(outside / name)
    else:
        inside.symlink_to(outside)
    assert header_of(inside / "metadata.csv") == () and demo_marker(inside) is None
    for read in (read_json, read_table):
        with pytest.raises(FormatRefusedError, match="of its folder|lies outside the"):
            read(inside / "metadata.csv")


@pytest.mark.parametrize(("width", "height"), [(0, 4), (-3, 4), (3, 0)])
def test_a_box_without_an_area_is_warned_of_unless_there_is_a_mask(root, limits, width, height):
    def about_boxes(**columns):
        found = import_data(table(root, **columns), settings=limits).report.findings
        return [finding for finding in found if "box" in finding.code]

    columns = {"box_x": 1, "box_y": 2, "box_width": [width, *[3] * 7], "box_height": [height, *[4] * 7]}
    (found,) = about_boxes(**columns)
    assert (found.code, found.level, found.rows) == ("empty-boxes", "warning", (0,))
    assert "not above 0 (line 2): all attention" in found.message
    assert not about_boxes(box_x=["", *[1] * 7], box_y=2, box_width=3, box_height=4)
    assert not about_boxes(**columns, mask="0.png")


@pytest.mark.parametrize("name", ["n" * 5_000 + ".png", "loop.png"])
def test_a_name_that_cannot_be_opened_is_a_finding(root, limits, name):
    (root / "loop.png").symlink_to("loop.png")
    assert errors(table(root, path=[name, *(f"{i}.png" for i in range(1, 8))]), limits)


@pytest.mark.parametrize("path", ["n" * 5_000, "a\x00b", "~nobody-of-this-name/x"])
def test_what_cannot_be_a_path_is_refused_in_a_sentence(limits, path):
    with pytest.raises(PathRefusedError, match="be a path|lies outside the"):
        import_data(path, settings=limits)


@pytest.mark.parametrize(
    ("key", "value"),
    [("label_names", 5), ("label_names", [1, 2]), ("attribute_names", 5), ("attribute_name", [1])],
)
def test_a_marker_of_no_demo_set_is_refused_in_a_sentence(root, limits, key, value):
    frame = pd.DataFrame({"img_filename": [f"{i}.png" for i in range(8)], "y": [0, 1] * 4, "place": 0, "split": 0})
    frame.to_csv(root / "metadata.csv", index=False)
    sound = {"label_names": ["a", "b"], "attribute_name": "place", "attribute_names": ["c"]}
    (root / "config.json").write_text(json.dumps({"format": "slim-demo", **sound, key: value}))
    ((code, message),) = errors(root, limits)
    assert code == "marker" and not missing(message, key)


MISTYPED, LONG = [0, 1, 0, 1, 0, 1, 0, 9999], [*"ababab", "a", "b" * 1_000_000]
BOX = {"box_y": 2, "box_width": 3, "box_height": 4}
OUT = "../" * 300_000


@pytest.mark.parametrize(
    ("columns", "code", "named"),
    [
        ({"attribute": MISTYPED}, "attributes", ["9,999", "line 9", 3]),
        ({"label": MISTYPED}, "labels", ["9,999", "line 9", 3]),
        ({"attribute": LONG}, "attributes", [200, "line 9"]),
        ({"label": LONG}, "labels", [200, "line 9"]),
        ({"label": 0}, "labels", ["table.csv"]),
        *(({"box_x": [x, *[1] * 7], **BOX}, "boxes", ["1,000,000", "line 2"]) for x in ("inf", "-inf", "1e308")),
        ({"split": [*["train"] * 4, *["val"] * 3, OUT]}, "splits", ["line 9"]),
        ({"path": [*(f"{i}.png" for i in range(7)), OUT]}, "path-escape", ["line 9"]),
    ],
)
def test_cells_that_would_grow_without_bound_are_refused_and_not_repeated(root, limits, columns, code, named):
    found = errors(table(root, **columns), limits)
    assert found[0][0] == code and not missing(found[0][1], *named)
    assert max(len(message) for _, message in found) < 500


ONE = {"images": [{"id": 0, "file_name": "0.png"}], "annotations": [{"image_id": 0, "category_id": 0}]}


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        *(
            ("coco.json", {**ONE, "images": [{"id": 0, "file_name": name}]}, "missing-column")
            for name in (5, None, ["a"], {"a": 1})
        ),
        ("coco.json", {"images": [], "annotations": 5}, "missing-column"),
        ("coco.json", {"images": [{}], "annotations": [{}]}, "missing-column"),
        ("coco.json", {"images": [], "annotations": []}, "no-images"),
        ("table.parquet", None, "unreadable-metadata"),
    ],
)
def test_metadata_of_another_kind_is_refused_in_a_sentence(root, limits, name, content, code):
    text = "PAR1 and no more" if content is None else json.dumps(content | {"categories": [{"id": 0, "name": "a"}]})
    (root / name).write_text(text)
    ((found, message),) = errors(root, limits)
    assert found == code and not missing(message, name)


def coco(images=(), annotations=(), names=("a", "b"), **first):
    """Eight images of two classes, and what is added; ``first`` goes into the first image and annotation."""
    content = {
        "images": [{"id": i, "file_name": f"{i}.png", "width": 16, "height": 12} for i in range(8)],
        "annotations": [{"image_id": i, "category_id": i % 2, "bbox": [1, 2, 3, 4]} for i in range(8)],
        "categories": [{"id": i, "name": name} for i, name in enumerate(names)],
    }
    for one in first:
        content[f"{one}s"][0] |= first[one]
    content["images"] += images
    content["annotations"] += annotations
    return content


def with_own_keys(**first):
    """300 objects of 100 keys that no other has."""
    return [{key: value + i for key, value in first.items()} | {f"{i}-{k}": 0 for k in range(100)} for i in range(300)]


BEYOND = 10**400  # a number in JSON, and none that a float holds
LONG_TEXT = "x" * 500_000


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (lambda: coco(image={"width": BEYOND}), "missing-column"),
        (lambda: coco(image={"width": LONG_TEXT}), "missing-column"),
        (lambda: coco(annotation={"bbox": [1, 2, BEYOND, 4]}), "missing-column"),
        (lambda: coco(annotation={"bbox": [1, 2, LONG_TEXT, 4]}), "missing-column"),
        (lambda: coco(annotation={"area": BEYOND}), "missing-column"),
        (lambda: coco(annotation={"area": LONG_TEXT}), "missing-column"),
        (lambda: coco(annotation={"image_id": [1]}), "missing-column"),
        (lambda: coco(annotation={"category_id": {"a": 1}}), "missing-column"),
        (lambda: coco(annotation={"category_id": LONG_TEXT}), "labels"),
        (lambda: coco(annotations=[5]), "missing-column"),
        (lambda: coco() | {"categories": [{"id": [1], "name": "a"}]}, "missing-column"),
        (lambda: coco(names=[LONG_TEXT, "b"]), "labels"),
        (lambda: coco(names=[*"ab", *map(str, range(30_000))]), None),
        (lambda: coco(images=[one | {"file_name": f"{one['id']}.png"} for one in with_own_keys(id=9)]), None),
        (lambda: coco(annotations=with_own_keys(image_id=9)), None),
        (lambda: coco(images=[{"id": 0, "file_name": "again.png"}]), "images"),
        (lambda: coco(images=[{"id": 9, "file_name": "0.png"}]), "images"),
        (
            lambda: coco(
                annotation={"bbox": [1] * 100_000},
                images=({"id": i, "file_name": f"{i}.png"} for i in range(8, 1_000)),
                annotations=({"image_id": i, "category_id": 0, "bbox": [1, 2, 3, 4]} for i in range(8, 1_000)),
            ),
            "missing-column",
        ),
    ],
)
def test_any_coco_of_up_to_a_megabyte_is_read_or_refused_in_bounded_memory(root, limits, content, code):
    (root / "coco.json").write_text(json.dumps(content()))
    tracemalloc.start()
    report = import_data(root, settings=limits).report
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [finding.code for finding in report.errors] == ([code] if code else [])
    assert max(len(finding.message) for finding in report.findings) < 500
    assert most < 100_000_000


@pytest.mark.parametrize("name", [[], {}, 5, None])
def test_a_marker_that_names_no_set_is_of_none(name):
    assert made_for({"set": name}) == ""
