"""A setting is written once: a field added to a spec is an option, a field of the form, and what is trained with."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import pytest
import typer
from pydantic import Field
from typer.testing import CliRunner

from app import session
from slim_core.cli import data_sets, loop, steps
from slim_core.cli.wiring import Commands
from slim_core.curation import STRATEGIES, CurateOptions
from slim_core.curation import curate as strategies
from slim_core.data.sets import SETS
from slim_core.data.sets.demo_set import demo_marker
from slim_core.data.sets.digits import DemoConfig
from slim_core.errors import SpecRefusedError
from slim_core.parameters import Config, Display, parameters
from slim_core.runs.executor import open_workbench
from slim_core.runs.loop_runs import LoopConfig
from slim_core.space.embedding import SpaceConfig
from slim_core.steps import space as space_step
from slim_core.steps import train
from slim_core.steps.specs import STEPS, CurateSpec, SpaceSpec, TrainSpec, parse_spec
from slim_core.store import Run
from slim_core.training.config import TrainConfig
from slim_core.training.objectives import OBJECTIVES, Erm
from tests.app.conftest import button
from tests.placed_quickly import placed_quickly

WARM_UP = "Epochs in which the learning rate rises."
FLOOR = "Least images of a cell."
LOOSE = "How far points lie apart."


class WarmSpec(TrainSpec):
    """Trainings with one hyper-parameter more."""

    warm_up: int = Field(default=0, ge=0, le=50, title="Warm-up epochs", description=WARM_UP)


class FocusOptions(Config):
    """Settings of the loss below."""

    focus: Annotated[float, Display(step=0.5)] = Field(
        default=2.0, ge=0, le=5, title="Focus", description="How much hard images count."
    )
    scale: Literal["mean", "sum"] = Field(default="mean", title="Scale", description="Over the batch.")


class FocusLoss(Erm):
    """Cross-entropy that remembers the settings it was given."""

    label = "Focused"
    Options = FocusOptions
    seen: list[FocusOptions] = []  # of the test that trains

    def loss(self, batch):
        self.seen.append(FocusOptions(**self.context.options))
        return self.context.options["focus"] * super().loss(batch)


@pytest.fixture
def warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step of a training takes the hyper-parameter."""
    monkeypatch.setitem(STEPS, "train", replace(STEPS["train"], spec=WarmSpec))


@pytest.fixture
def focus(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A second objective is registered."""
    monkeypatch.setitem(OBJECTIVES, "focus", FocusLoss)
    FocusLoss.seen.clear()
    yield


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> list[TrainConfig]:
    """What the training loop is handed; it then trains."""
    configs: list[TrainConfig] = []

    def listening(model, data, config, **options):
        configs.append(config)
        return trained(model, data, config, **options)

    trained = train.train
    monkeypatch.setattr(train, "train", listening)
    return configs


class FloorOptions(CurateOptions):
    """Curation with one setting more."""

    floor: Annotated[int, Display(only={"strategy": ("slim",)})] = Field(
        default=1, ge=1, le=9, title="Floor", description=FLOOR
    )


class FloorSpec(CurateSpec):
    """The step whose options are those, with one field more of its own."""

    holds: ClassVar = {"options": FloorOptions}
    rounds: Annotated[int, Display(place="more")] = Field(
        default=1, ge=1, le=5, title="Rounds", description="Of the propagation."
    )


class GrainyDigits(DemoConfig):
    """A demo set with one parameter more."""

    name: ClassVar[str] = "grainy"
    about: ClassVar[str] = "digits with grain"
    grain: int = Field(default=0, description="Grey levels of the grain.")


class LooseConfig(SpaceConfig):
    """A space with one setting more."""

    looseness: Annotated[float, Display(step=0.5, place="more")] = Field(
        default=1.0, gt=0, title="Looseness", description=LOOSE
    )


class LooseSpec(SpaceSpec, LooseConfig):
    """The step that takes it."""


@pytest.fixture
def floor(monkeypatch: pytest.MonkeyPatch) -> list[FloorOptions]:
    """Curation takes the two settings; the options that the strategy is handed."""
    seen: list[FloorOptions] = []

    def listening(data, size, seed, options):
        seen.append(options)
        return strategy(data, size, seed, options)

    strategy = STRATEGIES["slim"]
    monkeypatch.setitem(STRATEGIES, "slim", listening)
    monkeypatch.setattr(sys.modules[strategies.__module__], "CurateOptions", FloorOptions)
    monkeypatch.setitem(STEPS, "curate", replace(STEPS["curate"], spec=FloorSpec))
    return seen


@pytest.fixture
def loose(monkeypatch: pytest.MonkeyPatch) -> list[SpaceConfig]:
    """The step of a space takes the setting; what UMAP is handed."""
    configs: list[SpaceConfig] = []

    def listening(features, config, **options):
        configs.append(config)
        return embedded(features, config, **options)

    embedded = space_step.embed
    monkeypatch.setattr(space_step, "embed", listening)
    monkeypatch.setitem(STEPS, "space", replace(STEPS["space"], spec=LooseSpec))
    return configs


def slim(*words: str) -> str:
    """What a command of the steps prints, built from the specs as they are now."""
    cli = typer.Typer(cls=Commands)
    for part in (steps, data_sets, loop):
        part.add_to(cli)
    done = CliRunner().invoke(cli, list(words), env={"COLUMNS": "300"}, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def newest(kind: str = "train") -> Run:
    return max(session.store().runs.all(kind=kind), key=lambda run: run.created_at)


def parameter_rows(app) -> dict[str, list[str]]:
    from tests.app.conftest import cells

    return {row[0].removeprefix("● "): row[1:] for row in cells(app, "Parameters")}


@pytest.mark.usefixtures("warm")
def test_a_hyper_parameter_is_an_option_of_the_command_line_and_reaches_the_training(dataset, received) -> None:
    text = slim("train", "--help")
    assert "--warm-up" in text and f"{WARM_UP.removesuffix('.')} (0 to 50)." in text
    slim("train", "--epochs", "1", "--warm-up", "7", "--device", "cpu")
    assert received[0].warm_up == 7
    assert newest().spec["warm_up"] == 7
    with pytest.raises(SpecRefusedError, match=r"A train step refuses warm_up = 51: give .* to 50\.$"):
        slim("train", "--warm-up", "51")


@pytest.mark.usefixtures("warm")
def test_a_hyper_parameter_is_a_field_of_the_form_and_a_row_of_the_run(show, dataset) -> None:
    app = show("train")
    field = app.number_input(key=f"warm_up-small-resnet-reference-{dataset.id}")
    assert (field.label, field.help, field.min, field.max, field.value) == ("Warm-up epochs", WARM_UP, 0, 50, 0)
    field.set_value(5)
    button(app, "Train").click().run()
    run = newest()
    assert run.spec["warm_up"] == 5
    assert parameter_rows(show("jobs", run=run.id))["warm_up"] == ["5", "0", WARM_UP]


def test_with_one_objective_the_form_asks_for_none(show, dataset, monkeypatch) -> None:
    for name in set(OBJECTIVES) - {"erm"}:
        monkeypatch.delitem(OBJECTIVES, name)
    assert not [box for box in show("train").selectbox if box.label == "Objective"]


@pytest.mark.usefixtures("focus")
def test_the_settings_of_an_objective_are_fields_once_it_is_chosen(show, dataset) -> None:
    app = show("train")
    assert not [field for field in app.number_input if field.label == "Focus"]
    app.selectbox(key="objective-train-all").select("focus").run()
    field = app.number_input(key=f"focus-focus-small-resnet-reference-{dataset.id}")
    assert (field.help, field.min, field.max, field.value) == ("How much hard images count.", 0, 5, 2)
    field.set_value(0.5)
    button(app, "Train").click().run()
    run = newest()
    assert (run.spec["objective"], run.spec["objective_options"]) == ("focus", {"focus": 0.5, "scale": "mean"})
    rows = parameter_rows(show("jobs", run=run.id))
    assert rows["focus"] == ["0.5", "2", "How much hard images count."]
    assert rows["scale"] == ["mean", "", "Over the batch."]


@pytest.mark.usefixtures("focus")
def test_the_settings_of_an_objective_are_options_that_reach_its_loss(dataset) -> None:
    assert f"the loss ({', '.join(OBJECTIVES)})." in slim("train", "--help")
    slim("train", "--epochs", "1", "--objective", "focus", "--objective-option", "focus=0.5", "--device", "cpu")
    assert FocusLoss.seen[0] == FocusOptions(focus=0.5, scale="mean")
    with pytest.raises(SpecRefusedError, match=r"The objective focus refuses focus = .9.: give .* to 5"):
        slim("train", "--objective", "focus", "--objective-option", "focus=9")
    with pytest.raises(SpecRefusedError, match="The objective focus has no option 'fokus': take focus, scale"):
        slim("train", "--objective", "focus", "--objective-option", "fokus=1")


@pytest.mark.usefixtures("focus")
def test_an_interrupted_training_of_an_objective_with_settings_belongs_to_them(dataset) -> None:
    base = {"kind": "train", "dataset": dataset.id, "model": "small-resnet", "epochs": 1, "objective": "focus"}
    one, other = (parse_spec(base | {"objective_options": {"focus": value}}) for value in (1.0, 2.0))
    assert isinstance(one, TrainSpec) and isinstance(other, TrainSpec)
    assert one.trained_with() != other.trained_with()
    run = open_workbench(device="cpu").run(one)
    assert run.status == "done"


@pytest.mark.usefixtures("filled_home")
def test_a_setting_of_a_curation_strategy_is_an_option_that_reaches_it_and_is_copied(floor) -> None:
    text = slim("curate", "--help")
    assert f"{FLOOR.removesuffix('.')} (1 to 9)." in text and "--rounds" in text
    assert "--threshold" in text and "-o" in text
    slim("curate", "--floor", "3", "-o", "threshold=0.4", "--rounds", "2")
    run = newest("curate")
    assert (run.spec["options"], run.spec["rounds"]) == ({"threshold": 0.4, "floor": 3}, 2)
    assert (floor[0].floor, floor[0].threshold) == (3, 0.4)
    with pytest.raises(SpecRefusedError, match="floor is 12: give a whole number"):
        slim("curate", "--floor", "12")


@pytest.mark.slow
@pytest.mark.usefixtures("filled_home")
def test_a_setting_of_a_curation_strategy_is_a_field_beside_it_and_a_row_of_the_run(show, floor) -> None:
    app = show("curate")
    field = app.number_input(key=f"floor-curate-slim-{app.selectbox(key='pick-space').value}")
    assert (field.label, field.help, field.min, field.max, field.value) == ("Floor", FLOOR, 1, 9, 1)
    field.set_value(4).run()
    app.number_input(key=f"rounds-curate-slim-{app.selectbox(key='pick-space').value}").set_value(2).run()
    assert floor[-1].floor == 4  # of the preview
    app.button(key="submit-curate").click().run()
    run = newest("curate")
    expected = {"environments": "space", "keep": "threshold", "threshold": 0.5, "floor": 4}
    assert (run.spec["options"], run.spec["rounds"]) == (expected, 2)
    rows = parameter_rows(show("jobs", run=run.id))
    assert rows["floor"] == ["4", "1", FLOOR] and rows["rounds"] == ["2", "1", "Of the propagation."]
    app.selectbox(key="curate-strategy").select("random").run()
    assert [one.label for one in app.number_input if one.label in ("Floor", "Rounds")] == ["Rounds"]


@pytest.mark.slow
@pytest.mark.usefixtures("filled_home")
def test_a_setting_of_a_space_is_an_option_a_field_and_what_it_is_computed_with(show, loose) -> None:
    assert f"{LOOSE.removesuffix('.')} (above 0)." in slim("space", "--help")
    with placed_quickly():
        slim("space", "--looseness", "2.5")
    assert loose[0].looseness == newest("space").spec["looseness"] == 2.5
    field = show("space").number_input(key="looseness-space")
    assert (field.label, field.help, field.value) == ("Looseness", LOOSE, 1.0)


def test_a_parameter_of_a_demo_set_is_an_option_that_reaches_the_set(monkeypatch, tmp_path) -> None:
    monkeypatch.setitem(SETS, "grainy", GrainyDigits)
    assert "Grey levels of the grain. [default: (of the set)]" in slim("demo", "--help")
    small = ("--train", "8", "--val", "4", "--test", "4", "--grain", "3")
    slim("demo", str(tmp_path / "grainy"), "--set", "grainy", "--classes", "3,5", *small)
    written = demo_marker(tmp_path / "grainy")
    assert written is not None and (written["grain"], written["classes"]) == (3, [3, 5])
    with pytest.raises(SpecRefusedError, match="The set digits has no grain: its parameters are classes, correlation"):
        slim("demo", str(tmp_path / "digits"), *small)


def test_a_setting_of_the_loop_is_an_option_of_slim_run() -> None:
    text = slim("run", "--help")
    asked = [each for each in parameters(LoopConfig).values() if each.display.on_command_line]
    assert {"answers", "size", "flip"} <= {each.name for each in asked}
    assert all(each.flag in text and each.help.removesuffix(".") in text for each in asked)
