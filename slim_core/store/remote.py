"""Artifacts behind an fsspec URL (s3://, gs://, sftp://, ...), where several machines share them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from slim_core.errors import RunLostError
from slim_core.store.database import StoreUnavailableError


class Remote:
    """A folder tree behind a URL. What was published is named by a small file that is written last."""

    def __init__(self, url: str) -> None:
        import fsspec

        self._url = url
        with self._explained():
            self._files: Any
            self._files, self._root = fsspec.core.url_to_fs(url)

    @classmethod
    def open(cls, url: str | None) -> Self | None:
        """The remote side; None where the URL is a local folder."""
        if url is None or "://" not in url or url.startswith("file://"):
            return None
        return cls(url)

    def upload(self, source: Path, place: str, attempt: int) -> None:
        """Copy a folder, then let ``place`` point at it.

        Raises:
            RunLostError: a later attempt counts already.
        """
        with self._explained():
            if self._pointer(place) > attempt:
                raise RunLostError(f"A later attempt of {place} has been published: this one is dropped.")
            target = f"{self._root}/{place}/attempt-{attempt}"
            for file in sorted(path for path in source.rglob("*") if path.is_file()):
                remote = f"{target}/{file.relative_to(source).as_posix()}"
                self._files.makedirs(remote.rpartition("/")[0], exist_ok=True)
                self._files.put_file(str(file), remote)
            self._files.pipe_file(f"{self._root}/{place}/published.json", json.dumps({"attempt": attempt}).encode())

    def attempt(self, place: str) -> int:
        """The attempt that counts; 0 where nothing has been published."""
        with self._explained():
            return self._pointer(place)

    def download(self, place: str, attempt: int, target: Path) -> None:
        """Copy the files of an attempt into a new local folder."""
        with self._explained():
            source = f"{self._root}/{place}/attempt-{attempt}"
            for remote in self._files.find(source):
                local = target / str(remote).partition(f"{place}/attempt-{attempt}/")[2]
                local.parent.mkdir(parents=True, exist_ok=True)
                self._files.get_file(remote, str(local))

    def remove(self, place: str) -> None:
        """Remove everything under a place; nothing where there is nothing."""
        with self._explained():
            if self._files.exists(f"{self._root}/{place}"):
                self._files.rm(f"{self._root}/{place}", recursive=True)

    def keep_only(self, place: str, names: Collection[str]) -> None:
        """Remove the files under a place that have another name than these."""
        with self._explained():
            found = self._files.find(f"{self._root}/{place}") if self._files.exists(f"{self._root}/{place}") else []
            for remote in found:
                if str(remote).rpartition("/")[2] not in names:
                    self._files.rm_file(remote)

    def _pointer(self, place: str) -> int:
        try:
            return int(json.loads(self._files.cat_file(f"{self._root}/{place}/published.json"))["attempt"])
        except FileNotFoundError:
            return 0

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except ImportError as error:
            raise StoreUnavailableError(f"The artifacts at {self._url} need a package: {error}") from error
        except (OSError, ValueError) as error:
            raise StoreUnavailableError(
                f"The artifacts at {self._url} cannot be reached ({error}): correct SLIM_ARTIFACTS_URL, or its keys."
            ) from error
