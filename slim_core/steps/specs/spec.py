"""What every spec is: a frozen model, plain JSON, checked when built."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, model_validator

from slim_core.data.table import Split
from slim_core.parameters import Config, Display, Seed

QueueName = Literal["gpu", "cpu"]
Option = bool | int | float | str

# Raise it with a change to the specs that workers of older code would misread: they refuse such runs in a sentence.
SPEC_VERSION = 1

# Fields that name the inputs of a step.
INPUTS = ("kind", "dataset", "campaign", "answers_seq", "shapes_seq", "model", "shard", "shards")
NAMED = Display(place="nowhere", on_command_line=False)  # each command and page asks for it in its own way, or finds it
FOLDED = Display(place="more")
DRAWN = Field(
    default=None,
    ge=0,
    lt=2**63,
    title="Drawn shapes",
    description="Last drawn shape that counts; filled in when submitted, where there are any.",
)


class Spec(Config):
    """What every step is asked for."""

    queue: ClassVar[QueueName] = "cpu"
    decided_by: ClassVar[tuple[str, ...]] = ()  # fields beside the inputs that decide the defaults of others
    holds: ClassVar[Mapping[str, type[Config]]] = {}  # field that is a dict -> the config whose fields are its keys
    in_words: ClassVar[Mapping[str, str]] = {}  # field -> its default in words, where it depends on other fields

    kind: Annotated[str, NAMED]
    dataset: Annotated[str, NAMED] = Field(title="Data set", description="Id of a registered data set.")
    seed: Seed = 0

    @model_validator(mode="wrap")
    @classmethod
    def _refuse_in_a_sentence(cls, given: Any, build: ModelWrapValidatorHandler[Self]) -> Self:
        """Also of a spec that inherits from a config built by hand, the sentence is registry.parse_spec's."""
        return build(given)

    def parents(self) -> dict[str, str]:
        """Role -> id of each run whose artifacts this step reads."""
        return {}

    def filled_in(self, record: Mapping[str, Any]) -> Self:
        """This spec as a run keeps it: with what was filled in when it was submitted."""
        own = type(self).model_fields
        return type(self).model_validate({name: value for name, value in record.items() if name in own})

    def in_shards(self, n_per_split: Mapping[Split, int], largest: int) -> tuple[tuple[Spec, int], ...]:
        """(spec, images) of the parts it is split into above ``largest`` images; none where it is done in one."""
        del n_per_split, largest
        return ()

    def record(self) -> dict[str, Any]:
        """Plain JSON, as a run keeps it. From version 2 on it names its version; one without is of version 1."""
        version = {"spec_version": SPEC_VERSION} if SPEC_VERSION > 1 else {}
        return self.model_dump(mode="json") | version

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits: equal for equal specs, whatever the order of their fields."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def inputs(self) -> set[str]:
        """Fields that name the inputs of the step, and those that have no default."""
        fields = type(self).model_fields
        required = {name for name, about in fields.items() if about.is_required()}
        return required | {name for name in (*self.parents(), *INPUTS) if name in fields}

    def defaults(self) -> dict[str, Any]:
        """Field -> the value it has where nobody gives one, with the inputs and the recipe of this spec; no inputs."""
        given = self._deciding()
        found = type(self).model_validate(given).model_dump(mode="json")
        found |= {name: type(self).model_fields[name].default for name in self.decided_by}
        return {name: value for name, value in found.items() if name not in self.inputs()}

    def changed(self) -> dict[str, Any]:
        """Field -> default, for the fields that have another value."""
        plain = self.model_dump(mode="json")
        return {name: value for name, value in self.defaults().items() if plain[name] != value}

    def held(self) -> Mapping[str, type[Config]]:
        """As ``holds``, also where other fields decide it."""
        return self.holds

    def without_effect(self) -> frozenset[str]:
        """Fields that change nothing beside the others."""
        return frozenset()

    def _deciding(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in (*self.inputs(), *self.decided_by)}
