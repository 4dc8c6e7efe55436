"""The few numbers that say what a finished run has found, on the Jobs page and on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slim_core.formatting import percent
from slim_core.metrics import (
    AIOU,
    ATTENTION_PRECISION,
    AVERAGE,
    COVERAGE,
    DEFINITIONS,
    NO_EVIDENCE,
    WGA,
    N,
    worst_shown,
)

if TYPE_CHECKING:
    from slim_core.store import Run


@dataclass(frozen=True)
class Headline:
    """A number of a run.

    Attributes:
        path: keys of the metrics, one within the other.
        title: as within a sentence.
        about: what it is, in a sentence.
        is_rate: a fraction, shown in percent.
    """

    path: tuple[str, ...]
    title: str
    about: str
    is_rate: bool = False

    @property
    def heading(self) -> str:
        """The title by itself."""
        return f"{self.title[0].upper()}{self.title[1:]}"

    def of(self, run: Run) -> str | None:
        """The number as text; None where the run has none."""
        worst = worst_shown(run.metrics or {})
        if self.path == (WGA,) and worst is not None:
            return percent(worst["accuracy"])
        found: Any = run.metrics
        for key in self.path:
            found = found.get(key) if isinstance(found, dict) else None
        if found is None:
            return None
        if self.is_rate:
            return percent(found)
        return f"{found:,}" if isinstance(found, int) else str(found)


_ATTENTION = (
    Headline((ATTENTION_PRECISION,), "attention precision", DEFINITIONS[ATTENTION_PRECISION], is_rate=True),
    Headline((COVERAGE,), "scored", DEFINITIONS[COVERAGE], is_rate=True),
)
_BEST_EPOCH = Headline(("best_epoch",), "best epoch", "The best epoch on validation images.")
_PASS = Headline((N,), "images", "Images of this pass.")
HEADLINES: dict[str, tuple[Headline, ...]] = {
    "train": (
        Headline(("val", WGA), "worst group, val", f"{DEFINITIONS[WGA]} On the validation images.", is_rate=True),
        Headline(("val", AVERAGE), "average, val", DEFINITIONS[AVERAGE], is_rate=True),
        Headline(("images",), "images", "Training images, including repeats."),
        _BEST_EPOCH,
    ),
    "evaluate": (
        Headline((WGA,), "worst group", DEFINITIONS[WGA], is_rate=True),
        Headline((AVERAGE,), "average", DEFINITIONS[AVERAGE], is_rate=True),
        *_ATTENTION,
        Headline((N,), "images", "Images of the split."),
    ),
    "gradcam": (
        Headline(("accuracy",), "accuracy", "On the images of this pass.", is_rate=True),
        Headline((AIOU,), "AIoU", DEFINITIONS[AIOU], is_rate=True),
        *_ATTENTION,
        _PASS,
    ),
    "preview": (Headline((N,), "images", "Images of the preview."),),
    "space": (Headline(("images",), "images", "Images of the space."),),
    "candidates": (Headline(("images",), "images", "Annotated images."),),
    "curate": (
        Headline(("images",), "images", "Images of the subset, including repeats."),
        Headline(("images_unique",), "distinct images", "Images of the subset without repeats."),
        Headline(("answers",), "answers", "Images with an answer behind the subset."),
        Headline(("answers_share",), "share answered", "Images with an answer, per image of train.", is_rate=True),
    ),
}


def headlines(run: Run) -> list[tuple[Headline, str]]:
    """Those that a run has, with their numbers; ``run``: with metrics. A last layer is fitted at once: no epochs."""
    has_epochs = run.spec.get("mode") != "last-layer"
    known = [(one, one.of(run)) for one in HEADLINES.get(run.kind, ()) if has_epochs or one is not _BEST_EPOCH]
    return [(one, text) for one, text in known if text is not None]


def empty_maps(run: Run) -> str:
    """How many maps of a pass are empty and what that means, in a sentence; "" where none is, or it is not known."""
    metrics = run.metrics or {}
    if not (n := metrics.get(NO_EVIDENCE, 0)):
        return ""
    is_empty, images = ("map is empty", "this image") if n == 1 else ("maps are empty", "these images")
    return (
        f"{n:,} of {metrics[N]:,} {is_empty}, zero everywhere: the model finds no evidence in {images} for the class "
        f"of the map."
    )
