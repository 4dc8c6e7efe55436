"""The webhook: one JSON POST for each run that is done or has failed, to the address in SLIM_WEBHOOK_URL.

Every service may send: runs.notified_at is set by compare-and-set before the first try, so that an end is sent at most
once. A thread of its own does it; a receiver that is slow, broken or gone holds up nothing.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import logging
import threading
import urllib.error
import urllib.request
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from slim_core.errors import SlimError
from slim_core.settings import redact_url
from slim_core.signals import ThrottledWarning
from slim_core.store import Run, Store, schema
from slim_core.store.database import Database
from slim_core.store.runs.rows import find_run, shard_totals

log = logging.getLogger(__name__)

POLL_S = 2.0
TIMEOUT_S = 5.0  # of one try
PAUSES_S = (1.0, 5.0)  # between tries
_AT_ONCE = 50  # runs sent between two polls, at most
_ENDS = ("done", "failed")
_SET = "webhook.set"
_t, _events = schema.runs, schema.events


class Notifier(threading.Thread):
    """Sends until ``ending`` is set. Runs that ended before the address was set are not sent."""

    def __init__(self, store: Store, url: str) -> None:
        super().__init__(name="webhook", daemon=True)
        self.ending = threading.Event()
        self._store, self._url = store, url
        self._public_url = next(iter(store.settings.public_url), None)
        self._since: datetime | None = None

    def run(self) -> None:
        """Poll every two seconds for runs that have ended."""
        trouble = ThrottledWarning(log)
        while not self.ending.is_set():
            try:
                self.send_ended()
                trouble.end()
            except SlimError as error:  # the database is away: what ended meanwhile is found later
                trouble.warn(error)
            self.ending.wait(POLL_S)

    def send_ended(self) -> None:
        """Send what has ended since the address was set and has not been sent."""
        if self._since is None:
            self._since = _set_at(self._store, self._url)
        for run_id in _unsent(self._store.database, self._since):
            if self.ending.is_set():
                return
            if (run := _claim(self._store.database, run_id)) is not None:
                self._send(run)

    def _send(self, run: Run) -> None:
        body = json.dumps(message(run, self._public_url)).encode()
        for pause_s in (*PAUSES_S, None):
            trouble = _post(self._url, body)
            if trouble is None:
                return
            if pause_s is None or self.ending.wait(pause_s):
                break
        said = "Run %s is %s, but webhook %s was not notified: %s"
        log.warning(said, run.id, run.status, redact_url(self._url), trouble)


def message(run: Run, public_url: str | None = None) -> dict[str, Any]:
    """What is sent: the run, how it ended, its single numbers, and its page."""
    numbers = {key: value for key, value in (run.metrics or {}).items() if isinstance(value, int | float | str)}
    content: dict[str, Any] = {
        "id": run.id,
        "kind": run.kind,
        "name": run.name,
        "status": run.status,
        "message": run.message,
        "seconds": round(run.seconds, 1),
        "submitted_by": run.created_by,
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "metrics": numbers,
    }
    if public_url:
        content["link"] = f"{public_url.rstrip('/')}/jobs?run={run.id}"
    return content


def _post(url: str, body: bytes) -> str | None:
    """Send once; what went wrong, or None."""
    headers = {"Content-Type": "application/json", "User-Agent": "slim-studio"}
    request = urllib.request.Request(url, body, headers, method="POST")
    try:
        with _opener.open(request, timeout=TIMEOUT_S) as reply:
            return None if 200 <= reply.status < 300 else f"it answered {reply.status}"
    except urllib.error.HTTPError as error:
        error.close()
        return f"it answered {error.code}"
    except (OSError, ValueError) as error:  # refused, unreachable, timed out or cut off
        return str(getattr(error, "reason", error)) or type(error).__name__
    except http.client.HTTPException as error:
        return f"its reply is not HTTP ({type(error).__name__})"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as a GET without its body, and perhaps elsewhere."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


def _set_at(store: Store, url: str) -> datetime:
    """When a service first saw this address: kept as an event, so that a restart forgets no run."""
    key = hashlib.sha256(url.encode()).hexdigest()  # the address itself may hold a secret
    known = sa.select(sa.func.min(_events.c.at)).where(_events.c.subject == key, _events.c.what == _SET)
    with store.database.write() as connection:
        since = connection.execute(known).scalar()
        if since is None:
            since = store.database.now(connection)
            store.events.note(connection, "workers", _SET, key)
    return since


def _unsent(database: Database, since: datetime) -> list[str]:
    query = sa.select(_t.c.id).where(
        _t.c.status.in_(_ENDS),
        _t.c.notified_at.is_(None),
        _t.c.finished_at >= since,
        _t.c.shard_of.is_(None),
        _t.c.deleted_at.is_(None),
    )
    with database.read() as connection:
        return list(connection.execute(query.order_by(_t.c.finished_at).limit(_AT_ONCE)).scalars())


def _claim(database: Database, run_id: str) -> Run | None:
    """The run as it has ended, where this is the one service that sends it: a moment later it may have been retried.

    With what its shards took where it has some: its own row has the seconds of their merge.
    """
    with database.write() as connection:
        mine = _t.update().where(_t.c.id == run_id, _t.c.notified_at.is_(None), _t.c.status.in_(_ENDS))
        if not connection.execute(mine.values(notified_at=database.now(connection))).rowcount:
            return None
        run = find_run(connection, run_id)
        shards = shard_totals(connection, [run_id]).get(run_id)
        return run if run is None or shards is None else shards.with_merge(run)
