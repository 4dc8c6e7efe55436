"""A space joined with what else is known of its images."""

from __future__ import annotations

import numpy as np
import pytest

from app import session
from app.services.results import space_data
from app.space import colours
from app.space.colours import COLOURINGS, SEVERAL, ShownSpace
from slim_core.result_files import MAPS


@pytest.fixture
def space(filled_home):
    return session.store().runs.all(kind="space")[0]


def test_every_image_of_the_split_has_its_scores_in_the_order_of_the_space(space) -> None:
    data = space_data.load(space.id)
    table = session.store().datasets.table(space.dataset_id)
    assert data.rows.tolist() == table.rows("train").tolist()
    assert data.scores["row"].tolist() == data.rows.tolist()
    assert data.scores["label"].tolist() == data.labels.tolist()


def test_maps_that_were_removed_or_put_back_are_noticed(space) -> None:
    maps = session.store().artifacts.folder(space.spec["attention"]) / MAPS
    aside = maps.with_name("aside")
    assert space_data.load(space.id).maps == space.spec["attention"]
    maps.rename(aside)
    assert space_data.load(space.id).maps is None
    aside.rename(maps)
    assert space_data.load(space.id).maps == space.spec["attention"]


def test_answers_stand_at_the_images_that_were_asked(space) -> None:
    data = space_data.load(space.id)
    (campaign,) = session.store().campaigns.all()
    values = space_data.answers(data, campaign.id)
    asked = {
        int(row): int(value) for row, value in zip(data.rows, values, strict=True) if value != space_data.NOT_ASKED
    }
    assert asked == session.store().answers.current(campaign.id)
    assert (space_data.answers(data, None) == space_data.NOT_ASKED).all()


def test_propagated_scores_follow_the_next_answer(space) -> None:
    from slim_core.store import AnswerIn

    data, store = space_data.load(space.id), session.store()
    (campaign,) = store.campaigns.all()
    before = space_data.propagated(data, campaign.id)
    item = store.campaigns.items(campaign.id)[0]
    turned = 1 - max(0, store.answers.current(campaign.id)[item.row])
    store.answers.save(campaign.id, "simulated annotator", [AnswerIn("turned", item.id, turned)])
    after = space_data.propagated(data, campaign.id)
    at = int(np.flatnonzero(data.rows == item.row)[0])
    assert abs(after[at] - before[at]) > 0.1


def test_rows_are_found_at_their_positions_and_others_are_not_there(space) -> None:
    data = space_data.load(space.id)
    outside = session.store().datasets.table(space.dataset_id).rows("test")[:2]
    asked = np.concatenate([data.rows[[5, 0, 17]], outside])
    assert space_data.positions_of(data, asked).tolist() == [5, 0, 17, -1, -1]


def test_every_colouring_gives_one_code_an_image(space) -> None:
    store = session.store()
    subset = next(run for run in store.runs.all(kind="curate") if run.spec["strategy"] == "slim")
    data = space_data.load(space.id)
    store.tags.add(space.dataset_id, data.rows[:3], "blurred")
    seen = ShownSpace(data, store.campaigns.all()[0].id, subset.id)
    assert seen.names() == list(COLOURINGS)
    for name in seen.names():
        colouring = colours.colouring(seen, name)
        assert len(colouring.codes) == len(seen.data), name
        assert colouring.codes.max() < len(colouring.palette), name


def test_tags_colour_their_images_and_several_tags_are_one_colour(space) -> None:
    data, tags = space_data.load(space.id), session.store().tags
    tags.add(space.dataset_id, data.rows[:3], "blurred")
    tags.add(space.dataset_id, data.rows[2:4], "a twin")
    tags.add(space.dataset_id, session.store().datasets.table(space.dataset_id).rows("test")[:1], "blurred")
    colouring = colours.colouring(ShownSpace(data), "tag")
    names = {entry.code: entry.name for entry in colouring.legend}
    shown = [names[code] for code in colouring.codes[:5].tolist()]
    assert shown == ["blurred", "blurred", SEVERAL, "a twin", "no tag"]


def test_a_tag_that_is_called_unknown_keeps_its_name(space) -> None:
    data = space_data.load(space.id)
    session.store().tags.add(space.dataset_id, data.rows[:2], "unknown")
    named = [(entry.name, entry.n) for entry in colours.colouring(ShownSpace(data), "tag").legend]
    assert named == [("unknown", 2), ("no tag", len(data) - 2)]


def test_without_a_campaign_and_a_subset_their_colours_are_not_offered(space) -> None:
    names = ShownSpace(space_data.load(space.id)).names()
    assert {"propagated score", "answer", "subset", "tag"}.isdisjoint(names)
