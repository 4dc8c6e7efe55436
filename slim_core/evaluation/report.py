"""The report: figures, tables, examples, and lineage, as one HTML file.

plotly.js once, pictures inside, no request to anywhere; it opens from a folder. ``report_assets`` lays it out.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape
from numpy.typing import NDArray

from slim_core.curation import finder
from slim_core.data.groups import GROUPS_IN_TRAINING
from slim_core.data.images import heat
from slim_core.data.images.codec import ImageTransform, encode, load_picture
from slim_core.data.images.heat import heat_gradient
from slim_core.errors import ImageRefusedError, NotFoundError
from slim_core.evaluation import comparison, diagnosis, one_model
from slim_core.evaluation.charts import results
from slim_core.evaluation.charts.space import spaces_scatter
from slim_core.evaluation.comparison import (
    ANSWERED_BY_DEFINITION,
    COST_DEFINITIONS,
    LABELS_DEFINITION,
    OTHER_GROUPS,
    TITLES,
    Ancestry,
    has_other_groups,
    over_seeds,
    seeds_text,
    worst_groups,
)
from slim_core.evaluation.predictions import (
    compared_frames,
    examples_of_change,
    predictions,
    predictions_of_pass,
    slices_of,
    space_frame,
    spaces_of,
    typical_mistakes,
    worst_slices,
    wrong_first,
)
from slim_core.evaluation.verdict import Verdict, of_runs
from slim_core.formatting import UNKNOWN, in_percent, interval, of_n, percent, points, rounded
from slim_core.metrics import DEFINITIONS, RATES, N, groups_are_classes, of_environments, ungrouped, worst_shown
from slim_core.result_files import FINDINGS, ROWS
from slim_core.store.results import AttentionResult, ModelResult

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from slim_core.data.table import ImageTable
    from slim_core.store import Dataset, Run, Store

COST_CHARTS = (  # column, title, axis
    ("answers", "images asked about", "images asked about"),
    ("images", "images used", "images trained on"),
)
N_EXAMPLES, EXAMPLE_PX = 6, 128
N_SLICES, MOST_LOOKS = 3, 12
CHANGED = "Chosen to show the change: images of the worst group that turned right. Image, attention before, after."
OF_SPACES = "Near images have similar attention. Each space is laid out by itself: compare which images lie together."
OF_ONE, OF_ONE_TITLE = ("attention", "environment"), "Attention and environment space"
STAYED_WRONG = "Typical images of the worst group that both models get wrong. Image, attention before, after."
DIGITS = {
    "minutes": 1,
    "seconds": 0,
    "lineage_seconds": 0,
    "gpu_hours": 2,
    "answers": 0,
    "images": 0,
}
PAID = (
    "labels_used", "answers", "answered_by", "share", "minutes", "images", "seconds",
    "lineage_seconds", "gpu_hours",
)  # fmt: skip
DEFINED = (*RATES, "gap", "groups")
GROUP_COLUMNS = ("images", "accuracy", "95 % interval")
LINEAGE = ["step", "run", "name", "seed", "device", "seconds", "code", "submitted (UTC)"]
ASSETS = Path(__file__).parent / "report_assets"


@dataclass(frozen=True)
class Chart:
    """A titled figure with a sentence on how to read it."""

    title: str
    figure: go.Figure
    note: str = ""


@dataclass(frozen=True)
class Example:
    """One image as it is, under the attention of the baseline and of the other run: data URIs and what each said."""

    row: int
    pictures: tuple[str, str, str]
    names: tuple[str, str, str]


@dataclass(frozen=True)
class Look:
    """A cluster of the baseline's attention: a sentence (its class where not suspicious), numbers, crops as URIs."""

    sentence: str
    numbers: str
    crops: tuple[str, ...]
    is_suspicious: bool = True


@dataclass(frozen=True)
class Slice:
    """Images of a class in like surroundings on which the model does worst: each plain, under attention, and named."""

    name: str
    numbers: str
    examples: list[tuple[str, str, str]]


@dataclass(frozen=True)
class OneModel:
    """What a report of a single model shows in the place of a comparison."""

    facts: list[str]
    classes: list[list[str]]
    slices: list[Slice]
    limits: list[str]
    step: one_model.NextStep


@dataclass(frozen=True)
class Report:
    """Everything the file shows."""

    dataset: Dataset
    made_at: datetime
    rows: pd.DataFrame  # slim_core.evaluation.comparison.table with change, in the order shown
    groups: pd.DataFrame
    baseline: str
    after: str | None  # the run set against the baseline in words and pictures
    verdict: str  # the second of the two that are set against each other; markdown, "" where there is only one
    story: list[tuple[str, str]]  # heading, markdown
    charts: list[Chart]
    seeds: pd.DataFrame
    examples: list[Example]
    chosen: str  # how the examples were chosen
    lineages: dict[str, list[list[str]]]  # label of the run -> LINEAGE of itself and of all it descends from
    estimated: str = ""  # a sentence on what the groups are where no attribute is known
    looks: list[Look] = field(default_factory=list)
    link: str | None = None
    missing: list[str] = field(default_factory=list)  # sentences about what could not be shown
    ungrouped: list[str] = field(default_factory=list)  # sentences on images that no row of ``groups`` counts
    alone: OneModel | None = None  # where there is nothing to compare with


def collect(
    store: Store,
    evaluations: Sequence[Run],
    baseline: str | None = None,
    *,
    ancestry: Ancestry | None = None,
    after: str | None = None,
    link: str | None = None,
) -> Report:
    """The report of finished evaluations of one data set.

    Args:
        evaluations: with their metrics, in the order to show.
        baseline: id of the one the others are measured against; default: the first.
        after: id of the run set beside the baseline in words and pictures; default: ``best`` of the others, of those
            with its images and groups where there are any.
        link: address of the same view in the dashboard.
    """
    ancestry = ancestry or Ancestry.read(store, evaluations[0].dataset_id)
    by_id = {one.id: one for one in evaluations}
    rows = comparison.table(store, evaluations, ancestry)
    baseline = baseline if baseline in by_id else evaluations[0].id
    after = after if after in by_id and after != baseline else _best_beside(rows, baseline)
    before, second = by_id[baseline], by_id.get(after or "")
    found = of_runs(store, before, second, evaluations, ancestry, rows) if second else None
    is_better = found is not None and found.way > 0
    examples, chosen, missing = _examples(store, before, second, is_better=is_better) if second else ([], "", [])
    names = {one.id: str(rows.at[one.id, "label"]) for one in evaluations}
    groups = comparison.groups(evaluations, names)
    compared = [one for one in (before, second) if one]
    spaces = _spaces(store, ancestry, compared, [names[one.id] for one in compared])
    is_alone = len(evaluations) == 1
    looks = _looks(store, ancestry, before, MOST_LOOKS if is_alone else None)
    return Report(
        dataset=store.datasets.fetch(evaluations[0].dataset_id),
        made_at=datetime.now(UTC),
        rows=comparison.with_change(rows, baseline),
        groups=groups,
        baseline=baseline,
        after=after,
        verdict=f"{rows['label'].get(after)}: {found.sentence}" if found else "",
        story=_story(store, before, found),
        charts=_charts(rows, groups, baseline) + spaces,
        seeds=over_seeds(rows[~comparison.has_other_split(rows, baseline)], baseline),
        examples=examples,
        chosen=chosen,
        lineages={names[one.id]: [_ancestor(run) for run in ancestry.lineage(one)] for one in evaluations},
        estimated=_estimated(evaluations),
        looks=looks,
        link=link,
        missing=missing,
        ungrouped=_ungrouped(evaluations, names),
        alone=_alone(store, ancestry, before, looks) if is_alone else None,
    )


def _alone(store: Store, ancestry: Ancestry, run: Run, looks: Sequence[Look]) -> OneModel | None:
    """None where the files of the run or of its model were removed."""
    model, table, metrics = store.runs.fetch(run.spec["model"]), store.datasets.table(run.dataset_id), run.metrics or {}
    maps = next(reversed(_passes(store, ancestry, run)), None)
    facts = [f"evaluated on {metrics[N]:,} {run.spec['split']} images"]
    try:
        seen = predictions(store, run)
        if maps is not None:
            seen_by_pass = predictions_of_pass(store, maps)
            facts.append(f"attention of {len(seen_by_pass):,} images")
            seen = pd.concat([seen, seen_by_pass[seen_by_pass["split"] == "train"]])
        no_attention = ModelResult(store.artifacts.folder(model.id)).no_attention
    except NotFoundError:
        return None
    parts = [seen[seen["split"] == split]["correct"] for split in set(seen["split"])]
    guesses = all(one_model.is_chance(int(part.sum()), len(part), table.n_classes) for part in parts)
    is_suspicious, name = any(look.is_suspicious for look in looks), store.datasets.fetch(run.dataset_id).name
    return OneModel(
        facts,
        one_model.classes(metrics),
        _slices(store, ancestry, run, maps),
        one_model.limits(run, model, table, no_attention, guesses=guesses),
        one_model.next_step(run, model, maps, table, is_suspicious=is_suspicious, guesses=guesses, name=name),
    )


def _passes(store: Store, ancestry: Ancestry, evaluation: Run) -> list[Run]:
    """The attention passes over its model whose files are there, the newest last."""
    model = evaluation.spec["model"]
    passes = [run for run in ancestry.runs.values() if run.kind == "gradcam" and run.spec["model"] == model]
    return sorted((run for run in passes if store.artifacts.has(run.id, ROWS)), key=lambda run: run.created_at)


def _slices(store: Store, ancestry: Ancestry, run: Run, maps: Run | None) -> list[Slice]:
    """The worst ones in which the model makes a mistake, each with its worst predictions."""
    attention = None if maps is None else Attention.of(store, maps)
    if attention is None:
        return []
    try:
        found, said = slices_of(store, run, ancestry).grouping, predictions(store, run)
        worst = worst_slices(said["correct"].to_numpy(bool), found)
        shown = worst[worst["accuracy"] < 1].head(N_SLICES).to_dict("records")
        return [
            _slice(one, wrong_first(said[found.index == one["slice"]]).head(N_EXAMPLES), attention) for one in shown
        ]
    except (ImageRefusedError, NotFoundError):
        return []


def _slice(one: Mapping[Any, Any], worst: pd.DataFrame, attention: Attention) -> Slice:
    examples = []
    for said in worst.to_dict("records"):
        image, overlay = (data_uri(draw(said["row"], EXAMPLE_PX)) for draw in (attention.image, attention.overlay))
        examples.append((image, overlay, f"{'✓' if said['correct'] else '✗'} {said['prediction_name']}"))
    numbers = f"accuracy {percent(one['accuracy'])} ({interval(one['low'], one['high'])}), {of_n(one['n'])}"
    return Slice(str(one["name"]), numbers, examples)


def _estimated(evaluations: Sequence[Run]) -> str:
    measured = [one.metrics or {} for one in evaluations]
    if any(map(of_environments, measured)):
        return "No attribute is known: these groups are estimated."
    return "No attribute is known: these groups are only the classes." * any(map(groups_are_classes, measured))


def _best_beside(rows: pd.DataFrame, baseline: str) -> str | None:
    """The best of the runs that are comparable with the baseline; else of those of its split, else of all."""
    others = rows.drop(index=baseline)
    apart = (comparison.not_comparable(rows, baseline), comparison.has_other_split(rows, baseline))
    return next((found for one in apart if (found := best(others[~one[others.index]]))), best(others))


def best(rows: pd.DataFrame) -> str | None:
    """The id of the highest worst-group accuracy; one that trained on group labels only where there is no other."""
    known = rows[rows["wga"].notna()]
    honest = known[~known["labels_used"].str.contains(GROUPS_IN_TRAINING, regex=False, na=False)]
    ranked = (honest if len(honest) else known)["wga"]
    return str(ranked.idxmax()) if len(ranked) else None


def _ungrouped(evaluations: Sequence[Run], names: Mapping[str, str]) -> list[str]:
    """How many images are of no known group: one sentence where it is the same for all, else with the runs' labels."""
    runs_of: dict[str, list[str]] = {}
    for one in evaluations:
        runs_of.setdefault(ungrouped(one.metrics or {}), []).append(names[one.id])
    if len(runs_of) == 1:
        return [text for text in runs_of if text]
    return [f"{'; '.join(runs)}: {text}" for text, runs in runs_of.items() if text]


def _story(store: Store, before: Run, found: Verdict | None) -> list[tuple[str, str]]:
    metrics, table = before.metrics or {}, store.datasets.table(before.dataset_id)
    sections = [
        ("What was wrong", diagnosis.wrong(metrics, before.spec["split"])),
        ("Why", diagnosis.why(metrics, table)),
    ]
    return sections if found is None or not found.why else [*sections, ("What the verdict rests on", found.why)]


def _charts(rows: pd.DataFrame, groups: pd.DataFrame, baseline: str) -> list[Chart]:
    name, apart = str(rows.at[baseline, "label"]), comparison.not_comparable(rows, baseline)
    frame, alike = rows.assign(run=rows["label"]), groups[~groups["run"].isin(rows["label"][apart])]
    note = "Accuracy with its 95 % Wilson interval."
    if len(rows) > 1:
        note += " Two may overlap although the models differ: the verdict compares them image by image."
    elsewhere = comparison.has_other_split(rows, baseline)
    for why, which in ((comparison.NOT_COMPARABLE, apart & ~elsewhere), (comparison.OTHER_SPLIT, elsewhere)):
        if which.any():
            note += f" Not drawn, {why}: {'; '.join(rows['label'][which])}."
    charts = [
        Chart("Every group", results.group_intervals(alike, name, rows["label"].tolist()), note),
        Chart("Worst group and averages", results.averages(rows, comparison.HEADLINE, name)),
    ]
    charts += [
        Chart(f"Against {about}", results.cost_scatter(frame, cost, axis, name))
        for cost, about, axis in COST_CHARTS
        if results.has_cost(frame, cost)
    ]
    if len(results.long(rows, comparison.ATTENTION)):
        figure = results.attention(rows, comparison.ATTENTION, name)
        charts.append(Chart("Attention", figure, "Measured against masks or boxes."))
    return charts


def _looks(store: Store, ancestry: Ancestry, before: Run, most: int | None) -> list[Look]:
    """Of the newest attention pass over the baseline's model that has them: at most ``most``; None: the suspicious."""
    passes = [run for run in _passes(store, ancestry, before) if store.artifacts.has(run.id, FINDINGS)]
    if not passes:
        return []
    newest, table = passes[-1], store.datasets.table(before.dataset_id)
    try:
        transform = ModelResult(store.artifacts.folder(before.spec["model"])).transform
        names = table.label_names
        return [
            Look(
                one.sentence(names) if one.is_suspicious else f"{names[one.label]}:",
                one.numbers(),
                tuple(map(data_uri, one.cut(table, transform))),
                one.is_suspicious,
            )
            for one in finder.read(store.artifacts.folder(newest.id))[:most]
            if one.is_suspicious or most
        ]
    except (ImageRefusedError, NotFoundError):
        return []


def _spaces(store: Store, ancestry: Ancestry, evaluations: Sequence[Run], names: Sequence[str]) -> list[Chart]:
    """Of the models that have one, side by side; a sentence names the others. Of one model both of its spaces."""
    found = spaces_of(ancestry.runs.values(), [one.spec["model"] for one in evaluations])
    spaces = [one for one in found if one is not None]
    titles = [name for name, space in zip(names, found, strict=True) if space is not None]
    without = [name for name in names if name not in titles]
    try:
        if len(evaluations) == 1 and spaces:
            both = [space_frame(store, spaces[0], of) for of in OF_ONE]
            return [Chart(OF_ONE_TITLE, spaces_scatter(both, [of.capitalize() for of in OF_ONE], "group"), OF_SPACES)]
        figure = spaces_scatter(compared_frames(store, spaces), titles, "group") if spaces else None
    except NotFoundError:  # its files, or those of its attention, were removed
        figure = None
    if figure is None:
        return []
    missing = [f"There is no space of {name} yet: build one on Compare, view Space." for name in without]
    title = "Attention space" if without else "Attention space, before and after"
    return [Chart(title, figure, " ".join([OF_SPACES, *missing]))]


def seeds_chart(seeds: pd.DataFrame) -> Chart | None:
    """The paired differences, where there are any."""
    if not (seeds["pairs"] > 0).any():
        return None
    note = "Worst group against the baseline's method, paired by seed; 95 % t interval where there are three pairs."
    return Chart("Differences over seeds", results.seed_differences(seeds), note)


def _examples(store: Store, before: Run, after: Run, *, is_better: bool) -> tuple[list[Example], str, list[str]]:
    """Images of the baseline's worst group and how they were chosen: where it is better now, what changed, else what
    stayed wrong. Or why there are none."""
    if before.spec["split"] != after.spec["split"]:
        return [], "", ["No pictures: the two were evaluated on different splits."]
    attention = [Attention.of(store, run) for run in (before, after)]
    worst = worst_shown(before.metrics or {})
    if attention[0] is None or attention[1] is None or worst is None:
        return [], "", ["No pictures: one of the two evaluations kept no attention maps. Evaluate its model again."]
    try:
        was, now = predictions(store, before), predictions(store, after)
        wrong = [] if is_better else typical_mistakes(was, now, worst["group"], N_EXAMPLES)
        rows = wrong or examples_of_change(was, now, worst["group"], N_EXAMPLES)
        said = [frame.set_index("row") for frame in (was, now)]
        examples = [_example(row, attention[0], attention[1], said) for row in rows]
        return examples, STAYED_WRONG if wrong else CHANGED, []
    except (ImageRefusedError, NotFoundError) as error:
        return [], "", [f"No pictures: {error}"]


def _example(row: int, before: Attention, after: Attention, said: list[pd.DataFrame]) -> Example:
    pictures = (before.image(row, EXAMPLE_PX), before.overlay(row, EXAMPLE_PX), after.overlay(row, EXAMPLE_PX))
    outcomes = [("✓ " if frame.at[row, "correct"] else "✗ ") + str(frame.at[row, "prediction_name"]) for frame in said]
    first, second, third = (data_uri(each) for each in pictures)
    return Example(row, (first, second, third), (str(said[0].at[row, "group_name"]), outcomes[0], outcomes[1]))


def _ancestor(run: Run) -> list[str]:
    """The cells of LINEAGE."""
    seed, seconds = str(int(run.spec.get("seed", 0))), str(round(run.seconds, 1))
    submitted = f"{run.created_at:%Y-%m-%d %H:%M}"
    return [run.kind, run.id, run.name, seed, run.device or UNKNOWN, seconds, run.code_version or UNKNOWN, submitted]


@dataclass(frozen=True)
class Attention:
    """The attention maps that an evaluate or gradcam run kept. Finished runs never change."""

    seen: AttentionResult
    model: ModelResult
    table: ImageTable

    @classmethod
    def of(cls, store: Store, run: Run) -> Attention | None:
        """None where the run kept no maps, or its files or its model's are gone."""
        try:
            seen = AttentionResult(store.artifacts.folder(run.id))
            model = ModelResult(store.artifacts.folder(run.spec["model"]))
        except NotFoundError:
            return None
        return cls(seen, model, store.datasets.table(run.dataset_id)) if seen.has_maps and model.exists else None

    def image(self, row: int, size: int) -> NDArray[np.uint8]:
        """(h, w, 3): what the model saw, the longer side ``size``.

        Raises:
            ImageRefusedError: the file is gone, damaged or too large.
        """
        return load_picture(self.table.image_path(row), self._transform(size))

    def overlay(self, row: int, size: int) -> NDArray[np.uint8]:
        """(h, w, 3): the same under its attention; the plain image where no map of the row was kept, and with a
        label where the map is empty."""
        pixels = self.image(row, size)
        raw = self.seen.map_of(row)
        if raw is None:
            return pixels
        return heat.map_overlay(pixels, raw, self._transform(size))

    def _transform(self, size: int) -> ImageTransform:
        return dataclasses.replace(self.model.transform, size=size)


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """A WebP picture inside its own address."""
    return "data:image/webp;base64," + base64.b64encode(encode(pixels, "webp", quality=80)).decode("ascii")


@dataclass(frozen=True)
class Grid:
    """A table as text."""

    heading: list[str]
    cells: list[list[str]]


def render(report: Report) -> str:
    """The whole file as text, some 5 MB of it plotly.js."""
    from plotly.offline import get_plotlyjs

    extra = seeds_chart(report.seeds)
    charts = [*report.charts, *([extra] if extra else [])]
    return template("report.html").render(
        title=f"{_models(report)} on {report.dataset.name}",
        facts=_facts(report),
        report=report,
        charts=charts,
        numbers=_of_runs(report, [key for key in TITLES if key not in PAID]),
        costs=_of_runs(report, PAID),  # a table of its own, so that no column leaves the page
        groups=groups_table(report),
        seeds=seeds_table(report.seeds),
        classes=Grid(["class", *GROUP_COLUMNS], report.alone.classes if report.alone else []),
        definitions=_definitions(),
        lineages={label: Grid(LINEAGE, runs) for label, runs in report.lineages.items()},
        figures=[json.loads(chart.figure.to_json()) for chart in charts],
        heat=heat_gradient(),
        style=asset("report.css"),
        script=asset("report.js"),
        plotly=Markup(get_plotlyjs()),
    )


@cache
def template(name: str) -> Template:
    """A template of ours."""
    environment = Environment(
        loader=FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["bold"] = bold
    return environment.get_template(name)


def asset(name: str) -> Markup:
    """A file of ours, which needs no escaping."""
    return Markup((ASSETS / name).read_text(encoding="utf-8"))


def bold(text: str) -> Markup:
    """Escaped text in which **words** are bold."""
    return Markup(re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", str(escape(text))))


def _models(report: Report) -> str:
    return f"{len(report.rows)} models" if len(report.rows) > 1 else str(report.rows["label"].iloc[0])


def _facts(report: Report) -> list[str]:
    return [
        f"{report.dataset.n_images:,} images",
        *(report.alone.facts if report.alone else ()),
        f"fingerprint {report.dataset.fingerprint}",
        *([] if report.alone else [f"baseline {report.rows.at[report.baseline, 'label']!s}"]),
        f"made {report.made_at:%Y-%m-%d %H:%M} UTC by SLIM Studio",
    ]


def _definitions() -> list[str]:
    costs = [f"{TITLES[key].capitalize()}: {text}" for key, text in COST_DEFINITIONS.items()]
    return [DEFINITIONS[key] for key in DEFINED] + [LABELS_DEFINITION, ANSWERED_BY_DEFINITION, *costs]


def _of_runs(report: Report, keys: Sequence[str]) -> Grid:
    rows = report.rows.assign(worst_group=worst_groups(report.rows, report.baseline))
    records: list[dict[str, Any]] = rows.reset_index().to_dict("records")  # type: ignore[assignment]
    cells = [
        [
            ("⚑ " if row["evaluation"] == report.baseline else "") + row["label"],
            *(shown(key, row[key]) for key in keys),
        ]
        for row in records
    ]
    return Grid(["run", *(TITLES[key] for key in keys)], cells)


def shown(key: str, value: Any) -> str:
    """A cell: rates in percent, changes in points, counts with their separators, a dash where there is none."""
    if value is None or value != value:  # NaN
        return UNKNOWN
    if key in RATES or key == "share":
        return in_percent(value)
    if key == "change":
        return points(value)
    return rounded(value, DIGITS[key], ",") if key in DIGITS else str(value)


def groups_table(report: Report) -> Grid:
    """Heading and cells of the table of groups: one row a run and group."""
    lowest = report.groups.groupby("run")["accuracy"].transform("min")
    apart = set(report.rows["label"][has_other_groups(report.rows, report.baseline)])
    records: list[dict[str, Any]] = report.groups.assign(worst=lowest).to_dict("records")  # type: ignore[assignment]
    cells = [
        [
            row["run"],
            row["group"]
            + (OTHER_GROUPS if row["run"] in apart else "")
            + (" ← worst" if row["accuracy"] == row["worst"] < 1 else ""),
            f"{row['n']:,}",
            shown("wga", row["accuracy"]),
            interval(row["low"], row["high"]),
        ]
        for row in records
    ]
    return Grid(["run", "group", *GROUP_COLUMNS], cells)


def seeds_table(frame: pd.DataFrame) -> Grid:
    """Heading and cells of the table of methods over their seeds."""
    records: list[dict[str, Any]] = frame.to_dict("records")  # type: ignore[assignment]
    cells = [
        [
            row["method"],
            seeds_text(row["seeds"]),
            *(shown("wga", row[key]) for key in ("wga_mean", "wga_sd", "average_mean")),
            shown("change", row["change"]),
            interval(row["change_low"], row["change_high"], "+"),
            str(row["pairs"]),
        ]
        for row in records
    ]
    return Grid(["method", "seeds", "worst group", "sd", "average", "difference", "95 % interval", "pairs"], cells)
