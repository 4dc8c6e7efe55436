"""How fast is data read, checked and registered?

    python -m benchmarks.import_ --json benchmarks/results/import.json

celeba: metadata of CelebA's real shape (202,599 rows, 40 attributes, two files), read, checked and registered without
opening an image, in a process of its own; its peak memory is that of the whole process. file_check: the first check of
JPEG files of CelebA's size, everything included (processes, roots, what is kept), against the same number of processes
that do nothing but open and decode them with Pillow; both from the page cache, by turns, medians of their ratios.
image_folder: files in class folders, listed and registered.

load: runnable processes of the machine when each part began. Where it is about the number of cores or more, seconds say
how busy the machine was; cpu_s and cpu_share_of_pillow are what the work took in all processes together.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import psutil
from joblib import Parallel, delayed
from PIL import Image

from slim_core.data.checks import files
from slim_core.data.checks.files import CHUNK, Prober
from slim_core.data.importers.waterbirds_celeba import ATTRIBUTE, EXPECTED_OF_CELEBA, TARGET
from slim_core.data.importing import import_data
from slim_core.settings import Settings
from slim_core.store import Store

SPLITS = ("train", "val", "test")
OTHER_ATTRIBUTES = 38
WIDTH, HEIGHT = 178, 218  # pixels of an aligned CelebA image
CLASSES = 100
LINKS = 1_000  # of one file: file systems allow some ten thousand


def main() -> None:
    """Measure and print; with ``--only``, one part in this process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=float, default=1.0, help="share of CelebA's rows")
    parser.add_argument("--jpegs", type=int, default=20_000)
    parser.add_argument("--files", type=int, default=100_000, help="of the folder of class folders")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", type=Path, help="import this folder, and tell of this process")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if args.only:
        print(json.dumps(registered(args.only)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = {
            "celeba": measure_celeba(folder / "celeba", args.rows),
            "file_check": measure_file_check(folder / "jpegs", args.jpegs, args.repeats),
            "image_folder": measure_image_folder(folder / "classes", args.files),
        }
    text = json.dumps(found, indent=1)
    print(text)
    if args.json:
        args.json.write_text(text + "\n")


def measure_celeba(folder: Path, share: float) -> dict[str, object]:
    """Rows, seconds and peak memory of the metadata."""
    write_celeba(folder, share)
    return _apart(folder)


def measure_image_folder(folder: Path, n: int) -> dict[str, object]:
    """Files, seconds and peak memory of class folders."""
    write_classes(folder, n)
    return _apart(folder)


def _apart(folder: Path) -> dict[str, object]:
    """In a fresh process, whose peak memory is that of the import."""
    command = [sys.executable, "-m", "benchmarks.import_", "--only", str(folder)]
    load = os.getloadavg()[0]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {**json.loads(done.stdout), "load": round(load, 1)}


def registered(folder: Path) -> dict[str, object]:
    """Read, check and register without opening an image."""
    store = Store.open(Settings(home=folder.with_name(f"{folder.name}-home"), data_roots=(folder,)))
    began, began_cpu = time.perf_counter(), time.process_time()
    dataset = store.datasets.register(import_data(folder, files="none", settings=store.settings))
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    warned = [one["code"] for one in dataset.report["findings"] if one["level"] != "note"]
    store.close()
    return {
        "images": dataset.n_images,
        "format": dataset.format,
        "seconds": round(seconds, 2),
        "cpu_s": round(cpu_s, 2),  # what it takes where nothing else runs
        "peak_mb": round(peak_mb),
        "warnings": warned,
    }


def measure_file_check(folder: Path, n: int, repeats: int) -> dict[str, object]:
    """Images a second of the check, and of Pillow alone."""
    paths = write_jpegs(folder, n)
    _decoded(paths)  # the files are in the page cache from here on
    load, ours, plain = os.getloadavg()[0], [], []
    prober = Prober(Settings(home=folder.with_name("home"), data_roots=(folder,)))
    for _ in range(repeats):
        plain.append(_taken(lambda: _decoded(paths)))
        files._kept.clear()  # what was seen is kept in this process: each turn is a first check
        ours.append(_taken(lambda: prober.probe(paths, np.ones(n, bool), "Checking")))
    again, _ = _taken(lambda: prober.probe(paths, np.ones(n, bool), "Checking"))
    by_clock, by_cpu = ([p[i] / o[i] for o, p in zip(ours, plain, strict=True)] for i in (0, 1))
    return {
        "images": n,
        "cores": len(os.sched_getaffinity(0)),
        "images_per_s": round(n / median(seconds for seconds, _ in ours)),
        "pillow_images_per_s": round(n / median(seconds for seconds, _ in plain)),
        "share_of_pillow": round(median(by_clock), 2),
        "cpu_share_of_pillow": round(median(by_cpu), 2),
        "again_s": round(again, 2),  # nothing has changed since
        "load": round(load, 1),
    }


def _taken(run: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and of computing in this process and those that it has started."""
    began, began_cpu = time.perf_counter(), _cpu_s()
    run()
    return time.perf_counter() - began, _cpu_s() - began_cpu


def _cpu_s() -> float:
    here = psutil.Process()
    times = [one.cpu_times() for one in (here, *here.children(recursive=True))]
    return sum(one.user + one.system + one.children_user + one.children_system for one in times)  # also of ended ones


def _decoded(paths: list[str]) -> None:
    Parallel(n_jobs=-1)(delayed(_decode_some)(paths[i : i + CHUNK]) for i in range(0, len(paths), CHUNK))


def _decode_some(paths: list[str]) -> None:
    for path in paths:
        with Image.open(path) as image:
            image.convert("RGB")


def write_celeba(folder: Path, share: float) -> None:
    """list_attr_celeba.csv and list_eval_partition.csv with the published group counts, in a random order."""
    cells = [
        (split, blond, male, round(n * share))
        for split, counts in zip(range(3), EXPECTED_OF_CELEBA.values(), strict=True)
        for (blond, male), n in zip(((0, 0), (0, 1), (1, 0), (1, 1)), counts, strict=True)
    ]
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            column: np.repeat([cell[at] for cell in cells], [cell[3] for cell in cells])
            for at, column in enumerate(("partition", TARGET, ATTRIBUTE))
        }
    ).sample(frac=1, random_state=0, ignore_index=True)
    names = [f"{i + 1:06d}.jpg" for i in range(len(frame))]
    folder.mkdir(parents=True)
    (folder / "img_align_celeba").mkdir()
    pd.DataFrame({"image_id": names, "partition": frame["partition"]}).to_csv(
        folder / "list_eval_partition.csv", index=False
    )
    others = {f"Attribute_{i}": rng.choice([-1, 1], len(frame)) for i in range(OTHER_ATTRIBUTES)}
    chosen = {column: 2 * frame[column] - 1 for column in (TARGET, ATTRIBUTE)}
    pd.DataFrame({"image_id": names, **chosen, **others}).to_csv(folder / "list_attr_celeba.csv", index=False)


def write_jpegs(folder: Path, n: int) -> list[str]:
    """Photograph-like files: smooth shapes with some noise, as large on disk as CelebA's, about 7 kB."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    paths = []
    for number in range(n):
        coarse = Image.fromarray(rng.integers(0, 256, (14, 11, 3), np.uint8))
        smooth = np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), np.int16)
        pixels = np.clip(smooth + rng.integers(-6, 7, smooth.shape), 0, 255).astype(np.uint8)
        paths.append(str(folder / f"{number:06d}.jpg"))
        Image.fromarray(pixels).save(paths[-1], quality=85)
    return paths


def write_classes(folder: Path, n: int) -> None:
    """Class folders of links to a few files, which list like files."""
    for number in range(CLASSES):
        (folder / f"class-{number:03d}").mkdir(parents=True)
    source = folder.with_name("source")
    source.mkdir()
    for number in range(n):
        base = source / f"{number // LINKS}.jpg"
        if not base.exists():
            Image.fromarray(np.full((8, 8, 3), number // LINKS % 256, np.uint8)).save(base)
        os.link(base, folder / f"class-{number % CLASSES:03d}" / f"{number:06d}.jpg")


if __name__ == "__main__":
    main()
