"""The forms of export by name, and the writing of one: into a folder aside, put in its place once it is whole.

The files of the form lie in it, and export.json: what they are of, by which version, and their names.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from slim_core.errors import NotFoundError, SpecRefusedError, quoted
from slim_core.export import fiftyone, forms
from slim_core.export.forms import CAMPAIGN, RECORD, Form, Source
from slim_core.models.runtime import Progress, ignore_progress
from slim_core.removed import EXPORTS
from slim_core.result_files import draft_of
from slim_core.store.runs.rows import label_of
from slim_core.version import release

if TYPE_CHECKING:
    from slim_core.store import Store

FORMS: dict[str, Form] = {
    form.name: form
    for form in (
        forms.SUBSET_CSV,
        forms.SUBSET_FOLDERS,
        forms.ANSWERS_CSV,
        forms.MAPS_PNG,
        fiftyone.FORM,
        forms.FEATURES_NPY,
        forms.MODEL_WEIGHTS,
        forms.MODEL_GRAPH,
    )
}


def forms_of(kind: str) -> list[Form]:
    """The forms of a kind of run, or of a campaign."""
    return [form for form in FORMS.values() if kind in form.of]


def form_named(name: str) -> Form:
    """The form of this name.

    Raises:
        SpecRefusedError: there is none.
    """
    if name not in FORMS:
        raise SpecRefusedError(f"There is no form {quoted(name)}: {EXPORTS.get(name) or _choose()}")
    return FORMS[name]


def _choose() -> str:
    return f"choose one of {', '.join(FORMS)}."


def export(
    store: Store,
    of: str,
    form: str,
    folder: Path,
    *,
    overwrite: bool = False,
    on_progress: Progress = ignore_progress,
) -> Path:
    """Write a form of a finished run or a campaign into a folder of its own.

    Args:
        store: that knows the run.
        of: id of the run or campaign.
        form: a name in slim_core.export.writing.FORMS.
        folder: missing or empty; with ``overwrite`` it may hold an earlier export, which is replaced as a whole.
        overwrite: replace an earlier export. Files that no export has written are never touched.
        on_progress: called with images done and images in all.

    Returns:
        The folder, resolved.

    Raises:
        NotFoundError: there is no such run or campaign, or its files are gone.
        SpecRefusedError: it has no such form, the folder is not free, or it cannot be written; nothing is left then.
    """
    chosen, source = form_named(form), source_of(store, of, on_progress)
    _require(chosen, source)
    target = _free(folder, overwrite)
    try:
        with draft_of(target, is_folder=True) as draft:
            chosen.write(source, draft)
            _record(chosen, source, draft)
            _put(draft, target)
    except OSError as error:
        raise SpecRefusedError(
            f"The export cannot be written to {target} ({error.strerror or error}): free some space, or name another "
            "folder; nothing was left there."
        ) from error
    return target


def source_of(store: Store, of: str, on_progress: Progress = ignore_progress) -> Source:
    """The finished run or the campaign of this id.

    Raises:
        NotFoundError: no run and no campaign has this id.
        SpecRefusedError: the run is not done.
    """
    run = store.runs.find(of)
    if run is None:
        campaign = next((one for one in store.campaigns.all() if one.id == of), None)
        if campaign is None:
            raise NotFoundError(
                store.runs.removal_of(of) or f"There is no run or campaign {quoted(of)}: slim runs lists the runs."
            )
        return Source(store, CAMPAIGN, campaign.id, campaign.dataset_id, on_progress)
    if run.status != "done":
        raise SpecRefusedError(f"Run {run.id} is {label_of(run.status)}: export it once it is done.")
    return Source(store, run.kind, run.id, run.dataset_id, on_progress)


def _require(form: Form, source: Source) -> None:
    if source.kind not in form.of:
        offered = ", ".join(one.name for one in forms_of(source.kind))
        remedy = f"it has {offered}" if offered else f"name a run of {' or '.join(form.of)}"
        raise SpecRefusedError(f"{source.id} is a {source.kind} and has no form {form.name}: {remedy}.")
    form.require_package()


def _free(folder: Path, overwrite: bool) -> Path:
    """The folder, resolved, if an export may be put there."""
    try:
        target = folder.expanduser().resolve()
        there = {path.name for path in target.iterdir()} if os.path.lexists(target) else set()
    except (OSError, RuntimeError, ValueError) as error:  # a file, links in a circle, a NUL
        raise SpecRefusedError(f"{folder} is not a folder that can be written: name another.") from error
    if not there:
        return target
    foreign = sorted(there - _of_an_export(target))
    if foreign:
        raise SpecRefusedError(f"{target} holds {quoted(foreign[0])}, which no export has written: name a new folder.")
    if not overwrite:
        raise SpecRefusedError(f"{target} holds an earlier export: name a new folder, or add --overwrite.")
    _require_none_put_inside(target)
    return target


def _of_an_export(target: Path) -> set[str]:
    """Names of the files that the export in this folder has written; none where there is no export."""
    try:
        return {RECORD, *map(str, json.loads((target / RECORD).read_text())["files"])}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _require_none_put_inside(target: Path) -> None:
    """Refuse folders of an export into which somebody has put files: they would go with them."""
    written: dict[str, int] = json.loads((target / RECORD).read_text()).get("inside", {})
    for name, n in _inside(target).items():
        if n > (own := written.get(name, 0)):
            raise SpecRefusedError(
                f"{target / name} holds {n:,} files, of which the export has written {own:,}: move yours away, or name "
                "a new folder."
            )


def _inside(folder: Path) -> dict[str, int]:
    """How many files lie in each folder within and below it; links are files."""
    within = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.is_symlink()]
    return {path.name: sum(len(found) + _n_links(at, names) for at, names, found in os.walk(path)) for path in within}


def _n_links(at: str, names: list[str]) -> int:
    return sum(os.path.islink(os.path.join(at, name)) for name in names)


def _record(form: Form, source: Source, draft: Path) -> None:
    """What it is, for people and for the next export into this folder."""
    about = {
        "form": form.name,
        "of": source.id,
        "kind": source.kind,
        "data": source.data,
        "label_names": source.table.label_names,
        **form.recorded(source),
        "version": release(),
        "files": sorted(path.name for path in draft.iterdir()),
        "inside": _inside(draft),
    }
    (draft / RECORD).write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _put(draft: Path, target: Path) -> None:
    """The draft in its place; an earlier export is out of sight before, and removed after."""
    old = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    replaces = target.is_dir() and any(target.iterdir())
    if replaces:
        os.rename(target, old)
    try:
        os.rename(draft, target)
    except OSError:
        if replaces:
            os.rename(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)
