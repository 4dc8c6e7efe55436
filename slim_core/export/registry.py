"""The forms of export by name, in the order in which they are listed."""

from __future__ import annotations

from slim_core.errors import SpecRefusedError, quoted
from slim_core.export.form import Form
from slim_core.export.forms import (
    answers,
    features_npy,
    features_reference,
    fiftyone,
    maps_npz,
    maps_png,
    model_card,
    model_onnx,
    model_safetensors,
    overlays_png,
    probabilities,
    subset_csv,
    subset_huggingface,
    subset_imagefolder,
    subset_npy,
)

FORMS: dict[str, Form] = {
    form.name: form
    for form in (
        subset_csv.FORM,
        subset_npy.FORM,
        subset_imagefolder.FORM,
        subset_huggingface.FORM,
        *answers.FORMS,
        maps_npz.FORM,
        maps_png.FORM,
        overlays_png.FORM,
        fiftyone.FORM,
        features_npy.FORM,
        features_reference.FORM,
        probabilities.FORM,
        model_card.FORM,
        model_safetensors.FORM,
        model_onnx.FORM,
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
        raise SpecRefusedError(f"There is no form {quoted(name)}: choose one of {', '.join(FORMS)}.")
    return FORMS[name]
