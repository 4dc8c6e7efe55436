"""What a form of export is and what it reads; and the forms that take results along as they are: answers, subsets,
attention maps, features and models.

Light: each form loads its libraries as it writes.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import DTypeLike, NDArray
from PIL import Image

from slim_core import result_files
from slim_core.annotation.answer_export import export
from slim_core.data.images.codec import ImageMissingError, ImageTransform, is_of_more_bits, open_image
from slim_core.data.images.heat import heat_map
from slim_core.data.table import UNKNOWN
from slim_core.errors import SpecRefusedError
from slim_core.formatting import free_name, to_csv
from slim_core.models.runtime import Progress, ignore_progress
from slim_core.result_files import FEATURES, ROWS, undamaged
from slim_core.store.results import AttentionResult, Maps, ModelResult, SubsetResult
from slim_core.store.runs.rows import PASSES, WITH_MAPS

if TYPE_CHECKING:
    from slim_core.data.table import ImageTable
    from slim_core.store import Run, Store

CAMPAIGN = "campaign"  # beside the kinds of runs
RECORD = "export.json"  # the file beside those of the form: what they are of
IMAGES = "images.csv"  # beside arrays


@dataclass(frozen=True)
class Source:
    """A finished run, or a campaign: where a form takes its content from."""

    store: Store
    kind: str  # of the run, or CAMPAIGN
    id: str
    dataset_id: str
    on_progress: Progress = ignore_progress

    @property
    def is_run(self) -> bool:
        """False of a campaign."""
        return self.kind != CAMPAIGN

    @cached_property
    def table(self) -> ImageTable:
        """The images it is about."""
        return self.store.datasets.table(self.dataset_id)

    @cached_property
    def data(self) -> str:
        """What the data set is called now: people rename them."""
        return self.store.datasets.fetch(self.dataset_id).name

    @cached_property
    def run(self) -> Run:
        """Its row. A campaign has none: NotFoundError."""
        return self.store.runs.fetch(self.id)

    @cached_property
    def folder(self) -> Path:
        """What the run has left."""
        return self.store.artifacts.folder(self.id)

    def image(self, row: int) -> Path:
        """The file of an image, links followed.

        Raises:
            PathRefusedError: it lies outside the folders that images may be read from.
            ImageMissingError: it is not there.
        """
        path = self.store.settings.allowed(self.table.image_path(row))
        if not path.is_file():
            raise ImageMissingError(f"{path} is missing: put the file back, or remove its row from the data set.")
        return path


def _nothing(_: Source) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True)
class Form:
    """One form of export. It is one entry in the registry."""

    name: str  # as it is typed: what is exported, then how
    of: tuple[str, ...]  # kinds of runs that have it; CAMPAIGN
    title: str  # as a page names it
    about: str  # one sentence: the files, and what is in them
    opens_in: str
    write: Callable[[Source, Path], None]  # into an existing, empty folder
    recorded: Callable[[Source], Mapping[str, Any]] = _nothing  # JSON that export.json has beside what it always has
    needs: str = ""  # package that may be missing; the extra of its name brings it
    downloads: bool = True  # False: only by command, for it links to files here, has one for each image, or loads torch

    @property
    def what(self) -> str:
        """What is exported, such as "subset"."""
        return self.name.partition("-")[0]

    def require_package(self) -> None:
        """Refuse before any work is done.

        Raises:
            SpecRefusedError: the package that writes this form is not installed.
        """
        if self.needs and importlib.util.find_spec(self.needs) is None:
            raise SpecRefusedError(
                f"The form {self.name} is written by the package {self.needs}, which is not installed: "
                f"pip install 'slim-studio[{self.needs}]'."
            )


def image_list(table: ImageTable, rows: np.ndarray) -> pd.DataFrame:
    """(n,) rows -> row, path (absolute), split, label, label_name, and, where the data has one, the attribute."""
    labels = table.labels[rows]
    found = pd.DataFrame(
        {
            "row": rows,
            "path": [str(table.image_path(int(row))) for row in rows],
            "split": table.splits[rows],
            "label": labels,
            "label_name": np.asarray(table.label_names)[labels],
        }
    )
    if table.has_attributes:
        names = np.asarray([*table.attribute_names, ""])  # UNKNOWN is -1, the last
        found[attribute_column(table)] = names[np.where(table.attributes[rows] == UNKNOWN, -1, table.attributes[rows])]
    return found


def attribute_column(table: ImageTable) -> str:
    """Name of the column of the attribute; never one of the others."""
    name = table.attribute_name or "attribute"
    return f"attribute_{name}" if name in ("row", "path", "split", "label", "label_name", "image") else name


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """As UTF-8, safe for spreadsheets."""
    path.write_text(to_csv(frame), encoding="utf-8")


def write_image_list(table: ImageTable, rows: np.ndarray, folder: Path) -> None:
    """images.csv, in the order of the rows."""
    write_csv(image_list(table, rows), folder / IMAGES)


TABLE_FILE = "subset.csv"
NAME_BYTES = 200  # of the name of a class or of an image's file: file systems take 255, and a number may follow
_NOT_IN_NAMES = re.compile(r"[/\\\x00-\x1f\x7f]")
AT_ONCE = 1024  # rows
WEIGHTS_FILE = "model.safetensors"
GRAPH_FILE = "model.onnx"
INPUT, OUTPUT = "images", "logits"
OPSET = 17  # scaled dot products and layer norms; runtimes since 2022 have it


def write_answers(source: Source, folder: Path) -> None:
    """answers.csv: every event in its order; current_answers.csv: what counts now, one line an answer."""
    campaign = source.store.campaigns.fetch(source.id)
    for name, current in (("answers", False), ("current_answers", True)):
        with (folder / f"{name}.csv").open("wb") as file:
            for chunk in export(source.store, campaign, "csv", current=current):
                file.write(chunk)


ANSWERS_CSV = Form(
    name="answers-csv",
    of=(CAMPAIGN,),
    title="Answers (CSV)",
    about="answers.csv: every answer, change and undo, with annotator, time and what was shown; current_answers.csv: "
    "what counts now.",
    opens_in="a spreadsheet, pandas, slim answers import",
    write=write_answers,
)


def write_table(source: Source, folder: Path) -> None:
    """subset.csv: one line a distinct image."""
    chosen = SubsetResult(source.folder).images()
    about = image_list(source.table, chosen["row"].to_numpy())
    extra = chosen[["count", "cell", "score"]].rename(columns=lambda name: f"subset_{name}" if name in about else name)
    write_csv(about.join(extra), folder / TABLE_FILE)


SUBSET_CSV = Form(
    name="subset-csv",
    of=("curate",),
    title="Table (CSV)",
    about=f"{TABLE_FILE}: one line for each distinct image, with its path, label, cell, and how often it is used.",
    opens_in="a spreadsheet, pandas",
    write=write_table,
)


def write_folders(source: Source, folder: Path) -> None:
    """<class>/<row>-<file name>, a link each; an image that is used k times has k of them.

    Of 16 or 32 bits a PNG of 8 is written in place of the link, as everything here reads it: ImageFolder shows white.
    """
    chosen, table = SubsetResult(source.folder).images(), source.table
    names = folder_names(table.label_names)
    for label in np.unique(table.labels[chosen["row"]]):
        (folder / names[label]).mkdir()
    for done, (row, count) in enumerate(zip(chosen["row"], chosen["count"], strict=True), 1):
        image = source.image(int(row))
        name = image.name.encode(errors="ignore")[-NAME_BYTES:].decode(errors="ignore")
        into, has_more_bits = folder / names[table.labels[row]], is_of_more_bits(image)
        if has_more_bits:
            name = f"{Path(name).stem}.png"
            open_image(image).convert("L").save(into / f"{row}-{name}")
            image = Path(f"{row}-{name}")  # beside its repeats
        for repeat in range(int(has_more_bits), int(count)):
            again = f"-{repeat + 1}" if repeat else ""
            (into / f"{row}{again}-{name}").symlink_to(image)
        source.on_progress(done, len(chosen))


def folders_recorded(source: Source) -> dict[str, Any]:
    """The name of each class's folder, in the order of ``label_names``."""
    return {"folders": folder_names(source.table.label_names)}


def folder_names(label_names: tuple[str, ...]) -> list[str]:
    """A name of a folder for each class, no two the same: its own where that can be one, else what is left of it."""
    could = {name for name in label_names if name and name == _as_folder(name) and label_names.count(name) == 1}
    own = could - {RECORD}
    names: list[str] = []
    for label, name in enumerate(label_names):
        plain = _as_folder(name) or f"class {label}"
        names.append(name if name in own else free_name(plain, {RECORD, *own, *names}))
    return names


def _as_folder(name: str) -> str:
    """The name without what no folder's name may hold; "" where nothing is left of it."""
    cut = _NOT_IN_NAMES.sub("-", name).encode(errors="ignore")[:NAME_BYTES].decode(errors="ignore")
    return cut.strip().lstrip(". ")  # a folder with a point in front is hidden


SUBSET_FOLDERS = Form(
    name="subset-imagefolder",
    of=("curate",),
    title="Class folders of links (ImageFolder)",
    about="A folder for each class with links to its images, one for each time an image is used. Nothing is copied but "
    "images of 16 or 32 bits, which are written in 8: ImageFolder would read them as white.",
    opens_in="torchvision.datasets.ImageFolder",
    write=write_folders,
    recorded=folders_recorded,
    downloads=False,
)


def write_maps(source: Source, folder: Path) -> None:
    """<split>/<row>.png: (size, size) grey, 0 to 255, in the geometry in which the model sees the image."""
    table, rows = source.table, []
    for row, heat in heat_maps(source, transform_of(source)):
        split = folder / str(table.splits[row])
        split.mkdir(exist_ok=True)
        grey(heat).save(split / f"{row}.png")
        rows.append(row)
    write_image_list(table, np.asarray(rows), folder)


def heat_maps(source: Source, transform: ImageTransform) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """(row, (size, size) in 0..1) of each image, of the first class that the run has maps of (METHOD S1).

    Raises:
        NotFoundError: the run has kept none.
    """
    class_of_map = str(source.run.spec.get("class_of_map", "label"))
    maps = Maps.open(source.id, source.folder, class_of_map, source.table.labels)
    for done, (row, raw) in enumerate(maps.each(maps.classes[0]), 1):
        yield row, heat_map(raw, transform.size)
        source.on_progress(done, len(maps.rows))


def grey(heat: NDArray[np.float32]) -> Image.Image:
    """A heat map (H, W) in 0..1 as an image, 0 to 255."""
    return Image.fromarray(np.rint(heat * 255).astype(np.uint8))


def transform_of(source: Source) -> ImageTransform:
    """How the run's model sees images: of these pixels its maps speak.

    Raises:
        NotFoundError: the model was deleted.
    """
    return ModelResult(source.store.artifacts.folder(str(source.run.spec["model"]))).transform


MAPS_PNG = Form(
    name="maps-png",
    of=WITH_MAPS,
    title="Heat maps (PNG)",
    about=f"One greyscale image per map, <split>/<row>.png, at the size the model sees; {IMAGES}: which row is which.",
    opens_in="any image viewer, Pillow",
    write=write_maps,
    downloads=False,
)


def write_features(source: Source, folder: Path) -> None:
    """(n, K) each: attention, environment and pooled features; rows.npy (n,) and labels.npy (n,)."""
    seen, table = AttentionResult(source.folder), source.table
    for name, file in FEATURES.items():
        stored = seen.stored_features(name)
        each = (stored[part] for part in _parts(np.arange(len(stored))))
        _save_parts(folder / file, stored.dtype, stored.shape, each)
    np.save(folder / ROWS, seen.rows)
    np.save(folder / "labels.npy", table.labels[seen.rows])
    write_image_list(table, seen.rows, folder)


def _parts(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """The rows in order, AT_ONCE at a time."""
    for start in range(0, len(rows), AT_ONCE):
        yield rows[start : start + AT_ONCE]


def _save_parts(path: Path, dtype: DTypeLike, shape: tuple[int, ...], each: Iterator[NDArray[Any]]) -> None:
    """A .npy file of ``shape`` from its parts along the first axis.

    Written as a stream: a full disk is an OSError here, where an array mapped from the file would end the process.
    """
    kind = np.dtype(dtype)
    with path.open("wb") as file:
        about = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, about)
        for part in each:
            file.write(np.ascontiguousarray(part, kind).tobytes())


FEATURES_NPY = Form(
    name="features-npy",
    of=PASSES,
    title="Features (NumPy)",
    about=f"{', '.join(FEATURES.values())}, labels.npy, rows.npy: one row per image, as listed in {IMAGES}.",
    opens_in="numpy.load",
    write=write_features,
)


def write_weights(source: Source, folder: Path) -> None:
    """model.safetensors under the names that torchvision or timm give its tensors; model.json: what else to know."""
    with undamaged(source.folder / result_files.WEIGHTS):
        (source.folder / result_files.WEIGHTS).stat()
    shutil.copyfile(source.folder / result_files.WEIGHTS, folder / WEIGHTS_FILE)
    shutil.copyfile(source.folder / result_files.MODEL, folder / result_files.MODEL)


MODEL_WEIGHTS = Form(
    name="model-safetensors",
    of=("train",),
    title="Weights (safetensors)",
    about=f"{WEIGHTS_FILE}: the tensors by their names in torchvision or timm; {result_files.MODEL}: "
    "architecture, classes, and how images are prepared.",
    opens_in="safetensors.torch.load_file, torchvision, timm, slim report",
    write=write_weights,
)


def write_graph(source: Source, folder: Path) -> None:
    """model.onnx: images (n, 3, size, size), prepared as model.json says, to logits (n, C), for any n.

    Raises:
        SpecRefusedError: the network does what ONNX has no word for.
    """
    import torch

    from slim_core.models.build import load_model

    model = load_model(source.folder)
    images = torch.zeros(2, 3, model.transform.size, model.transform.size)
    try:
        with warnings.catch_warnings():  # of the tracer about shapes, and of torch about its newer exporter
            warnings.simplefilter("ignore")
            torch.onnx.export(
                model.net.eval(),
                (images,),
                str(folder / GRAPH_FILE),
                dynamo=False,  # the newer exporter needs onnxscript, too
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_axes={INPUT: {0: "n"}, OUTPUT: {0: "n"}},
            )
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise SpecRefusedError(
            f"The network {model.name} cannot be written as ONNX ({reason}): take model-safetensors."
        ) from error
    shutil.copyfile(source.folder / result_files.MODEL, folder / result_files.MODEL)


MODEL_GRAPH = Form(
    name="model-onnx",
    of=("train",),
    title="Network (ONNX)",
    about=f"{GRAPH_FILE}: prepared images in, logits out, for any number of images; {result_files.MODEL}: how images "
    "are prepared, and the classes.",
    opens_in="onnxruntime",
    write=write_graph,
    needs="onnx",
    downloads=False,
)
