"""The log.txt of an attempt: what is logged meanwhile, for whoever follows the run. No run depends on it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)

_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_OURS = ("slim", "slim_core")


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Everything that is logged meanwhile also goes to a file, line by line, so that it can be followed.

    A disk that cannot take it, full or gone, raises nothing here: one warning at the end says so.
    """
    handler = _Lenient(path)
    root = logging.getLogger()
    before = {name: logging.getLogger(name).level for name in _OURS}
    for name in _OURS:
        logging.getLogger(name).setLevel(logging.INFO)
    root.addHandler(handler)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
        logging.captureWarnings(False)
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
        if handler.error is not None:
            log.warning("The log %s lacks lines (%s): free some space on its disk.", path, handler.error.strerror)


class _Lenient(logging.FileHandler):
    """Remembers that a line could not be written, instead of a traceback a line and one at the end."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8", delay=True)  # opened by the first line, so that a failure is one of it
        self.setFormatter(logging.Formatter(_FORMAT))
        self.setLevel(logging.INFO)
        self.error: OSError | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, where the file can be opened."""
        try:
            super().emit(record)
        except OSError as error:
            self.error = error

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (the name logging gives it)
        """A line that could not be written."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self.error = error
        else:  # an error in the code that logs
            super().handleError(record)

    def close(self) -> None:
        """Close the file, even where its last lines find no room."""
        try:
            super().close()
        except OSError as error:
            self.error = error
