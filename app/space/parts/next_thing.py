"""The one next step at the end of the Space page, by how far the newest campaign on the space is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app import session
from app.ui import next_step, roles
from app.ui.escape import verbatim
from slim_core.store.campaigns.overlap import n_answered

if TYPE_CHECKING:
    from slim_core.store import Run


def show(space: Run) -> None:
    """``space``: a finished one."""
    store, link = session.store(), {"dataset": space.dataset_id, "space": space.id}
    if space.spec["split"] != "train":
        _to_the_training_images(space)
        return
    newest = next((one for one in store.campaigns.all(space.dataset_id) if one.space_run_id == space.id), None)
    if newest is None:
        todo = roles.can("lead", "open a campaign on a few representative images.")
        next_step.show(todo, "annotate", "Annotate", **link)
        return
    progress, link = store.campaigns.progress(newest.id), link | {"campaign": newest.id}
    if newest.status == "open" and n_answered(newest, progress) < progress["total"]:
        todo = roles.can("annotator", f"answer the images of {verbatim(newest.name)}.")
        next_step.show(todo, "annotate", "Annotate", **link)
    else:
        todo = roles.can("lead", f"curate a subset from the answers of {verbatim(newest.name)}.")
        next_step.show(todo, "curate", "Curate", **link)


def _to_the_training_images(space: Run) -> None:
    """From the space of another split, such as one that an evaluation without attributes rests on."""
    spaces = session.store().runs.all(kind="space", status="done", dataset=space.dataset_id, metrics=False)
    of_train = next((one for one in spaces if one.spec["split"] == "train"), None)
    why = f"This space shows {space.spec['split']} images, and a subset is curated from answers about training images."
    if of_train is None:
        next_step.here(roles.can("lead", f"press *Build the space* with the split train. {why}"))
    else:
        link = {"dataset": space.dataset_id, "run": of_train.id}
        next_step.show(f"open the space of the training images. {why}", "space", "Space of train", **link)
