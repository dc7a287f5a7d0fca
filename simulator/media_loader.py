"""A codec by its name: shipped ones, or any class that a user wrote."""

import hashlib
import importlib.util
import json
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, cast

from simulator.by_path import check_options, find, parameters
from simulator.errors import MediaError
from simulator.jpeg_media import JpegMedia
from simulator.media import MediaCodec
from simulator.metrics import measure_psnr
from simulator.pillow_media import AvifMedia, Jpeg2000Media, WebpMedia
from simulator.playback import Measure
from simulator.scenario_codec_options import OPTIONS, STILLS, VIDEOS
from simulator.toy_media import ToyCodec
from simulator.video_media import VideoMedia

CONVENTIONAL: dict[str, Callable[..., Any]] = {
    "jpeg": JpegMedia,
    "jpeg2000": Jpeg2000Media,
    "webp": WebpMedia,
    "avif": AvifMedia,
    **{kind: partial(VideoMedia, kind) for kind in VIDEOS},
}
METHODS = ("encode", "decode", "count_correct", "describe")


def load_codec(name: str, options: dict[str, Any], device: str = "auto") -> MediaCodec:
    """Build a codec.

    Args:
        name: "toy", "vq", "jpeg", "h264" and the like, or "package.module:Class".
        options: Keyword arguments of its constructor.
        device: "auto", "cpu" or "cuda"; handed on as `device` to codecs that take one.

    Raises:
        MediaError: If there is no such codec, it cannot be imported, lacks a method, or refuses the
            options.
    """
    make = _constructor(name)
    takes = parameters("codec.name", name, make, MediaError)
    if "device" in takes and device != "auto":
        options = {**options, "device": device}
    elif device == "cuda":
        raise MediaError("--device", f"codec {name} runs on the CPU only", device, "Use --device auto")
    check_options("codec", f"codec {name}", takes, options, MediaError)
    codec = make(**options)
    missing = [method for method in METHODS if not callable(getattr(codec, method, None))]
    missing += [] if hasattr(codec, "name") else ["name"]
    if missing:
        raise MediaError(
            "codec.name", f"{name} is no MediaCodec: it lacks {', '.join(missing)}",
            next_step="See MediaCodec in simulator/media.py",
        )  # fmt: skip
    return cast(MediaCodec, codec)


@lru_cache
def identity(name: str, options: str) -> str:
    """What decides a codec's results beside its options: a hash of its weights, or what it says of itself.

    The shipped codecs are not loaded for it.

    Args:
        name: As for `load_codec`.
        options: As for `load_codec`, as JSON.

    Raises:
        MediaError: If the codec cannot be had.
    """
    if name != "vq":
        return json.dumps(load_codec(name, json.loads(options)).describe(), sort_keys=True, default=str)
    given = json.loads(options)
    weights = given.get("weights")
    if weights is None:
        found = importlib.util.find_spec("codec")
        if found is None or found.origin is None:
            raise MediaError("codec.name", "cannot import codec", name)
        weights = Path(found.origin).parent / "weights"
    folder = Path(weights)
    sums = hashlib.sha256()
    judge = [Path(given["squeeze"])] if given.get("squeeze") else []  # what `refine` seeks by
    for path in (*sorted(folder.glob("*.safetensors")), *judge):
        sums.update(hashlib.sha256(path.read_bytes()).digest())
    return f"vq {sums.hexdigest()}"


def load_measure(name: str, squeeze: str | None = None, flip: bool = False) -> Measure:
    """The judge of pictures that goes with a codec; the toy and users' codecs need no torch.

    Raises:
        MediaError: If the SqueezeNet weights cannot be read, FLIP is not installed, or the codec's judge
            knows neither.
    """
    if name in ("vq", *STILLS, *VIDEOS):
        from simulator import vq_media

        return vq_media.measure(Path(squeeze) if squeeze else None, flip)
    for key, value in (("output.squeeze", squeeze), ("output.flip", flip)):
        if value:
            raise MediaError(key, f"is not measured with codec {name}", value)
    return measure_psnr


def _constructor(name: str) -> Callable[..., Any]:
    if name == "toy":
        return ToyCodec
    if name == "vq":
        return find("codec.name", "simulator.vq_media:VqMedia", MediaError)
    if name in CONVENTIONAL:
        return CONVENTIONAL[name]
    if not all(name.partition(":")):
        raise MediaError("codec.name", f"must be {', '.join(OPTIONS)} or package.module:Class", name)
    return find("codec.name", name, MediaError)
