"""The forms of export by name, in the order in which they are listed."""

from __future__ import annotations

from slim_core.errors import SpecRefusedError, quoted
from slim_core.export import answers, features, fiftyone, maps, model, subset
from slim_core.export.form import Form
from slim_core.removed import EXPORTS

FORMS: dict[str, Form] = {
    form.name: form
    for form in (
        subset.TABLE,
        subset.FOLDERS,
        answers.FORM,
        maps.FORM,
        fiftyone.FORM,
        features.FORM,
        model.WEIGHTS,
        model.GRAPH,
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
