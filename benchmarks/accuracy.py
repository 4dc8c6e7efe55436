"""Does it work? Worst-group accuracy of SLIM beside what people would use instead, over sets, seeds and annotators.

    python -m benchmarks.accuracy shortcuts     # last layers: a large and a small shortcut, and none
    python -m benchmarks.accuracy attention     # where the same last layers look
    python -m benchmarks.accuracy skewed-validation  # the same, validation with the shortcut, too
    python -m benchmarks.accuracy other-pictures  # the same, other drawings on other photographs
    python -m benchmarks.accuracy photographs   # photographed animals on photographs: benchmarks/photographs.py first
    python -m benchmarks.accuracy draws         # what answers are worth where luck is averaged out
    python -m benchmarks.accuracy charts        # the same, a shortcut of one class alone
    python -m benchmarks.accuracy report        # seeds from 10 on: what is reported; nothing is chosen on them
    python -m benchmarks.accuracy harm          # the same on sets without a shortcut
    python -m benchmarks.accuracy choose        # seeds 0-4: for choosing
    python -m benchmarks.accuracy three-ways    # whole networks: ways in which answers may do more
    python -m benchmarks.accuracy six-sets      # six sets, eight methods
    python -m benchmarks.accuracy full          # every set and method, at the sizes of the demo

Runs the study of benchmarks/studies/NAME.yaml in as many processes as there are cores, writes its numbers to
benchmarks/results/accuracy-NAME.json and .md, and puts its tables into docs/benchmark.md or docs/earlier-studies.md,
which has the protocols that others have replaced. Finished runs are found again
under --home, so an interrupted benchmark goes on where it was. What accuracy-NAME.json holds is not computed again,
on any machine: only seeds and methods that were added since. --tables writes the claims and tables of that file anew,
from its entries as they are.

A claim holds by the corrected interval (slim_core.evaluation.study) where there is one, else by the plain one. In the
JSON ``holds`` is by the plain interval, as ever; ``holds_corrected`` by the corrected one, null where there is none.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from slim_core.errors import SpecRefusedError

HERE = Path(__file__).parent
STUDIES, RESULTS = HERE / "studies", HERE / "results"
DOCS, README = HERE.parent / "docs", HERE.parent / "README.md"
PAGE, EARLIER_PAGE = DOCS / "benchmark.md", DOCS / "earlier-studies.md"
REFERENCE = "erm-converged"
BEATEN = (
    REFERENCE,
    "erm-same-steps",
    "erm-retrained",
    "rwy",
    "jtt",
    "cnc",
    "afr",
    "afr-train-fifth",
    "self-train-fifth",
    "evals-train-fifth",
    "xrm-train",
    "xrm-train-fifth",
    "random",
    "class-balanced",
    "class-balanced-last-layer",
    "slim-reference",
    "slim-no-answers",
    "slim-all-wrong",
    "slim-no-answers-on-validation",
)  # where they are there
MOST_BELOW_GROUPS, MOST_HARM = 0.03, 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", help="a study of benchmarks/studies, or the path of a study file")
    parser.add_argument("--home", default="var/benchmarks/accuracy", help="where data and runs are kept")
    parser.add_argument("--jobs", type=int, help="sets and seeds at a time; default: one a core")
    parser.add_argument(
        "--show", action="store_true", help="write what is there, also of seeds in part; compute nothing"
    )
    parser.add_argument("--tables", action="store_true", help="write claims and tables of the file of results anew")
    args = parser.parse_args()
    os.environ["SLIM_HOME"] = args.home
    try:
        result = asked_for(args)
    except SpecRefusedError as error:
        parser.error(str(error))
    write(result)
    print(json.dumps({"study": result.spec["name"], "claims": claims(result)}))


def asked_for(args: argparse.Namespace):
    """What is to be written: of the file of results, or of the store, computed first where that is asked for.

    Raises:
        SpecRefusedError: there is no such study or file, or nothing yet of the method that the study is about.
    """
    given = Path(args.study)
    if args.tables:
        file = RESULTS / f"accuracy-{given.stem}.json"
        if not file.is_file():
            raise SpecRefusedError(f"There is no {file}: leave --tables out to compute the study.")
        return kept(file)
    result = measure(given if given.is_file() else STUDIES / f"{args.study}.yaml", args.jobs, compute=not args.show)
    against = result.spec["against"]
    if not any(entry["method"] == against for entry in result.entries):
        raise SpecRefusedError(f"Nothing of {against} is computed yet under {args.home}: leave --show out.")
    return result


def measure(file: Path, jobs: int | None, *, compute: bool = True):
    """The study of a file with all its numbers."""
    from slim_core.cli.loops.study import cores, say
    from slim_core.evaluation.study.summary import Result, result_of
    from slim_core.runs.executor import open_workbench
    from slim_core.runs.study.cases import cases
    from slim_core.runs.study.run import run_study
    from slim_core.runs.study.spec import read_study

    at, study = open_workbench(device="cpu"), read_study(file)
    known = known_entries(study, RESULTS / f"accuracy-{study.name}.json")
    here, version = [], None
    for left in left_to_compute(study, known):
        if compute:
            run_study(at, left, jobs=jobs or cores(), report=say)
        found = next((one for one in at.store.studies.all() if one.digest == left.digest), None)
        if found is not None:
            result = result_of(at.store, found.id)
            version = result.code_version
            # A curve is of ``against`` whatever the methods are: known then, and found again.
            new = [entry for entry in result.entries if (entry["seed"], entry["method"]) not in _there(known)]
            here += [{**entry, "code": version} for entry in new]
    version = version or next((entry["code"] for entry in known[::-1]), None)
    return Result(study.every_field(), [*known, *here], len(cases(study)), version)


def kept(file: Path):
    """The study of a file of results with the entries that it holds, whole or not."""
    from slim_core.evaluation.study.summary import Result
    from slim_core.runs.study.cases import cases
    from slim_core.runs.study.spec import Study

    plain = json.loads(file.read_text())
    n_cases = len(cases(Study.model_validate(plain["study"])))
    return Result(plain["study"], plain["entries"], n_cases, plain["code_version"])


def known_entries(study, file: Path) -> list[dict]:
    """The entries of a file of results for the same sets and annotators, each with its code.

    Of a seed and method that is known in part there are none; other seeds and methods of the file are left out.
    """
    from slim_core.runs.study.cases import cases
    from slim_core.runs.study.spec import Study

    if not file.is_file():
        return []
    kept = json.loads(file.read_text())
    asked = {"seeds": study.seeds, "methods": study.methods}
    if Study.model_validate(kept["study"]).model_copy(update=asked).digest != study.digest:
        return []
    newest = kept["code_version"]  # behind the other keys, as ``measure`` puts it: --show moves no line of the file
    done = [{**entry, "code": entry.get("code", newest)} for entry in kept["entries"] if entry["status"] == "done"]
    needed = Counter((case.seed, case.method) for case in cases(study))
    there = Counter((entry["seed"], entry["method"]) for entry in done)
    return [entry for entry in done if there[key := (entry["seed"], entry["method"])] == needed[key]]


def left_to_compute(study, known: list[dict]) -> list:
    """Studies of the seeds and methods that are not known: one for all seeds that lack the same methods."""
    there = _there(known)
    lacking: dict[tuple[str, ...], list[int]] = {}
    for seed in study.seeds:
        methods = tuple(name for name in study.methods if (seed, name) not in there)
        lacking.setdefault(methods, []).append(seed)
    return [
        study.model_copy(update={"seeds": tuple(seeds), "methods": methods})
        for methods, seeds in lacking.items()
        if methods
    ]


def _there(known: list[dict]) -> set[tuple[int, str]]:
    return {(entry["seed"], entry["method"]) for entry in known}


def write(result) -> None:
    """The numbers as JSON, the tables as Markdown beside them and on their page, and all studies at a glance."""
    from benchmarks.glance import EARLIER, QUESTIONS, glance, measured
    from slim_core.evaluation.study.text import to_json

    name, text = result.spec["name"], page_text(result)
    plain = to_json(result)
    for entry in plain["entries"]:
        entry.pop("groups", None)  # two thirds of the file; they are in the store
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"accuracy-{name}.json").write_text(json.dumps({"claims": claims(result), **plain}, indent=1) + "\n")
    (RESULTS / f"accuracy-{name}.md").write_text(text)
    put_into(page_of(name), name, text)
    cells = measured(RESULTS)
    put_into(PAGE, "glance", glance(cells, QUESTIONS))
    put_into(EARLIER_PAGE, "glance", glance(cells, EARLIER))
    put_into(README, "glance", glance(cells, QUESTIONS, "docs/benchmark.md"))


def page_of(name: str) -> Path:
    """The page with the tables of a study."""
    from benchmarks.glance import EARLIER

    return EARLIER_PAGE if name in EARLIER else PAGE


def page_text(result) -> str:
    """What was computed, the claims, and every table, in Markdown."""
    from slim_core.evaluation.study.text import facts, to_markdown

    about = f"{'; '.join(facts(result))}. `python -m benchmarks.accuracy {result.spec['name']}`"
    return f"{about}\n\n{claims_table(result)}\n{to_markdown(result)}"


def put_into(page: Path, name: str, text: str) -> None:
    """Replace what stands between the marks of a study, where the page has them."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    old = page.read_text() if page.exists() else ""
    if begin in old:
        between = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        page.write_text(between.sub(lambda _match: f"{begin}\n\n{text}\n{end}", old))


def claims(result) -> list[dict]:
    """Each claim of the method the study is about, what was measured, and whether it holds; of methods it has.

    ``measured`` and ``holds`` are of the plain interval; ``corrected`` and ``holds_corrected`` of the corrected one, or
    None where there is none.
    """
    over, table = result.over_sets, result.table
    measured = over.dropna(subset=["minus_mean"])
    found = [_above(measured, name) for name in BEATEN if name in set(measured["method"])]
    by_groups = over[over["labels_used"].str.contains("groups") & (over["n"] > 0)]
    if len(by_groups):
        found.append(_near_groups(by_groups))
    outside = [name for name in result.sets if name not in result.sets_in_mean]
    found += [_no_harm(table[table["set"] == name], name) for name in outside]
    return [claim for claim in found if claim]


def _above(over, method: str) -> dict:
    row = over[over["method"] == method].iloc[0]
    return _judged(row, f"above {method}, mean over sets", lambda low: low > 0)


def _near_groups(by_groups) -> dict:
    best = by_groups.loc[by_groups["wga_mean"].idxmax()]
    what = f"not more than 3 points below the best method that uses group labels ({best['label']}), mean over sets"
    return _not_worse(best, what, MOST_BELOW_GROUPS)


def _no_harm(table, name: str) -> dict | None:
    reference = table[table["method"] == REFERENCE]
    if reference.empty:
        return None
    return _not_worse(reference.iloc[0], f"not more than 1 point below {REFERENCE} on {name}", MOST_HARM)


def _not_worse(row, what: str, margin: float) -> dict:
    """Non-inferiority: the whole interval lies above the margin, as that of a gain lies above 0."""
    return _judged(row, what, lambda low: low >= -margin)


def _judged(row, claim: str, holds: Callable[[float], bool]) -> dict:
    from slim_core.formatting import interval, points

    plain = interval(row["minus_low"], row["minus_high"], "+")
    found = {
        "claim": claim,
        "measured": f"{points(row['minus_mean'])} ({plain})",
        "holds": bool(holds(row["minus_low"])),
    }
    low, high = row["minus_corrected_low"], row["minus_corrected_high"]
    if low != low:
        return {**found, "corrected": None, "holds_corrected": None}
    return {**found, "corrected": interval(low, high, "+"), "holds_corrected": bool(holds(low))}


def claims_table(result) -> str:
    """The claims as Markdown; each holds by its corrected interval where there is one."""
    from slim_core.formatting import UNKNOWN

    found = claims(result)
    by = ", by the corrected interval" if any(claim["corrected"] for claim in found) else ""
    lines = [f"| {result.against} is | measured, points | corrected interval | holds{by} |", "|---|---|---|---|"]
    for claim in found:
        holds = claim["holds_corrected"] if claim["corrected"] else claim["holds"]
        corrected = claim["corrected"] or UNKNOWN
        lines.append(f"| {claim['claim']} | {claim['measured']} | {corrected} | {'yes' if holds else '**no**'} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
