"""Answers of other tools as JSON lines and Parquet beside CSV, on both databases."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slim_core.annotation.answer_import import check_file, import_file
from slim_core.errors import AnswersRefusedError
from slim_core.store import Campaign, CampaignSettings, Store


@pytest.fixture
def pair(store: Store, dataset) -> Campaign:
    """Asks two annotators about each of six images."""
    return store.campaigns.create("pair", dataset.id, None, range(6), settings=CampaignSettings(overlap=2))


def packed(**columns: list[object]) -> bytes:
    """A Parquet file of these columns."""
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def unpacking_to_too_much() -> bytes:
    """A small file of many equal words; to pack them takes a second, which no collection of tests should wait for."""
    return packed(row=[1] * 2_000, answer=["1" * 60_000] * 2_000)


LINES = (
    b'{"row": 1, "answer": "right", "annotator": "ann", "seconds": 2.5, "seen": {"any": [1]}}\r\n\n'
    b'{"path": "0/2.png", "answer": false, "annotator": null}\n{"row": 4.0, "answer": -1.0}\n{"row": 5}\n'
)
TABLE = packed(
    row=[1.0, None, 4.0, 5.0], path=[None, b"0/2.png", None, None], answer=["right", "0", "-1", None],
    annotator=["ann", None, None, None], seconds=[2.5, None, float("inf"), None], other=[[1], [2], None, []],
)  # fmt: skip


@pytest.mark.parametrize(("content", "form"), [(LINES, "jsonl"), (TABLE, "parquet")])
def test_values_are_read_as_other_tools_write_them_from_a_file_on_disk(
    store: Store, pair: Campaign, tmp_path, content, form
):
    file = tmp_path / f"other.{form.upper()}"
    file.write_bytes(content)
    assert import_file(store, pair, file, "lea", annotator="ben").n_new == 3
    assert store.answers.current(pair.id, "ann") == {1: 1}
    assert store.answers.current(pair.id, "ben") == {2: 0, 4: -1}
    assert sorted(store.answers.frame(pair.id)["duration_ms"]) == [0, 0, 2500]
    assert import_file(store, pair, file, "lea", annotator="ben").n_known == 3


@pytest.mark.parametrize(
    ("content", "name", "line"),
    [
        (b'{"row": 1, "answer": 1}\n{"row": 99, "answer": 1}\n{"row": 2, "answer": 0}', "x.jsonl", 2),
        (packed(row=[1, 99, 2], answer=[1, 1, 0]), "x.parquet", 2),
        (b"row,answer\n1,1\n" + b"9" * 9000 + b",1\n2,0\n", "x.csv", 3),
    ],
)
def test_what_does_not_fit_is_reported_alike_in_every_form(store: Store, pair: Campaign, content, name, line):
    checked = check_file(store, pair, content, name=name)
    assert [(one.kind, one.lines) for one in checked.unfit] == [("image", (line,))] and checked.n_fitting == 2
    with pytest.raises(AnswersRefusedError, match=rf"1 line with an image .* .line {line}: .* Nothing was imported"):
        import_file(store, pair, content, "lea", name=name)
    assert import_file(store, pair, content, "lea", name=name, leave_out_unfit=True).n_new == 2


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        (TABLE, "x.csv", "a Parquet file.: its name must"),
        (
            TABLE,
            "x.jsonl",
            "x.jsonl cannot .* as JSON lines .it",
        ),
        (
            LINES,
            "x.csv",
            "csv cannot .* as CSV .it is JSON.",
        ),
        (
            b'[{"row": 1, "answer": 1}]',
            "x.json",
            "json cannot .* as CSV .it is JSON.",
        ),
        (LINES, "x.parquet", "x.parquet cannot be read"),
        (b"row,answer\n1,1\n", "x.parquet", "x.parquet cannot be read"),
        (b"", "x.parquet", "x.parquet cannot be read"),
        (TABLE[:-9], "x.parquet", "x.parquet cannot be read"),
        (TABLE[:20] + b"\xff" * 200 + TABLE[220:], "x.parquet", "x.parquet cannot be read"),
        (b"row,answer\n1,1\n", "x.jsonl", "JSON lines .line 1: Expecting value.: write"),
        (b'{"row": 1, "answer": 1}\n{"row": 2,', "x.jsonl", "be read as JSON lines .line 2:"),
        (b"[" * 100_000, "x.jsonl", "JSON lines .line 1: is too deep"),
        (
            b"[1, 2]",
            "x.jsonl",
            ".line 1: is not an",
        ),
        (b"\xff", "x.jsonl", "JSON lines .byte 0 is not UTF-8"),
        (b"", "x.jsonl", "columns none: it needs row .or path."),
        (b'{"image": 1, "answer": 1}', "x.jsonl", "x.jsonl has the columns image, answer: it needs"),
        (packed(image=[1], answer=[1]), "x.parquet", "x.parquet has the columns image, answer: it needs"),
        (unpacking_to_too_much, "x.parquet", "to more than 100,000,000 bytes"),
    ],
)
@pytest.mark.usefixtures("uncollected")
def test_what_is_not_what_its_ending_says_is_refused_in_a_sentence(store, pair: Campaign, content, name, sentence):
    with pytest.raises(AnswersRefusedError, match=sentence):
        import_file(store, pair, content() if callable(content) else content, "lea", name=name)
    assert len(store.answers.frame(pair.id)) == 0


def test_not_even_the_first_rows_of_a_file_that_unpacks_to_gigabytes_are_read(store, pair: Campaign):
    answers = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000, pa.int32()), pa.array(["1" * 1_500_000]))
    file = io.BytesIO()
    pq.write_table(pa.table({"row": [1] * 1_000, "answer": answers}), file, compression="zstd", store_schema=False)
    assert len(file.getvalue()) < 10_000
    with pytest.raises(AnswersRefusedError, match="to more than 100,000,000 bytes"):
        import_file(store, pair, file.getvalue(), "lea", name="x.parquet")
    assert pa.default_memory_pool().max_memory() < 1_000_000_000


def test_a_byte_order_mark_windows_lines_short_lines_and_lines_within_a_field_keep_their_numbers(store, pair: Campaign):
    content = '\ufeffrow,path,answer\r\n1,,1\r\n\r\n2\r\n,"0/2\n.png",1\r\n99,,1\r\n4.0,,WRONG'.encode()
    checked = check_file(store, pair, content)
    assert [(one.kind, one.lines) for one in checked.unfit] == [("image", (6, 7))] and checked.n_fitting == 2


def test_each_line_against_the_first_about_its_image_is_named_and_none_of_them_is_taken(store, pair: Campaign):
    lines = ["1,1,ann", "1,1,ann", "1,0,ann", "2,0,ann", "1,0,ben", "1,-1,ann"]
    checked = check_file(store, pair, "\n".join(["row,answer,annotator", *lines]).encode())
    assert [(one.kind, one.lines) for one in checked.unfit] == [("conflict", (4, 7))]
    assert "line 4: '1 (line 2)', 7: '1 (line 2)'" in checked.unfit[0].sentence
    assert {who: [one.value for one in given] for who, given in checked.answers.items()} == {"ann": [0], "ben": [0]}
