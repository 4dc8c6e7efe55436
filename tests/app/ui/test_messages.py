"""Errors as sentences, and names as they are written."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from markdown_it import MarkdownIt
from streamlit.testing.v1 import AppTest

from app import session
from app.ui import messages, run_state
from app.ui.messages import prose, verbatim
from slim_core.store.database import Database, StoreUnavailableError
from slim_core.store.members import Role
from tests.app.conftest import Show, Sign, read_as_markdown
from tests.app.renaming import rename
from tests.refusals import missing

AGAIN = f"again every {messages.EVERY_S} seconds."
AWAY = "slim does not answer."


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """No database, until the patch is undone."""

    def refuse(*_: object) -> None:
        raise StoreUnavailableError(AWAY)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "read", refuse)
        yield patch


def said(app: AppTest) -> tuple[list[str], bool]:
    """The errors of a page, and whether it tries again by itself."""
    return [one.value for one in app.error], any(AGAIN in one.value for one in app.caption)


@pytest.mark.usefixtures("empty_home")
def test_a_page_that_met_no_database_tries_again_and_stops_once_there_is_one(
    show: Show, away: pytest.MonkeyPatch
) -> None:
    app = show("compare")
    assert said(app) == ([AWAY], True)
    away.undo()
    app.run()
    assert said(app) == ([], False) and not app.exception


@pytest.mark.usefixtures("empty_home")
def test_a_press_that_met_no_redis_is_drawn_again_once_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def script() -> None:
        import streamlit as st

        from app.ui.messages import errors_shown
        from slim_core.errors import QueueUnavailableError

        if st.button("Train"):
            with errors_shown():
                raise QueueUnavailableError("Redis is away.")

    def errors_while(*silences: str | None) -> list[str]:
        answers = iter(silences)
        monkeypatch.setattr(session, "queue", lambda: SimpleNamespace(silence=lambda: next(answers)))
        app = AppTest.from_function(script).run().button[0].click().run()
        assert not app.exception and not list(answers)
        return [one.value for one in app.error]

    assert errors_while("away", "away") == ["Redis is away."]
    assert errors_while("away", None) == [], "the page is drawn again: what was saved is there"
    assert errors_while(None) == ["Redis is away."], "it was not Redis that was away"


@pytest.mark.usefixtures("empty_home")
def test_a_disk_that_fails_is_a_sentence_and_nothing_to_wait_for_where_the_database_answers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def script() -> None:
        from app.ui.messages import errors_shown

        with errors_shown():
            raise OSError(5, "Input/output error", "/srv/slim/maps.npy")

    app = AppTest.from_function(script).run()
    assert not app.exception
    (told,), again = said(app)
    assert not missing(told, "/srv/slim/maps.npy ", "(Input/output error)") and not again
    (record,) = [one for one in caplog.records if one.name == "app.ui.messages"]
    assert record.exc_info is not None, "once, with where it happened"


@pytest.mark.usefixtures("empty_home")
@pytest.mark.parametrize(("role", "named"), [("annotator", "SLIM_HOME/"), ("lead", "SLIM_HOME/"), ("admin", "")])
def test_a_full_disk_is_a_sentence_that_names_the_place_on_the_server_to_admins_alone(
    role: Role, named: str, as_person: Sign, caplog: pytest.LogCaptureFixture
) -> None:
    def script() -> None:
        from app import session
        from app.ui.messages import errors_shown
        from slim_core.store.database import StoreUnavailableError

        path = session.store().database.redacted_url
        with errors_shown():
            raise StoreUnavailableError(f"{path} is full.")

    session.store().members.set_role("ann@lab.org", role)
    as_person("ann@lab.org")
    path = session.store().database.redacted_url
    shown = f"{named}slim.db" if named else path
    app = AppTest.from_function(script).run()
    assert said(app) == ([f"{shown} is full."], False)
    assert path in caplog.text, "whoever runs the server finds it in the log"


def test_a_fragment_that_fails_shows_the_sentence_and_not_an_exception() -> None:
    def script() -> None:
        import streamlit as st

        from app.ui.reruns import fragment
        from slim_core.errors import NotFoundError

        @fragment(run_every=1)
        def poll() -> None:
            st.caption("polled")
            raise NotFoundError("no run r-1")

        poll()
        st.caption("the rest of the page")

    app = AppTest.from_function(script).run()
    assert not app.exception
    assert [one.value for one in app.error] == ["no run r-1"]
    assert [one.value for one in app.caption] == ["polled", "the rest of the page"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("team_one, seed 3: worst_group", "team_one, seed 3: worst_group"),
        ("**loud**", r"\*\*loud\*\*"),
        ("_x_ and __y__", r"\_x\_ and \_\_y\_\_"),
        ("![a](http://example.org/seen.png)", r"!\[a](http:small[]://example.org/seen.png)"),
        ("HTTPS://a.b and www.a.b", "HTTPS:small[]://a.b and www:small[].a.b"),
        (":red[stop] 12:30", r"\:red\[stop] 12:30"),
        ("$5 and $6, ~a~ and `b`", r"\$5 and \$6, \~a\~ and \`b\`"),
        ("# one\n# two", r"\# one # two"),
        ("a&amp;b, a & b, <b c=__d>", r"a\&amp;b, a & b, \<b c=\_\_d>"),
        (r"a\*b", r"a\\\*b"),
        ("ends in \\", "ends in \\\\"),
        ("漢字 🐦", "漢字 🐦"),
        ("lea_m@clinic.example, a @ b, x@y", "lea_m:small[]@clinic.example, a @ b, x@y"),
    ],
)
def test_a_name_is_shown_as_it_is_written(name: str, shown: str) -> None:
    assert verbatim(name) == shown


def test_a_sentence_keeps_its_code_and_shows_paths_as_they_are() -> None:
    told = "/data/_raw_/*.png: start `workers --cpu *`."
    assert prose(told) == (r"/data/\_raw\_/\*.png: start `workers --cpu *`.")


def test_a_number_after_words_in_arabic_letters_is_read_after_them() -> None:
    bird = "\u0637\u0627\u0626\u0631 \u0623\u0628\u064a\u0636"
    assert prose(f"{bird} (2); cat, {bird} (30)") == f"\u2068{bird}\u2069 (2); cat, \u2068{bird}\u2069 (30)"
    assert verbatim(f"{bird}, sea") == f"\u2068{bird}\u2069, sea"


@pytest.mark.parametrize("joint", ["-", "_", ".", '"', "'"])
def test_the_parts_of_one_name_in_hebrew_letters_stay_in_their_order(joint: str) -> None:
    town = f"\u05ea\u05dc{joint}\u05d0\u05d1"
    shown = verbatim(f"{town} (2)")
    assert shown.startswith("\u2068") and shown.endswith("\u2069 (2)") and shown.count("\u2068") == 1


@pytest.mark.parametrize("before", ["\\", "`\n\n", "``"])
def test_nothing_makes_a_picture_of_a_name_that_only_looks_like_code(before: str) -> None:
    shown = prose(f"{before}`![x](http://example.org/seen.png)` is missing.")
    assert "<img" not in MarkdownIt("commonmark").render(shown), shown


@pytest.mark.parametrize(
    "name",
    ["1. raw", "2) raw", "10. raw", "- raw", "+ raw", "> raw", "# raw", "## a", "---", "===", "-1", "1.5 raw", "./raw"],
)
def test_a_name_that_begins_as_a_list_a_quotation_or_a_title_is_text(name: str) -> None:
    assert MarkdownIt("commonmark").render(verbatim(name)) == f"<p>{html.escape(name)}</p>\n"


def test_a_note_of_several_lines_keeps_them_and_has_no_titles_and_no_lists() -> None:
    lines = ["Checked by hand.", "# 2 is wrong", "- 3 too", "  1. and 4", "> says Ann", "Titled", "---", "Twice", "==="]
    shown = MarkdownIt("commonmark").render(prose("\n".join(lines)))
    assert shown == "<p>" + "<br />\n".join(html.escape(line.strip()) for line in lines) + "</p>\n"


SEEN = "![{}](http://example.org/seen.png) **loud**"  # a browser that shows this picture asks for it


@pytest.fixture
def named(filled_home: Path) -> None:
    """The classes and attributes of ``filled_home`` have such names, as those of a folder may."""
    assert rename(filled_home, renamed) == (SEEN.format(0), SEEN.format(1))


def renamed(text: str | None) -> str | None:
    """JSON with other names of classes (0 and 1) and attributes."""
    quoted = r'(?<=")([01])(?=[",])|(china|flower|photograph)'
    return text and re.sub(quoted, lambda found: SEEN.format(found[0]), text)


@pytest.mark.usefixtures("named")
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


@pytest.mark.usefixtures("named")
def test_a_note_about_a_class_shows_its_name_as_it_is_written(show: Show) -> None:
    app = show("curate")
    app.slider(key=f"threshold-curate-slim-{app.selectbox(key='pick-space').value}").set_value(1.0).run()
    notes = [one.value for one in app.warning if "image of class" in one.value]
    assert notes and not [one for one in notes if is_read(one)]


@pytest.mark.usefixtures("named")
def test_a_worst_group_shows_its_name_as_it_is_written() -> None:
    said = run_state.outcome_sentence(session.store().runs.all(kind="evaluate")[-1])
    assert r"(!\[0]" in said and not is_read(said)
