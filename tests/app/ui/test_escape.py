"""Names and sentences as Markdown that shows them as they are written."""

from __future__ import annotations

import html

import pytest
from markdown_it import MarkdownIt

from app.ui.messages import prose, verbatim


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
    told = "/data/_raw_/*.png is missing: start `python -m workers --cpu *`, or set SLIM_DATA_ROOTS."
    assert prose(told) == (
        r"/data/\_raw\_/\*.png is missing: start `python -m workers --cpu *`, or set SLIM_DATA_ROOTS."
    )


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
