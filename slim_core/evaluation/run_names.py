"""What a run is called where models are compared: by what it is, and by the name that somebody gave it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from slim_core.models.names import short_name, usual_name
from slim_core.store.runs.default_name import is_default

if TYPE_CHECKING:
    from slim_core.store import Dataset, Run
    from slim_core.store.notes import Notes

MOST = 40  # characters of a given name beside the method: charts and tables have little room
# Names under which trainings are queued where nobody gives one, beside the usual name and the default of Runs.submit:
# those of app.services.queueing.pipelines, runs.loop_runs, runs.retraining, and of runs.refits and api.
_BY_ITSELF = re.compile(
    r"Reference model$|ERM reference$|Retrained (from|on) |Last layer by \S+ on (train|val|held-out)$"
)
_SEED = re.compile(r",? *seed \d+$")


def names_among(models: Sequence[Run | None], dataset: Dataset, notes: Notes) -> list[str]:
    """The name that somebody gave each, trained on this data set; else, where they are of several networks, its
    network; else "".
    """
    networks = [short_name(one.spec["model"]) if one is not None else "" for one in models]
    are_several = len({one for one in networks if one}) > 1
    given = [given_name(one, dataset, notes) for one in models]
    return [name or network * are_several for name, network in zip(given, networks, strict=True)]


def given_name(model: Run | None, dataset: Dataset, notes: Notes) -> str:
    """The name that somebody gave a training, without its seed; empty where it has one that it was queued under.

    ``dataset``: its own, whose name is in such names: it would hide what tells one run from another. What it was called
    when the model was queued is looked up in ``notes`` where it is not what it is called now.
    """
    if model is None:
        return ""
    name = _SEED.sub("", " ".join((model.name or "").split()))
    if is_default(name, "train") or _BY_ITSELF.match(name):
        return ""
    if name.startswith(_usual(model, "")) and (
        name == _usual(model, dataset.name) or name in (_usual(model, one) for one in notes.former_names(dataset))
    ):
        return ""
    return name if len(name) <= MOST else f"{name[: MOST - 1]}…"


def _usual(model: Run, dataset: str) -> str:
    return " ".join(usual_name(model.spec["model"], dataset).split())


def titled(name: str, what: str) -> str:
    """ "short · erm": a given name, if there is one that says more, and what the run is."""
    says_more = name and not f"{what},".lower().startswith(f"{name},".lower())
    return f"{name} · {what}" if says_more else what


def unique_labels(words: Sequence[str], ids: Sequence[object]) -> list[str]:
    """The words of each; with the end of its id where others have the same."""
    times = Counter(words)
    return [f"{word} ({str(one)[-4:]})" if times[word] > 1 else word for word, one in zip(words, ids, strict=True)]
