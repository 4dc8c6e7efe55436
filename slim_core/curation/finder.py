"""What a model looks at, before anybody is asked: each class's clusters of attention, in crops, numbers and words.

The images of a class are clustered by what the attention is on (``f`` of METHOD S1), as environments are. A cluster
has its share of the class in train, the accuracy on held-out images of the class that are in it and that are not, and
where its peaks lie. Words are made of what is measured; where nothing is, there are none.

Light: no torch. It is computed once, at the end of an attention pass.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from slim_core.data.images.codec import ImageTransform, image_size, load_pixels, load_square
from slim_core.data.table import load_mask
from slim_core.errors import ImageRefusedError
from slim_core.formatting import of_n, percent
from slim_core.result_files import FINDINGS, undamaged
from slim_core.space.clustering import davies_bouldin_k, seeded_kmeans
from slim_core.space.environments import ClusterConfig, is_on_anything, reduce_features

if TYPE_CHECKING:
    from slim_core.data.table import ImageTable

Rows = NDArray[np.int64]
MOST_CLUSTERS = 3  # of a class: what fits a glance
LEAST = 10  # images, below which nothing is clustered and no rate is compared: those a verdict asks of a group
LEVEL = 0.01  # of a test over all clusters of a data set, divided by how many there are: once in 100 sets by chance
MOST = 0.5  # of a class, above which a sentence says most; of a cluster's peaks, above which it is off the object
TWICE = 2  # a place or a look is the cluster's own where it is at least twice as frequent as in the others
SHARED = 0.75  # of the peaks are at a place, and of the crops have a look, before it is said: 9 of 12
N_CROPS, CROP_PX = 12, 48
LEAST_CROP = 0.3  # side of a crop, of the frame: two cells of a map of 8 x 8
NEAR = 3  # cells a side around a peak: where a map is coarse, attention on a thin object peaks in the cell beside it
SAMPLE = 200  # images of a cluster whose masks are read
SMALL = 0.1  # of the frame: what covers less is a spot, else an area

PLACES = (
    "at the top left", "at the top", "at the top right", "at the left", "in the centre", "at the right",
    "at the bottom left", "at the bottom", "at the bottom right",
)  # fmt: skip
CENTRE, CORNERS = 4, (0, 2, 6, 8)
IN_A_CORNER = "in a corner"
# name -> hue in degrees, of what has some saturation; the end of a hue is the start of the next
HUES = {"red": 20, "orange": 45, "yellow": 70, "green": 165, "cyan": 190, "blue": 260, "purple": 330}
LOOKS = ("bright", "dark", *HUES)


@dataclass(frozen=True)
class Crop:
    """A square around the peak of the map; ``left``, ``top``, ``side`` in 0..1 of what ``load_square`` gives."""

    row: int
    left: float
    top: float
    side: float


@dataclass(frozen=True)
class Finding:
    """One cluster of what the attention is on in the images of a class."""

    label: int
    share: float  # of the training images of the class
    right_with: int  # held-out images of the class in the cluster that are predicted right, of n_with
    n_with: int
    right_without: int  # of those that are not in it
    n_without: int
    off_object: float | None  # share of its peaks with nothing of the object near them; None: no masks
    place: str  # one of PLACES or IN_A_CORNER; "": varies
    is_suspicious: bool
    crops: tuple[Crop, ...]
    look: str = ""  # one of LOOKS; "": nothing in common
    is_small: bool = False  # what has the look
    n_words: int = 0  # crops that have place and look

    @property
    def accuracies(self) -> tuple[float | None, float | None]:
        """On held-out images of the class in the cluster, and of those not in it; None: there are none."""
        pairs = ((self.right_with, self.n_with), (self.right_without, self.n_without))
        with_it, without = (right / n if n else None for right, n in pairs)
        return with_it, without

    def what(self) -> str:
        """a bright spot at the top left; "": no word is justified."""
        if not (self.place or self.look):
            return "something outside the object" if _is_off(self.off_object) else ""
        thing = "spot" if self.is_small else "area"
        article = "an" if self.look == "orange" else "a"
        noun = f"{article} {self.look} {thing}" if self.look else "something"
        return " ".join(part for part in (noun, self.place) if part)

    def sentence(self, names: Sequence[str], named: Callable[[str], str] = str) -> str:
        """What is suspicious, of a class by its name."""
        name = named(names[self.label])
        of_class = f"Most '{name}'" if self.share > MOST else f"{percent(self.share, 0)} of '{name}'"
        shown = f" ({self.n_words} of {len(self.crops)} crops shown)" if self.place or self.look else ""
        return f"{of_class} are recognised by {self.what()}{shown}."

    def numbers(self) -> str:
        """Share of the class, and the accuracy with and without it, each with its n."""
        (with_it, without), words = self.accuracies, [f"{percent(self.share, 0)} of the class in train"]
        if with_it is not None:
            words.append(f"accuracy {percent(with_it, 0)} with it ({of_n(self.n_with)})")
        if without is not None:
            words.append(f"{percent(without, 0)} without ({of_n(self.n_without)})")
        return ", ".join(words)

    def cut(self, table: ImageTable, transform: ImageTransform) -> list[NDArray[np.uint8]]:
        """Its crops as pixels (h, w, 3).

        Raises:
            ImageRefusedError: an image is gone or damaged.
        """
        images = ((crop, load_square(table.image_path(crop.row), transform, 5 * CROP_PX)) for crop in self.crops)
        return [np.ascontiguousarray(image[_box(crop, len(image))]) for crop, image in images]

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Self:
        """What ``asdict`` made."""
        return cls(**{**plain, "crops": tuple(Crop(**crop) for crop in plain["crops"])})


def save(findings: Sequence[Finding], folder: Path) -> None:
    """Leave them in the folder of an attention pass."""
    (folder / FINDINGS).write_text(json.dumps([asdict(one) for one in findings]))


def read(folder: Path) -> tuple[Finding, ...]:
    """Those that an attention pass has left, suspicious ones first; none of an older pass.

    Raises:
        ArtifactDamagedError: the file is damaged.
    """
    path = folder / FINDINGS
    if not path.is_file():
        return ()
    with undamaged(path):
        found = [Finding.of(plain) for plain in json.loads(path.read_text())]
    return tuple(sorted(found, key=lambda one: (not one.is_suspicious, one.label, -one.share)))


@dataclass(frozen=True, eq=False)
class _Cluster:
    label: int
    train: Rows  # positions in the arrays of the pass
    held_out: Rows
    others: Rows  # held-out images of the class that are not in it


@dataclass(frozen=True, eq=False)
class Seen:
    """What an attention pass saw of n images."""

    rows: Rows  # (n,) of the data set
    predictions: Rows  # (n,)
    maps: NDArray[np.float32]  # (n, U, V) raw, of the label
    features: NDArray[Any]  # (n, K) attention features; may be memory-mapped


def find(seen: Seen, table: ImageTable, transform: ImageTransform) -> tuple[Finding, ...]:
    """The clusters of every class, in the order of the classes, the largest first.

    Args:
        seen: an attention pass; a class is clustered where train is in it.
        table: with the masks that count.
        transform: how the model sees images.
    """
    rows, predictions, labels = seen.rows, seen.predictions, table.labels[seen.rows]
    is_train = np.isin(rows, table.rows("train"))
    peaks, side = _peaks(seen.maps)  # (n, 2) of the frame, across and down
    ninth = _ninths(peaks)
    in_train = np.bincount(ninth[is_train], minlength=len(PLACES))
    clusters = [
        one for label in range(table.n_classes) for one in _clusters(seen.features, labels == label, is_train, label)
    ]
    level = LEVEL / max(1, len(clusters))
    found = []
    for whole in clusters:
        place, one = _at_its_place(whole, ninth, in_train, level)
        right = [int((predictions[part] == one.label).sum()) for part in (one.held_out, one.others)]
        off = _off_object(table, rows, one.train, peaks, side, transform)
        found.append(
            Finding(
                label=one.label,
                share=len(one.train) / int((is_train & (labels == one.label)).sum()),
                right_with=right[0],
                n_with=len(one.held_out),
                right_without=right[1],
                n_without=len(one.others),
                off_object=off,
                place=place,
                is_suspicious=_is_suspicious(place, off, right, one, level),
                crops=_crops(rows, peaks, side, one.train),
            )
        )
    worded = _with_words(found, table, transform)
    if transform.whole == transform:
        return worded
    return tuple(replace(one, crops=tuple(_unsqueezed(crop, table, transform) for crop in one.crops)) for one in worded)


def _is_suspicious(place: str, off: float | None, right: Sequence[int], one: _Cluster, level: float) -> bool:
    """Whether the cluster is off the object or at a place of its own, not the centre, and carries the prediction:
    images of the class without it are clearly more often wrong.

    Either alone says little: an object is a cluster that carries the prediction, and of a network with coarse maps
    many a peak falls outside the object. Where too few held-out images are without it (all of the class have it),
    nothing tells whether it carries the prediction, and a place of its own is enough.
    """
    is_placed = place not in ("", PLACES[CENTRE])
    if min(len(one.held_out), len(one.others)) < LEAST:
        return is_placed and len(one.others) < LEAST
    carries = _by_chance(right[0], len(one.held_out), right[1], len(one.others)) < level
    return carries and (is_placed or _is_off(off))


def _is_off(share: float | None) -> bool:
    """Whether a cluster is off the object, by the share of its peaks; None: no masks."""
    return share is not None and share > MOST


def _clusters(
    features: NDArray[Any], of_class: NDArray[np.bool_], is_train: NDArray[np.bool_], label: int
) -> list[_Cluster]:
    """Of one class; none where it has too few images with attention. Held-out images without any are in none."""
    members = np.flatnonzero(of_class)
    members = members[is_on_anything(features, members)]
    if is_train[members].sum() < 2 * LEAST:
        return []
    points = reduce_features(features[members], ClusterConfig())
    index, _ = seeded_kmeans(points, davies_bouldin_k(points, MOST_CLUSTERS, seed=0), seed=0)
    held_out = np.flatnonzero(of_class & ~is_train)
    parts = [members[index == k] for k in range(int(index.max()) + 1)]
    return [
        _Cluster(label, part[is_train[part]], part[~is_train[part]], np.setdiff1d(held_out, part))
        for part in parts
        if is_train[part].sum() >= LEAST
    ]


def _peaks(maps: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
    """(n, 2): the centre of the strongest cell of maps (n, U, V), across and down in 0..1; and the side of a cell."""
    height, width = maps.shape[1:]
    at = maps.reshape(len(maps), -1).argmax(axis=1)
    return np.stack([(at % width + 0.5) / width, (at // width + 0.5) / height], axis=1), 1 / min(height, width)


def _ninths(peaks: NDArray[np.float64]) -> Rows:
    """(n,) index in PLACES."""
    across, down = np.minimum(peaks * 3, 2).astype(np.int64).T
    return np.asarray(down * 3 + across)


def _at_its_place(one: _Cluster, ninth: Rows, in_train: Rows, level: float) -> tuple[str, _Cluster]:
    """Where most of the cluster's peaks are, if those of all other training images are there clearly less often; then
    only held-out images whose peak is there have what the cluster is about. ``in_train``: peaks in each of PLACES."""
    mine = np.bincount(ninth[one.train], minlength=len(PLACES))
    others, mode = in_train - mine, int(mine.argmax())
    for name, places in ((PLACES[mode], (mode,)), (IN_A_CORNER, CORNERS)):
        here, there = ((int(counts[list(places)].sum()), int(counts.sum())) for counts in (mine, others))
        if here[0] >= SHARED * here[1] and _is_more(*here, *there, level / (len(PLACES) + 1)):
            with_it = one.held_out[np.isin(ninth[one.held_out], places)]
            without = np.setdiff1d(np.union1d(one.held_out, one.others), with_it)
            return name, replace(one, held_out=with_it, others=without)
    return "", one


def _is_more(k: int, n: int, k_others: int, n_others: int, level: float) -> bool:
    """Whether k of n is at least twice the share of the others, and larger beyond chance."""
    if not n_others or k / n < TWICE * k_others / n_others:
        return False
    return _by_chance(k, n, k_others, n_others) < level


def _by_chance(k: int, n: int, k_others: int, n_others: int) -> float:
    """One-sided p that k of n is more than k_others of n_others."""
    from scipy.stats import fisher_exact  # half a second to import

    return float(fisher_exact([[k, n - k], [k_others, n_others - k_others]], alternative="greater").pvalue)


def _off_object(
    table: ImageTable, rows: Rows, cluster: Rows, peaks: NDArray[np.float64], side: float, transform: ImageTransform
) -> float | None:
    """The share of peaks with nothing of the object NEAR them; of at most SAMPLE images. None: no masks."""
    masked = cluster[table.has_mask[rows[cluster]]]
    off = []
    for at in masked[np.linspace(0, len(masked) - 1, min(SAMPLE, len(masked))).astype(np.int64)]:
        mask = load_mask(table, int(rows[at]), transform)
        if mask is not None and mask.any():
            left, top = ((peaks[at] - NEAR * side / 2) * len(mask)).round().astype(int)
            near = max(1, round(NEAR * side * len(mask)))
            off.append(not mask[max(0, top) : top + near, max(0, left) : left + near].any())
    return float(np.mean(off)) if len(off) >= LEAST else None


def _crops(rows: Rows, peaks: NDArray[np.float64], cell: float, cluster: Rows) -> tuple[Crop, ...]:
    """Of images spread evenly over the cluster, so that none is chosen for its looks."""
    side = max(LEAST_CROP, cell)
    chosen = cluster[np.linspace(0, len(cluster) - 1, min(N_CROPS, len(cluster))).astype(np.int64)]
    corners = np.clip(peaks[chosen] - side / 2, 0, 1 - side).round(4)
    return tuple(
        Crop(int(row), float(left), float(top), side) for row, (left, top) in zip(rows[chosen], corners, strict=True)
    )


def _unsqueezed(crop: Crop, table: ImageTable, transform: ImageTransform) -> Crop:
    """The crop of the same middle, of the square as people are shown it."""
    try:
        size = image_size(table.image_path(crop.row))
    except ImageRefusedError:
        return crop
    middle = transform.frame(size).to_image(crop.left + crop.side / 2, crop.top + crop.side / 2)
    corner = np.clip(np.array(transform.whole.frame(size).to_seen(*middle)) - crop.side / 2, 0, 1 - crop.side)
    left, top = corner.round(4).tolist()
    return Crop(crop.row, left, top, crop.side)


def _with_words(found: Sequence[Finding], table: ImageTable, transform: ImageTransform) -> tuple[Finding, ...]:
    """The looks of the suspicious ones, against the crops of all others; the others need no words."""
    looks: dict[int, NDArray[np.float64]] = {}

    def of(at: int) -> NDArray[np.float64]:
        if at not in looks:
            looks[at] = _looks(found[at].crops, table, transform)
        return looks[at]

    return tuple(
        _in_words(one, of(at), [of(k) for k in _rivals(found, at)]) if one.is_suspicious else one
        for at, one in enumerate(found)
    )


def _rivals(found: Sequence[Finding], at: int) -> list[int]:
    """Clusters to compare a look with, a few: that of its own class and those of the next ones."""
    others = [k for k in range(len(found)) if k != at]
    return sorted(others, key=lambda k: abs(found[k].label - found[at].label))[: 2 * MOST_CLUSTERS]


def _box(crop: Crop, size: int) -> tuple[slice, slice]:
    left, top, side = (round(value * size) for value in (crop.left, crop.top, crop.side))
    return slice(top, top + side), slice(left, left + side)


def _looks(crops: Sequence[Crop], table: ImageTable, transform: ImageTransform) -> NDArray[np.float64]:
    """(crops, looks): the share of the frame that a look covers in the crop where it stands out, else 0.

    It stands out where it covers a twentieth of the crop, and twice the share that it has in the rest of the image.
    """
    found = np.zeros((len(crops), len(LOOKS)))
    for number, crop in enumerate(crops):
        try:
            image = load_pixels(table.image_path(crop.row), replace(transform, size=2 * CROP_PX))
        except ImageRefusedError:
            continue
        kinds, inside = _kinds(image), np.zeros(image.shape[:2], bool)
        inside[_box(crop, len(image))] = True
        for at in range(len(LOOKS)):
            here, there = (kinds[inside] == at).mean(), (kinds[~inside] == at).mean()
            found[number, at] = here * crop.side**2 if here >= max(0.05, TWICE * there) else 0
    return found


def _kinds(image: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(H, W) index in LOOKS of each pixel; -1: none of them, such as grey."""
    from PIL import Image

    hue, saturation, value = np.moveaxis(np.asarray(Image.fromarray(image).convert("HSV"), np.float64), -1, 0)
    colour = 2 + np.searchsorted(list(HUES.values()), hue * 360 / 255, side="right") % len(HUES)
    kinds = np.where((saturation > 100) & (value > 80), colour, -1)
    kinds[(saturation < 60) & (value > 220)] = LOOKS.index("bright")
    kinds[value < 50] = LOOKS.index("dark")
    return np.asarray(kinds, np.int64)


def _in_words(one: Finding, mine: NDArray[np.float64], others: Sequence[NDArray[np.float64]]) -> Finding:
    """With the look that most of its crops have and others have clearly less often, and how many have all words."""
    beside, has = np.concatenate([*others, np.zeros((0, len(LOOKS)))]) > 0, mine > 0
    counts = zip(has.sum(axis=0).tolist(), beside.sum(axis=0).tolist(), strict=True)
    justified = [
        at
        for at, (k, k_others) in enumerate(counts)
        if len(has) and k / len(has) >= SHARED and _is_more(k, len(has), k_others, len(beside), LEVEL / len(LOOKS))
    ]
    chosen = max(justified, key=lambda at: float(mine[:, at].mean()), default=None)
    shows = np.ones(len(one.crops), bool) if chosen is None else has[:, chosen].copy()
    if one.place:
        centres = np.array([[crop.left + crop.side / 2, crop.top + crop.side / 2] for crop in one.crops])
        legal = CORNERS if one.place == IN_A_CORNER else (PLACES.index(one.place),)
        shows &= np.isin(_ninths(centres), legal)
    return replace(
        one,
        look="" if chosen is None else LOOKS[chosen],
        is_small=chosen is not None and float(mine[has[:, chosen], chosen].mean()) < SMALL,
        n_words=int(shows.sum()),
    )
