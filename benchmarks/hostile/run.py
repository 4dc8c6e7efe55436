"""Send every case, one after another, and count what is wrong."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from redis import RedisError

from benchmarks.hostile.case import Case, Effects, Findings, Outcome, judge
from benchmarks.hostile.studio import Studio, answers
from benchmarks.hostile.watch import Kept, Logs, Memory, differences, files_with_a_canary, shows_a_canary
from benchmarks.processes import is_alive_at

log = logging.getLogger("hostile")

COUNTS = {"traceback": "tracebacks", "status_500": "status_500", "outside_roots": "outside_roots", "hang": "hangs",
          "left_behind": "left_behind", "unexpected": "unexpected"}  # fmt: skip
MOST_TOLD = 300  # letters of an output, beside a finding


class Round:
    """One run of all cases against one studio."""

    def __init__(self, studio: Studio) -> None:
        self.found: list[dict[str, Any]] = []
        self.counts: dict[str, Counter[str]] = {}
        self._studio, self._kept = studio, Kept(studio.settings.home)
        self._logs = Logs(*(studio.settings.home / name for name in ("dashboard.log", "workers.log")))
        self._logs.new()
        self._rss_mb = 0.0  # of a command

    def run(self, kinds: Mapping[str, Sequence[Case]]) -> dict[str, Any]:
        """The numbers of the benchmark."""
        with Memory({"dashboard": lambda: self._studio.app_pid, "workers": lambda: self._studio.worker_pid}) as memory:
            for kind, cases in kinds.items():
                self._run_kind(kind, cases)
        leaked = files_with_a_canary(self._studio.settings.home)
        total: Counter[str] = Counter()
        for counted in self.counts.values():
            total.update(counted)
        total["outside_roots"] += len(leaked)
        rss_mb = memory.most_mb | {"commands": self._rss_mb}
        return {
            **{name: total[name] for name in ("inputs", "drawn", *COUNTS.values())},
            "services_ended": services_ended(self._studio),
            "rss_mb_max": round(max(rss_mb.values())),
            "rss_mb": {name: round(most) for name, most in rss_mb.items()},
            "outside_measured_by": ["canaries", *(["times of access"] if self._studio.canaries.by_times else [])],
            "kinds": {kind: dict(counted) for kind, counted in self.counts.items()},
            "found": self.found,
        }

    def _run_kind(self, kind: str, cases: Iterable[Case]) -> None:
        counted = self.counts[kind] = Counter(dict.fromkeys(("inputs", "drawn", "accepted", "refused"), 0))
        for case in cases:
            outcome, effects = self._send(case)
            findings = judge(case, outcome, effects)
            counted.update(["inputs", outcome.verdict, *(["drawn"] if case.drawn else [])])
            counted.update(COUNTS[name] for name, is_so in asdict(findings).items() if is_so)
            if findings.any:
                self._tell(kind, case, outcome, effects, findings)
        log.info("%s: %s", kind, dict(counted))

    def _send(self, case: Case) -> tuple[Outcome, Effects]:
        before = self._kept.now()
        outcome = case.send(self._studio)
        self._rss_mb = max(self._rss_mb, outcome.rss_mb)
        outside = [*self._studio.canaries.touched(), *(["a response"] if shows_a_canary(outcome.said) else [])]
        return outcome, Effects(self._logs.new(), tuple(outside), differences(before, self._kept.now()))

    def _tell(self, kind: str, case: Case, outcome: Outcome, effects: Effects, findings: Findings) -> None:
        wrong = [name for name, is_so in asdict(findings).items() if is_so]
        told = {"kind": kind, "case": case.name[:MOST_TOLD], "wrong": wrong, "expected": case.expected,
                "verdict": outcome.verdict, "status": outcome.status, "seconds": round(outcome.seconds, 2),
                "said": _end_of(outcome.said), "logged": _end_of(effects.logged), "left": list(effects.left),
                "outside": list(effects.outside)}  # fmt: skip
        self.found.append(told)
        log.warning("%s", told)


def services_ended(studio: Studio) -> int:
    """How many of the three do not live any more, or do not answer."""
    answering = (answers(studio.port), is_alive_at(studio.worker_pid), _redis_answers(studio))
    return len(answering) - sum(answering)


def _redis_answers(studio: Studio) -> bool:
    try:
        return bool(studio.redis().ping())
    except RedisError:
        return False


def _end_of(content: bytes) -> str:
    return content.decode("utf-8", "backslashreplace")[-MOST_TOLD:]
