"""Artifacts behind an fsspec URL (s3://, gs://, sftp://, ...), where several machines share them."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from slim_core.errors import RunLostError, SlimError, is_full_disk
from slim_core.result_files import PUBLISHED, attempt_folder
from slim_core.store.database import StoreUnavailableError, disk_error

_OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss"}  # they have buckets, and no folders
_REFUSED = (PermissionError, FileNotFoundError, NotImplementedError, ValueError, TypeError)


class RemoteAwayError(StoreUnavailableError):
    """The server of the artifacts does not answer: it may do so in a moment."""


class Remote:
    """A folder tree behind a URL. What was published is named by a small file that is written last."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opened: tuple[int, Any, str] | None = None  # by this process, the file system, the root in it
        with self._explained():
            self._root = self._open()[1]

    def require(self) -> None:
        """Refuse a place that cannot take artifacts.

        Raises:
            RemoteAwayError: its server does not answer.
            StoreUnavailableError: there is no such bucket, or the keys do not open it.
        """
        with self._explained():
            self._require_bucket()

    def upload(self, source: Path, place: str, attempt: int) -> None:
        """Copy a folder, then let ``place`` point at it.

        An object store compares nothing as it writes: an attempt that is suspended between its last look and its
        pointer may point back at itself. Nothing is lost by it: its files are whole, and the later ones stay beside.

        Raises:
            RunLostError: a later attempt counts already.
        """
        with self._explained():
            self._require_newest(place, attempt)
            self._require_bucket()
            target = self._folder(place, attempt)
            for file in sorted(path for path in source.rglob("*") if path.is_file()):
                remote = f"{target}/{file.relative_to(source).as_posix()}"
                if not self._has_buckets:
                    self._files.makedirs(remote.rpartition("/")[0], exist_ok=True)
                self._files.put_file(str(file), remote)
            self._require_newest(place, attempt)  # that may have taken long
            self._files.pipe_file(f"{self._root}/{place}/{PUBLISHED}", json.dumps({"attempt": attempt}).encode())

    def attempt(self, place: str) -> int:
        """The attempt that counts; 0 where nothing has been published."""
        with self._explained():
            return self._pointer(place)

    def download(self, place: str, attempt: int, target: Path) -> None:
        """Copy the files of an attempt into a new local folder."""
        with self._explained():
            source = self._folder(place, attempt)
            for remote in self._files.find(source):
                local = target / _name(remote, place, attempt)
                local.parent.mkdir(parents=True, exist_ok=True)
                self._files.get_file(remote, str(local))

    def files(self, place: str, attempt: int) -> dict[str, int]:
        """Name -> bytes of each file of an attempt, without fetching any."""
        with self._explained():
            source = self._folder(place, attempt)
            found = self._files.find(source, detail=True).items()
            return {_name(remote, place, attempt): int(about.get("size") or 0) for remote, about in found}

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

    def _folder(self, place: str, attempt: int) -> str:
        return f"{self._root}/{place}/{attempt_folder(attempt)}"

    def _require_newest(self, place: str, attempt: int) -> None:
        if self._pointer(place) > attempt:
            raise RunLostError(f"A later attempt of {place} has been published: this one is dropped.")

    def _pointer(self, place: str) -> int:
        try:
            return int(json.loads(self._files.cat_file(f"{self._root}/{place}/{PUBLISHED}"))["attempt"])
        except FileNotFoundError:
            self._require_bucket()
            return 0

    def _open(self) -> tuple[Any, str]:
        """The file system, opened anew after a fork: that of the parent has threads which did not come along."""
        import fsspec

        if self._opened is None or self._opened[0] != os.getpid():
            files, root = fsspec.core.url_to_fs(self._url, skip_instance_cache=True)
            self._opened = (os.getpid(), files, root)
        return self._opened[1:]

    @property
    def _files(self) -> Any:
        return self._open()[0]

    @property
    def _has_buckets(self) -> bool:
        named = self._files.protocol
        return bool(_OBJECT_STORES & ({named} if isinstance(named, str) else {*named}))

    def _require_bucket(self) -> None:
        """A bucket that is missing is not made: its name may be mistyped."""
        bucket = self._root.partition("/")[0]
        if self._has_buckets and not self._files.exists(bucket):
            raise FileNotFoundError(f"there is no bucket {bucket}, or these keys do not open it")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except SlimError:
            raise
        except ImportError as error:
            raise StoreUnavailableError(f"The artifacts at {self._url} need a package: {error}") from error
        except Exception as error:  # each implementation of fsspec raises errors of its own library
            raise self._sentence(error) from error

    def _sentence(self, error: Exception) -> StoreUnavailableError:
        if is_full_disk(error):
            return disk_error(error)
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        if isinstance(error, _REFUSED) or "credential" in type(error).__name__.lower():
            return StoreUnavailableError(
                f"The artifacts at {self._url} cannot be used ({reason}): correct SLIM_ARTIFACTS_URL, or its keys."
            )
        return RemoteAwayError(
            f"The artifacts at {self._url} cannot be reached ({reason}): start their server, or correct "
            f"SLIM_ARTIFACTS_URL."
        )


def _name(remote: object, place: str, attempt: int) -> str:
    """The name of a file below the folder of its attempt."""
    return str(remote).partition(f"{place}/{attempt_folder(attempt)}/")[2]
