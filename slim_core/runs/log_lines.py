"""How the dashboard and the workers write their log: as text, or with SLIM_LOG_FORMAT=json one JSON object a line.

A line of JSON has time, level, logger and message; run, worker and person where they are known; and the traceback of an
exception in one field. Who logs names a run as the standard library has it, ``log.warning("...", extra={"run": id})``,
or once for all that follows in the same thread, task or process: ``bind(run=id)``, until ``unbind("run")``.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

LogFormat = Literal["text", "json"]
TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
KNOWN = ("run", "worker", "person")
_known: ContextVar[Mapping[str, str]] = ContextVar("known", default={})  # noqa: B039  # replaced, never changed


def bind(**about: str) -> None:
    """From now on, in this context, lines of JSON name the run, the worker or the person."""
    _known.set({**_known.get(), **about})


def unbind(name: str) -> None:
    """From now on, in this context, they no longer name it."""
    _known.set({each: value for each, value in _known.get().items() if each != name})


def set_up(form: LogFormat, text: str = TEXT, level: int = logging.INFO) -> None:
    """Write what this process logs to stderr; ``text``: the form of a line of text."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLine() if form == "json" else logging.Formatter(text))
    logging.basicConfig(level=level, handlers=[handler])


def gather() -> None:
    """Leave to the handler of this process what libraries write by handlers of their own, as Streamlit does."""
    for logger in logging.root.manager.loggerDict.values():
        if isinstance(logger, logging.Logger) and logger.handlers:
            logger.handlers.clear()
            logger.propagate = True


class JsonLine(logging.Formatter):
    """A record as one line, whatever its message holds."""

    def format(self, record: logging.LogRecord) -> str:
        """The JSON object."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_known.get(),
            **{name: getattr(record, name) for name in KNOWN if hasattr(record, name)},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
