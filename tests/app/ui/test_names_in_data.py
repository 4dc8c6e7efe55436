"""Classes and attributes whose names mean something in Markdown, wherever a page shows them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app import session
from app.ui import run_state
from tests.app.conftest import Show, read_as_markdown
from tests.app.renaming import rename

SEEN = "![{}](http://example.org/seen.png) **loud**"  # a browser that shows this picture asks for it


@pytest.fixture(autouse=True)
def named(filled_home: Path) -> None:
    """The classes and attributes of ``filled_home`` have such names, as those of a folder may."""
    assert rename(filled_home, renamed) == (SEEN.format(0), SEEN.format(1))


def renamed(text: str | None) -> str | None:
    """JSON with other names of classes (0 and 1) and attributes."""
    quoted = r'(?<=")([01])(?=[",])|(china|flower|photograph)'
    return text and re.sub(quoted, lambda found: SEEN.format(found[0]), text)


@pytest.mark.parametrize(
    ("page", "about"),
    [
        ("overview", {}),
        ("data", {}),
        ("draw", {}),
        ("train", {}),
        ("train", {"run": "MODEL", "on": "val"}),
        ("train", {"run": "MODEL", "cell": "EVALUATION.group.1"}),
        ("train", {"run": "MODEL", "cell": "EVALUATION.confusion.0-1"}),
        ("train", {"run": "MODEL", "cell": "EVALUATION.slice.0"}),
        ("attention", {}),
        ("attention", {"image": "ROW"}),
        ("attention", {"attention-tab": "Scores per group"}),
        ("space", {}),
        ("space", {"like": "ROW"}),
        ("annotate", {}),
        ("annotate", {"section": "environments"}),
        ("annotate", {"section": "campaign"}),
        ("annotate", {"section": "agreement"}),
        ("annotate", {"section": "new"}),
        ("curate", {}),
        ("compare", {}),
        ("compare", {"cell": "EVALUATION.group.1"}),
        ("compare", {"view": "Cost"}),
        ("compare", {"view": "Seeds"}),
        ("compare", {"view": "Attention"}),
        ("compare", {"view": "Attention", "image": "ROW"}),
        ("compare", {"view": "Space"}),
        ("jobs", {}),
        ("jobs", {"run": "MODEL"}),
        ("jobs", {"run": "EVALUATION"}),
        ("activity", {}),
    ],
)
def test_a_page_shows_the_names_of_classes_and_attributes_as_they_are_written(show: Show, page: str, about) -> None:
    evaluation = session.store().runs.all(kind="evaluate")[-1]
    ids = {"EVALUATION": evaluation.id, "MODEL": evaluation.spec["model"]}
    ids["ROW"] = str(session.store().datasets.table(evaluation.dataset_id).rows("train")[0])
    link = {name: re.sub("|".join(ids), lambda found: ids[found[0]], one) for name, one in about.items()}
    assert not [one for one in read_as_markdown(show(page, **link)) if is_read(one)]


def is_read(text: str) -> bool:
    return "![" in text or " **loud**" in text


def test_a_note_about_a_class_shows_its_name_as_it_is_written(show: Show) -> None:
    app = show("curate")
    app.slider(key=f"threshold-curate-slim-{app.selectbox(key='pick-space').value}").set_value(1.0).run()
    notes = [one.value for one in app.warning if "No image of class" in one.value]
    assert notes and not [one for one in notes if is_read(one)]


def test_a_worst_group_shows_its_name_as_it_is_written() -> None:
    said = run_state.outcome_sentence(session.store().runs.all(kind="evaluate")[-1])
    assert r"(!\[0]" in said and not is_read(said)
