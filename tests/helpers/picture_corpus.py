"""The pictures and masks that readers are tried on, whole and damaged, written when the tests begin."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 24, 37
PALETTE = np.random.default_rng(5).integers(0, 256, (256, 3)).astype(np.uint8)
ORIENTATION = 0x0112


def scene() -> np.ndarray:
    """uint8 (HEIGHT, WIDTH, 3): smooth, and another one however it is turned or mirrored."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] / max(HEIGHT, WIDTH)
    return np.stack([255 * x, 255 * y + 60, 250 - 200 * x * y], axis=2).astype(np.uint8)


def indices(count: int = 256) -> np.ndarray:
    """uint8 (HEIGHT, WIDTH), every number below count somewhere."""
    return (np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) % count).astype(np.uint8)


def wide() -> np.ndarray:
    """uint16 (HEIGHT, WIDTH), from 0 to 65535."""
    return np.linspace(0, 65535, HEIGHT * WIDTH).round().astype(np.uint16).reshape(HEIGHT, WIDTH)


def grey(values: np.ndarray) -> np.ndarray:
    """(height, width) -> (height, width, 3)"""
    return np.stack([values] * 3, axis=2)


def mixed(cmyk: np.ndarray) -> np.ndarray:
    """RGB of inks, uint8 (height, width, 4): what ink and black both leave of white."""
    left = 255 - cmyk.astype(np.float64)
    return np.rint(left[..., :3] * left[..., 3:] / 255).astype(np.uint8)


# Writers of what Pillow does not write


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def packed(values: np.ndarray, bits: int) -> list[bytes]:
    """Rows of (height, width) or (height, width, channels), the first value in the highest bits."""
    rows = values.reshape(len(values), -1)
    if bits == 16:
        return [row.astype(">u2").tobytes() for row in rows]
    shifts = np.arange(bits - 1, -1, -1)
    return [np.packbits(row.astype(int)[:, None] >> shifts & 1).tobytes() for row in rows]


def png(
    values: np.ndarray,
    bits: int,
    colour: int,
    *,
    extra: bytes = b"",
    size: tuple[int, int] | None = None,
) -> bytes:
    """A PNG of a bit depth and colour type; size (width, height) is what its header says."""
    width, height = size or (values.shape[1], values.shape[0])
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in packed(values, bits)))
    parts = _chunk(b"IHDR", header) + extra + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def palette(transparent: Sequence[int] = ()) -> bytes:
    """Chunks of a PNG: PALETTE, and the opacity of its first colours."""
    opacity = _chunk(b"tRNS", bytes(transparent)) if transparent else b""
    return _chunk(b"PLTE", PALETTE.tobytes()) + opacity


def tiff(
    values: np.ndarray,
    bits: int,
    *,
    white_is_zero: bool = False,
    kind: int = 1,
    size: tuple[int, int] | None = None,
) -> bytes:
    """A TIFF of grey, not compressed. kind: 1 unsigned, 2 signed, 3 floating point."""
    width, height = size or (values.shape[1], values.shape[0])
    if bits == 16:
        data = values.astype("<u2").tobytes()
    elif bits == 32:
        data = values.astype("<f4" if kind == 3 else "<i4").tobytes()
    else:
        data = b"".join(packed(values, bits))
    entries = [
        *((256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, 1)),
        *((262, 3, 0 if white_is_zero else 1), (273, 4, 8 + 2 + 12 * 10 + 4), (277, 3, 1)),
        *((278, 4, height), (279, 4, len(data)), (339, 3, kind)),
    ]
    directory = b"".join(
        struct.pack("<HHII", tag, type_, 1, value) for tag, type_, value in entries
    )
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    return head + directory + struct.pack("<I", 0) + data


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    return tags


@dataclass(frozen=True)
class Rendered:
    """A picture and its pixels, uint8 (HEIGHT, WIDTH, 3), which reading may miss by so many levels."""

    path: Path
    pixels: np.ndarray
    within: int = 0


Write = Callable[[Path], object]


def _saved(picture: Image.Image, kind: str, **options: object) -> Write:
    return lambda path: picture.save(path, kind, **options)


def _bytes(data: bytes) -> Write:
    return lambda path: path.write_bytes(data)


def _pictures() -> dict[str, tuple[str, Write, np.ndarray, int]]:
    """Name -> ending, how it is written, pixels, levels by which compression changes them at most."""
    pixels = scene()
    picture = Image.fromarray(pixels)
    light = grey(pixels[..., 0])
    alpha = indices()
    inks = np.dstack([pixels, indices(90)])
    coloured = Image.fromarray(indices()).convert("P")
    coloured.putpalette(PALETTE.tobytes())
    high = (wide() >> 8).astype(np.uint8)
    two, four = indices(4), indices(16)
    fine = np.stack([wide(), wide()[::-1], wide()[:, ::-1]], axis=2)
    rough = {"quality": 95, "subsampling": 0}
    table: dict[str, tuple[str, Write, np.ndarray, int]] = {
        "JPEG": ("jpg", _saved(picture, "JPEG", **rough), pixels, 4),
        "JPEG, 4:2:0": ("jpg", _saved(picture, "JPEG", quality=95), pixels, 8),
        "JPEG, progressive": ("jpg", _saved(picture, "JPEG", progressive=True, **rough), pixels, 4),
        "JPEG, grey": ("jpeg", _saved(Image.fromarray(light[..., 0]), "JPEG", **rough), light, 4),
        "JPEG, CMYK": (
            "jpg",
            _saved(Image.fromarray(inks, "CMYK"), "JPEG", quality=100, subsampling=0),
            mixed(inks),
            4,
        ),
        "JPEG, two pictures (MPO)": (
            "jpg",
            _saved(picture, "MPO", save_all=True, append_images=[picture.rotate(180)], **rough),
            pixels,
            4,
        ),
        "PNG": ("png", _saved(picture, "PNG"), pixels, 0),
        "PNG called .jpg": ("jpg", _saved(picture, "PNG"), pixels, 0),
        "PNG, grey": ("png", _bytes(png(light[..., 0], 8, 0)), light, 0),
        "PNG, grey and alpha": (
            "png",
            _bytes(png(np.dstack([light[..., 0], alpha]), 8, 4)),
            light,
            0,
        ),
        "PNG, alpha": ("png", _bytes(png(np.dstack([pixels, alpha]), 8, 6)), pixels, 0),
        "PNG, palette": (
            "png",
            _bytes(png(indices(), 8, 3, extra=palette())),
            PALETTE[indices()],
            0,
        ),
        "PNG, palette of 4 bits": (
            "png",
            _bytes(png(four, 4, 3, extra=palette())),
            PALETTE[four],
            0,
        ),
        "PNG, palette with alpha": (
            "png",
            _bytes(png(indices(), 8, 3, extra=palette(range(0, 200, 2)))),
            PALETTE[indices()],
            0,
        ),
        "PNG, 1 bit": ("png", _bytes(png(indices(2), 1, 0)), grey(255 * indices(2)), 0),
        "PNG, grey of 2 bits": ("png", _bytes(png(two, 2, 0)), grey(85 * two), 0),
        "PNG, grey of 4 bits": ("png", _bytes(png(four, 4, 0)), grey(17 * four), 0),
        "PNG, grey of 16 bits": ("png", _bytes(png(wide(), 16, 0)), grey(high), 0),
        "PNG, grey and alpha of 16 bits": (
            "png",
            _bytes(png(np.dstack([wide(), wide()[::-1]]), 16, 4)),
            grey(high),
            0,
        ),
        "PNG, colours of 16 bits": (
            "png",
            _bytes(png(fine, 16, 2)),
            (fine >> 8).astype(np.uint8),
            0,
        ),
        "PNG, moving": (
            "png",
            _saved(picture, "PNG", save_all=True, append_images=[picture.rotate(180)]),
            pixels,
            0,
        ),
        "WebP": ("webp", _saved(picture, "WEBP", quality=95), pixels, 12),
        "WebP, lossless": ("webp", _saved(picture, "WEBP", lossless=True), pixels, 0),
        "WebP, alpha": (
            "webp",
            _saved(Image.fromarray(np.dstack([pixels, alpha])), "WEBP", lossless=True, exact=True),
            pixels,
            0,
        ),
        "BMP": ("bmp", _saved(picture, "BMP"), pixels, 0),
        "BMP, palette": ("bmp", _saved(coloured, "BMP"), PALETTE[indices()], 0),
        "GIF": ("gif", _saved(coloured, "GIF", optimize=False), PALETTE[indices()], 0),
        "GIF, moving": (
            "gif",
            _saved(coloured, "GIF", save_all=True, append_images=[coloured.rotate(180)]),
            PALETTE[indices()],
            0,
        ),
        "PPM": ("ppm", _saved(picture, "PPM"), pixels, 0),
        "PGM of 16 bits": (
            "pgm",
            _bytes(b"P5 %d %d 65535\n" % (WIDTH, HEIGHT) + wide().astype(">u2").tobytes()),
            grey(high),
            0,
        ),
        "TIFF": ("tif", _saved(picture, "TIFF"), pixels, 0),
        "TIFF, LZW": ("tiff", _saved(picture, "TIFF", compression="tiff_lzw"), pixels, 0),
        "TIFF, CMYK": ("tif", _saved(Image.fromarray(inks, "CMYK"), "TIFF"), mixed(inks), 1),
        "TIFF, grey of 12 bits": (
            "tif",
            _bytes(tiff(wide()[:, :36] >> 4, 12)),
            grey(high)[:, :36],
            0,
        ),
        "TIFF, grey of 16 bits": ("tif", _bytes(tiff(wide(), 16)), grey(high), 0),
    }
    for bits, values, shown in (
        (1, 1 - indices(2), 255 * indices(2)),
        (8, 255 - indices(), indices()),
        (16, 65535 - wide(), high),
    ):
        name = f"TIFF, {bits} bits, 0 is white"
        table[name] = ("tif", _bytes(tiff(values, bits, white_is_zero=True)), grey(shown), 0)
    return table


def write_pictures(folder: Path) -> dict[str, Rendered]:
    """Pictures that can be read, by name."""
    corpus = {}
    for name, (ending, write, pixels, within) in _pictures().items():
        path = folder / f"{len(corpus)}.{ending}"
        write(path)
        corpus[name] = Rendered(path, pixels, within)
    return corpus


PICTURES = list(_pictures())
"""Names of the pictures."""


def bombs() -> dict[str, bytes]:
    """Small files whose headers promise 60000 x 60000 pixels, WebP as many as it can."""
    side, none = 60_000, np.zeros((1, 1), np.uint8)
    canvas = struct.pack("<I", 16_383)[:3] * 2
    webp = b"WEBPVP8X" + struct.pack("<II", 10, 0) + canvas + b"VP8L" + struct.pack("<I", 6)
    webp += b"\x2f\xff\xff\xff\x0f\x00"
    pictures = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\2\2D\1\0;"
    frame = struct.pack(">BHHBBBB", 8, side, side, 1, 1, 0x11, 0)
    return {
        "PNG": png(none, 8, 0, size=(side, side)),
        "JPEG": b"\xff\xd8\xff\xc0" + struct.pack(">H", 2 + len(frame)) + frame + b"\xff\xda\0\2",
        "WebP": b"RIFF" + struct.pack("<I", len(webp)) + webp,
        "BMP": b"BM" + struct.pack("<IIIIIIHHIIIIII", 60, 0, 54, 40, side, side, 1, 24, *[0] * 6),
        "GIF": b"GIF89a" + struct.pack("<HHBBB", side, side, 0, 0, 0) + pictures,
        "PPM": b"P6 %d %d 255\n" % (side, side),
        "TIFF": tiff(none, 8, size=(side, side)),
    }
