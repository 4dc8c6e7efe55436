"""Where the result of a run is seen: the page, and the parameters that make it show just that run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slim_core.store import Run

# kind -> (page, what is done there)
PAGES = {
    "train": ("train", "see its accuracy per group."),
    "gradcam": ("attention", "see where the model looks."),
    "preview": ("attention", "see where the model looks, before the full pass."),
    "features": ("space", "build an attention space of the images."),
    "space": ("space", "see which images have similar attention."),
    "candidates": ("annotate", "answer for each image whether the attention is right."),
    "curate": ("curate", "retrain a model on this subset."),
    "evaluate": ("train", "see the accuracy of every group, and the images behind it."),
}


def compared(before: Run, after: Run) -> dict[str, str]:
    """The parameters with which the Compare page shows two evaluations of a split; it begins with those of test."""
    split = str(after.spec["split"])
    return {"baseline": before.id, "runs": f"{before.id},{after.id}"} | ({"split": split} if split != "test" else {})


def address(run: Run) -> tuple[str, dict[str, str]]:
    """(page, parameters) of a run's result.

    Raises:
        KeyError: its kind has no page.
    """
    spec = run.spec
    named: dict[str, dict[str, str | None]] = {
        "preview": {"model": spec.get("model"), "preview": run.id},
        "features": {"attention": run.id},
        "candidates": {"space": spec.get("space"), "campaign": (run.metrics or {}).get("campaign")},
        "curate": {"subset": run.id, "space": spec.get("space"), "campaign": spec.get("campaign")},
        "evaluate": {"run": spec.get("model"), "on": spec.get("split")},
    }
    given = named.get(run.kind, {"run": run.id})
    return PAGES[run.kind][0], {"dataset": run.dataset_id} | {name: value for name, value in given.items() if value}
