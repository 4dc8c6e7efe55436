"""Options and specs of the command line: absurd numbers, foreign ids, letters that steer terminals and shells."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from hypothesis import strategies as st

from benchmarks.hostile.case import Case, Expected, Outcome
from benchmarks.hostile.clients import slim
from benchmarks.hostile.drawn import drawn
from benchmarks.hostile.studio import Results, Studio

DRAWN = 40
HUGE = "1" + "0" * 20
NUMBERS = ("nan", "inf", "-inf", "1e309", "-1", HUGE, "x", "")  # none of them is a count
TRAIN = {
    "--epochs": (*NUMBERS, "0"),
    "--batch-size": (*NUMBERS, "0"),
    "--lr": ("nan", "inf", "-1", "0", "1e308", "x"),
    "--weight-decay": ("nan", "inf", "-1", "x"),
    "--seed": ("-1", "4294967296", "1.5", "nan"),
    "--image-size": ("0", "7", "1025", HUGE),
    "--mean": ("1", "a,b,c", "nan,nan,nan", "1,2,3,4"),
    "--std": ("0,0,0", "-1,1,1", "inf,1,1"),
    "--device": ("gpu", "cuda:99", "meta", "mps", "; rm -rf /", ""),
    "--model": ("", "nope", "../resnet18", "os:system", "timm:", "timm:../x", "torch.hub:load", "x" * 5_000),
    "--data": ("", "nope", "/etc", "d-nothing000", "' OR 1=1 --", "n" * 5_000, "../outside"),
    "--subset": ("nope", "r-nothing000", "../x", ""),
    "--objective": ("nope", ""),
    "--objective-option": ("x", "a=b=c", "=1"),
    "--priority": ("x", HUGE),
}


def cases(studio: Studio, seed: int) -> list[Case]:
    """Each a command that can only be refused, but for a few."""
    return [*_train_options(studio), *_commands(studio.results), *_specs(studio.results), *_drawn(seed)]


def _train_options(studio: Studio) -> list[Case]:
    start = ("train", "--data", studio.results.dataset, "--model", "small-resnet", "--epochs", "1")
    return [
        _case(f"train {option} {value[:40]!r}", [*start, f"{option}={value}"])
        for option, values in TRAIN.items()
        for value in values
    ]


def _commands(at: Results) -> list[Case]:
    refused: list[tuple[str, ...]] = [
        ("gradcam", "--model", at.space),
        ("gradcam", "--model", "../../x"),
        ("gradcam", "--model", at.model, "--splits", "north"),
        ("gradcam", "--model", at.model, "--splits", ""),
        ("gradcam", "--model", at.model, "--batch-size", "0"),
        ("gradcam", "--model", at.model, "--target-layer", "__class__.__init__"),
        ("gradcam", "--model", at.model, "--class-of-map", "99"),
        ("gradcam", "--model", at.model, "--method", "nope"),
        ("features", "--model", at.campaign),
        ("space", "--attention", at.model),
        ("space", "--attention", at.attention, "--n-neighbors", "1"),
        ("space", "--attention", at.attention, "--n-neighbors", HUGE),
        ("space", "--attention", at.attention, "--min-dist", "nan"),
        ("space", "--attention", at.attention, "--min-dist", "1"),
        ("candidates", "--space", at.model),
        ("candidates", "--space", at.space, "--name", " "),
        ("candidates", "--space", at.space, "--csv", "missing/x.csv"),
        ("candidates", "--space", at.space, "--seed", "-1"),
        ("answer", "--campaign", at.space),
        ("answer", "--campaign", at.campaign, "--from-masks", "--flip", "nan"),
        ("answer", "--campaign", at.campaign, "--from-masks", "--flip", "2"),
        ("answer", "--campaign", at.campaign, "--from-masks", "--flip", "0.7", "--unsure", "0.7"),
        ("curate", "--campaign", "c-nothing000"),
        ("curate", "--campaign", at.campaign, "--size", "1"),
        ("curate", "--campaign", at.campaign, "--size", "0"),
        ("curate", "--campaign", at.campaign, "--strategy", "nope"),
        ("curate", "--campaign", at.campaign, "--option", "x"),
        ("curate", "--campaign", at.campaign, "--option", "max_repeats=1000000000"),
        ("curate", "--campaign", at.campaign, "--gammas", "0"),
        ("curate", "--campaign", at.campaign, "--gammas", "nan,nan"),
        ("evaluate", "--model", at.subset),
        ("evaluate", "--model", at.model, "--split", "north"),
        ("evaluate", "--model", at.model, "--json", "missing/x.json"),
        ("compare", "--data", "nope"),
        ("compare", "--json", "."),
        ("compare", "--html", "n" * 5_000),
        ("runs", "--limit", "0"),
        ("runs", "--limit", HUGE),
        ("demo-data", "made", "--train", HUGE),
        ("demo-data", "made", "--train", "-1"),
        ("demo-data", "made", "--size", "0"),
        ("demo-data", "made", "--set", "nope"),
        ("demo-data", "n" * 5_000, "--train", "10"),
        ("demo-data", "demo/metadata.csv/x", "--train", "10"),
        ("members", "set", "nobody", "admin"),
        ("members", "set", "a@b", "emperor"),
        ("members", "set", "[/]@x.org", "king"),
        ("members", "remove", "nobody@x.org"),
        ("export", "nope", "subset-csv", "out"),
        ("export", at.subset, "nope", "out"),
        ("export", at.model, "subset-csv", "out"),
        ("export", at.subset, "subset-csv", "demo"),
        ("answers", "export", "x.exe"),
        ("answers", "import", "missing.csv"),
        ("answers", "import", "/dev/zero"),
        ("answers", "import", "demo"),
        ("backup", "missing/x.zip"),
        ("restore", "missing.zip"),
        ("restore", "demo/metadata.csv"),
        ("inspect", ""),
        ("inspect", "os:system"),
        ("inspect", "small-resnet", "--image-size", HUGE),
        ("preview", "--model", at.model, "--images", "0"),
        ("data-diff", "nope"),
        ("data-diff", at.dataset, "nope"),
        ("import", "demo", "--format", "nope"),
        ("import", "demo", "--option", "x"),
        ("import", "demo", "--option", "nope=1"),
        ("import", "demo", "--leave-out", "everything"),
        ("import", "demo", "--json", "missing/x.json"),
        ("run", "--data", at.dataset, "--flip", "nan"),
        ("run", "--data", at.dataset, "--seeds", "0,x"),
        ("run", "--data", at.dataset, "--seeds", ""),
        ("run", "--data", at.dataset, "--methods", "magic"),
        ("run", "--data", at.dataset, "--answers", "2"),
        ("run", "--data", at.dataset, "--size", "1"),
        ("run", "--data", at.dataset, "--json", "missing/x.json"),
        ("run", "--data", at.dataset, "--device", "nope"),
        ("no-such-command",),
        ("train", "--no-such-option"),
        ("--help", "--nope"),
    ]
    return [_case(" ".join(words)[:100], words) for words in refused]


def _specs(at: Results) -> list[Case]:
    """Each as ``slim submit --spec -``."""
    good = {"kind": "train", "dataset": at.dataset, "model": "small-resnet", "epochs": 1}
    texts: dict[str, str] = {
        "nothing": "",
        "a list": "[]",
        "a number": "5",
        "null": "null",
        "no kind": "{}",
        "lists in lists": "[" * 200_000 + "]" * 200_000,
        "objects in objects": '{"a":' * 50_000 + "1" + "}" * 50_000,
        "5,000 digits": '{"kind": ' + "9" * 5_000 + "}",
        "20 MB": json.dumps(good | {"name": "x" * 20_000_000}),
        "NaN": '{"kind": "train", "lr": NaN}',
        "half a letter": '{"kind": "\\ud800"}',
        "a doubled key": '{"kind": "evaluate", "kind": "nope"}',
    }
    texts |= {
        f"{name}={value!r}"[:60]: json.dumps(good | {name: value})
        for name, value in [
            ("kind", "../train"),
            ("kind", []),
            ("kind", {}),
            ("dataset", 5),
            ("dataset", None),
            ("dataset", "../x"),
            ("epochs", "1; ls"),
            ("epochs", [1]),
            ("epochs", 10**400),
            ("seed", -1),
            ("seed", 2**40),
            ("lr", "fast"),
            ("lr", {}),
            ("model", {"a": 1}),
            ("model", "x:y"),
            ("subset", 5),
            ("mean", [1, 2]),
            ("mean", "abc"),
            ("std", [0, 0, 0]),
            ("nonsense", 1),
            ("checkpoint", 5),
            ("checkpoint", "/etc/shadow"),
            ("objective_options", []),
            ("objective", "__import__('os')"),
        ]
    }
    odd = {"true as 1": good | {"epochs": True}}
    made = [_case(f"spec: {name}", ("submit", "--spec", "-"), stdin=text.encode()) for name, text in texts.items()]
    return made + [
        _case(f"spec: {name}", ("submit", "--spec", "-"), stdin=json.dumps(spec).encode(), expected="accepted")
        for name, spec in odd.items()
    ]


def _drawn(seed: int) -> list[Case]:
    word = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), max_size=30)
    junk = st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), word),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(word, inner, max_size=3),
    )
    fields = st.dictionaries(st.sampled_from(["dataset", "model", "epochs", "lr", "mean", "seed"]), junk, min_size=2)
    specs = drawn(fields.map(lambda given: {"kind": "train"} | given), DRAWN // 2, of_seed=seed)
    words = drawn(word, DRAWN // 2, of_seed=seed)
    made = [
        _case(f"drawn spec {i}", ("submit", "--spec", "-"), stdin=json.dumps(spec).encode(), is_drawn=True)
        for i, spec in enumerate(specs)
    ]
    options = ("--data", "--model", "--subset", "--objective")
    made += [
        _case(f"drawn {option} {text!r}", ("train", f"{option}={text}", "--epochs=0"), is_drawn=True)
        for text, option in zip(words, options * DRAWN, strict=False)
    ]
    return made


def _case(
    name: str, words: Sequence[str], *, stdin: bytes = b"", expected: Expected = "refused", is_drawn: bool = False
) -> Case:
    return Case(name, _sending(words, stdin), expected, drawn=is_drawn)


def _sending(words: Sequence[str], stdin: bytes) -> Callable[[Studio], Outcome]:
    return lambda studio: slim(studio, *words, stdin=stdin)
