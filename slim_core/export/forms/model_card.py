"""A model card: what a model is, what it was trained with, and how it does on every group, with intervals."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from slim_core.data.table import SPLITS
from slim_core.evaluation.ancestry import Ancestry, answer_costs
from slim_core.evaluation.comparison import method_of, newest_evaluations
from slim_core.export.form import Form, Source
from slim_core.formatting import counted, duration, interval, percent
from slim_core.metrics import (
    ADJUSTED,
    AIOU,
    ATTENTION_PRECISION,
    AVERAGE,
    CLASSES,
    COVERAGE,
    DEFINITIONS,
    ESTIMATED_GROUPS,
    GROUPS,
    WGA,
    WORST_CLASS,
    groups_are_classes,
    listed_groups,
    ungrouped,
    worst_of,
)
from slim_core.store.campaigns.annotation_cost import total_cost
from slim_core.store.results import ModelResult
from slim_core.version import release

if TYPE_CHECKING:
    from slim_core.store import Run

FILE = "README.md"  # where model hubs look for a card
NAMES = {
    WGA: "Worst-group accuracy",
    AVERAGE: "Average accuracy",
    ADJUSTED: "Adjusted average",
    WORST_CLASS: "Worst-class accuracy",
    ATTENTION_PRECISION: "Attention precision",
    AIOU: "AIoU",
}
BY_TRAINING = "validation images during the training, by which its epoch was chosen"


class Measured(NamedTuple):
    """A model on the images of one split."""

    split: str
    images: str  # in words
    metrics: Mapping[str, Any]


def write(source: Source, folder: Path) -> None:
    """README.md, Markdown with the metadata that model hubs read."""
    (folder / FILE).write_text(card(source), encoding="utf-8")


def card(source: Source) -> str:
    """The card of a train run, with the newest evaluation of each split; else what its training says of validation."""
    results = _results(source)
    parts = [_metadata(source, results), *_about(source), *_training(source)]
    parts += ["## Results"]
    parts += [part for one in results for part in _result(one)]
    if not results:
        parts += ["This model has not been evaluated."]
    return "\n\n".join([*parts, *_definitions(results), *_origin(source)]) + "\n"


def _results(source: Source) -> list[Measured]:
    """Test first."""
    newest = newest_evaluations(source.store, source.id)
    evaluated = [(split, _metrics(newest[split])) for split in SPLITS[::-1] if split in newest]
    val = _metrics(source.run).get("val")
    if not evaluated and val:
        elsewhere = source.run.spec.get("mode") == "registered"
        return [Measured("val", "val images" if elsewhere else BY_TRAINING, val)]
    return [Measured(split, f"{split} images", metrics) for split, metrics in evaluated]


def _metrics(run: Run) -> Mapping[str, Any]:
    return run.metrics or {}


def _metadata(source: Source, results: Sequence[Measured]) -> str:
    """Front matter."""
    measured = [
        {
            "task": {"type": "image-classification", "name": "Image classification"},
            "dataset": {"type": _slug(source.data), "name": source.data, "split": split},
            "metrics": [
                {"type": "accuracy", "name": _called(key, metrics), "value": round(metrics[key], 4)}
                for key in (WGA, AVERAGE, ADJUSTED, WORST_CLASS)
                if metrics.get(key) is not None
            ],
        }
        for split, _, metrics in results
    ]
    fields = {
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "spurious-correlations", "group-robustness"],
        "model-index": [{"name": source.run.name or source.id, "results": measured}],
    }
    lines = [f"{key}: {_yaml(value)}" for key, value in fields.items() if key != "model-index" or measured]
    return "\n".join(["---", *lines, "---"])


def _called(key: str, metrics: Mapping[str, Any]) -> str:
    """The name of a measure; of one over groups that are estimated, with that: a hub shows it without the card."""
    if not metrics.get(ESTIMATED_GROUPS) or key not in (WGA, ADJUSTED):
        return NAMES[key]
    return f"{NAMES[key]}, {'the classes as' if groups_are_classes(metrics) else 'estimated'} groups"


def _yaml(value: object) -> str:
    """JSON, which quotes names of people, is YAML but for letters beyond 16 bits: JSON writes two halves of them."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(one if one.isprintable() else f"\\U{ord(one):08x}" for one in text)


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower()).strip("-") or "data"


def _about(source: Source) -> Iterator[str]:
    run, table = source.run, source.table
    yield f"# {_plain(run.name or run.id)}"
    yield (
        f"An image classifier of the architecture {_plain(run.spec['model'])}, for {table.n_classes} classes: "
        f"{_plain(', '.join(table.label_names))}."
    )
    yield ModelResult(source.folder).transform.described


def _training(source: Source) -> Iterator[str]:
    run, metrics = source.run, _metrics(source.run)
    ancestry = Ancestry.read(source.store, source.dataset_id)
    model = ancestry.runs[run.id]
    subset = ancestry.runs.get(str(run.spec.get("subset") or ""))
    yield "## Training"
    facts = {
        "Data": f"{_plain(source.data)}, {counted(len(source.table.rows('train')), 'training image')}",
        "Method": f"{method_of(model, subset)}, seed {run.spec.get('seed', 0)}",
        "Trained on": _images(metrics),
        "Labels used beyond the classes": ancestry.labels_used(model, has_groups=source.table.has_attributes),
        "Answers": total_cost(answer_costs(source.store, ancestry.answer_snapshots(model)).values()).in_words(),
        "Computing time": f"{duration(run.seconds)}; {duration(ancestry.seconds(model))} with all it rests on",
    }
    yield _table(("", ""), [(name, str(value)) for name, value in facts.items()])
    yield from (_plain(note) for note in metrics.get("report", {}).get("notes", ()))


def _images(metrics: Mapping[str, Any]) -> str:
    if "images" not in metrics:
        return "not known: the model was trained elsewhere"
    return f"{counted(metrics['images'], 'image')}, {metrics['images_unique']:,} of them distinct"


def _result(measured: Measured) -> Iterator[str]:
    metrics = measured.metrics
    yield f"### On {measured.images}"
    worst = worst_of(metrics)
    if worst is not None:
        yield (
            f"Worst-group accuracy **{percent(worst['accuracy'])}** ({_plain(worst['name'])}), "
            f"average {percent(metrics.get(AVERAGE))}."
        )
    if groups_are_classes(metrics):
        yield "The groups are only the classes, because no attribute is known."
    elif metrics.get(ESTIMATED_GROUPS):
        yield DEFINITIONS[ESTIMATED_GROUPS]
    rows = [
        (_plain(group["name"]), f"{group['n']:,}", percent(group["accuracy"]), _interval(group))
        for group in listed_groups(metrics)
    ]
    yield _table(("Group", "Images", "Accuracy", "95 % interval"), rows)
    if left := ungrouped(metrics):
        yield left
    classes = [
        (
            _plain(one["name"]),
            f"{one['n']:,}",
            percent(one["accuracy"]),
            percent(one.get("auroc")),
            percent(one.get("f1")),
        )
        for one in metrics.get(CLASSES, ())
    ]
    yield _table(("Class", "Images", "Accuracy", "AUROC", "F1"), classes)
    known = [key for key in NAMES if metrics.get(key) is not None]
    values = [(_called(key, metrics), percent(metrics[key])) for key in known]
    if scored := metrics.get(COVERAGE):
        values.append(("Scored", f"attention, on {percent(scored)} of the images"))
    yield _table(("Measure", "Value"), values)


def _interval(group: Mapping[str, Any]) -> str:
    low, high = (float("nan") if group[key] is None else float(group[key]) for key in ("low", "high"))
    return interval(low, high)


def _definitions(results: Sequence[Measured]) -> Iterator[str]:
    used = [key for key in (GROUPS, *NAMES) if any(one.metrics.get(key) is not None for one in results)]
    if used:
        yield "## How it was measured"
        yield "\n".join(f"- {DEFINITIONS[key]}" for key in used)


def _origin(source: Source) -> Iterator[str]:
    made_by = source.run.code_version or "unknown"
    yield f"Run {source.id}, made by SLIM Studio {made_by}; this card by {release()}."


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(text: object) -> str:
    """Names of people and files as text: no markup, no end of a cell."""
    line = " ".join(str(text).split())
    return "".join(f"\\{letter}" if letter in "\\|`*_[]<>#" else letter for letter in line)


FORM = Form(
    name="model-card",
    of=("train",),
    title="Model card (Markdown)",
    about=f"{FILE}: the model, its training, and its accuracy on every group with 95 % intervals.",
    opens_in="any Markdown viewer, huggingface_hub.ModelCard",
    write=write,
)
