"""The fields of a form, made from the parameters of a step's spec: one widget each, with its label, help and bounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from slim_core.parameters import Parameter, parameters

if TYPE_CHECKING:
    from pydantic import BaseModel
    from streamlit.delta_generator import DeltaGenerator

A_ROW = 4  # fields beside each other
MOST_IN_A_COLUMN = 6  # of those that are folded away, which open in as many columns as it takes


def form_parameters(config: type[BaseModel], *, without: Iterable[str] = ()) -> list[Parameter]:
    """The parameters that a form asks for, but those that the page asks for in its own way."""
    return [
        each for each in parameters(config).values() if each.display.place != "nowhere" and each.name not in without
    ]


def fields(
    asked: Iterable[Parameter],
    proposed: Mapping[str, Any],
    *,
    key: str,
    beside: Mapping[str, Any] | None = None,
    a_row: int = A_ROW,
) -> dict[str, Any]:
    """Name -> what was chosen: in rows, and those that are rarely changed folded away.

    Args:
        asked: the parameters; one that depends on others follows them.
        proposed: values that differ from the defaults of the fields.
        key: ends the key of each widget, which begins with the field's name.
        beside: fields that were chosen already; a parameter without effect beside them is left out.
        a_row: fields beside each other.
    """
    asked, known = list(asked), dict(beside or {})
    chosen: dict[str, Any] = {}
    places = _places(a_row)
    for each in asked:
        if each.display.place == "form" and each.counts(known | chosen):
            with next(places):
                chosen[each.name] = field(each, proposed.get(each.name, each.default), key=key)
    folded = [each for each in asked if each.display.place == "more" and each.counts(known | chosen)]
    if folded:
        with st.popover("More settings", icon=":material/tune:"):
            places = _places(1 + len(folded) // MOST_IN_A_COLUMN)
            for each in folded:
                with next(places):
                    chosen[each.name] = field(each, proposed.get(each.name, each.default), key=key)
    return chosen


def _places(a_row: int) -> Iterator[DeltaGenerator]:
    while True:
        yield from st.columns(a_row, vertical_alignment="bottom")


def field(parameter: Parameter, value: Any, *, key: str, segmented: bool = False) -> Any:
    """One widget of the parameter's type; the value it has now. ``segmented``: choices side by side, not in a list."""
    about: dict[str, Any] = {"help": parameter.help or None, "key": f"{parameter.name}-{key}"}
    if parameter.type is bool:
        return _yes_or_no(parameter, value, about)
    if parameter.type is tuple and parameter.choices:
        return _several(parameter, value, about)
    if parameter.choices:
        return choice(parameter, value, key=key, segmented=segmented)
    if parameter.type in (int, float):
        return _number(parameter, value, about)
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else value or ""
    return st.text_input(parameter.label, text, **about).strip() or None


def choice(parameter: Parameter, value: Any, *, key: str, segmented: bool = False, **options: Any) -> Any:
    """One of the parameter's choices: in a list, or side by side."""
    values = list(parameter.choices)
    words = parameter.choices.__getitem__
    about: dict[str, Any] = {"help": parameter.help or None, "key": f"{parameter.name}-{key}", "format_func": words}
    if segmented:
        return st.segmented_control(parameter.label, values, default=value, required=True, **about, **options)
    return st.selectbox(parameter.label, values, index=values.index(value), **about, **options)


def _yes_or_no(parameter: Parameter, value: Any, about: Mapping[str, Any]) -> bool | None:
    """A box to tick; where the answer may be left open, a list."""
    if not parameter.optional:
        return st.checkbox(parameter.label, value, **about)
    # words, for None as a value would be no choice: the box could be cleared, and would ask for one
    answers: dict[str, bool | None] = {_left_open(parameter): None, "yes": True, "no": False}
    return answers[st.selectbox(parameter.label, list(answers), index=list(answers.values()).index(value), **about)]


def _left_open(parameter: Parameter) -> str:
    return parameter.display.default or "automatic"


def _several(parameter: Parameter, value: Any, about: Mapping[str, Any]) -> tuple[str, ...]:
    """Some of the parameter's choices, in its order."""
    values = list(parameter.choices)
    chosen = st.pills(parameter.label, values, selection_mode="multi", default=list(value), **about)
    return tuple(each for each in values if each in chosen)


def _number(parameter: Parameter, value: Any, about: Mapping[str, Any]) -> Any:
    """An open end of the real numbers is within reach of the widget: the spec refuses it in a sentence."""
    kind, step = parameter.type, parameter.display.step
    if parameter.display.percent:
        return _in_percent(parameter, value, about)
    low, high = (None if each is None else kind(each) for each in (parameter.low, parameter.high))
    form = {"format": "%g", "step": step or 0.01} if kind is float else {"step": int(step or 1)}
    if parameter.display.slider:
        return st.slider(parameter.label, low, high, value, step, **about)
    placeholder = _left_open(parameter) if parameter.optional else None
    return st.number_input(parameter.label, low, high, value, placeholder=placeholder, **form, **about)


def _in_percent(parameter: Parameter, value: float | None, about: Mapping[str, Any]) -> float | None:
    """A share that may be left open: 5 is typed for 0.05."""
    low, high = 100.0 * (parameter.low or 0), 100.0 * (1 if parameter.high is None else parameter.high)
    step, placeholder = 100 * (parameter.display.step or 0.01), _left_open(parameter) if parameter.optional else None
    shown = None if value is None else 100 * value
    label = f"{parameter.label}, %"
    asked = st.number_input(label, low, high, shown, step, format="%g", placeholder=placeholder, **about)
    return None if asked is None else asked / 100
