"""A model: its plain tensors, and its graph in ONNX."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

from slim_core import result_files
from slim_core.errors import SpecRefusedError
from slim_core.export.form import Form, Source
from slim_core.result_files import undamaged

WEIGHTS_FILE = "model.safetensors"


def write_weights(source: Source, folder: Path) -> None:
    """model.safetensors under the names that torchvision or timm give its tensors; model.json: what else to know."""
    with undamaged(source.folder / result_files.WEIGHTS):
        (source.folder / result_files.WEIGHTS).stat()
    shutil.copyfile(source.folder / result_files.WEIGHTS, folder / WEIGHTS_FILE)
    shutil.copyfile(source.folder / result_files.MODEL, folder / result_files.MODEL)


WEIGHTS = Form(
    name="model-safetensors",
    of=("train",),
    title="Weights (safetensors)",
    about=f"{WEIGHTS_FILE}: the tensors by their names in torchvision or timm; {result_files.MODEL}: "
    "architecture, classes, and how images are prepared.",
    opens_in="safetensors.torch.load_file, torchvision, timm, slim register-model",
    write=write_weights,
)

GRAPH_FILE = "model.onnx"
INPUT, OUTPUT = "images", "logits"
OPSET = 17  # scaled dot products and layer norms; runtimes since 2022 have it


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


GRAPH = Form(
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
