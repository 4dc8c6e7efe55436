"""The studies: which methods are compared on which data sets, with which seeds, annotators and settings.

A study is announced here before it is computed: no setting was chosen on a seed that is reported (docs/benchmark.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import benchmarks.methods  # noqa: F401 (registers the ablations)
from benchmarks.accuracy.earlier import EARLIER, USED_ANSWERS
from slim_core.runs.methods import METHODS


@dataclass(frozen=True)
class StudySet:
    """One data set of a study: a demo set, drawn anew for each seed, or a folder."""

    name: str  # in tables
    demo: str = ""  # name of the demo set
    parameters: Mapping[str, Any] = field(default_factory=dict)  # of the demo set
    folder: str = ""
    loop: Mapping[str, Any] = field(default_factory=dict)  # fields of LoopConfig
    train_by_method: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # over loop["train"]: its authors'
    in_mean: bool = True  # no: a set without a shortcut


@dataclass(frozen=True)
class Annotator:
    """A simulated annotator."""

    name: str
    flip: float = 0.0  # share of the answers that is incorrect
    unsure: float = 0.0  # share of the answers withheld


@dataclass(frozen=True)
class Case:
    """One method on one set and seed; of those that use answers, with one annotator."""

    set: str
    seed: int
    method: str
    annotator: str = ""  # "": nobody is asked


@dataclass(frozen=True)
class Study:
    """Every combination of sets, methods and seeds; for methods that use answers also of annotators."""

    name: str
    question: str  # for the row of the table of all studies
    sets: tuple[StudySet, ...]
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    annotators: tuple[Annotator, ...] = (Annotator("perfect"),)
    varied: tuple[str, ...] = ()  # the methods that further annotators are for
    answers: float = 0.03  # share of the training images asked about
    draws: int = 1  # of what chance decides on one reference: images asked about, clusters, picks; their mean counts

    def cases(self) -> Iterator[Case]:
        """Seed after seed: of an interrupted study whole seeds are there first."""
        for seed in self.seeds:
            for one in self.sets:
                yield from (
                    Case(one.name, seed, method, annotator)
                    for method in self.methods
                    for annotator in self._asked(method)
                )

    def _asked(self, method: str) -> tuple[str, ...]:
        uses_answers = method in USED_ANSWERS if method in EARLIER else METHODS[method].uses_answers
        if not uses_answers:
            return ("",)
        names = tuple(one.name for one in self.annotators)
        return names if method in self.varied else names[:1]


PERFECT_AND_CARELESS = (Annotator("perfect"), Annotator("5 % wrong, 25 % unsure", flip=0.05, unsure=0.25))

_LAST_LAYERS = {
    "model": "slim_core.models.efficientnet_lite:lite0",
    "train": {"image_size": 160},
    "frozen": True,
    "size": 800,
    "options": {"environments": "both"},
}
_SIZE = {"size": 160, "train": 1600, "val": 400, "test": 1000}
_IN_VALIDATION_TOO = {**_SIZE, "correlation": 0.95, "val_correlation": 0.95}
_FOODS = {"theme": "foods-tools"}

# Photographed birds and mammals, cut out, on photographs of shores and woods: the nearest to Waterbirds that comes
# without a download. Objects and photographs were taken by what they show before a network saw them.
_CUTOUTS = StudySet(
    "photographs, 95 %, validation too",
    demo="cutouts",
    parameters={"source": "var/photographs", **_IN_VALIDATION_TOO},
    loop=_LAST_LAYERS,
)
PHOTOGRAPHS = Study(
    "photographs",
    "last layers; photographed animals on photographs, on which nothing was chosen; either validation",
    sets=(
        _CUTOUTS,
        replace(
            _CUTOUTS,
            name="photographs, 95 %",
            parameters={"source": "var/photographs", **_SIZE, "correlation": 0.95},
        ),
        replace(
            _CUTOUTS,
            name="photographs without a shortcut",
            parameters={"source": "var/photographs", **_SIZE, "correlation": 0.5},
            in_mean=False,
        ),
    ),
    methods=(
        *("erm", "jtt", "afr-train-fifth", "xrm-train", "class-balanced-last-layer"),
        *("random", "class-balanced-subset", "slim-reference", "slim-once", "slim-no-answers", "slim-all-wrong"),
        *("slim-no-answers-on-validation", "slim-subset-only", "slim", "slim-on-validation", "oracle", "dfr"),
    ),
    seeds=tuple(range(100, 110)),
    annotators=PERFECT_AND_CARELESS,
    varied=("slim-subset-only", "slim"),
)

# What answers are worth where luck is averaged out: which 3 % of the images people are asked about, the clusters and
# the picks are drawn five times of each data set and reference, for the difference between two subsets is small.
_PICTURES = StudySet("pictures, 95 %, validation too", "pictures", _IN_VALIDATION_TOO, loop=_LAST_LAYERS)
DRAWS = Study(
    "draws",
    "last layers; validation has the shortcut; mean of five draws of questions and subsets",
    sets=(
        _PICTURES,
        replace(_PICTURES, name="stickers, 95 %, validation too", demo="stickers"),
        replace(_PICTURES, name="foods and tools, 95 %, validation too", parameters={**_IN_VALIDATION_TOO, **_FOODS}),
        replace(
            _PICTURES,
            name="stickers on foods and tools, 95 %, validation too",
            demo="stickers",
            parameters={**_IN_VALIDATION_TOO, **_FOODS},
        ),
        replace(
            _PICTURES,
            name="pictures without a shortcut",
            parameters={**_IN_VALIDATION_TOO, "correlation": 0.5, "val_correlation": 0.5},
            in_mean=False,
        ),
    ),
    methods=("erm", "jtt", "random", "slim-no-answers", "slim-all-wrong", "slim-subset-only", "slim"),
    seeds=tuple(range(130, 136)),
    annotators=PERFECT_AND_CARELESS,
    varied=("slim-subset-only", "slim"),
    draws=5,
)

# A shortcut of one class alone, as the colour charts that lie beside harmless moles and never beside a melanoma: no
# image tells by itself that the sticker is not the class, and no group of classes and stickers can be balanced.
_CHARTS = StudySet(
    "animals and vehicles, a chart beside vehicles", "charts", {**_SIZE, "correlation": 0.9}, loop=_LAST_LAYERS
)
CHARTS = Study(
    "charts",
    "last layers; the shortcut belongs to one class only",
    sets=(
        _CHARTS,
        replace(
            _CHARTS,
            name="foods and tools, a chart beside tools",
            parameters={**_SIZE, "correlation": 0.9, **_FOODS},
        ),
    ),
    methods=(
        *("erm", "jtt", "afr-train-fifth", "xrm-train", "class-balanced-last-layer", "random"),
        *("slim-reference", "slim-once", "slim-no-answers", "slim-all-wrong", "slim-subset-only", "slim"),
        *("oracle", "dfr"),
    ),
    seeds=tuple(range(90, 100)),
    annotators=PERFECT_AND_CARELESS,
    varied=("slim-subset-only", "slim"),
    answers=0.029,  # 46 of 1,600
)

# Whole networks beside the methods that train them.
_WHOLE = {
    # At chance for up to 40 epochs: no shorter patience.
    "train": {"image_size": 48, "patience": 30},
    "size": 640,
    "reference_epochs": 5,
    "converged": True,
    "options": {"environments": "both"},
}
_SMALL = {"train": 1600, "val": 400, "test": 1000, "size": 48}
BASELINES = Study(
    "baselines",
    "whole networks, classes balanced twice; beside methods that train a network",
    sets=tuple(StudySet(name, name, _SMALL, loop=_WHOLE) for name in ("digits", "three-by-three", "patch")),
    methods=(
        *("erm", "class-balanced", "afr-train-fifth", "self-train-fifth", "cnc", "slim-no-answers", "slim"),
        *("subg", "group-dro", "dfr", "dfr-train-fifth"),
    ),
    seeds=tuple(range(140, 145)),
)

REPORTED = {one.name: one for one in (PHOTOGRAPHS, DRAWS, CHARTS, BASELINES)}  # in the order of the page


def _published(name: str, folder: str, weight_decay: float, answers: float) -> Study:
    """A data set of the literature, where it lies; GroupDRO and JTT train as their authors do (docs/reproduce.md)."""
    authors = {"lr": 1e-5, "weight_decay": weight_decay}
    loop = {"model": "resnet50", "converged": True}
    return Study(
        name,
        "whole networks, a data set of the literature",
        sets=(StudySet(name, folder=folder, loop=loop, train_by_method={"group-dro": authors, "jtt": authors}),),
        methods=("erm", "jtt", "random", "slim-no-answers", "slim", "group-dro", "dfr"),
        seeds=tuple(range(10, 15)),
        annotators=PERFECT_AND_CARELESS,
        varied=("slim",),
        answers=answers,
    )


WATERBIRDS = _published("waterbirds", "/data/waterbird_complete95_forest2water2", 1.0, 0.03)
CELEBA = _published("celeba", "/data/celeba", 0.1, 0.001)  # 162 of 162,770 images, as each class is rounded down

STUDIES = {**REPORTED, **{one.name: one for one in (WATERBIRDS, CELEBA)}}
