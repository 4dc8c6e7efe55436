"""What the dashboard itself measures of its answers: from a request's headers to its response."""

from __future__ import annotations

import time
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.disturbance import Part
from benchmarks.served.faults import Window, during

EVERY_S = 2.0
ROUTE = "annotate.answers"
Buckets = Counter[float]  # upper end in seconds -> requests that took no longer


class Inside(Part):
    """Reads /metrics every now and then; what was counted in between, by when."""

    def __init__(self, port: int, token: str) -> None:
        super().__init__()
        self.spans: list[tuple[float, float, Buckets]] = []  # since, until, requests
        self._request = urllib.request.Request(
            f"http://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {token}"}
        )
        self._before: tuple[float, Buckets] | None = None

    def turn(self) -> None:
        """One reading; while nobody answers there is none, and the next is compared with that of before."""
        try:
            with urllib.request.urlopen(self._request, timeout=10) as reply:
                text = reply.read().decode()
        except OSError:
            self.ending.wait(EVERY_S)
            return
        now, found = time.time(), buckets_of(text)
        if self._before is not None:
            since, before = self._before
            self.spans.append((since, now, added(before, found)))
        self._before = now, found
        self.ending.wait(EVERY_S)

    def percentile_ms(self, q: float, windows: Sequence[Window]) -> float | None:
        """Of the requests that met no fault."""
        total: Buckets = Counter()
        for since, until, found in self.spans:
            if not during(windows, since, until):
                total.update(found)
        seconds = percentile(total, q)
        return None if seconds is None else round(1000 * seconds, 1)


def buckets_of(text: str) -> Buckets:
    """Of the answers' route, in what /metrics says."""
    return Counter(
        {
            float(sample.labels["le"]): int(sample.value)
            for family in text_string_to_metric_families(text)
            if family.name == "slim_route_seconds"
            for sample in family.samples
            if sample.name.endswith("_bucket") and sample.labels["route"] == ROUTE
        }
    )


def added(before: Mapping[float, int], after: Buckets) -> Buckets:
    """What has come since; all of it where the dashboard was started anew, and counts from zero."""
    restarted = any(after[end] < n for end, n in before.items())
    return after if restarted else Counter({end: n - before.get(end, 0) for end, n in after.items()})


def percentile(counts: Mapping[float, int], q: float) -> float | None:
    """As Prometheus estimates it: within a bucket they are spread evenly; None of no requests."""
    most = max(counts.values(), default=0)
    if most == 0:
        return None
    wanted, lower, below = q / 100 * most, 0.0, 0
    for end, n in sorted(counts.items()):
        if n >= wanted:
            return lower if end == float("inf") else lower + (end - lower) * (wanted - below) / max(n - below, 1)
        lower, below = end, n
    return lower
