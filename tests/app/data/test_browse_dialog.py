"""The dialog that browses the allowed folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import session
from app.session import Viewer
from slim_core.errors import ForbiddenError
from slim_core.settings import settings
from tests.app.conftest import Show, hop


@pytest.fixture
def root(tmp_path: Path, empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one allowed folder."""
    root = tmp_path.resolve() / "pictures"
    (root / "birds *x*" / "train").mkdir(parents=True)
    (root / "labels.csv").write_text("path,label\n")
    (root / "out").symlink_to("/etc")
    monkeypatch.setenv("SLIM_DATA_ROOTS", str(root))
    session.reset()
    return root


def labels(app) -> list[str]:
    return [one.label for one in app.button]


def press(app, label: str):
    return next(one for one in app.button if one.label == label).click().run()


def test_one_goes_down_and_up_and_the_folder_fills_the_field(show: Show, root: Path) -> None:
    app = press(show("data"), "Browse")
    assert str(root) in labels(app) and "Use this folder" not in labels(app), "a root is chosen first"
    press(app, str(root))
    assert "labels.csv" in labels(app) and "out" not in labels(app)
    press(app, r"birds \*x\*")
    assert "train" in labels(app) and "labels.csv" not in labels(app)
    press(app, "Allowed folders")
    press(app, str(root))
    press(app, r"birds \*x\*")
    press(app, "Use this folder")
    assert app.text_input(key="import-path").value == str(root / "birds *x*")
    assert "Use this folder" not in labels(app), "the dialog is closed"


def test_a_table_is_chosen_and_names_are_narrowed(show: Show, root: Path) -> None:
    app = press(press(show("data"), "Browse"), str(root))
    app.text_input(key="browse-words").set_value("LAB").run()
    assert "labels.csv" in labels(app) and r"birds \*x\*" not in labels(app)
    app.text_input(key="browse-words").set_value("zzz").run()
    assert any("name here matches" in one.value for one in app.caption)
    app.text_input(key="browse-words").set_value("").run()
    press(app, "labels.csv")
    assert app.text_input(key="import-path").value == str(root / "labels.csv")


def test_it_opens_at_what_is_typed_and_says_what_cannot_be_listed(show: Show, root: Path) -> None:
    app = show("data")
    app.text_input(key="import-path").set_value(str(root / "birds *x*")).run()
    press(app, "Browse")
    assert "train" in labels(app)
    (root / "birds *x*" / "train").rmdir()
    press(app, "train")
    assert any("cannot be listed (No such file" in one.value for one in app.warning)
    assert str(root) in labels(press(app, "Allowed folders"))
    app.text_input(key="import-path").set_value("/etc").run()
    assert str(root) in labels(press(app, "Browse")), "what is not allowed is no place to begin"


def test_leaving_the_page_closes_it(show: Show, root: Path) -> None:
    app = press(press(show("data"), "Browse"), str(root))
    assert "Use this folder" in labels(app)
    assert "Use this folder" not in labels(hop(hop(app, "jobs"), "data"))
    assert str(root) in labels(press(app, "Browse")), "it opens again when it is asked for"


@pytest.mark.usefixtures("root")
def test_only_leads_look_into_folders(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.services import actions

    monkeypatch.setattr(session, "viewer", lambda: Viewer("ann", "annotator"))
    assert "Browse" not in labels(show("data"))
    for refused in (actions.browse_roots, lambda: actions.browse(str(settings().data_roots[0]))):
        with pytest.raises(ForbiddenError, match="requires the role lead"):
            refused()
