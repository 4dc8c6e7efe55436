"""Does anything that is sent in get through, break something, or stay?

    python -m benchmarks.hostile --json benchmarks/results/hostile.json

A dashboard, a worker service and a Redis with a password are started on loopback ports, on a home with a finished loop.
Then each input is sent to them, or to the command line, by itself: one table of bad files, some hand-made ones, and
what hypothesis draws from the seed for the routes, pages, commands and settings that there are. Each says what is
expected: accepted; refused (exit code 2 with a sentence, a status 4xx, an error on a page, a job that is dropped); or
either, where only disorder is a finding.

inputs: how many. tracebacks: in an output, a response, or a log. status_500: statuses from 500. outside_roots: times
that a file beside the allowed folders was read or written, by its times of access, or showed up in a response, the
database or the home. hangs: responses and pages that took more than 5 s, commands that computed more than 5 s,
and every input that had not ended after 30 s. rss_mb_max: the most memory of the dashboard, of the workers
with their jobs, or of a command, in MiB. left_behind: refused inputs after which the database or the home holds more or
less than before. unexpected: other outcomes than expected. services_ended: of the three, those that have ended, or
do not answer, at the end.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmarks.hostile import bad_files, http, pages, redis_messages, terminal
from benchmarks.hostile.case import Case
from benchmarks.hostile.run import Round
from benchmarks.hostile.studio import Studio, studio

KINDS: dict[str, Callable[[Studio, int], Iterable[Case]]] = {  # in the order in which they are sent
    "files": bad_files.cases,
    "terminal": terminal.cases,
    "http": http.cases,
    "pages": pages.cases,
    "redis messages": redis_messages.cases,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the numbers; 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="file the result is written to")
    parser.add_argument("--seed", type=int, default=0, help="of what hypothesis draws")
    parser.add_argument("--only", nargs="+", choices=list(KINDS), help="kinds to send; default: all")
    asked = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    since = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder, studio(Path(folder)) as opened:
        cases = {kind: list(KINDS[kind](opened, asked.seed)) for kind in asked.only or KINDS}
        result = Round(opened).run(cases)
    result |= {"seed": asked.seed, "seconds": round(time.monotonic() - since)}
    text = json.dumps(result, indent=1)
    if asked.json:
        asked.json.write_text(text + "\n")
    print(text)
    return int(any(result[name] for name in ("found", "outside_roots", "services_ended")))


if __name__ == "__main__":
    raise SystemExit(main())
