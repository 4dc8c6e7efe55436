"""Answers as files, out and in, on both databases."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slim_core.annotation.answer_export import AT_ONCE, COLUMNS, export
from slim_core.annotation.answer_import import check_file, import_file
from slim_core.errors import AnswersRefusedError, SpecRefusedError
from slim_core.export.forms import image_list
from slim_core.store import AnswerIn, Campaign, CampaignSettings, Store, schema
from slim_core.store.campaigns.consensus import KEYS, LISTED, VALUES, WORDS, value_of
from tests.refusals import refusal
from tests.slim_core.store.store_makers import statements

READING = """
import json, sys
from pathlib import Path
import pyarrow as pa
from slim_core.annotation.answer_import import read
from slim_core.errors import AnswersRefusedError
try:
    read(Path(sys.argv[1]))
except AnswersRefusedError as error:
    print(json.dumps([str(error), pa.default_memory_pool().max_memory()]))
"""  # in a process of its own: other tests of this one took memory too


@pytest.fixture
def pair(store: Store, dataset) -> Campaign:
    """Asks two annotators about each of six images."""
    return store.campaigns.create("pair", dataset.id, None, range(6), settings=CampaignSettings(overlap=2, gold={3: 0}))


def whole(store: Store, campaign: Campaign, form: str, **options: bool) -> bytes:
    return b"".join(export(store, campaign, form, **options))


def opened(content: bytes, form: str) -> pd.DataFrame:
    """The rows of an export."""
    if form == "parquet":
        return pq.read_table(io.BytesIO(content)).to_pandas().astype(object)
    if form == "csv":
        return pd.read_csv(io.BytesIO(content)).astype(object)
    return pd.DataFrame([json.loads(line) for line in content.splitlines()]).astype(object)


def everything_happens(store: Store, campaign: Campaign) -> list[int]:
    """Ann answers, changes, undoes and skips; Ben answers too, Cid too late, Lea decides. The rows of the items."""
    a, b, c = store.campaigns.items(campaign.id)[:3]
    seen = {"run": "r-1", "opacity": 0.5, "view": "overlay"}
    for k, (item, value) in enumerate([(a, 1), (a, 0), (a, None), (b, -1)]):
        store.answers.save(campaign.id, "ann", [AnswerIn(f"ann-{k}", item.id, value, seen, 1500)])
    store.answers.save(campaign.id, "ann", [AnswerIn("skipped", c.id, None, skip=True)])
    store.answers.save(campaign.id, "ben, jr.", [AnswerIn("ben", a.id, 0)])
    store.answers.save(campaign.id, "cid", [AnswerIn("cid", a.id, 1)])
    store.decisions.decide(campaign.id, "lea", AnswerIn("d-1", a.id, 1))
    store.decisions.decide(campaign.id, "lea", AnswerIn("d-2", a.id, None))
    return [a.row, b.row, c.row]


TOLD = [
    ("ann", "answer", "right", "right", True),
    ("ann", "change", "wrong", "wrong", True),
    ("ann", "undo", None, "right", True),
    ("ann", "answer", "unsure", "unsure", True),
    ("ann", "skip", None, None, True),
    ("ben, jr.", "answer", "wrong", "wrong", True),
    ("cid", "answer", "right", None, False),
    ("lea", "decision", "right", "right", True),
    ("lea", "decision undone", None, None, True),
]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_every_answer_change_undo_skip_and_decision_is_a_row_that_tells_all(store: Store, pair: Campaign, form: str):
    rows = everything_happens(store, pair)
    frame = opened(whole(store, pair, form), form)
    assert list(frame.columns) == list(COLUMNS)
    frame = frame.where(frame.notna(), None)
    told = frame[["annotator", "what", "answer", "stands", "counted"]].itertuples(index=False, name=None)
    assert list(told) == TOLD
    first = frame.iloc[0]
    assert (first["row"], first["path"], first["run"]) == (rows[0], f"0/{rows[0]}.png", "r-1")
    assert first["seconds"] == 1.5 and str(first["at"]).endswith("+00:00") and first["value"] == 1
    seen = first["seen"] if form == "jsonl" else json.loads(first["seen"])
    assert seen == {"run": "r-1", "opacity": 0.5, "view": "overlay"}
    assert list(frame["seq"]) == sorted(frame["seq"])


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize(
    ("run", "written"), [("half \ud800", "half \\ud800"), (5, "5"), ({"b": 1, "a": []}, '{"a": [], "b": 1}')]
)
def test_what_was_seen_is_exported_whatever_it_is(store: Store, pair: Campaign, form: str, run: object, written: str):
    item = store.campaigns.items(pair.id)[0]
    store.answers.save(pair.id, "ann", [AnswerIn("odd", item.id, 1), AnswerIn("sound", item.id, 0, {"run": "r-1"})])
    with store.database.write() as connection:
        odd = schema.answers.update().where(schema.answers.c.id == "odd")
        connection.execute(odd.values(seen={"run": run}))
    rows = opened(whole(store, pair, form), form).to_dict("records")
    assert [row["run"] for row in rows] == [written, "r-1"]
    seen = rows[0]["seen"] if form == "jsonl" else json.loads(rows[0]["seen"])
    assert seen == {"run": run}


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_file_of_the_first_release_can_be_imported(store: Store, pair: Campaign, form: str):
    """Written by ``slim answers export --current``: what is kept of a home of another schema."""
    import_file(store, pair, Path(__file__).with_name(f"answers_of_1_0.{form}"), "file")
    assert store.answers.current(pair.id, "ann") == {1: -1, 5: 1}
    assert store.answers.current(pair.id, "ben, jr.") == {5: 0}


def test_an_unknown_format_is_refused_and_an_empty_campaign_has_a_header(store: Store, pair: Campaign):
    with refusal(SpecRefusedError, "'xls'", "csv, jsonl, parquet"):
        whole(store, pair, "xls")
    assert whole(store, pair, "csv") == (",".join(COLUMNS) + "\n").encode()
    assert len(pq.read_table(io.BytesIO(whole(store, pair, "parquet")))) == 0
    assert whole(store, pair, "jsonl") == b""


def test_the_answers_that_stand_go_out_and_come_into_another_campaign_unchanged(store: Store, pair: Campaign, dataset):
    everything_happens(store, pair)
    other = store.campaigns.create("other", dataset.id, None, range(6), settings=CampaignSettings(overlap=2))
    done = import_file(store, other, whole(store, pair, "csv", current=True), "lea")
    assert (done.n_new, done.n_known, done.n_over_quota, done.unfit) == (3, 0, 0, ())
    for who in (None, "ann", "ben, jr."):
        assert store.answers.current(other.id, who) == store.answers.current(pair.id, who)


def test_of_everything_that_happened_what_stands_comes_into_another_campaign(store: Store, pair: Campaign, dataset):
    everything_happens(store, pair)
    d = store.campaigns.items(pair.id)[3]
    for k, value in enumerate((1, None)):
        store.answers.save(pair.id, "ann", [AnswerIn(f"taken-back-{k}", d.id, value)])
    store.decisions.decide(pair.id, "lea", AnswerIn("d-3", d.id, 0))
    other = store.campaigns.create("other", dataset.id, None, range(6), settings=CampaignSettings(overlap=2))
    done = import_file(store, other, whole(store, pair, "csv"), "lea")
    assert (done.n_new, done.n_over_quota, done.unfit) == (3, 0, ())
    for who in ("ann", "ben, jr.", "cid", "lea"):
        assert store.answers.current(other.id, who) == store.answers.current(pair.id, who)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_file_of_a_spreadsheet_that_separates_otherwise_is_read(store: Store, pair: Campaign, separator: str):
    content = 'row,answer,annotator\n1,wrong,"jr, ann"\n'.replace("row,answer,", f"row{separator}answer{separator}")
    content = content.replace("1,wrong,", f"1{separator}wrong{separator}")
    assert import_file(store, pair, content.encode(), "lea").n_new == 1
    assert store.answers.current(pair.id, "jr, ann") == {1: 0}


@pytest.mark.parametrize("columns", [["path"], ["row", "path"]])
def test_images_are_named_by_their_files_too_as_exports_name_them(store: Store, pair: Campaign, columns):
    table = store.datasets.table(pair.dataset_id)
    frame = image_list(table, np.array([item.row for item in store.campaigns.items(pair.id)]))[columns]
    assert Path(frame["path"][0]).is_absolute()
    content = frame.assign(answer="right").to_csv(index=False).encode()
    assert import_file(store, pair, content, "lea", annotator="dan", name="other.csv").n_new == 6
    stranger = content.replace(str(table.root).encode(), b"/elsewhere")
    with refusal(AnswersRefusedError, "6 lines"):
        import_file(store, pair, stranger, "lea", annotator="eve", name="other.csv")


def test_the_same_file_twice_adds_nothing(store: Store, pair: Campaign, tmp_path):
    file = tmp_path / "answers.csv"
    file.write_text("path,answer,annotator,seconds\n0/1.png,right,ann,2.5\n0/2.png,0,ann,x\n0/1.png,-1,ben,\n,,,\n")
    assert import_file(store, pair, file, "lea").n_new == 3
    again = import_file(store, pair, file, "lea")
    assert (again.n_new, again.n_known) == (0, 3)
    kept = store.answers.frame(pair.id)
    assert len(kept) == 3 and list(kept["source"].unique()) == ["file"]
    assert sorted(kept["duration_ms"]) == [0, 0, 2500]
    assert store.answers.current(pair.id) == {1: 1, 2: 0}


def test_a_file_that_takes_back_a_change_is_a_change_again(store: Store, pair: Campaign):
    for value, n_new in ((0, 1), (1, 1), (0, 1), (0, 0)):
        done = import_file(store, pair, f"row,answer,annotator\n1,{value},ann\n".encode(), "lea")
        assert (done.n_new, done.n_known) == (n_new, 1 - n_new)
        assert store.answers.current(pair.id, "ann") == {1: value}
    (item,) = [one for one in store.campaigns.items(pair.id) if one.row == 1]
    store.answers.save(pair.id, "ann", [AnswerIn("undo", item.id, None)])
    assert store.answers.current(pair.id, "ann") == {1: 1}
    assert import_file(store, pair, b"row,answer,annotator\n1,1,ann\n", "lea").n_new == 0


@pytest.mark.parametrize(
    ("line", "kind", "sentence"),
    [
        ("99,1,ann", "image", "digits does not have (line 3: '99')"),
        ("-3,1,ann", "image", "line 3: '-3'"),
        ("x,1,ann", "image", "line 3: 'x'"),
        ("1.5,1,ann", "image", "line 3: '1.5'"),
        ("2,maybe,ann", "answer", f"1 line without an answer ({LISTED}) (line 3: 'maybe')"),
        ("2,4,ann", "answer", "line 3: '4'"),
        ("30,1,ann", "asked", "about an image"),
        ("1,0,ann", "conflict", "image and annotator (line 3: '1 ("),
        ("2,1,a\x07b", "annotator", "an invalid annotator"),
    ],
)
def test_a_line_that_does_not_fit_is_named_and_nothing_is_half_imported(
    store: Store, pair: Campaign, line, kind, sentence
):
    content = f"row,answer,annotator\n1,1,ann\n{line}\n4,0,ben\n".encode()
    checked = check_file(store, pair, content)
    assert [one.kind for one in checked.unfit] == [kind] and checked.unfit[0].lines == (3,)
    with refusal(AnswersRefusedError, sentence):
        import_file(store, pair, content, "lea")
    assert len(store.answers.frame(pair.id)) == 0
    done = import_file(store, pair, content, "lea", leave_out_unfit=True)
    assert done.n_new == (1 if kind == "conflict" else 2) and done.unfit == checked.unfit
    assert store.answers.current(pair.id)[4] == 0


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
    with refusal(AnswersRefusedError, "1 line", f"line {line}:"):
        import_file(store, pair, content, "lea", name=name)
    assert import_file(store, pair, content, "lea", name=name, leave_out_unfit=True).n_new == 2


CSV = b"row,answer\n1,1\n"


@pytest.mark.parametrize(
    ("content", "name", "named"),
    [
        (b"", "x.csv", "columns none"),
        (b"", "x.jsonl", "columns none"),
        (b"", "x.parquet", "as Parquet"),
        (b"\xff\xfe\x00", "x.csv", "as CSV"),
        (CSV.decode().encode("utf-16"), "x.csv", "byte 0"),
        (b"\xff", "x.jsonl", "byte 0"),
        (b'row,answer\n"1,1\n', "x.csv", "as CSV"),
        (b"row,answer\n1,1,2,3\n2,1\n", "x.csv", "2: \"['2', '3']\""),
        (b"image,answer\n1,1\n", "x.csv", "columns image, answer"),
        (b"row,label\n1,1\n", "x.csv", "columns row, label"),
        (b'{"image": 1, "answer": 1}', "x.jsonl", "columns image, answer"),
        (packed(image=[1], answer=[1]), "x.parquet", "columns image, answer"),
        (b"row,answer\n", "x.csv", "no answer"),
        (b"row,answer\n1,\n2,\n", "x.csv", "no answer"),
        (b"row,path,answer\n1,0/2.png,1\n", "x.csv", "2: 'row 1, path 0/2.png'"),
        (b"row,path,answer\n99,0/2.png,1\n", "x.csv", "2: 'row 99, path 0/2.png'"),
        (TABLE, "x.csv", ".parquet"),
        (TABLE, "x.jsonl", ".parquet"),
        (LINES, "x.csv", ".jsonl"),
        (b'[{"row": 1, "answer": 1}]', "x.json", ".jsonl"),
        (LINES, "x.parquet", "as Parquet"),
        (CSV, "x.parquet", "as Parquet"),
        (TABLE[:-9], "x.parquet", "as Parquet"),
        (TABLE[:20] + b"\xff" * 200 + TABLE[220:], "x.parquet", "as Parquet"),
        (CSV, "x.jsonl", "line 1: Expecting value"),
        (b'{"row": 1, "answer": 1}\n{"row": 2,', "x.jsonl", "line 2:"),
        (b"[" * 100_000, "x.jsonl", "line 1: is too deep"),
        (b"[1, 2]", "x.jsonl", "line 1:"),
        (unpacking_to_too_much, "x.parquet", "100,000,000 bytes"),
    ],
)
@pytest.mark.usefixtures("uncollected")
def test_a_file_that_is_none_or_not_what_its_ending_says_is_refused(store, pair: Campaign, content, name, named):
    with refusal(AnswersRefusedError, named):
        import_file(store, pair, content() if callable(content) else content, "lea", name=name)
    assert len(store.answers.frame(pair.id)) == 0


def test_not_even_the_first_rows_of_a_file_that_unpacks_to_gigabytes_are_read(tmp_path: Path):
    answers = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000, pa.int32()), pa.array(["1" * 1_500_000]))
    file = tmp_path / "x.parquet"
    pq.write_table(pa.table({"row": [1] * 1_000, "answer": answers}), file, compression="zstd", store_schema=False)
    assert file.stat().st_size < 10_000
    reading = [sys.executable, "-c", READING, str(file)]
    refused, most = json.loads(subprocess.run(reading, capture_output=True, check=True, timeout=300).stdout)
    assert "100,000,000 bytes" in refused and most < 1_000_000_000


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


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
@pytest.mark.parametrize("current", [True, False])
def test_every_form_that_goes_out_comes_in_with_the_same_answers(store, pair: Campaign, dataset, form, current):
    everything_happens(store, pair)
    contents = {each: whole(store, pair, each, current=current) for each in ("csv", form)}
    checked = {each: check_file(store, pair, content, name=f"x.{each}") for each, content in contents.items()}
    assert checked[form].answers == checked["csv"].answers and checked[form].unfit == ()
    other = store.campaigns.create("other", dataset.id, None, range(6), settings=CampaignSettings(overlap=2))
    done = import_file(store, other, contents[form], "lea", name=f"x.{form}")
    assert (done.n_new, done.n_over_quota, done.unfit) == (3, 0, ())
    for who in (None, "ann", "ben, jr.", "lea"):
        assert store.answers.current(other.id, who) == store.answers.current(pair.id, who)
    assert import_file(store, other, contents["csv"], "lea", name="x.csv").n_new == 0


def test_many_lines_that_do_not_fit_make_a_short_report(store: Store, pair: Campaign):
    content = "row,answer\n" + "".join(f"{900 + k},1\n" for k in range(40)) + "1,hm\n"
    checked = check_file(store, pair, content.encode())
    assert [(one.kind, len(one.lines)) for one in checked.unfit] == [("image", 40), ("answer", 1)]
    assert "40 lines" in checked.unfit[0].sentence and "and 35 more" in checked.unfit[0].sentence


def test_a_missing_file_and_a_closed_campaign_are_refused(store: Store, pair: Campaign, tmp_path):
    with refusal(AnswersRefusedError, tmp_path / "none.csv"):
        import_file(store, pair, tmp_path / "none.csv", "lea")
    store.campaigns.close(pair.id)
    with refusal(AnswersRefusedError, "pair is closed"):
        import_file(store, pair, b"row,answer\n1,1\n", "lea")


def test_answers_beyond_the_overlap_are_kept_and_told_apart(store: Store, pair: Campaign):
    lines = "".join(f"1,1,{who}\n" for who in ("ann", "ben", "cid"))
    done = import_file(store, pair, b"row,answer,annotator\n" + lines.encode(), "lea")
    assert (done.n_new, done.n_over_quota) == (3, 1)
    again = import_file(store, pair, b"row,answer,annotator\n" + lines.encode(), "lea")
    assert (again.n_new, again.n_known) == (0, 3)


@pytest.mark.slow
def test_eight_thousand_answers_are_exported_in_few_reads(store: Store, pair: Campaign):
    ids = [item.id for item in store.campaigns.items(pair.id)]
    answers = [AnswerIn(f"a-{k}", ids[k % 6], k % 2, {"run": "r-1", "opacity": 0.5}, 900) for k in range(8_000)]
    store.answers.save(pair.id, "ann", answers)
    for form in ("csv", "jsonl", "parquet"):
        with statements(store.database) as told:
            assert len(whole(store, pair, form)) > 10_000
        assert len(told) < 50  # pages of answers, never one by one


@pytest.mark.slow
def test_an_export_holds_one_chunk_at_a_time(store: Store, pair: Campaign):
    item = store.campaigns.items(pair.id)[0]
    answers = [AnswerIn(f"a-{k}", item.id, k % 2, {"run": (f"{k} " * 50)[:200]}) for k in range(3 * AT_ONCE)]
    store.answers.save(pair.id, "ann", answers)
    for form in ("csv", "jsonl", "parquet"):
        sizes = [len(chunk) for chunk in export(store, pair, form)]
        assert len(sizes) >= 3 and max(sizes) < 0.6 * sum(sizes)


def test_a_pipe_and_a_device_are_no_files_of_answers(store: Store, pair: Campaign, tmp_path):
    os.mkfifo(tmp_path / "answers.csv")
    for path in (tmp_path / "answers.csv", Path("/dev/zero"), tmp_path):
        with refusal(AnswersRefusedError, path, "a device"):
            import_file(store, pair, path, "lea")


@pytest.mark.parametrize("who", ["=HYPERLINK(1)", "+1", "'=a", "@sum", "-b"])
def test_a_name_like_a_formula_goes_out_as_text_and_comes_back_as_it_was(store: Store, pair: Campaign, dataset, who):
    item = store.campaigns.items(pair.id)[0]
    store.answers.save(pair.id, who, [AnswerIn("a", item.id, 1)])
    content = whole(store, pair, "csv", current=True)
    assert content.splitlines()[1].startswith(b"'" + who.encode())
    other = store.campaigns.create("other", dataset.id, None, range(6), settings=CampaignSettings(overlap=2))
    import_file(store, other, content, "lea", name="answers.csv")
    assert store.answers.current(other.id, who) == {item.row: 1}


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("current", [True, False])
def test_empty_and_partly_go_out_and_come_in_as_themselves(store: Store, pair: Campaign, dataset, form, current):
    items = store.campaigns.items(pair.id)
    values = dict(zip(items, VALUES, strict=False))
    store.answers.save(pair.id, "ann", [AnswerIn(f"e-{item.id}", item.id, value) for item, value in values.items()])
    content = whole(store, pair, form, current=current)
    other = store.campaigns.create("other", dataset.id, None, range(6), settings=CampaignSettings(overlap=2))
    assert import_file(store, other, content, "lea", name=f"x.{form}").n_new == len(VALUES)
    assert [value for _, _, value in store.answers.votes(other.id)] == list(VALUES)
    written = whole(store, pair, "csv", current=current)
    assert b",empty,2" in written and b",partly,3" in written


def test_words_keys_and_numbers_of_every_answer_are_read(store: Store, pair: Campaign):
    spelled = [*WORDS.values(), *map(str, WORDS), *KEYS.values(), "EMPTY", "2.0"]
    assert [value_of(word) for word in spelled[: len(VALUES)]] == list(VALUES)
    assert {value_of(word) for word in spelled} == set(VALUES)
    with refusal(AnswersRefusedError, "'perhaps'", LISTED):
        value_of("perhaps")
