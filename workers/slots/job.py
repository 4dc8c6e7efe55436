"""The one kind of job our workers perform. Redis may hold others (it is shared, or was tampered with): refused.

RQ imports any function by the name it finds in Redis, and any callback or webhook beside it. A worker that performs
only ``StepJob`` runs nothing but ``run_step`` with one run id, and reads only JSON, never pickles.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from rq.job import Job
from rq.timeouts import JobTimeoutException, UnixSignalDeathPenalty

from slim_core.errors import SlimError
from workers import tasks

RUN_STEP = "workers.tasks.run_step"
_RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")


class JobRefusedError(SlimError):
    """A job in Redis is not one of ours."""


class StepJob(Job):
    """An RQ job that can only be ``run_step(run_id)``, without callbacks or webhooks."""

    @property
    def func(self) -> Callable[[str], None]:
        """The one function, never looked up by name."""
        self.check()
        return tasks.run_step

    @property
    def run_id(self) -> str:
        """The run this job is about.

        Raises:
            JobRefusedError: the job is not one of ours.
        """
        self.check()
        return str(self.args[0])

    def perform(self) -> Any:
        """Check, then run the step."""
        self.check()
        return super().perform()

    def check(self) -> None:
        """Refuse anything but run_step with one run id.

        Raises:
            JobRefusedError: another function, other arguments, callbacks, webhooks, or no time-out.
        """
        if self.func_name != RUN_STEP or self.instance is not None:
            raise JobRefusedError(f"Job {self.id} calls {self.func_name!r}: a worker runs nothing but {RUN_STEP}.")
        if len(self.args) != 1 or self.kwargs or not _is_run_id(self.args[0]):
            raise JobRefusedError(f"Job {self.id} has the arguments {self.args!r}: {RUN_STEP} takes one run id.")
        if self._success_callback_name or self._failure_callback_name or self._stopped_callback_name or self.webhooks:
            raise JobRefusedError(f"Job {self.id} has callbacks or webhooks: a worker calls none.")
        if not self.timeout or self.timeout < 1:
            raise JobRefusedError(f"Job {self.id} has no time-out: each job needs one in whole seconds.")

    # RQ calls these outside perform(), also for a job that was refused.
    success_callback = property(lambda _self: None)
    failure_callback = property(lambda _self: None)
    stopped_callback = property(lambda _self: None)

    should_retry = property(lambda _self: False)  # a run is queued again by the database alone

    def send_webhooks(self, *_args: Any, **_options: Any) -> None:
        """Send none."""


class StepDeathPenalty(UnixSignalDeathPenalty):
    """RQ's alarm clock, but not for the job itself.

    RQ raises an exception out of a signal, which any ``except Exception`` on the way swallows, that of a log handler
    included. The step's own ``check_stop`` ends it in time, and the slot kills one that does not come to check.
    """

    def setup_death_penalty(self) -> None:
        """Set no alarm for the job."""
        if self._exception is not JobTimeoutException:
            super().setup_death_penalty()  # type: ignore[no-untyped-call]


def _is_run_id(value: object) -> bool:
    return isinstance(value, str) and _RUN_ID.fullmatch(value) is not None
