"""H.264, VP9 and AV1 as MediaCodecs, through PyAV: what calls use today.

    h264   libx264, veryfast, zerolatency       vp9   libvpx, realtime       av1   SVT-AV1, low delay, preset 8

No frame refers to a later one, so none waits. A frame decodes if all its packets came and so did the
frame it refers to; the frame before, here, back to a key frame. A receiver (WebRTC's, for one) never
gives a broken frame to its decoder: it shows the last good one until the next key frame is whole, which
is `copy_previous` here; `none` shows grey instead. A real one would also ask for a key frame at once
(PLI, RFC 4585); here key frames come every `keyframe_interval` frames, and at the start of every
batch that is encoded, asked for or not.

The rate is the encoder's own rate control (constant bit rate), told a bit rate that is corrected after a
trial of the whole batch, since on seconds of film encoders miss their rate by tens of per cent: more than
a live encoder could do, in favour of these codecs.
"""

import importlib.util
import os
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator import fragments
from simulator.errors import MediaError
from simulator.importance import importances
from simulator.media import DecodedFrame, EncodedFrame, Slice
from simulator.pillow_media import DEFAULT_BPP, METHODS, blocks_of, check_bpp, grey, whole_frame

FPS = 24  # only a name for the encoder: rates are bits a pixel, so they are met at any speed
TRIALS = 4
CLOSE = 0.02  # a rate this near to the one asked for ends the trials
LOWEST_BPS = 1000


class _Kind(NamedTuple):
    encoder: str
    decoder: str
    options: dict[str, str]


KINDS = {
    "h264": _Kind("libx264", "h264", {"preset": "veryfast", "tune": "zerolatency"}),
    "vp9": _Kind(
        "libvpx-vp9", "vp9", {"deadline": "realtime", "cpu-used": "5", "lag-in-frames": "0", "auto-alt-ref": "0"}
    ),
    "av1": _Kind("libsvtav1", "libdav1d", {"preset": "8", "svtav1-params": "pred-struct=1:rc=2:lp=1"}),
}


class Packet(NamedTuple):
    """A compressed frame, and whether it is a key frame."""

    data: bytes
    key: bool


class VideoMedia:
    """A video codec; see the module.

    Args:
        kind: "h264", "vp9" or "av1".
        bpp: Mean bits per pixel of payload over a batch, slice headers included.
        keyframe_interval: Most frames from one key frame to the next.

    Raises:
        MediaError: If PyAV or the encoder is not there, or an option is out of range.
    """

    needs_stream = True  # what a frame shows depends on the frames before it

    def __init__(self, kind: str, bpp: float = DEFAULT_BPP, keyframe_interval: int = 24) -> None:
        if isinstance(keyframe_interval, bool) or not isinstance(keyframe_interval, int) or keyframe_interval < 1:
            raise MediaError("codec.keyframe_interval", "must be a whole number of at least 1", keyframe_interval)
        self.name, self._kind, self._bpp = kind, KINDS[kind], check_bpp(bpp)
        self._interval = keyframe_interval
        _check_installed(kind)

    def encode(
        self, frames: NDArray[np.uint8], slices: int, interleave: str, bpp: Sequence[float] | None = None
    ) -> list[EncodedFrame]:
        """Pictures uint8 [T, H, W, 3], of even sides, to T frames, the first of them a key frame.

        Args:
            frames: The pictures.
            slices: Not used: frames are cut into as few packets as it takes.
            interleave: Not used.
            bpp: Must be None: frames refer to one another, so they cannot be made one by one.

        Raises:
            MediaError: If rates are given, a side is odd, or a frame takes more than 255 packets.
        """
        if bpp is not None:
            step = "Use rate_control: {model: fixed}"
            raise MediaError("rate_control", f"codec {self.name} keeps one rate", list(bpp)[:1], step)
        height, width = frames.shape[1:3]
        if height % 2 or width % 2:
            raise MediaError("source.size", f"codec {self.name} needs even sides", (height, width))
        rows, cols = blocks_of((height, width))
        packets = self._at_rate(frames)
        important = importances(broken_by([packet.key for packet in packets]))
        cut = [
            fragments.cut(packet.data, rows * cols, packet.key, importance)
            for packet, importance in zip(packets, important, strict=True)
        ]
        return [EncodedFrame(parts, rows * cols, (height, width)) for parts in cut]

    def _at_rate(self, frames: NDArray[np.uint8]) -> list[Packet]:
        """The trial nearest to the rate asked for."""
        wanted_bits = self._bpp * frames[..., 0].size
        bps = wanted_bits * FPS / len(frames)
        best, best_miss = self._compress(frames, bps), float("inf")
        made = best
        for trial in range(TRIALS):
            bits = 8 * sum(len(packet.data) + _headers_bytes(packet) for packet in made)
            if abs(bits / wanted_bits - 1) < best_miss:
                best, best_miss = made, abs(bits / wanted_bits - 1)
            if best_miss <= CLOSE or trial == TRIALS - 1:
                break
            bps = max(LOWEST_BPS, bps * wanted_bits / bits)
            made = self._compress(frames, bps)
        return best

    def _compress(self, frames: NDArray[np.uint8], bps: float) -> list[Packet]:
        import av

        encoder: Any = av.CodecContext.create(self._kind.encoder, "w")
        encoder.height, encoder.width = frames.shape[1:3]
        encoder.pix_fmt, encoder.thread_count, encoder.max_b_frames = "yuv420p", 1, 0
        encoder.time_base, encoder.framerate = Fraction(1, FPS), Fraction(FPS)
        encoder.gop_size, encoder.bit_rate, encoder.options = self._interval, round(bps), dict(self._kind.options)
        packets = []
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts = number
            packets += encoder.encode(picture)
        packets += encoder.encode(None)
        assert [packet.pts for packet in packets] == list(range(len(frames))), self.name  # in order, one each
        return [Packet(bytes(packet), packet.is_keyframe) for packet in packets]

    def decode(
        self, received: Sequence[Sequence[Slice]], size: tuple[int, int], concealment: str, temporal: bool
    ) -> list[DecodedFrame]:
        """One stream from its start, each frame from whatever slices arrived; `temporal` makes no difference.

        Raises:
            MediaError: If the method is unknown.
        """
        if concealment not in METHODS:
            rule = f"codec {self.name} has {' and '.join(METHODS)}"
            raise MediaError("concealment.method", rule, concealment, "auto takes the codec's best")
        joined = [fragments.join(slices) for slices in received]
        pictures = self._pictures(decodable(joined))
        screen, decoded = grey(size), []
        for number, (slices, frame) in enumerate(zip(received, joined, strict=True)):
            good = number in pictures
            if good:
                screen = pictures[number]
            shown = screen if good or concealment != "none" else grey(size)
            decoded.append(whole_frame(shown, good, concealment, slices, frame.corrupt))
        return decoded

    def _pictures(self, frames: dict[int, bytes]) -> dict[int, NDArray[np.uint8]]:
        """Frames in an unbroken chain from a key frame, by number, to pictures uint8 [H, W, 3]."""
        import av

        decoder: Any = av.CodecContext.create(self._kind.decoder, "r")
        decoder.thread_count = 1
        shown: list[Any] = []
        for number, data in frames.items():
            packet = av.Packet(data)
            packet.pts = packet.dts = number
            shown += decoder.decode(packet)
        shown += decoder.decode(None)
        return {int(frame.pts or 0): frame.to_ndarray(format="rgb24") for frame in shown}

    def count_correct(self, sent: EncodedFrame, decoded: DecodedFrame) -> int:
        """No token is guessed here: 0."""
        return 0

    def describe(self) -> dict[str, Any]:
        """Name, encoder and version of PyAV, for provenance."""
        import av

        return {"name": self.name, "encoder": self._kind.encoder, "pyav": av.__version__, "model_hash": None}


def decodable(frames: Sequence[fragments.Joined]) -> dict[int, bytes]:
    """Frames that came whole, and so did all before them back to a key frame: number -> bytes."""
    intact, found = False, {}
    for number, frame in enumerate(frames):
        intact = frame.data is not None and (intact or frame.key)
        if intact and frame.data is not None:
            found[number] = frame.data
    return found


def broken_by(key: Sequence[bool]) -> list[float]:
    """Frames that cannot be decoded if one is lost: itself, and all behind it up to the next key frame.

    >>> broken_by([True, False, False, True, False])
    [3.0, 2.0, 1.0, 2.0, 1.0]
    """
    found: list[float] = []
    for behind in reversed([*key[1:], True]):
        found.append(1.0 if behind else found[-1] + 1)
    return found[::-1]


def _headers_bytes(packet: Packet) -> int:
    return fragments.HEADER_BYTES * max(1, -(-len(packet.data) // fragments.PART_BYTES))


def _check_installed(kind: str) -> None:
    if not importlib.util.find_spec("av"):
        raise MediaError("codec.name", f"codec {kind} needs the package av", kind, "pip install 'vqstream[video]'")
    os.environ.setdefault("SVT_LOG", "1")  # errors alone: SVT-AV1 writes a page to stderr for each start
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    for name, mode in ((KINDS[kind].encoder, "w"), (KINDS[kind].decoder, "r")):
        try:
            Codec(name, mode)  # type: ignore[arg-type]
        except UnknownCodecError as error:
            raise MediaError("codec.name", f"this build of av has no {name}", kind, "pip install -U av") from error
