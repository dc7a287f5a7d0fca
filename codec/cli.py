"""python -m codec encode | decode | evaluate | info | train: what can be asked. What is done: verbs.py.

Every mistake of a user ends in one line on stderr and exit code 2, and leaves existing files as they
were.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from codec import verbs
from codec.errors import CodecError

EXAMPLES = """\
try it:
  python -m codec encode photo.png photo.vqs                    all coarse, about 0.04 bits per pixel
  python -m codec encode photo.png photo.vqs --bpp 0.2          finer where the picture is busy
  python -m codec encode photo.png photo.vqs --kbytes 1         a smaller codebook: 0.02 bits per pixel at 768x512
  python -m codec decode photo.vqs back.png                     what a perfect link shows
  python -m codec decode photo.vqs back.png --drop 0.2          what it shows with 20 % of the blocks lost
  python -m codec info photo.vqs                                what is in the file

from photographs to weights:
  python -m codec train tokenizer PHOTOS --out runs/tokenizer
  python -m codec train predictor PHOTOS --out runs/predictor --tokenizer runs/tokenizer/tokenizer.safetensors
"""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """One line, exit code 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def share(text: str) -> float:
    """A share such as 0.2 or 20%.

    >>> share("20%")
    0.2
    """
    value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if not 0 <= value <= 1:
        raise ValueError(text)
    return value


def ratios(text: str) -> tuple[float, float, float]:
    """Three shares of area: fine, medium, coarse."""
    fine, medium, coarse = (share(part) for part in text.split(","))
    return fine, medium, coarse


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def numbers(text: str) -> list[int]:
    """Whole numbers with commas between."""
    return [int(part) for part in text.split(",")]


def build_parser() -> Parser:
    """All verbs and options."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = Parser(
        prog="python -m codec", description="A learned image codec made for lossy channels.", epilog=EXAMPLES,
        formatter_class=raw,
    )  # fmt: skip
    choose = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    _add_encode(choose.add_parser("encode", help="picture -> .vqs file"))
    _add_decode(choose.add_parser("decode", help=".vqs file -> PNG, with or without losses"))
    _add_evaluate(choose.add_parser("evaluate", help="folder of pictures -> table of rate, distortion, robustness"))
    _add_info(choose.add_parser("info", help="what is in a .vqs file, or which weights are in use"))
    _add_train(choose.add_parser("train", help="photographs -> weights"))
    return parser


def _add_weights(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", type=Path, metavar="DIR", help="folder of weights (default: those shipped)")


def _add_encode(parser: argparse.ArgumentParser) -> None:
    parser.description = "Encode a picture. Without a rate all blocks are coarse, of the full codebook: 0.04 bpp."
    parser.add_argument("image", type=Path, metavar="IMAGE", help="PNG, JPEG, WebP, ... of at least 16x16 pixels")
    parser.add_argument("out", type=Path, metavar="OUT.vqs")
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument("--bpp", type=float, help="bits per pixel of the file at most, 0.012 to 0.62")
    rate.add_argument("--kbytes", type=float, metavar="KB", help="size of the file at most, in 1000 bytes")
    rate.add_argument("--ratios", type=ratios, metavar="F,M,C", help="shares of area sent fine, medium, coarse")
    parser.add_argument("--codebook", type=positive, metavar="K", help="coarse codewords: 8, 16, ... 1024 (default)")
    parser.add_argument("--slices", type=positive, default=1, metavar="N", help="parts that decode alone (default 1)")
    parser.add_argument("--interleave", default="low_discrepancy", help="low_discrepancy (default) or raster")
    parser.add_argument("--entropy", default="static", help="static (default) or uniform, which is fixed length")
    _add_weights(parser)
    parser.set_defaults(verb=verbs.encode)


def _add_decode(parser: argparse.ArgumentParser) -> None:
    parser.description = "Decode a .vqs file; on request, as a receiver to whom parts of it never came."
    parser.add_argument("file", type=Path, metavar="IN.vqs")
    parser.add_argument("out", type=Path, metavar="OUT.png")
    parser.add_argument("--drop", type=share, default=0.0, metavar="SHARE", help="lose blocks at random: 0.2 or 20%%")
    parser.add_argument("--seed", type=int, default=1, help="of the blocks lost; a larger share loses these and more")
    parser.add_argument("--drop-slices", type=numbers, default=[], metavar="I,J", help="lose these slices, from 0")
    parser.add_argument(
        "--salvage", action="store_true", help="take damaged slices as lost instead of refusing the file"
    )
    parser.add_argument(
        "--conceal", default="expected", metavar="METHOD",
        help="none (grey), zero, neighbour_mean, argmax or expected (default)",
    )  # fmt: skip
    _add_weights(parser)
    parser.set_defaults(verb=verbs.decode)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.description = "Every picture of a folder, at every rate, loss and method: one row each."
    parser.add_argument("folder", type=Path, metavar="IMAGES_DIR")
    parser.add_argument("--bpp", type=float, nargs="+", help="requested rates (default: all coarse)")
    parser.add_argument("--loss", type=share, nargs="+", default=[0.0], metavar="SHARE", help="shares of blocks lost")
    parser.add_argument("--conceal", nargs="+", default=["expected"], metavar="METHOD", help="as in decode")
    parser.add_argument("--seeds", type=positive, default=1, help="loss patterns for each case (default 1)")
    parser.add_argument("--slices", type=positive, default=1, metavar="N", help="slices of the file that is weighed")
    parser.add_argument("--squeeze", type=Path, metavar="NPZ", help="SqueezeNet weights: adds the column squeeze")
    parser.add_argument("--out", type=Path, metavar="FILE.csv", help="write the whole table")
    _add_weights(parser)
    parser.set_defaults(verb=verbs.evaluate)


def _add_info(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE.vqs", help="without it: the weights in use")
    _add_weights(parser)
    parser.set_defaults(verb=verbs.info)


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.description = "First the tokenizer, then the predictor on its tokens."
    networks = parser.add_subparsers(title="networks", metavar="NETWORK", required=True)
    tokenizer = networks.add_parser("tokenizer", help="encoder, codebooks and decoder")
    tokenizer.add_argument("--squeeze", type=Path, metavar="NPZ", help="SqueezeNet weights: adds a perceptual loss")
    tokenizer.add_argument(
        "--predictor", type=Path, metavar="FILE", help="a predictor.safetensors: once the encoder rests, it fills holes"
    )
    tokenizer.add_argument("--compile", action="store_true", help="a minute of compiling, then a fifth faster")
    predictor = networks.add_parser("predictor", help="the masked transformer that fills holes")
    predictor.add_argument(
        "--tokenizer", type=Path, required=True, metavar="FILE", help="the tokenizer.safetensors whose tokens to learn"
    )
    predictor.add_argument("--clips", type=Path, metavar="DIR", help="clips, for the frame before (needs PyAV)")
    predictor.add_argument("--from", type=Path, dest="start", metavar="FILE", help="begin from this predictor")
    for network, verb in ((tokenizer, verbs.train_tokenizer), (predictor, verbs.train_predictor)):
        network.add_argument("data", type=Path, metavar="DATA_DIR", help="photographs, searched recursively")
        network.add_argument("--out", type=Path, required=True, metavar="RUN_DIR", help="checkpoint, log, weights")
        network.add_argument("--steps", type=positive, metavar="N", help="optimizer steps in all")
        network.add_argument("--batch", type=positive, metavar="N", help="pictures a step")
        network.add_argument("--seed", type=int, metavar="N")
        network.add_argument("--stop-after", type=positive, metavar="N", help="pause there; the schedule stays")
        network.add_argument("--resume", action="store_true", help="continue the run in RUN_DIR, exactly")
        network.set_defaults(verb=verb)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    args = build_parser().parse_args(argv)
    try:
        args.verb(args)
    except CodecError as error:
        print(f"python -m codec: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped (a training run continues with --resume)", file=sys.stderr)
        return 130
    return 0
