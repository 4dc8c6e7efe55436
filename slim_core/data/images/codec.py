"""Image files opened inside the allowed roots alone, decoded safely and written; and what a network sees of them.

Image, mask and map go through one geometry, ``ImageTransform``.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import stat
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from io import BufferedReader
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import ExifTags, Image

from slim_core.errors import ImageRefusedError, PathRefusedError
from slim_core.settings import settings

_PAGES = (b"<!doctype html", b"<html")
_POINTER = b"version https://git-lfs.github.com/spec/"
_START = 512  # bytes that are read of a file


def is_web_page(start: bytes) -> bool:
    """Whether these first bytes of a file are those of a web page."""
    return start.removeprefix(b"\xef\xbb\xbf").lstrip()[:15].lower().startswith(_PAGES)


def stand_in_refusal(path: Path, wanted: str) -> str | None:
    """What to do about a file that is no "archive" or the like, but a web page or a pointer; None where neither."""
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:  # no pipe waits
            start = file.read(_START) or b""
    except OSError:
        return None
    if start.startswith(_POINTER):
        return f"{path} is a Git LFS pointer and not {wanted}: fetch the files themselves with git lfs pull."
    return f"{path} {instead_of(wanted)}" if is_web_page(start) else None


def instead_of(wanted: str) -> str:
    """The rest of the sentence after the name of a file that is a web page."""
    return f"is a web page and not {wanted}, often an error page saved as one: download it again."


MOST_OF_16_BITS = 65_535
DARK_UP_TO = 64  # of 255: an image without a larger value is nearly black; what 14 bits in a file of 16 come to
STORED = 1  # the orientation of an image that is shown as it is stored
OF_FRAMES = ("GIF", "TIFF", "WEBP")  # that may hold several; a JPEG of a phone has a preview of itself there
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, struct.error, zlib.error)


class ImageMissingError(ImageRefusedError):
    """There is no such file."""


class ImageTooLargeError(ImageRefusedError):
    """The header promises more pixels than allowed."""


MAX_PIXELS = 50_000_000  # of an image: 150 MB decoded. Checked in the header; Pillow's own limit would only warn first
Image.MAX_IMAGE_PIXELS = None


def _file_of(path: Path | str) -> BufferedReader:
    """The file, opened first and checked then: what was opened is a regular file inside the allowed roots.

    A path that was checked before may lead elsewhere by now, through a link in the place of an image or a folder.

    Raises:
        ImageRefusedError: it is a pipe, a device or a folder, or lies outside the roots.
        OSError: it cannot be opened.
    """
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")  # a pipe must not keep us waiting
    try:
        opened = os.fstat(file.fileno())
        if not stat.S_ISREG(opened.st_mode):
            raise ImageRefusedError(f"{path} is not a regular file: put an image there, or remove its row.")
        if not settings().holds(_real_path(file.fileno())):
            _require_inside(path, opened)
    except BaseException:
        file.close()
        raise
    return file


def _real_path(descriptor: int) -> str:
    """Where an open file lies, links followed, in one call where the system says it; else ""."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:  # no Linux
        return ""


def _require_inside(path: Path | str, opened: os.stat_result) -> None:
    """Refuse a file outside the allowed roots, link by link."""
    try:
        real = settings().allowed(path)
    except PathRefusedError as error:
        raise ImageRefusedError(str(error)) from error
    if not os.path.samestat(opened, real.stat()):
        raise ImageRefusedError(f"{path} was replaced while it was being opened: import the data set again.")


def _opened(path: Path | str) -> Image.Image:
    """The image with its header read and its pixels not yet."""
    try:
        file = _file_of(path)
        try:
            image = Image.open(file, formats=FORMATS)
            image._exclusive_fp = True  # the image closes its file, as if it had opened it
        except BaseException:
            file.close()
            raise
    except FileNotFoundError as error:
        raise ImageMissingError(
            f"{path} is missing: put the file back, or remove its row from the data set."
        ) from error
    except BROKEN as error:
        raise ImageRefusedError(
            _not_handed_out(path, error)
            or stand_in_refusal(Path(path), "an image")
            or f"{path} is not a readable image ({', '.join(FORMATS)}): replace the file, or remove its row."
        ) from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        image.close()
        raise ImageTooLargeError(
            f"{path} has {width} x {height} = {width * height / 1e6:.0f} million pixels, more than the "
            f"{MAX_PIXELS / 1e6:g} million allowed: make it smaller."
        )
    return image


def _not_handed_out(path: Path | str, error: Exception) -> str | None:
    """What to do where the system refuses a file; its errors have a number, those of Pillow about the content none."""
    if isinstance(error, OSError) and error.errno is not None:
        return f"{path} cannot be read ({error.strerror}): let this user read it, or look after its disk."
    return None


def image_header(path: Path | str) -> tuple[int, int, int]:
    """(width, height, ``orientation_of``) from the header alone.

    Raises:
        ImageRefusedError: missing, not an image, or more than MAX_PIXELS.
    """
    with _opened(path) as image:
        return (*image.size, orientation_of(image))


def orientation_of(image: Image.Image) -> int:
    """How the EXIF of a JPEG, PNG or WebP has it shown, 1 to 8; 1, as it is stored, where that says nothing legible.

    Costs nothing where there is no EXIF, and reads no pixel. Of a TIFF it is 1: Pillow turns its pixels itself.
    """
    exif = image.info.get("exif")
    if not isinstance(exif, bytes):  # a text of a PNG may go by this name
        return STORED
    try:
        value = _orientation_in(exif)
    except struct.error:
        return STORED
    return value if 1 <= value <= 8 else STORED


def _orientation_in(exif: bytes) -> int:
    """The tag of its first directory; by hand, for Pillow reads all tags, and warns of those it cannot."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = ">" if tiff[:2] == b"MM" else "<"
    (directory,) = struct.unpack_from(f"{order}L", tiff, 4)
    (n_tags,) = struct.unpack_from(f"{order}H", tiff, directory)
    for at in range(directory + 2, directory + 2 + 12 * n_tags, 12):
        tag, value = struct.unpack_from(f"{order}H6xH", tiff, at)
        if tag == ExifTags.Base.Orientation:
            return int(value)
    return STORED


def brightest(image: Image.Image) -> int:
    """The largest value of an RGB image's channels, 0..255; where a few of them are above DARK_UP_TO, that of these."""
    few = _largest(image.resize((8, 8), Image.Resampling.NEAREST))  # a hundredth of the time that decoding took
    return few if few > DARK_UP_TO else _largest(image)


def _largest(image: Image.Image) -> int:
    return max(int(high) for _, high in image.getextrema())  # type: ignore[misc]  # a pair for each of several bands


def image_size(path: Path | str) -> tuple[int, int]:
    """(width, height) from the header alone.

    Raises:
        ImageRefusedError: missing, not an image, or more than MAX_PIXELS.
    """
    width, height, _ = image_header(path)
    return width, height


def has_more_frames(path: Path | str) -> bool:
    """Whether a GIF, TIFF or WebP holds several frames or pages: of all these readers take the first.

    Raises:
        ImageRefusedError: as image_header.
    """
    with _opened(path) as image:
        try:
            return image.format in OF_FRAMES and bool(getattr(image, "is_animated", False))
        except BROKEN:  # behind its first frame
            return True


def is_of_more_bits(path: Path | str) -> bool:
    """Whether a file holds 16 or 32 bits of grey, which many programs clip at 255 where they expect 8.

    Raises:
        ImageRefusedError: as image_header.
    """
    with _opened(path) as image:
        return _holds_numbers(image)


def content_of(path: Path) -> str:
    """The size in bytes and a hash of an image's file: the same for the same content, wherever it lies.

    Raises:
        ImageRefusedError: it is missing, or cannot be read.
    """
    try:
        with _file_of(path) as file:
            return f"{os.fstat(file.fileno()).st_size}-{hashlib.file_digest(file, 'sha256').hexdigest()[:32]}"
    except OSError as error:
        raise ImageRefusedError(f"{path} cannot be read ({error.strerror}): put the file back.") from error


def brightness(wide: np.ndarray, path: Path | str) -> np.ndarray:
    """(H, W) uint8 of a scan. Numbers beyond 16 bits, such as those of a CT, are no brightness that is known here."""
    low, high = wide.min(initial=0), wide.max(initial=0)
    if not in_16_bits(low, high):
        raise ImageRefusedError(
            f"{path} holds numbers from {low:.0f} to {high:.0f}, not brightness from 0 to {MOST_OF_16_BITS}: scale "
            f"the range that matters to 0 to 255, and save it as an image of 8 bits."
        )
    found: np.ndarray = (wide / 257 if high > 255 else wide).round().astype(np.uint8)
    return found


def in_16_bits(low: float, high: float) -> bool:
    """Not where a number is missing: the smallest and the largest are NaN then."""
    return 0 <= low and high <= MOST_OF_16_BITS


def _numbers(image: Image.Image) -> np.ndarray:
    """(H, W) float64 of a file of 16 or 32 bits; floats from 0 to 1 as brightness from 0 to 255, of others the whole
    part.
    """
    numbers = np.asarray(image, np.float64)
    if image.mode != "F":
        return numbers
    if numbers.min(initial=0) >= 0 and numbers.max(initial=0) <= 1:
        return 255 * numbers
    return np.asarray(np.trunc(numbers))


def decoded(
    path: Path | str,
    mode: str,
    shorter_side: int | None = None,
    in_8_bits: Callable[[np.ndarray, Path | str], np.ndarray] = brightness,
) -> Image.Image:
    """``in_8_bits``: of the numbers (H, W) in a file of 16 or 32 bits, which Pillow would clip at 255."""
    with _opened(path) as image:
        try:
            if shorter_side is not None:  # a JPEG then decodes to a half, a quarter or an eighth, not below this
                image.draft(None, (shorter_side, shorter_side))
            image.load()
            if _holds_numbers(image):
                image = Image.fromarray(in_8_bits(_numbers(image), path))
            return _as_mode(image, mode)
        except BROKEN as error:
            raise ImageRefusedError(
                _not_handed_out(path, error)
                or f"{path} is broken or cut short ({error}): replace the file, or remove its row from the data set."
            ) from error


def _holds_numbers(image: Image.Image) -> bool:
    return image.mode.startswith(("I", "F"))


def _as_mode(image: Image.Image, mode: str) -> Image.Image:
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image if image.mode == mode else image.convert(mode)  # which would copy it


def open_image(path: Path | str) -> Image.Image:
    """The fully decoded RGB image, in the pixels the file stores (no EXIF rotation: masks and boxes count those).

    Raises:
        ImageRefusedError: missing, broken, cut short, or more than MAX_PIXELS, which
            is read from the header before any pixel is.
    """
    return decoded(path, "RGB")


def open_cutout(path: Path | str) -> Image.Image:
    """The fully decoded RGBA image; opaque where the file has no transparency.

    Raises:
        ImageRefusedError: as open_image.
    """
    return decoded(path, "RGBA")


def encode(pixels: np.ndarray, format: str = "webp", quality: int = 85) -> bytes:
    """The (H, W, 3) or (H, W) uint8 pixels as a webp, jpeg or png file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format=format.upper(), quality=quality, method=2)  # webp: half the time of 4
    return buffer.getvalue()


IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
BILINEAR = Image.Resampling.BILINEAR
LONGEST_SIDES = 8  # of a side, in times the other one: beyond it nothing is seen after the centre crop


Fit = Literal["crop", "pad", "squeeze"]
FITS: dict[Fit, str] = {  # how an image that is not square becomes the square that a model sees
    "crop": "crop to the middle",
    "pad": "pad to a square",
    "squeeze": "squeeze to a square",
}
Size = tuple[int, int]  # width and height
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Frame:
    """Where the square that a model sees lies on an image, in pixels of the file; a padded one reaches beyond it."""

    left: float
    top: float
    width: float
    height: float
    image: Size

    def to_seen(self, x: float, y: float) -> tuple[float, float]:
        """A point of the image in the square, across and down; 0..1 is inside."""
        return (x - self.left) / self.width, (y - self.top) / self.height

    def to_image(self, across: float, down: float) -> tuple[float, float]:
        """The inverse of ``to_seen``."""
        return self.left + across * self.width, self.top + down * self.height

    @property
    def on_image(self) -> Box:
        """What of the image is seen, in its pixels."""
        (left, top), (right, bottom), (width, height) = self.to_image(0, 0), self.to_image(1, 1), self.image
        return max(0.0, left), max(0.0, top), min(float(width), right), min(float(height), bottom)

    @property
    def in_seen(self) -> Box:
        """What of the square is image, 0..1; the rest is border."""
        left, top, right, bottom = self.on_image
        corners = np.clip((*self.to_seen(left, top), *self.to_seen(right, bottom)), 0, 1)  # rounding may leave it
        return tuple(corners.tolist())


@dataclass(frozen=True)
class ImageTransform:
    """How a model sees an image: the geometry, which masks and maps follow, and the scaling of values.

    "crop": the shorter side to ``size * resize_ratio``, then the square in the middle. "pad": the whole image, with
    borders of the mean colour. "squeeze": the whole image, its aspect not kept.
    """

    size: int = 224  # pixels of a side of the network's input
    resize_ratio: float = 8 / 7  # of "crop": shorter side before the crop, in sizes
    mean: tuple[float, float, float] = IMAGENET_MEAN  # of channels in 0..1
    std: tuple[float, float, float] = IMAGENET_STD
    fit: Fit = "crop"

    def seen(self, image: Image.Image) -> Image.Image:
        """The (size, size) image that the network sees, in the image's own mode; borders of a mask are black."""
        far, target, (left, top) = self._placed(image.size)
        if far != (0, 0):
            image = image.crop((*far, image.width - far[0], image.height - far[1]))
        resized = image if target == image.size else image.resize(target, BILINEAR)
        if self.fit == "crop":
            return resized.crop((-left, -top, self.size - left, self.size - top))
        if target == (self.size, self.size):
            return resized
        border = tuple(round(255 * value) for value in self.mean) if image.mode == "RGB" else 0
        square = Image.new(image.mode, (self.size, self.size), border)
        square.paste(resized, (left, top))
        return square

    def frame(self, image: Size) -> Frame:
        """Where the square lies on an image."""
        far, target, place = self._placed(image)
        scale = [(side - 2 * end) / to for side, end, to in zip(image, far, target, strict=True)]
        left, top = (end - at * by for end, at, by in zip(far, place, scale, strict=True))
        return Frame(left, top, self.size * scale[0], self.size * scale[1], image)

    def _placed(self, image: Size) -> tuple[Size, Size, Size]:
        """Pixels that are cut off at both ends of each side; the size of the rest in the square, and its place there.

        A strip of 50,000 x 1 would be enlarged by its shorter side: of a very long image the middle alone is cropped.
        """
        if self.fit == "squeeze":
            return (0, 0), (self.size, self.size), (0, 0)
        short = round(self.size * self.resize_ratio)
        longest = LONGEST_SIDES * min(image)
        far = (0, 0)
        if self.fit == "pad":
            scale, least = self.size / max(image), 1
        else:
            far = (max(0, (image[0] - longest) // 2), max(0, (image[1] - longest) // 2))
            scale, least = short / min(image), short
        width, height = (max(least, round((side - 2 * end) * scale)) for side, end in zip(image, far, strict=True))
        return far, (width, height), (-((width - self.size) // 2), -((height - self.size) // 2))

    @property
    def share(self) -> float | None:
        """Side of the square in the middle of an image that is seen, in shorter sides; None: nothing is cut off."""
        return 1 / self.resize_ratio if self.fit == "crop" else None

    @property
    def whole(self) -> ImageTransform:
        """The geometry in which people are shown the square: nothing in it is squeezed."""
        return replace(self, fit="pad") if self.fit == "squeeze" else self

    def picture_size(self, image: Size) -> Size:
        """Of a picture for people: the square that is cropped, else the whole image, without borders, as long."""
        return (self.size, self.size) if self.fit == "crop" else replace(self, fit="pad")._placed(image)[1]

    def picture(self, image: Image.Image, size: Size) -> Image.Image:
        """The picture of an image of this size, which may be decoded to a part of it; see ``over_picture``."""
        return self.seen(image) if self.fit == "crop" else image.resize(self.picture_size(size), BILINEAR)

    def over_picture(self, seen: np.ndarray, picture: Size) -> np.ndarray:
        """What is known of the square (size, size), brought onto a picture of (width, height): (height, width)."""
        if self.fit == "crop":
            return seen
        left, top, right, bottom = (self.size * side for side in self.frame(picture).in_seen)
        return np.asarray(Image.fromarray(seen).resize(picture, BILINEAR, box=(left, top, right, bottom)))

    def enlarged_from(self, image: Size) -> int:
        """The ``size`` from which on a picture of an image has no more of it."""
        return max(1, round(min(image) / self.resize_ratio)) if self.fit == "crop" else max(image)

    @property
    def described(self) -> str:
        """One sentence on what a model sees of an image."""
        mean, std = (" ".join(f"{value:.3g}" for value in values) for values in (self.mean, self.std))
        square = f"{self.size} x {self.size} px"
        how = {
            "crop": f"shorter side to {round(self.size * self.resize_ratio)} px, centre crop of {square}",
            "pad": f"longer side to {self.size} px, borders of the mean colour to {square}",
            "squeeze": f"both sides to {self.size} px, aspect not kept",
        }[self.fit]
        return f"Images: {how}, mean {mean}, standard deviation {std}."

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary for model.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ImageTransform:
        """What ``to_json`` wrote; models from before there was a choice crop."""
        mean, std = tuple(map(float, values["mean"])), tuple(map(float, values["std"]))
        if (fit := values.get("fit", "crop")) not in FITS:
            raise ValueError(f"{fit!r} is no fit")
        return cls(int(values["size"]), float(values["resize_ratio"]), mean, std, fit)  # type: ignore[arg-type]


def load_pixels(path: Path | str, transform: ImageTransform) -> np.ndarray:
    """(size, size, 3) uint8: the image as the network sees it, before scaling."""
    return np.asarray(transform.seen(open_image(path)), np.uint8)


def load_picture(path: Path | str, transform: ImageTransform) -> np.ndarray:
    """(h, w, 3) uint8 for people to look at, of ``picture_size``; a large JPEG is decoded to a part of its size.

    Raises:
        ImageRefusedError: as open_image; ImageMissingError where there is no such file.
    """
    if transform.fit == "crop":
        return np.asarray(
            transform.seen(decoded(path, "RGB", round(transform.size * transform.resize_ratio))), np.uint8
        )
    picture = transform.picture(decoded(path, "RGB", transform.size), image_size(path))
    return np.asarray(picture, np.uint8)


def load_square(path: Path | str, transform: ImageTransform, side: int) -> np.ndarray:
    """(side, side, 3) uint8 for people to look at: what the model sees, with its borders, but not squeezed."""
    return load_pixels(path, replace(transform.whole, size=side))


def load_whole(path: Path | str, side: int) -> np.ndarray:
    """(h, w, 3) uint8, the longer side of ``side`` px or less: the whole image for people to look at, nothing cut off.

    Raises:
        ImageRefusedError: as open_image; ImageMissingError where there is no such file.
    """
    image = decoded(path, "RGB", side)
    image.thumbnail((side, side), Image.Resampling.BILINEAR)
    return np.asarray(image, np.uint8)


GREY_FROM = 128  # of 255: from here on a grey mask counts; in a file without such pixels all that is not 0 does
GREY_WITHIN = 8  # of 255: by so much the channels of a grey differ where JPEG has rounded them


def box_mask(box: tuple[float, float, float, float], width: int, height: int) -> np.ndarray:
    """(height, width) bool of the pixels a box (x, y, width, height) touches; origin top left, floats in pixels."""
    x, y, box_width, box_height = box
    mask = np.zeros((height, width), bool)
    x0, y0 = max(0, math.floor(x)), max(0, math.floor(y))
    x1, y1 = max(0, math.ceil(x + box_width)), max(0, math.ceil(y + box_height))
    mask[y0:y1, x0:x1] = True
    return mask


def grey_mask(path: Path) -> np.ndarray:
    """(H, W) bool, from one half of grey up; of files that hold colours or numbers of objects, all that is not 0."""
    colours = np.asarray(decoded(path, "RGB", in_8_bits=_objects))
    strongest, weakest = colours.max(axis=2), colours.min(axis=2)
    is_grey = strongest.max(initial=0) >= GREY_FROM and bool((strongest - weakest <= GREY_WITHIN).all())
    inside: np.ndarray = strongest >= (GREY_FROM if is_grey else 1)
    return inside


def _objects(wide: np.ndarray, path: Path | str) -> np.ndarray:
    """(H, W) uint8 of a mask: grey, or numbers of objects, of which none but 0 becomes 0."""
    if not in_16_bits(wide.min(initial=0), wide.max(initial=0)):
        return (wide > 0).astype(np.uint8)
    return np.asarray(np.maximum(brightness(wide, path), wide > 0))
