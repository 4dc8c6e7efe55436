"""How fast are the parts, each as a ratio to the plain alternative on the same images in the same run?

    python -m benchmarks.speed --json benchmarks/results/speed.json

attention_small_resnet_per_image: one pass that writes maps of every class, features and scores, against the grad-cam
package called once per image and class, as the reference does; 64 px, images decoded before. attention_resnet50: the
same pass of a ResNet-50 (random weights) at 224 px from JPEG files, decoding included, against three alternatives on
the same files in the same run: grad-cam image by image, grad-cam on batches of the same size, and bare inference on
batches, which explains nothing and is what the pass cannot beat. training: an epoch of training.loop, validation left
out, against a bare PyTorch loop over the same tensors. propagation: the closed form against scikit-learn's
LabelSpreading. Each time is the fastest of the repeats.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from slim_core.annotation.propagation import expand
from slim_core.attention.attention_pass import attention_pass
from slim_core.attention.config import PassConfig
from slim_core.data.groups import grouping
from slim_core.data.importing import import_data
from slim_core.data.report import require
from slim_core.data.sets.digits import DemoConfig, write_demo
from slim_core.models.build import build
from slim_core.models.inference import Pixels, open_device, split_batches, to_input
from slim_core.models.model import Model
from slim_core.training.config import TrainConfig, TrainData
from slim_core.training.loop import train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=600, help="training images")
    parser.add_argument("--jpegs", type=int, default=128, help="JPEG files that the ResNet-50 sees")
    parser.add_argument("--repeats", type=int, default=3, help="the fastest of so many counts")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    open_device("cpu")
    with tempfile.TemporaryDirectory() as folder:
        write_demo(Path(folder) / "demo", DemoConfig(train=args.images, val=40, test=40))
        table = require(import_data(Path(folder) / "demo"))
        model = build("small-resnet", 2, seed=0)
        with Pixels(table, model.transform) as pixels:
            result = {
                "attention_small_resnet_per_image": attention_per_image(table, pixels, Path(folder), args.repeats),
                "attention_resnet50": attention_resnet50(Path(folder), args.jpegs, args.repeats),
                "training": training(table, pixels, args.repeats),
                "propagation": propagation(args.repeats),
            }
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


def fastest(repeats: int, *actions: Callable[[], object]) -> list[float]:
    """Seconds of each action, the fastest of several turns; the turns alternate, so that noise meets all of them."""
    seconds = [[] for _ in actions]
    for _ in range(repeats):
        for i, action in enumerate(actions):
            started = time.perf_counter()
            action()
            seconds[i].append(time.perf_counter() - started)
    return [min(times) for times in seconds]


def compared(ours: float, plain: float, **about) -> dict:
    """Both times and their ratio."""
    return {**about, "ours_s": round(ours, 4), "plain_s": round(plain, 4), "plain_over_ours": round(plain / ours, 2)}


def attention_per_image(table, pixels, folder: Path, repeats: int) -> dict:
    """The one pass against grad-cam image by image and class by class, on decoded images."""
    model = build("small-resnet", 2, seed=0)
    rows = table.rows("train")
    seconds = fastest(
        repeats,
        lambda: attention_pass(model, table, rows, Path(tempfile.mkdtemp(dir=folder)), pixels=pixels),
        lambda: gradcam(model, pixels, rows, batch_size=1),
    )
    return compared(*seconds, images=len(rows), classes=model.n_classes)


def attention_resnet50(folder: Path, n: int, repeats: int) -> dict:
    """The one pass against grad-cam per image, grad-cam on batches and bare inference on batches, from JPEG files."""
    write_jpegs(folder / "jpegs", n)
    table = require(import_data(folder / "jpegs"))
    model = build("resnet50", 2, weights="none", seed=0)
    rows, batch_size = np.arange(len(table)), PassConfig().batch_size
    plain = {
        "gradcam_per_image": lambda pixels: gradcam(model, pixels, rows, batch_size=1),
        "gradcam_batched": lambda pixels: gradcam(model, pixels, rows, batch_size),
        "inference_batched": lambda pixels: inference(model, pixels, rows, batch_size),
    }

    def decoding(action: Callable[[Pixels], None]) -> Callable[[], None]:
        def run() -> None:
            with Pixels(table, model.transform) as pixels:  # nothing decoded yet
                action(pixels)

        return run

    ours, *others = fastest(
        repeats,
        lambda: attention_pass(model, table, rows, Path(tempfile.mkdtemp(dir=folder))),
        *map(decoding, plain.values()),
    )
    about = {"images": len(rows), "classes": model.n_classes, "batch_size": batch_size, "ours_s": round(ours, 3)}
    for name, seconds in zip(plain, others, strict=True):
        about |= {f"{name}_s": round(seconds, 3), f"{name}_over_ours": round(seconds / ours, 2)}
    return about


def gradcam(model: Model, pixels: Pixels, rows: np.ndarray, batch_size: int) -> None:
    """Maps of every class by the grad-cam package; it goes forward and back again for each class."""
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    model.net.eval()
    with GradCAM(model.net, [model.target_layer]) as cam:
        for batch, image in pixels.batches(split_batches(rows, batch_size)):
            images = to_input(image, model.transform, torch.device("cpu"))
            for label in range(model.n_classes):
                cam(images, [ClassifierOutputTarget(label)] * len(batch))


@torch.inference_mode()
def inference(model: Model, pixels: Pixels, rows: np.ndarray, batch_size: int) -> None:
    """Logits alone."""
    model.net.eval()
    for _, images in pixels.batches(split_batches(rows, batch_size)):
        model.net(to_input(images, model.transform, torch.device("cpu")))


def write_jpegs(folder: Path, n: int) -> None:
    """Crops of scikit-learn's two photographs, 320 x 256 px: folder/train/china/0.jpg and so on."""
    from PIL import Image
    from sklearn.datasets import load_sample_image

    rng = np.random.default_rng(0)
    for name in ("china", "flower"):
        photo = Image.fromarray(load_sample_image(f"{name}.jpg"))
        into = folder / "train" / name
        into.mkdir(parents=True)
        for k in range(n // 2):
            left, top = (int(rng.integers(0, side)) for side in (photo.width - 320, photo.height - 256))
            photo.crop((left, top, left + 320, top + 256)).save(into / f"{k}.jpg", quality=90)


def training(table, pixels, repeats: int) -> dict:
    """One epoch each, 64 images a batch, without validation."""
    rows = table.rows("train")
    config = TrainConfig(epochs=1, batch_size=64, augmentation="none", selection="last")

    def ours() -> None:
        model = build("small-resnet", 2, seed=0)
        nothing = np.empty(0, np.int64)
        train(model, TrainData(table, rows, nothing, grouping(table), pixels=pixels), config)

    def plain() -> None:
        net = build("small-resnet", 2, seed=0).net
        net.to(memory_format=torch.channels_last).train()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
        for batch in np.array_split(np.random.default_rng(0).permutation(len(rows)), len(rows) // 64 + 1):
            loss = torch.nn.functional.cross_entropy(net(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    transform = build("small-resnet", 2, seed=0).transform
    images = to_input(pixels.read(rows), transform, torch.device("cpu"))
    labels = torch.from_numpy(table.labels[rows])
    return compared(*fastest(repeats, ours, plain), images=len(rows))


def propagation(repeats: int, n: int = 10_000, n_answers: int = 300) -> dict:
    """10,000 points of one class with 300 answers; scikit-learn holds a matrix of all pairs."""
    from sklearn.semi_supervised import LabelSpreading

    rng = np.random.default_rng(0)
    points = rng.normal(size=(n, 2)).astype(np.float32)
    answers = np.full(n, -1, np.int8)
    answers[rng.choice(n, n_answers, replace=False)] = rng.integers(0, 2, n_answers)
    scaled = (points - points.mean()) / points.std()

    def plain() -> None:
        LabelSpreading(kernel="rbf", gamma=10, alpha=1e-6).fit(scaled, answers).predict_proba(scaled)

    def ours() -> None:
        expand(points, np.zeros(n, np.int64), answers)

    return compared(*fastest(repeats, ours, plain), points=n, answers=n_answers)


if __name__ == "__main__":
    main()
