"""The cases of a study: each combination that has one number, in the order in which they are computed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slim_core.runs.methods import METHODS
from slim_core.runs.study.spec import Annotator, Study, StudySet


@dataclass(frozen=True)
class Case:
    """One method on one set and seed; of those that use answers, with one annotator and share."""

    set: str
    seed: int
    method: str
    annotator: str = ""  # "": nobody is asked
    answers: float = 0.0  # share asked about, at most

    @property
    def key(self) -> str:
        """Its name inside its study."""
        asked = f" {self.annotator} {self.answers:g}" if self.annotator else ""
        return f"{self.set} {self.seed} {self.method}{asked}"


@dataclass(frozen=True)
class Unit:
    """The cases of one set and seed: they share their data and their reference, and units share nothing."""

    set: StudySet
    seed: int
    cases: tuple[Case, ...]


def units(study: Study) -> list[Unit]:
    """Every unit, seed after seed: an interrupted study has whole seeds first."""
    return [
        Unit(one, seed, tuple(dict.fromkeys(_cases(study, one.called, seed))))
        for seed in study.seeds
        for one in study.sets
    ]


def cases(study: Study) -> list[Case]:
    """Every case."""
    return [case for unit in units(study) for case in unit.cases]


def _cases(study: Study, set_name: str, seed: int) -> Iterator[Case]:
    for method in study.methods:
        if not METHODS[method].uses_answers:
            yield Case(set_name, seed, method)
            continue
        is_varied = not study.varied or method in study.varied
        for annotator in study.annotators if is_varied else study.annotators[:1]:
            yield Case(set_name, seed, method, annotator.name, study.answers)
    for method in study.varied or (study.against,):
        yield from _on_curve(study, set_name, seed, method, study.annotators[0])


def _on_curve(study: Study, set_name: str, seed: int, method: str, annotator: Annotator) -> Iterator[Case]:
    """Of no answers at all there is a method of its own."""
    for share in study.curve:
        if share > 0 and METHODS[method].uses_answers:
            yield Case(set_name, seed, method, annotator.name, share)
        elif share == 0 and METHODS[method].unanswered:
            yield Case(set_name, seed, str(METHODS[method].unanswered))
