"""What a study asks for: one YAML file, checked when it is read. Light: no torch, no store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import Field, field_validator, model_validator

from slim_core.curation import check_options
from slim_core.curation.options import SLIM
from slim_core.data.names import OVER_SETS, of_set
from slim_core.data.sets import SETS, make_set
from slim_core.errors import SpecRefusedError
from slim_core.parameters import Display, PublicConfig
from slim_core.runs.loop_runs import LoopConfig
from slim_core.runs.methods import METHODS, require_known
from slim_core.runs.refits import check_refit_options
from slim_core.runs.retraining import Retrain
from slim_core.steps.specs import Option

MOST_SEEDS, MOST_DRAWS = 1000, 100


class StudySet(PublicConfig):
    """One of the data sets: a demo set, drawn anew for each seed, or a folder or registered data set."""

    set: str | None = Field(default=None, description="Name of a demo set.")
    data: str | None = Field(default=None, description="A folder, or the name or id of a registered data set.")
    format: str | None = Field(default=None, description="Format of the folder; default: detected.")
    options: dict[str, str] = Field(default_factory=dict, description="Of the import.")
    name: str = Field(default="", description="Name in tables; default: that of the set or folder.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="Of the demo set, such as correlation.")
    model: str | None = Field(default=None, description="Default: proposed for the data.")
    train: dict[str, Any] = Field(default_factory=dict, description="Fields of every training, such as epochs.")
    train_by_method: Annotated[dict[str, dict[str, Any]], Display(added_later=True)] = Field(
        default_factory=dict,
        description="Method -> fields of all trainings it rests on, over those of train: its authors' learning rate.",
    )
    refit_by_method: Annotated[dict[str, dict[str, Any]], Display(added_later=True)] = Field(
        default_factory=dict,
        description="Method that refits the last layer -> options of its refit: the grid of its authors.",
    )
    reference_epochs: int | None = Field(default=None, ge=1, description="Of the reference; default: its recipe's.")
    retrain: Retrain = Field(default="reference", description="What every subset is retrained from.")
    frozen: Annotated[bool, Display(added_later=True)] = Field(
        default=False, description="Only last layers of the pretrained network are trained."
    )
    maps_on_test: Annotated[bool, Display(added_later=True)] = Field(
        default=False, description="Of last layers: evaluate by the images, with their attention, not by kept features."
    )
    size: int | None = Field(default=None, ge=1, description="Images of every subset; default: a share of train.")
    curation: dict[str, Option] = Field(default_factory=dict, description="Options of the strategies that use answers.")
    in_mean: bool = Field(default=True, description="Whether it counts in the mean over sets.")

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, given: Any) -> Any:
        return {"set": given} if isinstance(given, str) else given

    @model_validator(mode="before")
    @classmethod
    def _name_where_one_is(cls, given: Any) -> Any:
        """A folder that is named by where it is seen from, such as ".", is another one elsewhere."""
        if isinstance(given, dict) and given.get("data") and not given.get("name"):
            folder = Path(str(given["data"]))
            return given | {"name": folder.resolve().name} if folder.name in ("", "..") else given
        return given

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if (self.set is None) == (self.data is None):
            raise SpecRefusedError(
                f"A set of a study is a demo set or data: give set (one of {', '.join(SETS)}) or data (a folder)."
            )
        if self.set is not None:
            make_set(self.set, **self.parameters)  # refuses what the set does not know
            if "seed" in self.parameters:
                raise SpecRefusedError(f"The set {self.set} has a seed of its own: the study's seeds are its seeds.")
        elif self.parameters:
            raise SpecRefusedError(f"{self.data} is data, which has no parameters: leave parameters out.")
        return self

    @model_validator(mode="after")
    def _check_before_any_work(self) -> Self:
        if self.maps_on_test and not self.frozen:
            raise SpecRefusedError(
                f"The set {self.called} has maps_on_test, which is of last layers (frozen: true): leave it out, whole "
                f"networks are always evaluated by the images."
            )
        known = {} if self.model is None else {"model": self.model, "frozen": self.frozen}
        try:
            for train in (self.train, *map(self.train_of, self.train_by_method)):
                LoopConfig(dataset=self.called, train=train, **known)
            check_options(SLIM, self.curation)
        except SpecRefusedError as error:
            raise SpecRefusedError(f"The set {self.called} cannot be computed. {error}") from error
        return self

    @property
    def called(self) -> str:
        """Its name in tables."""
        return of_set(self.name, self.set, self.data)

    def train_of(self, method: str) -> dict[str, Any]:
        """Fields of every training that a method rests on."""
        return {**self.train, **self.train_by_method.get(method, {})}

    def is_set_apart(self, method: str) -> bool:
        """Whether the runs of a method are by settings of its own."""
        return method in self.train_by_method or method in self.refit_by_method


class Annotator(PublicConfig):
    """A simulated annotator."""

    name: str = "perfect"
    flip: float = Field(default=0.0, ge=0, le=1, description="Share of the answers that is incorrect.")
    unsure: float = Field(default=0.0, ge=0, le=1, description="Share of the answers withheld (unsure).")

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, given: Any) -> Any:
        return {"name": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _check_shares(self) -> Self:
        if self.flip + self.unsure > 1:
            raise SpecRefusedError(
                f"The annotator {self.name} has flip {self.flip} and unsure {self.unsure}: they add up to at most 1."
            )
        return self


class Study(PublicConfig):
    """Every combination of sets, methods and seeds; for methods that use answers also of annotators."""

    name: str = Field(min_length=1, max_length=200)
    sets: tuple[StudySet, ...]
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    annotators: tuple[Annotator, ...] = (Annotator(),)
    converged: bool = Field(
        default=False,
        description="Retrain from a converged ERM; the reference, whose attention is annotated, stays as it is.",
    )
    answers: float = Field(default=0.03, gt=0, le=1, description="Share of the training images asked about.")
    draws: Annotated[int, Display(added_later=True)] = Field(
        default=1,
        ge=1,
        le=MOST_DRAWS,
        description="Draws of what chance decides on one reference: images asked about, clusters, picks and "
        "retraining; a method that has any counts with the mean over them.",
    )
    curve: tuple[float, ...] = Field(
        default=(), description="Further shares, for worst-group accuracy against answers; of the first annotator."
    )
    varied: tuple[str, ...] = Field(
        default=(),
        description="The only methods that further annotators and shares are for; default: further annotators for all "
        "methods that use answers, further shares for ``against``.",
    )
    against: str = Field(default="slim", description="The method whose difference to each other one is given.")
    bands: dict[str, tuple[float, float]] = Field(
        default_factory=dict,
        description="Method -> lowest and highest mean worst-group accuracy (0..1) known from others; outside it, the "
        "set-up differs from theirs and no claim holds.",
    )

    @field_validator("seeds", mode="before")
    @classmethod
    def _ranges(cls, given: Any) -> Any:
        """ "0-4" is 0, 1, 2, 3, 4."""
        return tuple(_range(given)) if isinstance(given, str) else given

    @field_validator("sets", "methods", "seeds", "annotators")
    @classmethod
    def _check_not_empty(cls, given: tuple[Any, ...]) -> tuple[Any, ...]:
        if not given:
            raise ValueError("an empty list; name at least one")
        return given

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        require_known((*self.methods, *self.varied, self.against, *self.bands))
        if self.against not in self.methods:
            raise SpecRefusedError(
                f"{self.against} is measured against, but is not among the methods: add it, or name one of them as "
                f"against."
            )
        refits = {name: refit for name in self.methods if (refit := METHODS[name].refit)}
        for one in self.sets:
            self._check_among("train_by_method", one.train_by_method, self.methods, "methods")
            self._check_among("refit_by_method", one.refit_by_method, refits, "methods that refit a last layer")
            for method, options in one.refit_by_method.items():
                check_refit_options(refits[method], options)
        self._check_once("set", [one.called for one in self.sets])
        if mistaken := [one.called for one in self.sets if one.called.casefold() == OVER_SETS]:
            raise SpecRefusedError(
                f"A set is called {mistaken[0]!r}, as the table of all sets is: give it another name in the study."
            )
        self._check_once("method", list(self.methods))
        self._check_once("seed", list(self.seeds))
        self._check_once("annotator", [one.name for one in self.annotators])
        if outside := [share for share in self.curve if not 0 <= share <= 1]:
            raise SpecRefusedError(f"The curve has the share {outside[0]}: give shares from 0 to 1, such as 0.01.")
        if outside := [seed for seed in self.seeds if not 0 <= seed < 2**32]:
            raise SpecRefusedError(f"The seeds hold {outside[0]}: give 0 to {2**32 - 1}.")
        return self

    @staticmethod
    def _check_among(field: str, given: Iterable[str], methods: Iterable[str], what: str) -> None:
        """``what``: which methods of the study these are, that the field can name."""
        if unknown := [method for method in given if method not in methods]:
            known = ", ".join(methods)
            advice = f"choose among {known}" if known else "leave it out"
            raise SpecRefusedError(f"{field} names {unknown[0]!r}, which is not among the {what}: {advice}.")

    @staticmethod
    def _check_once(what: str, names: list[Any]) -> None:
        if twice := [name for place, name in enumerate(names) if name in names[:place]]:
            raise SpecRefusedError(f"The {what} {twice[0]} occurs twice: name each {what} once.")

    @property
    def digest(self) -> str:
        """Equal for studies that ask for the same, whatever their name."""
        asked = self.model_dump(mode="json", exclude={"name"})
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _range(text: str) -> list[int]:
    first, dash, last = text.partition("-")
    try:
        found = range(int(first), int(last if dash else first) + 1)
    except ValueError:
        found = range(0)
    if not 0 < len(found) <= MOST_SEEDS:
        raise SpecRefusedError(f"The seeds are {text!r}: give a list, or a range such as 0-4.")
    return list(found)


def read_study(path: Path) -> Study:
    """The study of a file.

    Raises:
        SpecRefusedError: the file cannot be read or is no YAML, or asks for what there is not.
    """
    try:
        plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise SpecRefusedError(f"{path} cannot be read ({reason}): name a study file, such as study.yaml.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise SpecRefusedError(f"{path} is not YAML{where}: {getattr(error, 'problem', None) or error}.") from error
    if not isinstance(plain, dict):
        raise SpecRefusedError(f"{path} is not a study: it needs at least sets, methods and seeds.")
    return Study(**{"name": path.stem, **plain})
