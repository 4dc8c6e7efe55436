"""Spawrious: ``<location>/<breed>/*.png``, in folders 0 and 1 as released or without; the location misleads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from slim_core.data.draft import Draft
from slim_core.data.importers.folders import at_depth, left_out, list_images, names_of, numbered, subfolders

BREEDS = {"bulldog", "corgi", "dachshund", "labrador"}
LOCATIONS = {"beach", "desert", "dirt", "jungle", "mountain", "snow"}
HALVES = {"0": "train", "1": "test"}  # of the release, whose challenges take both of training and of test from either
NOT_A_CHALLENGE = (
    "Folder 0 is read as train and folder 1 as test, each as a whole. A challenge of Spawrious is some places of each "
    "breed, for training and for test, from either folder: to have one, name its images in a table."
)


class Spawrious:
    """Four breeds in six places."""

    name = "spawrious"
    about = "<location>/<breed>/*.png (Spawrious), in the release's folders 0 and 1 or without them"
    options: tuple[str, ...] = ()

    def matches(self, path: Path) -> str | None:
        """Known locations with known breeds in them."""
        for top in (path, *(path / half for half in HALVES)):
            places = [name for name in subfolders(top) if name in LOCATIONS and BREEDS & set(subfolders(top / name))]
            if places:
                return f"{', '.join(places)} hold folders of dog breeds"
        return None

    def read(self, path: Path, options: Mapping[str, str]) -> Draft:  # noqa: ARG002  # this form has no options
        """The raw table."""
        halved = set(subfolders(path)) >= set(HALVES)
        shape = "0/LOCATION/BREED/IMAGE" if halved else "LOCATION/BREED/IMAGE"
        listed = list_images(path)
        rows = at_depth(listed, 3 if halved else 2, path, shape)
        location, breed = (rows[1], rows[2]) if halved else (rows[0], rows[1])
        return Draft(
            source=path.name,
            root=path,
            paths=rows["path"],
            splits=rows[0].map(HALVES) if halved else None,
            labels=numbered(breed),
            attributes=numbered(location),
            label_names=names_of(breed),
            attribute_name="location",
            attribute_names=names_of(location),
            strict_integers=False,
            notes=(*left_out(len(listed) - len(rows), shape), *((NOT_A_CHALLENGE,) if halved else ())),
        )
