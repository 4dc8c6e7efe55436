"""Evaluations side by side: what each rests on and cost, one row each for a table, a chart or JSON; their groups;
repetitions over seeds.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from slim_core.curation import ANSWERED, LABELS_USED
from slim_core.data.groups import UNKNOWN_LABELS, LabelsUsed, used_together
from slim_core.metrics import (
    ADJUSTED,
    AIOU,
    ATTENTION_PRECISION,
    AVERAGE,
    COVERAGE,
    ESTIMATED_GROUPS,
    RATES,
    WGA,
    WORST_CLASS,
    WORST_GROUP,
    difference_by_index,
    groups_of,
    listed_groups,
    worst_shown,
)
from slim_core.models.names import short_name, usual_name
from slim_core.store.campaigns.consensus import AnnotationCost, campaign_cost, total_cost
from slim_core.store.runs.lineage import RunGraph
from slim_core.store.runs.rows import is_default
from slim_core.training.config import labels_used
from slim_core.training.last_layer import refit_labels, refit_name

if TYPE_CHECKING:
    from slim_core.store import Campaign, Run, Store


_SEED_IN_NAME = re.compile(r",? *seed \d+")
_NOT_IDENTITY = ("seed", "shapes_seq", "answers_seq")  # differ between repetitions of the same thing


class AnswerSnapshot(NamedTuple):
    """The answers that a run rests on."""

    campaign: str
    answers_seq: int  # the last one that counted


class Ancestry:
    """The runs of some data sets and the links among them: costs and identities ask the database nothing."""

    def __init__(self, runs: Iterable[Run], campaigns: Iterable[Campaign] = ()) -> None:
        """``runs``: with their metrics where those are asked for later."""
        self.graph = RunGraph(runs)
        self.runs = self.graph.runs
        self._campaigns = {campaign.id: campaign for campaign in campaigns}
        self._identities: dict[str, str] = {}

    @classmethod
    def read(cls, store: Store, *datasets: str) -> Ancestry:
        """All runs of the data sets; with metrics the train and curate runs, whose counts a comparison shows."""
        runs: dict[str, Run] = {}
        campaigns: list[Campaign] = []
        for dataset in datasets:
            runs |= {run.id: run for run in store.runs.all(dataset=dataset, metrics=False)}
            for kind in ("train", "curate"):
                runs |= {run.id: run for run in store.runs.all(kind=kind, dataset=dataset)}
            campaigns += store.campaigns.all(dataset)
        return cls(runs.values(), campaigns)

    def lineage(self, run: Run) -> list[Run]:
        """The run and all it descends from, each once, nearest first; shards of sharded runs after them."""
        return self.graph.lineage(run)

    def seconds(self, *runs: Run) -> float:
        """Computing time of the runs and all they needed, each counted once."""
        return sum({one.id: one.seconds for run in runs for one in self._paid(run)}.values())

    def gpu_hours(self, run: Run) -> float:
        """The part of ``seconds`` that was spent on a GPU, in hours."""
        return sum(one.seconds for one in self._paid(run) if (one.device or "").startswith("cuda")) / 3600

    def labels_used(self, model: Run, *, has_groups: bool) -> str:
        """What the trainings and subsets that a model rests on used beyond the classes of their images; or "none".

        ``has_groups``: whether the data has attributes; selection by the worst group is by class where it has none.
        """
        used = {each for one in self._paid(model) for each in _used_by(one)}
        return used_together(each for each in used if has_groups or not each.startswith("groups"))

    def _paid(self, run: Run) -> list[Run]:
        """Without the space of a subset that could be drawn without it."""
        return self.graph.lineage(run, stop=lambda one: one.kind == "curate" and not _reads_space(one))

    def answer_snapshots(self, run: Run) -> tuple[AnswerSnapshot, ...]:
        """The answers of each campaign that the run, or one it was made from, has used."""
        found: dict[str, AnswerSnapshot] = {}
        for one in self._paid(run):
            for each in _asked_by(one.spec):
                found[each.campaign] = max(each, found.get(each.campaign, each))
        return tuple(found.values())

    def answers_used(self, *runs: Run) -> int:
        """Images that people were asked about for what went into them, each campaign once; runs need their metrics."""
        found: dict[str, int] = {}
        for one in (each for run in runs for each in self._paid(run)):
            for campaign, used in _answers_used(one).items():
                found[campaign] = max(used, found.get(campaign, 0))
        return sum(found.values())

    def identity(self, run: Run) -> str:
        """Equal for runs that differ by seeds alone, along their whole lineage; sixteen hex digits."""
        if run.id not in self._identities:
            own = self._without_seed(run.spec)
            own |= {"answers_seq": bool(run.spec["answers_seq"])} if "answers_seq" in run.spec else {}
            text = json.dumps(own, sort_keys=True, default=str)
            self._identities[run.id] = hashlib.sha256(text.encode()).hexdigest()[:16]
        return self._identities[run.id]

    def _without_seed(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._without_seed(each) for key, each in value.items() if key not in _NOT_IDENTITY}
        if isinstance(value, str) and value in self.runs:
            return self.identity(self.runs[value])
        if isinstance(value, str) and value in self._campaigns:
            campaign = self._campaigns[value]
            name = _SEED_IN_NAME.sub("", campaign.name)  # says which errors a simulated annotator makes
            return [name, campaign.strategy, campaign.split, campaign.overlap, sorted(campaign.budgets.items())]
        return value


def _reads_space(subset: Run) -> bool:
    """The strategies that use answers also choose by the environments, with and without any."""
    return subset.spec["strategy"] in ANSWERED


def _asked_by(spec: Mapping[str, Any]) -> Iterator[AnswerSnapshot]:
    """Answers of the campaigns that a spec names, itself or in its dicts."""
    for named in (spec, *(value for value in spec.values() if isinstance(value, dict))):
        if named.get("campaign"):
            yield AnswerSnapshot(str(named["campaign"]), int(named.get("answers_seq") or 0))


def _answers_used(run: Run) -> dict[str, int]:
    """Campaign -> answers that one run has used, by its metrics."""
    metrics = run.metrics or {}
    if run.kind == "curate" and run.spec.get("campaign"):
        return {str(run.spec["campaign"]): metrics.get("answers", 0)}
    return dict(metrics.get("answered", {})) if run.kind == "train" else {}


def _used_by(run: Run) -> set[LabelsUsed]:
    """By one run; nothing by a strategy or objective that is not known any more, nor by slim without answers."""
    if run.kind == "curate":
        used = LABELS_USED.get(run.spec["strategy"], "none")
        return {"none" if used == "answers" and not run.spec.get("answers_seq") else used}
    if run.kind == "train" and run.spec.get("mode") == "registered":
        return {UNKNOWN_LABELS}
    if run.kind == "train":
        refits = run.spec.get("mode") == "last-layer"
        names = ("refit", "selection") if refits else ("objective", "sampling", "selection")
        return set((refit_labels if refits else labels_used)(*(run.spec.get(name, "") for name in names)))
    return set()


def answer_costs(store: Store, asked: Iterable[AnswerSnapshot]) -> Mapping[AnswerSnapshot, AnnotationCost]:
    """What the answers that each rests on have cost, and whose they are.

    Answers that were taken back, or came too late to count, took their time too. The simulated annotator takes none.
    """
    with store.database.read() as connection:
        return {each: campaign_cost(connection, *each) for each in sorted(set(asked))}


MOST = 40  # characters of a given name beside the method: charts and tables have little room
# Names under which trainings are queued where nobody gives one, beside the usual name and the default of Runs.submit:
# those of app.services.queueing, runs.loop_runs, runs.trainings, and of runs.refits and api.
_BY_ITSELF = re.compile(r"Reference model$|ERM reference$|Linear probe$|Retrained (from|on) |Last layer by \S+$")
_SEED = re.compile(r",? *seed \d+$")
CLASSES = "classes"  # the grouping by class alone, where nothing else is known
ELSEWHERE = "trained elsewhere"  # the method of a model with which no seed is known
# As their papers write them, where that is not how they are asked for; the strategies among them have a colour.
METHOD_NAMES = {
    "erm": "ERM", "group-dro": "GroupDRO", "jtt": "JTT", "cnc": "CnC", "dfr": "DFR", "slim": "SLIM",
}  # fmt: skip
COSTS = ("images", "answers", "seconds", "lineage_seconds", "gpu_hours", "minutes")
WORST_LOW, WORST_HIGH = "wga_low", "wga_high"  # the worst group's 95 % Wilson interval
LABELS_DEFINITION = (
    "Labels used: by the model and the runs it rests on, beyond the classes of the images. None, answers, groups in "
    "validation (to choose the epoch by), or groups in training; unknown for a model that was trained elsewhere."
)
COST_DEFINITIONS: dict[str, str] = {
    "images": "Images the model was trained on, repeats counted.",
    "answers": "Images asked about in all campaigns, up to the last answer used.",
    "share": "Images asked about, as a share of the split they are in; where that is train and val, of both.",
    "seconds": "Training time of this model alone.",
    "lineage_seconds": "Computing time of everything this number rests on: the model and every run it descends from, "
    "each counted once.",
    "gpu_hours": "GPU hours behind this number; 0 where everything ran on CPUs.",
    "minutes": "Minutes people spent answering; a pause counts as one at most. None where only the simulated annotator "
    "answered, or where no answer has a time (those of a file may have none).",
}
ANSWERED_BY_DEFINITION = "Who answered: people, or the simulated annotator, which reads its answers off the masks."
HEADLINE = {WGA: "worst group", AVERAGE: "average", ADJUSTED: "adjusted average"}
ATTENTION = {ATTENTION_PRECISION: "attention precision", AIOU: "AIoU"}
# Of the columns of a table of runs: on the Compare page, in the report and in the terminal.
TITLES = {
    WGA: "worst group",
    "change": "change",
    WORST_GROUP: "which",
    AVERAGE: "average",
    ADJUSTED: "adjusted",
    WORST_CLASS: "worst class",
    ATTENTION_PRECISION: "attention",
    AIOU: "AIoU",
    COVERAGE: "scored",
    "labels_used": "labels used",
    "answers": "answers",
    "answered_by": "answered by",
    "share": "share",
    "minutes": "minutes",
    "images": "images",
    "seconds": "seconds",
    "lineage_seconds": "all seconds",
    "gpu_hours": "GPU hours",
}
OTHER_GROUPS = " (other groups)"  # behind the name of a group that is not one of the baseline's
NOT_COMPARABLE = "other estimated groups: not comparable group by group"
OTHER_SPLIT = "evaluated on another split"
_WORDS = (
    "model", "method", "labels_used", "identity", "grouping", "split", "seed", WORST_GROUP, "answered_by", "spent",
    "name", "lineage_names", "lineage_models",
)  # fmt: skip
GROUP_COLUMNS = ["run", "group", "accuracy", "low", "high", "n", "key"]


def names_among(models: Sequence[Run | None], dataset: str) -> list[str]:
    """The name that somebody gave each, trained on the data set of this name; else, where they are of several networks,
    its network; else "".
    """
    networks = [short_name(one.spec["model"]) if one is not None else "" for one in models]
    are_several = len({one for one in networks if one}) > 1
    given = [given_name(one, dataset) for one in models]
    return [name or network * are_several for name, network in zip(given, networks, strict=True)]


def given_name(model: Run | None, dataset: str) -> str:
    """The name that somebody gave a training, without its seed; empty where it has one that it was queued under.

    ``dataset``: the name of its own, which is in such names: it would hide what tells one run from another.
    """
    if model is None:
        return ""
    name = _SEED.sub("", " ".join((model.name or "").split()))
    if is_default(name, "train") or _BY_ITSELF.match(name) or name == _usual(model, dataset):
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


def row(store: Store, evaluation: Run) -> dict[str, Any]:
    """A finished evaluate run: what was evaluated, each metric, each group's accuracy, and what the model cost.

    Keys: evaluation, dataset (its id), model, method, labels_used, identity, grouping, split, seed, the names in RATES,
    worst_group with its interval, "group NAME" each, the names in COSTS, answered_by (in words; None without answers),
    share (of the split, that people were asked about) and spent (what people gave, in words).
    """
    return rows(store, [evaluation])[0]


def rows(store: Store, evaluations: Sequence[Run], ancestry: Ancestry | None = None) -> list[dict[str, Any]]:
    """``row`` of many evaluations, in their order, with a handful of queries a data set for all of them."""
    ancestry = ancestry or Ancestry.read(store, *{one.dataset_id: None for one in evaluations})
    models = {one.id: ancestry.runs.get(one.spec["model"]) for one in evaluations}
    asked = {name: ancestry.answer_snapshots(model) if model else () for name, model in models.items()}
    known = answer_costs(store, (each for rests_on in asked.values() for each in rests_on))
    found = []
    for one in evaluations:
        spent = total_cost(known[each] for each in asked[one.id])
        costs = {"minutes": spent.minutes, "answered_by": spent.by, "spent": spent.in_words(), "share": spent.share}
        found.append(_row(one, ancestry) | costs)
    return found


def _row(evaluation: Run, ancestry: Ancestry) -> dict[str, Any]:
    metrics = evaluation.metrics or {}
    model = ancestry.runs.get(evaluation.spec["model"])
    subset = ancestry.runs.get(model.spec.get("subset") or "") if model else None
    chosen = ((subset or model).metrics if model else None) or {}
    worst = worst_shown(metrics) or {}
    found: dict[str, Any] = {
        "evaluation": evaluation.id,
        "dataset": evaluation.dataset_id,
        "model": evaluation.spec["model"],
        "method": method_of(model, subset) if model else "deleted model",
        "labels_used": _labels_used(model, metrics, ancestry),
        "identity": ancestry.identity(evaluation),
        "grouping": grouping_of(evaluation),
        "split": evaluation.spec["split"],
        "seed": model.spec["seed"] if model else None,
        **{key: metrics.get(key) for key in RATES},
        WGA: worst.get("accuracy"),
        WORST_GROUP: worst.get("name"),
        WORST_LOW: worst.get("low"),
        WORST_HIGH: worst.get("high"),
    }
    found |= {f"group {group['name']}": group["accuracy"] for group in groups_of(metrics)}
    return found | {
        "images": chosen.get("images"),
        "answers": ancestry.answers_used(model) if model else 0,
        "seconds": model.seconds if model else None,
        "lineage_seconds": ancestry.seconds(model) if model else None,
        "gpu_hours": ancestry.gpu_hours(model) if model else None,
    }


def _labels_used(model: Run | None, metrics: Mapping[str, Any], ancestry: Ancestry) -> str | None:
    return ancestry.labels_used(model, has_groups=not metrics.get(ESTIMATED_GROUPS)) if model else None


def grouping_of(evaluation: Run) -> str:
    """Which groups a finished evaluation counts by: those of two evaluations are the same where this is.

    Estimated ones are clusters of one space: what is "environment 0" in two of them are different images. Else the
    groups of the data set.
    """
    if not (evaluation.metrics or {}).get(ESTIMATED_GROUPS):
        return "attributes"
    space = evaluation.spec.get("space")
    return f"space {space}" if space else CLASSES


def newest_evaluations(store: Store, model: str) -> dict[str, Run]:
    """Split -> the newest finished evaluation of a model on it, with its metrics."""
    done = [one for one in store.runs.children(model) if one.kind == "evaluate" and one.status == "done"]
    newest = {str(one.spec["split"]): one.id for one in done}  # oldest first
    return {split: store.runs.fetch(run_id) for split, run_id in newest.items()}


def scored_last(evaluations: Sequence[Run]) -> list[Run]:
    """Without those that were scored again since, against other drawn shapes: they differ in nothing else."""
    keys = [_but_for_shapes(one) for one in evaluations]
    newest: dict[str, int] = {}
    for key, one in zip(keys, evaluations, strict=True):
        newest[key] = max(newest.get(key, 0), one.spec.get("shapes_seq") or 0)
    return [one for key, one in zip(keys, evaluations, strict=True) if (one.spec.get("shapes_seq") or 0) == newest[key]]


def _but_for_shapes(evaluation: Run) -> str:
    plain = {key: value for key, value in evaluation.spec.items() if key != "shapes_seq"}
    return json.dumps(plain, sort_keys=True)


def method_of(model: Run, subset: Run | None) -> str:
    """The objective, or the strategy that chose the subset; then how the model was trained, after a comma each."""
    if model.spec.get("mode") == "registered":
        return ELSEWHERE
    objective, sampling = str(model.spec.get("objective", "erm")), model.spec.get("sampling", "shuffled")
    refits = model.spec.get("mode") == "last-layer"
    how = refit_of(model) if refits else f"from {model.spec.get('start', 'scratch')}"
    parts = [_named(_fitted_by(model) if refits else objective)] if subset is None else [_chosen_by(subset), how]
    if subset is None and refits:
        parts.append(how)
    if subset is not None and objective != "erm":
        parts.append(_named(objective))
    if sampling != "shuffled":
        parts[0] += f" ({sampling})"
    return ", ".join(parts)


def _named(method: str) -> str:
    return METHOD_NAMES.get(method, method)


def _fitted_by(model: Run) -> str:
    """The method that a last layer on all images stands for: a penalty alone is ERM."""
    refit = str(model.spec["refit"])
    return "slim" if refit == "answered" else refit if refit in METHOD_NAMES else "erm"


def short_methods(frame: pd.DataFrame) -> pd.Series:
    """The method of each row up to its first comma, where that tells it from the others: "SLIM".

    ``frame``: method, one row an evaluation.
    """
    short = frame["method"].str.partition(",")[0]
    several = frame["method"].groupby(short).transform("nunique") > 1
    return short.where(~several, frame["method"])


def _chosen_by(subset: Run) -> str:
    """The strategy; and, of one that uses answers, whether it had none."""
    strategy = str(subset.spec["strategy"])
    if strategy not in ANSWERED or subset.spec.get("answers_seq"):
        return _named(strategy)
    options = subset.spec.get("options", {})
    if options.get("environments", "space") != "space" and options.get("presumed") == 0:
        return f"{_named(strategy)} with all attention assumed wrong"
    return f"{_named(strategy)} without answers"


def refit_of(model: Run) -> str:
    """How the last layer was fitted, and that classes were balanced in it where they were."""
    is_balanced = model.spec["refit_options"].get("class_balanced")
    return refit_name(model.spec["refit"]) + (", class-balanced" if is_balanced else "")


def over_seeds(frame: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Runs that differ by their seed alone put together, one row a method, the baseline's first.

    Args:
        frame: indexed by evaluation, with identity, grouping, method, name, seed, WGA and AVERAGE (0..1; NaN = none).
        baseline: the evaluation whose method the others are compared with, paired by seed.

    Returns:
        method (with the given name; no two are the same), identity, seeds (sorted list), n, of both their mean
        and sd ("wga_mean", "wga_sd"; sd NaN for one seed), and for worst-group accuracy the paired difference: change,
        change_low, change_high (95 % t interval, NaN below LEAST_PAIRS) and pairs. A pair has one seed and the same
        groups. A seed that occurs twice counts once, as its mean.
    """
    measures = [WGA, AVERAGE]
    parts = {str(identity): part for identity, part in frame.groupby("identity", sort=False)}
    per_seed = {identity: part.groupby("seed")[measures].mean() for identity, part in parts.items()}
    against = str(frame.at[baseline, "identity"])
    base = _in_each_grouping(parts[against])
    names = _names(frame.drop_duplicates("identity"))
    found = [
        {
            "method": names[identity],
            "identity": identity,
            "seeds": seeds.index.tolist(),
            "n": len(seeds),
            **{f"{measure}_mean": seeds[measure].mean() for measure in measures},
            **{f"{measure}_sd": seeds[measure].std(ddof=1) for measure in measures},
            **_change(_in_each_grouping(parts[identity]), base if identity != against else base.iloc[:0]),
        }
        for identity, seeds in sorted(per_seed.items(), key=lambda pair: pair[0] != against)
    ]
    return pd.DataFrame(found)


def _in_each_grouping(part: pd.DataFrame) -> pd.Series:
    """Its mean worst-group accuracy by seed and grouping: the worst of other groups is another number."""
    found: pd.Series = part.groupby(["seed", "grouping"])[WGA].mean()
    return found


def _names(firsts: pd.DataFrame) -> dict[str, str]:
    """Identity -> what its runs are called; with the end of the first one's id where others are called the same."""
    words = [titled(str(one.name), str(one.method)) for one in firsts.itertuples()]
    return dict(zip(firsts["identity"], unique_labels(words, firsts.index.tolist()), strict=True))


def _change(values: pd.Series, base: pd.Series) -> dict[str, Any]:
    """The paired difference by seed, over the seeds and groupings that both have."""
    shared = values.index.intersection(base.index)
    of_seeds = [each.loc[shared].groupby(level="seed").mean() for each in (values, base)]
    found = difference_by_index(*of_seeds)
    return {"change": found["mean"], "change_low": found["low"], "change_high": found["high"], "pairs": found["n"]}


def table(store: Store, evaluations: Sequence[Run], ancestry: Ancestry | None = None) -> pd.DataFrame:
    """One row an evaluation of one data set, by its id.

    Returns:
        model (id), method, labels_used, identity, grouping, split, seed, worst_group (name), RATES and the worst
        group's interval (0..1), COSTS, answered_by, share (images asked about, of their split), spent (in words), name
        (that somebody gave the model; its network where there are several; or ""), lineage_names (of the run and all it
        rests on), lineage_models (ids of the models among these) and label (a name that no other run has).
    """
    ancestry = ancestry or Ancestry.read(store, evaluations[0].dataset_id)
    found = pd.DataFrame(rows(store, evaluations, ancestry)).set_index("evaluation")
    found["method"] = short_methods(found)
    dataset = store.datasets.fetch(evaluations[0].dataset_id)
    found["name"] = names_among([ancestry.runs.get(model) for model in found["model"]], dataset.name)
    rests_on = [ancestry.lineage(one) for one in evaluations]
    found["lineage_names"] = [" ".join(each.name for each in lineage) for lineage in rests_on]
    found["lineage_models"] = [" ".join(each.id for each in lineage if each.kind == "train") for lineage in rests_on]
    numbers = found[[*RATES, WORST_LOW, WORST_HIGH, *COSTS, "share"]].astype(float)
    words = found[[*_WORDS]]
    return pd.concat([words, numbers], axis=1).assign(label=labels(found))


def labels(rows: pd.DataFrame) -> list[str]:
    """A name a run that no other has: its given name and method; the seed and split where there are several, and
    the end of its id where needed."""
    seeds = rows["seed"].astype(str)
    several = seeds.groupby([rows["name"], rows["method"]]).transform("nunique") > 1
    pairs = zip(rows["method"], seeds, several & (rows["method"] != ELSEWHERE), strict=True)
    made = [f"{method}, seed {seed}" if is_told else method for method, seed, is_told in pairs]
    names = [titled(str(name), what) for name, what in zip(rows["name"], made, strict=True)]
    if rows["split"].nunique() > 1:
        names = [f"{name}, {split}" for name, split in zip(names, rows["split"], strict=True)]
    return unique_labels(names, rows.index.tolist())


def with_change(rows: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """The rows with change: worst-group accuracy minus the baseline's (0..1; NaN for the baseline itself, and for runs
    that are not comparable with it)."""
    change = rows[WGA] - float(rows[WGA].get(baseline, math.nan))
    return rows.assign(change=change.where((rows.index != baseline) & ~not_comparable(rows, baseline)))


def not_comparable(rows: pd.DataFrame, baseline: str) -> pd.Series:
    """True for each row that counts other groups than the baseline, or other images."""
    return has_other_groups(rows, baseline) | has_other_split(rows, baseline)


def has_other_groups(rows: pd.DataFrame, baseline: str) -> pd.Series:
    """True for each row whose groups are not those of the baseline; of the first row where that is not among them."""
    return _differs(rows["grouping"], baseline)


def evaluated_again(rows: pd.DataFrame, baseline: str) -> pd.Series:
    """True for each row of other groups than the baseline's whose model has a row with those, too.

    ``rows``: of one split.
    """
    apart = has_other_groups(rows, baseline)
    return apart & rows["model"].isin(rows.loc[~apart, "model"])


def has_other_split(rows: pd.DataFrame, baseline: str) -> pd.Series:
    """True for each row that was evaluated on another split than the baseline, or than the first row."""
    return _differs(rows["split"], baseline)


def _differs(values: pd.Series, baseline: str) -> pd.Series:
    return values.ne(values.get(baseline, values.iloc[0]))


def worst_groups(rows: pd.DataFrame, baseline: str) -> pd.Series:
    """The name of each row's worst group, marked where it is one of other groups: a name of both is not one group."""
    apart = has_other_groups(rows, baseline)
    pairs = zip(rows[WORST_GROUP], apart, strict=True)
    names = [name + OTHER_GROUPS if isinstance(name, str) and other else name for name, other in pairs]
    return pd.Series(names, index=rows.index, dtype=object)


def groups(evaluations: Sequence[Run], names: Mapping[Any, str]) -> pd.DataFrame:
    """GROUP_COLUMNS: one row an evaluation and group (rates 0..1); ``key`` names both, for links to the images.

    ``names``: label of each evaluation, by its id.
    """
    found = [
        (
            names[one.id],
            group["name"],
            *(group[key] for key in ("accuracy", "low", "high", "n")),
            f"{one.id}.group.{group['group']}",
        )
        for one in evaluations
        for group in listed_groups(one.metrics or {})
    ]
    frame = pd.DataFrame(found, columns=GROUP_COLUMNS)
    return frame.astype({"accuracy": float, "low": float, "high": float})


def seeds_text(seeds: Sequence[int]) -> str:
    """0, 1, 5; a run of more than three as 0 to 39."""
    parts: list[list[int]] = []
    for seed in sorted(seeds):
        if parts and seed == parts[-1][-1] + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    ranges = [f"{part[0]} to {part[-1]}" if len(part) > 3 else ", ".join(map(str, part)) for part in parts]
    return ", ".join(ranges)


def select_runs(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The rows of these runs (by ``run``), in the order of the names."""
    place = {name: position for position, name in enumerate(names)}
    return frame[frame["run"].isin(names)].sort_values("run", key=lambda runs: runs.map(place), kind="stable")
