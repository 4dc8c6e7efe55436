"""A model as its plain tensors."""

from __future__ import annotations

import shutil
from pathlib import Path

from slim_core import result_files
from slim_core.export.form import Form, Source
from slim_core.result_files import undamaged

FILE = "model.safetensors"


def write(source: Source, folder: Path) -> None:
    """model.safetensors under the names that torchvision or timm give its tensors; model.json: what else to know."""
    with undamaged(source.folder / result_files.WEIGHTS):
        (source.folder / result_files.WEIGHTS).stat()
    shutil.copyfile(source.folder / result_files.WEIGHTS, folder / FILE)
    shutil.copyfile(source.folder / result_files.MODEL, folder / result_files.MODEL)


FORM = Form(
    name="model-safetensors",
    of=("train",),
    title="Weights (safetensors)",
    about=f"{FILE}: the tensors by their names in torchvision or timm; {result_files.MODEL}: architecture, classes, "
    "and how images are prepared.",
    opens_in="safetensors.torch.load_file, torchvision, timm, slim register-model",
    write=write,
)
