"""A file system that is soon full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """One of this size at the folder, which only a privileged user can make.

    Raises:
        OSError: this user cannot; with the system's sentence.
    """
    folder.mkdir()
    size = f"size={megabytes}m"
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", folder], capture_output=True, text=True)
    if made.returncode:
        raise OSError(made.stderr.strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(path: Path) -> None:
    """Write a file until nothing more goes onto its disk."""
    with path.open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(b"x" * 2**20)
        except OSError:
            pass
        try:
            while True:
                ballast.write(b"x" * 512)
        except OSError:
            os.fsync(ballast.fileno())
