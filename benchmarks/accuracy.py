"""Does it work? Worst-group accuracy on the demo data, SLIM beside its baselines, every seed shown.

    python -m benchmarks.accuracy --seeds 0,1,2,3,4 --json benchmarks/results/accuracy.json

Each seed is a data set, a reference model, a campaign and subsets of its own; every subset has the same size
and is retrained the same way. "slim, noisy answers" is SLIM with 10 % of the answers turned round and 10 % withheld;
"erm, as long as slim" trains the reference on for as many images as SLIM's reference and retraining see together.
Finished runs are found again under --home, so that an interrupted benchmark goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from dataclasses import replace
from pathlib import Path

NOISY = "slim, noisy answers"
LONGER = "erm, as long as slim"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--home", default="var/benchmarks/accuracy", help="where data and runs are kept")
    parser.add_argument("--correlation", type=float, default=0.9, help="of label and photograph in train")
    parser.add_argument("--answers", type=float, default=0.03, help="share of the training images asked about")
    parser.add_argument("--retrain", default="reference", choices=("reference", "scratch", "last-layer"))
    parser.add_argument("--json", type=Path, help="write the result here, and a table beside it")
    args = parser.parse_args()
    os.environ["SLIM_HOME"] = args.home
    result = measure(args)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(result, indent=1) + "\n")
        args.json.with_suffix(".md").write_text(report(result))
    print(report(result))
    print(json.dumps(result["summary"]))


def measure(args: argparse.Namespace) -> dict:
    """All methods on all seeds, and what the differences are."""
    seeds = [int(seed) for seed in args.seeds.split(",")]
    methods: dict[str, list[dict]] = {}
    for seed in seeds:
        for method, entry in one_seed(seed, args):
            methods.setdefault(method, []).append(entry)
            print(f"seed {seed}  {method:20s} WGA {entry['wga']:.3f}  average {entry['average']:.3f}", flush=True)
    settings = {key: value for key, value in vars(args).items() if key not in ("json", "home")}
    return {"settings": settings, "summary": summary(methods), "methods": methods}


def one_seed(seed: int, args: argparse.Namespace):
    """(method, its entry of `slim run --json`), for every method."""
    from slim_core import api
    from slim_core.data.sets.digits import DemoConfig, write_demo
    from slim_core.runs.executor import open_workbench
    from slim_core.runs.methods import USUAL
    from slim_core.runs.whole_loop import Loop, LoopConfig

    folder = Path(args.home) / f"demo-{seed}-{args.correlation}"
    write_demo(folder, DemoConfig(seed=seed, correlation=args.correlation))
    at = open_workbench()
    config = LoopConfig(
        dataset=api.data_set(str(folder), at=at).id, seed=seed, answers=args.answers, retrain=args.retrain
    )
    loop = Loop(at, config)
    for method in USUAL:
        yield method, loop.outcome(method).to_json()
    yield NOISY, Loop(at, replace(config, flip=0.1, unsure=0.1)).outcome("slim").to_json()
    yield LONGER, Loop(at, replace(config, train={"epochs": epochs_of_both(loop)})).outcome("erm").to_json()


def epochs_of_both(loop) -> int:
    """Epochs over all of train that show as many images as SLIM's reference and its retraining together."""
    subset = loop.subset("slim")
    seen = loop.retrained(subset).spec["epochs"] * subset.metrics["images"]
    return loop.reference.spec["epochs"] + math.ceil(seen / len(loop.table.rows("train")))


def summary(methods: dict[str, list[dict]]) -> dict:
    """Means, and SLIM's paired differences with 95 % intervals over the seeds."""
    from slim_core.metrics import paired_difference

    wga = {method: [entry["wga"] for entry in entries] for method, entries in methods.items()}
    mean = {method: sum(values) / len(values) for method, values in wga.items()}
    minus = {method: paired_difference(wga["slim"], values) for method, values in wga.items() if method != "slim"}
    return {"wga_mean": mean, "slim_minus": minus}


def report(result: dict) -> str:
    """A Markdown table: a row a method, a column a seed."""
    methods, summed = result["methods"], result["summary"]
    seeds = [entry["seed"] for entry in methods["erm"]]
    settings = ", ".join(f"{key} {value}" for key, value in result["settings"].items())
    lines = [
        f"Worst-group accuracy on the test split of the demo data, % ({settings}).",
        "",
        "| method | "
        + " | ".join(f"seed {seed}" for seed in seeds)
        + " | mean | slim minus it, points (95 %) | images | answers |",
        "|---" * (len(seeds) + 5) + "|",
    ]
    for method, entries in methods.items():
        values = " | ".join(f"{100 * entry['wga']:.1f}" for entry in entries)
        gap = summed["slim_minus"].get(method)
        words = f"{100 * gap['mean']:+.1f} ({100 * gap['low']:+.1f} to {100 * gap['high']:+.1f})" if gap else ""
        last = entries[-1]
        lines.append(
            f"| {method} | {values} | {100 * summed['wga_mean'][method]:.1f} | {words} | {last['images']} "
            f"| {last['answers']} ({last['answers_share']:.1%}) |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
