"""Drawn shapes: append-only, the newest of an image counts, and nobody's work is lost."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from slim_core.errors import ForbiddenError, NotFoundError, ShapeRefusedError
from slim_core.store import Dataset, Store, schema, shapes
from tests.slim_core.store.store_makers import in_threads

SIZE = (100, 80)
BOX = [[[10, 20], [40, 20], [40, 30], [10, 30]]]
TRIANGLE = [[[0, 0], [50, 0], [0, 50]]]


def draw(store: Store, dataset: Dataset, row: int, polygons: list, id: str, **more):
    return store.shapes.keep(dataset.id, row, polygons, SIZE, id=id, **more)


def test_the_newest_counts_and_the_older_ones_are_kept(store: Store, dataset: Dataset):
    first = draw(store, dataset, 3, BOX, "a", by="ann").shape
    second = draw(store, dataset, 3, TRIANGLE, "b", by="ann", after=first.seq).shape
    draw(store, dataset, 5, BOX, "c", by="lea")
    assert second.seq > first.seq and second.drawing and second.drawing.mask().sum() == 1225
    assert {row: one.id for row, one in store.shapes.all(dataset.id).items()} == {3: "b", 5: "c"}
    assert {row: one.id for row, one in store.shapes.all(dataset.id, first.seq).items()} == {3: "a"}
    assert store.shapes.drawings(dataset.id, first.seq)[3].mask().sum() == 300
    assert store.shapes.newest(dataset.id) == store.shapes.find(dataset.id, 5).seq


def test_removing_gives_the_image_back_and_can_be_seen_as_of_before(store: Store, dataset: Dataset):
    drawn = draw(store, dataset, 3, BOX, "a", by="ann").shape
    removed = draw(store, dataset, 3, [], "b", by="lea", after=drawn.seq).shape
    assert removed.drawing is None and store.shapes.all(dataset.id) == {}
    assert list(store.shapes.all(dataset.id, drawn.seq)) == [3]
    with pytest.raises(ShapeRefusedError, match="drawn on image 3"):
        draw(store, dataset, 3, [], "c")
    assert draw(store, dataset, 3, [], "b").shape == removed  # sent again, it is the same removal
    told = [event.what for event in store.events.recent(subject=dataset.id)]
    assert told.count("shape.drawn") == 1 and told.count("shape.removed") == 1


def test_what_is_sent_twice_is_kept_once_and_an_id_is_of_one_image(store: Store, dataset: Dataset):
    kept = draw(store, dataset, 3, BOX, "a").shape
    assert draw(store, dataset, 3, BOX, "a").shape == kept
    with pytest.raises(ShapeRefusedError, match="used for another"):
        draw(store, dataset, 4, BOX, "a")
    assert store.shapes.newest(dataset.id) == kept.seq


def test_of_two_people_both_are_kept_and_the_second_is_told(store: Store, dataset: Dataset):
    seen = draw(store, dataset, 3, BOX, "a", by="ann").shape.seq
    theirs = draw(store, dataset, 3, TRIANGLE, "b", by="lea", after=seen)
    late = draw(store, dataset, 3, BOX, "c", by="ann", after=seen)
    assert theirs.overtaken is None  # Lea had seen Ann's
    assert late.overtaken == theirs.shape and store.shapes.find(dataset.id, 3) == late.shape


def test_many_at_once_are_all_kept(store: Store, dataset: Dataset):
    kept = in_threads(6, lambda n: draw(store, dataset, 3, BOX, f"id-{n}", by=f"p{n}").shape.seq)
    with store.database.read() as connection:
        found = connection.execute(sa.select(schema.shapes.c.seq).order_by(schema.shapes.c.seq)).scalars().all()
    assert sorted(kept) == found and len(found) == 6
    assert store.shapes.find(dataset.id, 3).seq == max(kept)


def test_a_member_needs_a_role_that_may_annotate(store: Store, dataset: Dataset):
    store.members.set_role("ann@x.org", "annotator")
    store.members.set_role("vic@x.org", "viewer")
    draw(store, dataset, 3, BOX, "a", by="ann@x.org", member=True)
    for who in ("vic@x.org", "nobody@x.org"):
        with pytest.raises(ForbiddenError, match="needs annotator"):
            draw(store, dataset, 3, BOX, f"by {who}", by=who, member=True)
    assert store.shapes.find(dataset.id, 3).drawn_by == "ann@x.org"


def test_what_cannot_be_kept_is_refused(store: Store, dataset: Dataset, monkeypatch):
    with pytest.raises(NotFoundError, match="rows are 0..49"):
        draw(store, dataset, 50, BOX, "a")
    with pytest.raises(NotFoundError, match="no image True"):
        draw(store, dataset, True, BOX, "a")
    with pytest.raises(NotFoundError):
        store.shapes.keep("d-unheard", 3, BOX, SIZE, id="a")
    for id in ("", "x" * 81, "new\nline", 7):
        with pytest.raises(ShapeRefusedError, match="of 1 to 80"):
            draw(store, dataset, 3, BOX, id)
    monkeypatch.setattr(shapes, "MOST_IMAGES", 1)
    monkeypatch.setattr(shapes, "MOST_VERSIONS", 2)
    draw(store, dataset, 3, BOX, "a")
    with pytest.raises(ShapeRefusedError, match="import masks with"):
        draw(store, dataset, 4, BOX, "b")
    draw(store, dataset, 3, TRIANGLE, "c")
    with pytest.raises(ShapeRefusedError, match="drawn on 2 times"):
        draw(store, dataset, 3, BOX, "d")


def test_an_image_on_which_nothing_is_drawn_any_more_leaves_its_room_to_another(
    store: Store, dataset: Dataset, monkeypatch
):
    monkeypatch.setattr(shapes, "MOST_IMAGES", 1)
    draw(store, dataset, 3, BOX, "a")
    draw(store, dataset, 3, [], "b")
    draw(store, dataset, 4, BOX, "c")
    with pytest.raises(ShapeRefusedError, match="1 images of this"):
        draw(store, dataset, 3, BOX, "d")


def test_the_table_of_the_pages_holds_what_counts_now(store: Store, dataset: Dataset):
    table = store.datasets.table(dataset.id)
    assert store.shapes.on(dataset.id, table) is table
    draw(store, dataset, 3, BOX, "a")
    assert store.shapes.on(dataset.id, table).has_mask.nonzero()[0].tolist() == [3]
    assert not store.datasets.table(dataset.id).has_mask.any()


def test_a_removal_says_how_many_drawn_images_go_and_nothing_is_drawn_on_what_was_removed(
    store: Store, dataset: Dataset
):
    draw(store, dataset, 3, BOX, "a")
    draw(store, dataset, 5, BOX, "b")
    draw(store, dataset, 5, [], "c")
    assert "0 campaigns, 1 drawn image, and" in store.removals.preview(dataset.id).in_words()
    store.removals.remove(dataset.id)
    with pytest.raises(NotFoundError, match="was removed"):
        draw(store, dataset, 3, BOX, "d")
