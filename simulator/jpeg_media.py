"""JPEG whose slices decode alone, by restart markers, as RTP carries it (RFC 2435).

    checksum  4 bytes   see fragments.py
    quality   1 byte    1 to 95: the receiver derives the quantization tables from it
    interval  2 bytes   blocks between two restart markers
    first     2 bytes   number of this slice's first interval
    scan      n bytes   its intervals, with the restart markers between them

After a restart marker the decoder forgets all it knew, so whatever arrives can be decoded. As in
RFC 2435 (sections 3.1 and 4.1) no JPEG header is sent: with the standard Huffman tables it follows from
quality and size, which the receiver makes itself. With 4:2:0 chroma an MCU of JPEG is the 16x16 block
of this simulator. In place of a missing interval the receiver puts blocks without any coefficient,
and then paints them grey (`none`) or from the frame before (`copy_previous`), which is what
receivers of RTP/JPEG do: they decode into the old picture.
"""

import itertools
import re
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.blocks import BLOCK
from simulator.errors import MediaError
from simulator.fragments import seal, unseal
from simulator.importance import block_costs, importances
from simulator.media import DecodedFrame, Slice
from simulator.pillow_media import Slices, StillCodec, blocks_of, check_method, grey, read, save
from simulator.toy_slices import shares

HEADER = struct.Struct(">BHH")
MARKER = re.compile(rb"\xff[\xd0-\xd7]")  # RST0 to RST7; in a scan any other 0xff is followed by 0x00
END = b"\xff\xd9"
# One MCU without coefficients in the tables of ITU-T T.81 annex K.3: four times luminance "difference 0"
# (00) and "end of block" (1010), then twice chrominance 00 and 00; 32 bits, so no padding within.
EMPTY_BLOCK = bytes.fromhex("28a28a00")


class _Part(NamedTuple):
    """What a slice says: its intervals from number `first` on."""

    quality: int
    interval: int
    first: int
    scan: list[bytes]


class JpegMedia(StillCodec):
    """JPEG, baseline, 4:2:0, standard Huffman tables, restart markers."""

    name, feature, qualities = "jpeg", "jpg", (1, 95)

    def compress(self, frame: NDArray[np.uint8], slices: int, quality: int) -> Slices:
        """One picture uint8 [H, W, 3] to `slices` runs of blocks in raster order."""
        rows, cols = blocks_of(frame.shape)
        if not 1 <= slices <= min(rows * cols, 255):
            rule = f"a picture of {rows} x {cols} blocks makes 1 to {min(rows * cols, 255)} slices"
            raise MediaError("packetizer.packets_per_frame", rule, slices, "Lower it or enlarge source.size")
        interval = min(rows * cols // slices, 0xFFFF)
        data = save(frame, "JPEG", quality=quality, restart_marker_blocks=interval)
        scan = MARKER.split(data[_header_length(data) : -len(END)])
        at = shares(len(scan), slices)
        made = [
            _slice(i, slices, rows * cols, _Part(quality, interval, int(at[i]), scan[at[i] : at[i + 1]]))
            for i in range(slices)
        ]
        costs = np.split(block_costs(frame).ravel(), np.cumsum([part.tokens for part in made])[:-1])
        important = importances([float(own.sum()) for own in costs])
        return tuple(part._replace(importance=each) for part, each in zip(made, important, strict=True))

    def decode(
        self, received: Sequence[Sequence[Slice]], size: tuple[int, int], concealment: str, temporal: bool
    ) -> list[DecodedFrame]:
        """Slices that arrived to pictures; the blocks of others are grey, or those of the frame before.

        Raises:
            MediaError: If the method is unknown, or looks back without `temporal`.
        """
        check_method(self.name, concealment, temporal)
        screen, decoded = grey(size), []
        for slices in received:
            found = [_parse(part.data) for part in slices]
            parts = [part for part in found if part is not None]
            before = screen if concealment == "copy_previous" else grey(size)
            screen, known = _rebuild(parts, size, before)
            state = np.where(known, 2, int(concealment != "none")).astype(np.uint8)
            lost = sum(part.tokens for part in slices) - int(known.sum())
            damaged = len(found) - len(parts)
            decoded.append(DecodedFrame(screen, state, known.astype(np.float32), None, damaged, lost))
        return decoded


def _slice(index: int, count: int, blocks: int, part: _Part) -> Slice:
    scan = b"".join(_joined(part.scan, part.first))
    start, stop = part.first * part.interval, min((part.first + len(part.scan)) * part.interval, blocks)
    body = HEADER.pack(part.quality, part.interval, part.first) + scan
    return Slice(index, count, stop - start, seal(body))


def _joined(scan: Sequence[bytes], first: int) -> list[bytes]:
    """Intervals with the markers between them, numbered by the interval before each, modulo 8."""
    markers = [bytes((0xFF, 0xD0 + (first + i) % 8)) for i in range(len(scan) - 1)]
    return [piece for pair in zip(scan, [*markers, b""], strict=True) for piece in pair]


def _parse(data: bytes) -> _Part | None:
    """A slice to its intervals; None if it is damaged."""
    body = unseal(data)
    if body is None or len(body) < HEADER.size:
        return None
    quality, interval, first = HEADER.unpack_from(body)
    return _Part(quality, interval, first, MARKER.split(body[HEADER.size :]))


def _rebuild(
    parts: Sequence[_Part], size: tuple[int, int], before: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Picture uint8 [H, W, 3] and which blocks are from `parts`, bool [h, w]; the others show `before`."""
    rows, cols = blocks_of(size)
    known = np.zeros(rows * cols, np.bool_)
    if not parts:
        return before, known.reshape(rows, cols)
    interval = parts[0].interval
    borders = [*range(0, rows * cols, interval), rows * cols]
    scan = [EMPTY_BLOCK * (stop - start) for start, stop in itertools.pairwise(borders)]
    for part in parts:
        scan[part.first : part.first + len(part.scan)] = part.scan
        known[part.first * interval : (part.first + len(part.scan)) * interval] = True
    header = _header(size, parts[0].quality, interval)
    picture = read(header + b"".join(_joined(scan, 0)) + END)
    grid = known.reshape(rows, cols)
    shown = grid.repeat(BLOCK, 0).repeat(BLOCK, 1)[: size[0], : size[1], None]
    return np.where(shown, picture, before), grid


@lru_cache(maxsize=256)
def _header(size: tuple[int, int], quality: int, interval: int) -> bytes:
    """All that stands before the scan of a JPEG of this size and quality: it depends on no pixel."""
    data = save(grey(size), "JPEG", quality=quality, restart_marker_blocks=interval)
    return data[: _header_length(data)]


def _header_length(data: bytes) -> int:
    """Bytes up to the end of the start-of-scan segment."""
    at = data.index(b"\xff\xda") + 2
    return at + int.from_bytes(data[at : at + 2], "big")
