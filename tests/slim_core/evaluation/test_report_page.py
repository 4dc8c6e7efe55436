"""The report is one file: plotly once, pictures inside, everything said, nothing fetched."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import plotly.graph_objects as go
import pytest
from plotly.offline import get_plotlyjs

from slim_core.evaluation.comparison import Ancestry
from slim_core.evaluation.report import LINEAGE, best, collect, groups_table, render
from tests.refusals import missing


@pytest.fixture(scope="module")
def evaluations(looped):
    return [looped.outcomes[name].evaluation for name in looped.outcomes]


@pytest.fixture(scope="module")
def report(looped, evaluations):
    """Read it."""
    return collect(looped.at.store, evaluations, looped.outcomes["erm"].evaluation.id)


def test_it_holds_numbers_groups_definitions_lineage_and_seeds(looped, report) -> None:
    page = render(report)
    for one in report.rows.itertuples():
        assert one.label in page and f"{100 * one.wga:.1f}" in page
    for run in (looped.loop.reference, looped.loop.space, looped.outcomes["slim"].subset):
        assert run.id in page
    assert "accuracy: the lowest" in page and "GPU hours behind" in page
    assert report.dataset.fingerprint in page
    assert "1, flower" in page
    assert "may overlap although" in report.charts[0].note


def test_no_group_is_the_worst_where_every_image_is_right(report) -> None:
    assert any("← worst" in group for _, group, *_ in groups_table(report).cells)
    perfect = replace(report, groups=report.groups.assign(accuracy=1.0))
    assert not any("← worst" in group for _, group, *_ in groups_table(perfect).cells)


def test_plotly_is_inside_once_and_no_address_is_fetched(report) -> None:
    page = render(report)
    assert page.count("plotly.js v") == 1
    head, _, rest = page.partition("<script>")
    assert not re.search(r"""(src|href)=["']?https?:""", head + rest.rpartition("</script>")[0][-20_000:])
    ours = page.replace(get_plotlyjs(), "")
    n_crops = sum(len(one.crops) for one in report.looks)
    assert ours.count("data:image/webp;") - n_crops == 3 * len(report.examples) > 0
    figures = json.loads(re.search(r'id="figures">(.*?)</script>', page, re.S)[1])
    assert len(figures) == page.count("<div class=chart")


EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{ 90001 * 90001 }}"


def test_a_name_cannot_break_out_of_the_file(report) -> None:
    label = [EVIL, *report.rows["label"][1:]]
    example = replace(report.examples[0], names=(EVIL, EVIL, EVIL))
    figure = go.Figure(report.charts[0].figure).update_layout(title=EVIL)
    hostile = replace(
        report,
        dataset=replace(report.dataset, name=EVIL),
        rows=report.rows.assign(label=label, worst_group=EVIL),
        groups=report.groups.assign(run=EVIL, group=EVIL),
        seeds=report.seeds.assign(method=EVIL),
        verdict=f"**{EVIL}** is better",
        story=[(EVIL, f"**{EVIL}** is bold")],
        charts=[replace(report.charts[0], title=EVIL, note=EVIL, figure=figure)],
        examples=[example],
        lineages={EVIL: [[EVIL] * len(LINEAGE)]},
        link='javascript:"><script>alert(3)</script>',
        missing=[EVIL],
    )
    page = render(hostile)
    assert "<script>alert" not in page and "<img src=x" not in page and "8100180001" not in page
    assert page.count("<script") == 3
    assert "<b>&lt;/script&gt;" in page
    figures = json.loads(re.search(r'id="figures">(.*?)</script>', page, re.S)[1])
    assert figures[0]["layout"]["title"]["text"] == EVIL


def test_examples_are_of_the_worst_group_and_turned_right_first(looped, report) -> None:
    worst = looped.outcomes["erm"].evaluation.metrics["worst_group"]
    assert {example.names[0] for example in report.examples} == {worst}
    marks = [(example.names[1][0], example.names[2][0]) for example in report.examples]
    assert marks == sorted(marks, key=lambda pair: pair != ("✗", "✓"))


def on_spaces(evaluations, *spaces):
    """As if the data had no attributes, and the groups of each were clusters of its space."""
    return [
        replace(one, spec=one.spec | {"space": space}, metrics=one.metrics | {"estimated_groups": True})
        for one, space in zip(evaluations, spaces, strict=True)
    ]


def test_runs_of_other_estimated_groups_have_no_change_and_no_bar(looped, evaluations) -> None:
    first, second, *_ = evaluations
    found = collect(looped.at.store, on_spaces([first, second], "r-one", "r-two"), first.id)
    assert found.rows["change"].isna().all() and found.after == second.id
    assert "Not comparable" in found.verdict and "worst" not in f"{found.verdict} {found.story[-1][1]}"
    label = found.rows.at[second.id, "label"]
    assert label in found.charts[0].note and label not in {trace.name for trace in found.charts[0].figure.data}
    assert "(other groups)" in render(found)


def test_the_report_says_what_the_groups_are_where_no_attribute_is_known(looped, evaluations) -> None:
    store, (first, *_) = looped.at.store, evaluations
    said = "attribute is known"
    assert said not in render(collect(store, [first], first.id))
    (clustered,) = on_spaces([first], "r-one")
    assert "groups are estimated" in render(collect(store, [clustered], first.id))
    (alone,) = on_spaces([first], None)
    names = [one["name"] for one in first.metrics["classes"]]
    as_classes = [group | {"name": names[group["group"] % len(names)]} for group in first.metrics["groups"]]
    by_class = replace(alone, metrics=alone.metrics | {"groups": as_classes})
    assert "only the classes" in render(collect(store, [by_class], first.id))


def test_the_report_has_no_row_for_an_estimated_group_without_images(looped, evaluations) -> None:
    (clustered,) = on_spaces(evaluations[:1], "r-one")
    empty = {"group": 99, "name": "0, environment 99", "n": 0, "accuracy": None, "low": None, "high": None}
    clustered.metrics["groups"] = [*clustered.metrics["groups"], empty]
    assert "0, environment 99" not in set(collect(looped.at.store, [clustered], clustered.id).groups["group"])


def test_the_report_sets_a_run_of_the_same_groups_beside_the_baseline(looped, evaluations) -> None:
    first, second, third = evaluations[:3]
    runs = on_spaces([first, second, third], "r-one", "r-two", "r-one")
    assert collect(looped.at.store, runs, first.id).after == third.id


def test_a_run_of_another_split_has_no_change_no_bar_no_pictures_and_no_verdict(looped, evaluations) -> None:
    first, second, third = evaluations[:3]
    on_val = replace(second, spec=second.spec | {"split": "val"})
    found = collect(looped.at.store, [first, on_val], first.id)
    assert found.rows["change"].isna().all() and len(found.seeds) == 1 and not found.examples and found.missing
    assert not missing(found.verdict, "Not comparable", "test", "val")
    label = found.rows.at[second.id, "label"]
    assert f"another split: {label}." in found.charts[0].note
    assert label.endswith(", val") and label not in {trace.name for trace in found.charts[0].figure.data}
    assert collect(looped.at.store, [first, on_val, third], first.id).after == third.id


def test_several_seeds_decide_in_the_report_as_on_overview(looped) -> None:
    """The same methods once more, with another seed along the whole lineage."""
    store, both = looped.at.store, [looped.outcomes[name].evaluation for name in ("erm", "slim")]
    known = Ancestry.read(store, both[0].dataset_id)
    needed = {run.id: run for one in both for run in known.lineage(one)}
    text = json.dumps({run_id: run.spec for run_id, run in needed.items()})
    for run_id in needed:
        text = text.replace(run_id, f"{run_id}-again")
    again = [
        replace(run, id=f"{run_id}-again", spec=json.loads(text)[f"{run_id}-again"] | {"seed": 8})
        for run_id, run in needed.items()
    ]
    ancestry = Ancestry([*known.runs.values(), *again], store.campaigns.all(both[0].dataset_id))
    evaluations = [*both, *(one for one in again if one.kind == "evaluate")]
    found = collect(store, evaluations, both[0].id, after=both[1].id, ancestry=ancestry)
    assert "over 2 seeds" in found.verdict


def test_the_oracle_is_not_taken_for_the_best_where_another_run_is(report) -> None:
    rows = report.rows.assign(labels_used=["groups in training", *["answers"] * (len(report.rows) - 1)],
                              wga=[0.99, *[0.5] * (len(report.rows) - 1)])  # fmt: skip
    assert best(rows) == rows.index[1]
    assert best(rows[:1]) == rows.index[0]


def test_pictures_that_cannot_be_drawn_are_said_to_be_missing(looped, evaluations, monkeypatch) -> None:
    from slim_core.evaluation.report import Attention

    monkeypatch.setattr(Attention, "of", lambda _store, _run: None)
    report = collect(looped.at.store, evaluations)
    assert not report.examples
    assert "kept no attention" in render(report)


def with_n(run, n: int):
    """An evaluation of so many images, in the groups that it has."""
    return replace(run, metrics=run.metrics | {"n": n})


def test_images_of_no_known_group_are_counted_beside_the_groups(looped, evaluations, report) -> None:
    assert "no known group" not in render(report)
    n = evaluations[0].metrics["n"]
    alike = collect(looped.at.store, [with_n(one, n + 3) for one in evaluations])
    sentence = f"3 of {n + 3:,} images belong"
    assert render(alike).count(sentence) == 1
    some = collect(looped.at.store, [with_n(evaluations[0], n + 3), *evaluations[1:]])
    assert f"{some.rows['label'].iloc[0]}: {sentence}" in render(some)
