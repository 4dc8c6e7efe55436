"""Where a retrained model is not better: what to try next, each with one button; and what is simpler, beside it.

A button queues all steps of its try; the page shows them as one line, and their figures once they are done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import streamlit as st

from app import session
from app.services import actions, loop_state, queueing
from app.services.loop_state import used_answers
from app.services.queueing import trained_by
from app.ui import next_step
from app.ui.messages import errors_shown
from slim_core.formatting import counted, percent
from slim_core.runs.trainings import usual_curation, without_answers
from slim_core.steps.specs import parse_spec
from slim_core.store.results import training_history

if TYPE_CHECKING:
    from app.services.loop_state import Facts
    from app.services.results.comparison import Result
    from slim_core.evaluation.verdict import Verdict
    from slim_core.runs.trainings import Retrain
    from slim_core.store import Pipeline, Run

FALLS = 0.05  # of the loss, from the fifth of the epochs before the last to the last one: it still learns
LAST = 5  # the last epochs are this part of all
MOST = 3  # tries that are offered


@dataclass(frozen=True)
class Try:
    """``why``: one sentence, from the runs.

    ``act`` queues all its steps (needs lead); None where people do it, on the Annotate page by ``link``.
    ``is_done``: whether its model is there already, so that ``act`` would queue nothing.
    """

    name: str
    label: str
    why: str
    act: Callable[[], Pipeline] | None
    link: Mapping[str, str] = field(default_factory=dict)
    is_done: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class Way:
    """How a try retrains, as ``app.services.queueing`` takes it; ``fields``: of TrainSpec."""

    name: Retrain
    seed: int
    fields: dict[str, Any] = field(default_factory=dict)

    def on(self, subset: Run, name: str, label: str, why: str) -> Try:
        """The try of this way on a subset that is there."""
        given = (subset, self.name, self.seed)
        act = partial(queueing.to_retraining, *given, fields=self.fields)
        return Try(name, label, why, act, is_done=partial(queueing.is_retrained, *given, fields=self.fields))

    def on_another(self, subset: Run, changes: dict[str, Any], name: str, label: str, why: str) -> Try:
        """The try of this way on a subset that is curated as this one but for ``changes`` of its spec."""
        asked = subset.spec | changes
        act = partial(self.queue, asked, subset.name)
        return Try(name, label, why, act, is_done=partial(self.is_done, asked))

    def queue(self, asked: Mapping[str, Any], name: str | None) -> Pipeline:
        """The subset of a spec and a model retrained on it (needs lead)."""
        return queueing.to_subset(asked, self.name, self.seed, name=name, fields=self.fields)

    def is_done(self, asked: Mapping[str, Any]) -> bool:
        """Whether both are there."""
        subset = queueing.finished(parse_spec(asked))
        return subset is not None and queueing.is_retrained(subset, self.name, self.seed, fields=self.fields)


def tries(result: Result) -> list[Try]:
    """The first MOST that apply and are not done, the likeliest first; none where no model was retrained."""
    if result.model is None or result.subset is None:
        return []
    model, subset = map(session.store().runs.fetch, (result.model.id, result.subset.id))
    return list(islice((one for one in _all(model, subset) if not one.is_done()), MOST))


def _all(model: Run, subset: Run) -> Iterator[Try]:
    """Every try that applies to both, given with metrics; none by answers that the viewer is not shown."""
    way, metrics = Way(_way_of(model), int(model.spec["seed"]), _same_way(model)), subset.metrics or {}
    shown = {one.id for one in session.store().campaigns.all(subset.dataset_id)}
    may_train = _campaigns(model.spec) <= shown
    may_curate = may_train and _campaigns(subset.spec) <= shown
    if may_train and way.name != "last-layer":
        yield from _longer(model, subset, way)
    if may_curate:
        yield from _balanced_twice(subset, way)
        yield from _more_images(subset, metrics, way)
    yield _from_another_start(subset, way)
    if may_curate:
        yield from _environments(subset, metrics, way)
        yield from _more_answers(subset, metrics)


def _campaigns(spec: Mapping[str, Any]) -> set[str]:
    """Whose answers a run uses: those that its spec, or one of the dicts in it, names."""
    named = (spec, *(value for value in spec.values() if isinstance(value, dict)))
    return {str(one["campaign"]) for one in named if one.get("campaign") is not None}


def _more_images(subset: Run, metrics: Mapping[str, Any], way: Way) -> Iterator[Try]:
    """A subset of twice the size, where this one repeats images."""
    if larger := _larger(subset, metrics):
        repeats = metrics["images"] - metrics["images_unique"]
        are = "is a repeat" if repeats == 1 else "are repeats"
        why = f"{repeats:,} of the {metrics['images']:,} images of the subset {are}."
        yield way.on_another(subset, {"size": larger}, "size", f"Curate {larger:,} images", why)


def _from_another_start(subset: Run, way: Way) -> Try:
    other: Retrain = "scratch" if way.name == "reference" else "reference"
    how = {"scratch": "from the initial weights", "reference": "from the reference model"}
    why = {
        "scratch": "The model was retrained from the initial weights, and a small subset may not be enough for that.",
        "reference": "The model was retrained from the reference model, so the shortcut may remain.",
        "last-layer": "Only the last layer was retrained. Retraining all layers may help more.",
    }[way.name]
    return Way(other, way.seed).on(subset, "start", f"Retrain {how[other]}", why)


def _more_answers(subset: Run, metrics: Mapping[str, Any]) -> Iterator[Try]:
    if (campaign := subset.spec.get("campaign")) is not None:
        why = _asked_so_far(metrics, _n_train(subset))
        link = {"dataset": subset.dataset_id, "campaign": campaign, "section": "campaign"}
        label = "Ask about more images" if metrics["answers"] else "Ask about images"
        yield Try("answers", label, why, None, link)


def _longer(model: Run, subset: Run, way: Way) -> Iterator[Try]:
    """More epochs, where the loss still falls and one of the last epochs is the best on validation."""
    epochs = int(model.spec["epochs"])
    history = training_history(session.store().artifacts, model.id)
    fall = still_falls([entry["train_loss"] for entry in history])
    if fall is None or len(history) < epochs:  # its patience ended it, and would end a longer one there
        return
    best = int((model.metrics or {}).get("best_epoch", epochs))
    if epochs - best >= max(1, epochs // LAST):
        return
    why = f"The training loss is still falling after {counted(epochs, 'epoch')}: {fall[0]:.3f} to {fall[1]:.3f}."
    more = {**way.fields, "epochs": 2 * epochs}
    yield replace(way, fields=more).on(subset, "epochs", f"Retrain for {2 * epochs} epochs", why)


def _asked_so_far(metrics: Mapping[str, Any], n_train: int) -> str:
    if not metrics["answers"]:
        return "No answers were used."
    asked = counted(metrics["answers"], "image")
    return f"Answers about {asked} were used, {percent(metrics['answers'] / n_train)} of the training images."


def _balanced_twice(subset: Run, way: Way) -> Iterator[Try]:
    """The classes balanced twice in half of the images, by what the answers say: what helped last layers most.

    Whole networks look at the class itself by then, and answers add nothing (docs/decisions/0012, docs/benchmark.md).
    """
    spec = subset.spec
    options = spec.get("options", {})
    usual_size, usual = usual_curation(_n_train(subset), spec["strategy"], of_probe=way.name == "last-layer")
    if not usual or spec.get("campaign") is None or options.items() >= usual.items():
        return
    size = max(int(spec["size"]), usual_size)
    why = (
        "The classes are balanced over the surroundings only. A small shortcut shows up in what the model looks at "
        "where its attention is wrong."
    )
    twice = {"size": size, "options": {**options, **usual}}
    yield way.on_another(subset, twice, "twice", f"Balance twice, {size:,} images", why)


def _n_train(subset: Run) -> int:
    return len(session.store().datasets.table(subset.dataset_id).rows("train"))


def _way_of(model: Run) -> Retrain:
    """How it was retrained on its subset."""
    way: Retrain = "last-layer" if model.spec["mode"] == "last-layer" else model.spec["start"]
    return way


def _same_way(model: Run) -> dict[str, Any]:
    """Fields of TrainSpec with which another is retrained as it was: from the model that it started from, which in a
    loop may be another than the one people judged, and by its hyper-parameters."""
    start = {"reference": model.spec["reference"]} if model.spec.get("reference") else {}
    return start | trained_by(model)


def _larger(subset: Run, metrics: Mapping[str, Any]) -> int | None:
    """Twice the size, up to all training images; None where that gives no other images.

    Nothing is repeated, all are chosen from already, or fewer could be given than were asked for.
    """
    n, size, given = _n_train(subset), int(subset.spec["size"]), metrics.get("images", 0)
    return min(n, 2 * size) if given > metrics.get("images_unique", 0) and given >= size and size < n else None


def _environments(subset: Run, metrics: Mapping[str, Any], way: Way) -> Iterator[Try]:
    """The same answers in a space with twice as many environments, where it is those of the space that are balanced."""
    found_by = subset.spec.get("options", {}).get("environments", "space")
    if found_by != "space":
        return
    cells = metrics["report"]["cells"]
    used = len({cell["environment"] for cell in cells if "environment" in cell})
    if used:
        n = min(64, 2 * used)
        why = f"Only {counted(used, 'environment')} were found; different backgrounds may be mixed in one."
        asked = session.store().runs.fetch(subset.spec["space"]).spec | {"n_clusters": n}

        def act() -> Pipeline:
            other, _ = actions.save(asked, name=f"Space with {n} environments")
            return way.queue(subset.spec | {"space": other.id}, subset.name)

        def is_done() -> bool:
            other = queueing.finished(parse_spec(asked))
            return other is not None and way.is_done(subset.spec | {"space": other.id})

        yield Try("environments", f"Curate with {n} environments", why, act, is_done=is_done)


def beside_random(result: Result) -> Pipeline:
    """Queue a random subset of the same size, a model retrained on it in the same way, and its evaluation (needs lead).

    ``result``: a pair. Answers that entered its training do not enter this one: a random subset needs none.
    """
    assert result.subset is not None and result.model is not None  # it is a pair
    spec, model, way = result.subset.spec, result.model.spec, _way_of(result.model)
    asked = {"kind": "curate", "dataset": result.subset.dataset_id, "space": spec["space"], "strategy": "random"}
    asked |= {"size": spec["size"], "seed": spec["seed"]}
    fields = without_answers(_same_way(result.model))
    return queueing.to_subset(asked, way, int(model["seed"]), name="Random subset", fields=fields)


def still_falls(losses: Sequence[float]) -> tuple[float, float] | None:
    """The mean loss of the fifth of the epochs before the last, and of the last, where it fell by FALLS or more."""
    n = max(1, len(losses) // LAST)
    if len(losses) < 2 * n or len(losses) < LAST:
        return None
    before, last = float(np.mean(losses[-2 * n : -n])), float(np.mean(losses[-n:]))
    return (before, last) if before > 0 and last <= (1 - FALLS) * before else None


def offered(result: Result | None, verdict: Verdict | None, said: set[str]) -> Sequence[Try]:
    """What may be tried where nothing is better yet, by those who may queue it; ``said``: of ``errors_shown``."""
    is_asked = result is not None and result.after is not None and verdict is not None
    if result is None or not is_asked or verdict is None or verdict.way > 0 or verdict.is_perfect:
        return ()
    if session.viewer().may("lead"):
        with errors_shown(said):
            return tries(result)
    return ()


def show_next(one: Try, result: Result) -> None:
    """A try as the one next thing to do."""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Next:** {one.why}", width="stretch")
        _button(one, result, type="primary")


def show_menu(found: Sequence[Try], result: Result | None, facts: Facts) -> None:
    """These tries, and what is simpler, behind one press; nothing where nothing is left."""
    if result is None or result.after is None or not session.viewer().may("lead"):
        return
    waits, controls = _is_retraining(result), _controls(result, facts)
    if not found and not controls:
        return
    with st.popover("Other steps", icon=":material/more_horiz:", key="other-steps"):
        if waits:
            st.caption("Once the steps above are done:")
        for one in found:
            st.markdown(one.why)
            _button(one, result, waits=waits)
        if controls:
            other = "model without any answers" if used_answers(result) else "simpler model"
            st.markdown(f"Would a {other} do as well?")
        for control in controls:
            key = f"try-{control.name}-{result.id}"
            if st.button(control.label, key=key, icon=control.icon, help=control.help, disabled=waits):
                with errors_shown():
                    control.act(result)
                    st.rerun()


def _is_retraining(result: Result) -> bool:
    """Whether a try, or the like, is under way: what to try next follows from its figures too."""
    known = session.store().pipelines.all(result.reference.dataset_id)
    return any(one.state == "active" and one.kind in ("comparison", "retraining", "unasked") for one in known)


def _button(
    one: Try, result: Result, *, type: Literal["primary", "secondary"] = "secondary", waits: bool = False
) -> None:
    if one.act is None:
        next_step.link("annotate", one.label, **one.link)
        return
    key = f"try-{one.name}-{result.id}"
    if st.button(one.label, key=key, icon=":material/play_arrow:", type=type, disabled=waits):
        with errors_shown():
            one.act()
            st.rerun()


@dataclass(frozen=True)
class Control:
    """Something simpler that may do as well; without it nobody can say whether the answers helped."""

    name: str
    label: str
    icon: str
    help: str
    act: Callable[[Result], Pipeline]


_RANDOM = Control(
    "random",
    "Retrain on a random subset",
    ":material/shuffle:",
    "The same number of images, drawn at random and retrained in the same way.",
    beside_random,
)


def _controls(result: Result, facts: Facts) -> list[Control]:
    """Those that are not there yet."""
    method = queueing.unasked_for(result.reference)
    without = Control("unasked", method.action, ":material/group_off:", method.about, queueing.to_unasked)
    needless = {
        _RANDOM: facts.random or loop_state.is_control(result, result),
        without: facts.unasked or queueing.is_itself_unasked(result),
    }
    return [one for one, is_known in needless.items() if not is_known]
