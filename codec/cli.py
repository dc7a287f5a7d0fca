"""python -m codec encode | decode | evaluate | info | bench | train: what can be asked. What is done: verbs.py.

Every mistake of a user ends in one line on stderr and exit code 2, and leaves existing files as they
were.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from codec import examples, verbs
from codec.arguments import count, counts, parts, place, positive, positives, rate, rates, ratios, share, shares
from codec.errors import CodecError


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """One line, exit code 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def build_parser() -> Parser:
    """All verbs and options."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = Parser(
        prog="python -m codec", description="A learned image codec made for lossy channels.", epilog=examples.ALL,
        formatter_class=raw,
    )  # fmt: skip
    choose = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for name, add, words, epilog in (
        ("encode", _add_encode, "picture -> .vqs file", examples.ENCODE),
        ("decode", _add_decode, ".vqs file -> PNG, with or without losses", examples.DECODE),
        (
            "evaluate",
            _add_evaluate,
            "folder of pictures or clips -> tables and curves of rate, quality, robustness",
            examples.EVALUATE,
        ),
        ("info", _add_info, "what is in a .vqs file, or which weights are in use", examples.INFO),
        ("bench", _add_bench, "time and memory on this machine", examples.BENCH),
        ("train", _add_train, "photographs -> weights", examples.TRAIN),
    ):
        add(choose.add_parser(name, help=words, epilog=epilog, formatter_class=raw))
    return parser


def _add_weights(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", type=place, metavar="DIR", help="folder of weights (default: those shipped)")


def _add_precision(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--precision", default="auto",
        help="of decoder and concealment: fp32, bf16, or auto (default): bf16 where this machine multiplies it",
    )  # fmt: skip


def _add_refine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--refine", type=positive, metavar="STEPS",
        help="seek better tokens by gradient descent, seconds a picture; 20 is much, and --squeeze should be given",
    )  # fmt: skip


def _add_encode(parser: argparse.ArgumentParser) -> None:
    parser.description = "Encode a picture. Without a rate all blocks are coarse, of the full codebook: 0.04 bpp."
    parser.add_argument("image", type=place, metavar="IMAGE", help="PNG, JPEG, WebP, ... of at least 16x16 pixels")
    parser.add_argument("out", type=place, metavar="OUT.vqs")
    wanted = parser.add_mutually_exclusive_group()
    wanted.add_argument("--bpp", type=rate, help="bits per pixel of the file at most, 0.012 to 0.62")
    wanted.add_argument("--kbytes", type=rate, metavar="KB", help="size of the file at most, in 1000 bytes")
    wanted.add_argument("--ratios", type=ratios, metavar="F,M,C", help="shares of area sent fine, medium, coarse")
    parser.add_argument("--codebook", type=positive, metavar="K", help="coarse codewords: 8, 16, ... 1024 (default)")
    parser.add_argument("--slices", type=positive, default=1, metavar="N", help="parts that decode alone (default 1)")
    parser.add_argument(
        "--interleave", default="low_discrepancy", help="low_discrepancy (default), checkerboard or raster"
    )
    _add_refine(parser)
    parser.add_argument("--squeeze", type=place, metavar="NPZ", help="SqueezeNet weights: refine for what is seen")
    parser.add_argument(
        "--entropy", default="static", metavar="MODEL",
        help="static (default), uniform (fixed length), or context: the masked transformer, smaller files, seconds a "
        "picture, and to be decoded on the same kind of machine",
    )  # fmt: skip
    _add_weights(parser)
    parser.set_defaults(verb=verbs.encode)


def _add_decode(parser: argparse.ArgumentParser) -> None:
    parser.description = "Decode a .vqs file; on request, as a receiver to whom parts of it never came."
    parser.add_argument("file", type=place, metavar="IN.vqs")
    parser.add_argument("out", type=place, metavar="OUT.png")
    parser.add_argument("--drop", type=share, default=0.0, metavar="SHARE", help="lose blocks at random: 0.2 or 20%%")
    parser.add_argument("--seed", type=count, default=1, help="of the blocks lost; a larger share loses these and more")
    parser.add_argument("--drop-slices", type=counts, default=[], metavar="I,J", help="lose these slices, from 0")
    parser.add_argument(
        "--salvage", action="store_true", help="take damaged slices as lost instead of refusing the file"
    )
    parser.add_argument(
        "--conceal", default="expected", metavar="METHOD",
        help="none (grey), zero, neighbour_mean, argmax, expected (default), shrunk, iterative_2, iterative_4, "
        "iterative_8, copy_previous and copy_or_expected (for films), or package.module:function",
    )  # fmt: skip
    parser.add_argument(
        "--confidence", type=place, metavar="MAP.png", help="picture of the confidence: white received, black unknown"
    )
    _add_precision(parser)
    _add_weights(parser)
    parser.set_defaults(verb=verbs.decode)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "A folder of pictures to tables and curves: rate and quality of several codecs; with --loss what lost\n"
        "blocks cost ours; with --entropy what entropy models do. A folder of clips (and no pictures): what lost\n"
        "packets cost, with --loss; of each clip the first frames, the largest centred square at 256x256.\n"
        "Lists take commas or spaces."
    )
    parser.add_argument("folder", type=place, metavar="DIR", help="pictures, or clips (which need PyAV)")
    parser.add_argument(
        "--bpp", type=rates, nargs="+", metavar="BPP",
        help="rates asked for (default: 0.02 to 0.4; with --loss all coarse)",
    )  # fmt: skip
    parser.add_argument(
        "--codecs", type=parts, nargs="+", metavar="NAME", help="vq, jpeg, jpeg2000, webp, avif (default: all)"
    )
    parser.add_argument(
        "--loss", type=shares, nargs="+", metavar="SHARE", help="shares of blocks, of clips packets, lost: 0.2"
    )
    parser.add_argument(
        "--conceal", type=parts, nargs="+", metavar="METHOD",
        help="as in decode, with --loss (default: expected); of clips also expected+temporal and the like, which look "
        "at the frame before (default: zero, neighbour_mean, copy_previous, expected, expected+temporal, "
        "copy_or_expected+temporal)",
    )  # fmt: skip
    parser.add_argument("--seeds", type=positive, metavar="N", help="loss patterns for each case (default 1; clips 2)")
    parser.add_argument("--frames", type=positive, metavar="N", help="frames of each clip (default 24)")
    parser.add_argument(
        "--against", metavar="METHOD",
        help="method to compare with (default: neighbour_mean, of clips copy_previous, if there; else the first)",
    )  # fmt: skip
    parser.add_argument(
        "--slices", type=positives, nargs="+", metavar="N",
        help="slices of the file weighed (default 1), several with --entropy; of clips packets a frame (4)",
    )  # fmt: skip
    parser.add_argument(
        "--entropy", type=parts, nargs="+", metavar="MODEL", help="uniform, static, context: their bytes and times"
    )
    parser.add_argument("--squeeze", type=place, metavar="NPZ", help="SqueezeNet weights: adds the column squeeze")
    _add_refine(parser)
    parser.add_argument(
        "--out", type=place, metavar="FILE.csv", help="write tables and figures; they are named after it"
    )
    _add_precision(parser)
    _add_weights(parser)
    parser.set_defaults(verb=verbs.evaluate)


def _add_info(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=place, nargs="?", metavar="FILE.vqs", help="without it: the weights in use")
    _add_weights(parser)
    parser.set_defaults(verb=verbs.info)


def _add_bench(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Time a picture, processor time a picture, and peak memory of encoder, decoder and concealment.\n"
        "Each task runs in a process of its own; of its repeats the fastest counts."
    )
    parser.add_argument("--repeats", type=positive, default=5, metavar="N", help="of each task (default 5)")
    parser.add_argument("--threads", type=positive, metavar="N", help="of torch (default: as many as it likes)")
    _add_device(parser)
    parser.add_argument("--out", type=place, metavar="FILE.csv", help="write the table")
    _add_precision(parser)
    _add_weights(parser)
    parser.set_defaults(verb=verbs.bench)


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "First the tokenizer, then the predictor on its tokens, then both. Smaller codebooks at any time."
    )
    networks = parser.add_subparsers(title="networks", metavar="NETWORK", required=True)
    tokenizer = networks.add_parser("tokenizer", help="encoder, codebooks and decoder")
    tokenizer.add_argument("--squeeze", type=place, metavar="NPZ", help="SqueezeNet weights: adds a perceptual loss")
    tokenizer.add_argument(
        "--predictor",
        type=place,
        metavar="FILE",
        help="a predictor.safetensors: once the encoder rests, it fills holes",
    )
    tokenizer.add_argument("--from", type=place, dest="start", metavar="FILE", help="begin from this tokenizer")
    tokenizer.add_argument("--compile", action="store_true", help="a minute of compiling, then a fifth faster")
    predictor = networks.add_parser("predictor", help="the masked transformer that fills holes")
    predictor.add_argument(
        "--tokenizer", type=place, required=True, metavar="FILE", help="the tokenizer.safetensors whose tokens to learn"
    )
    predictor.add_argument("--clips", type=place, metavar="DIR", help="clips, for the frame before (needs PyAV)")
    predictor.add_argument("--from", type=place, dest="start", metavar="FILE", help="begin from this predictor")
    codebooks = networks.add_parser("codebooks", help="the smaller coarse codebooks of a finished tokenizer")
    codebooks.add_argument("data", type=place, metavar="DATA_DIR", help="photographs, searched recursively")
    codebooks.add_argument("--tokenizer", type=place, required=True, metavar="FILE", help="its tokenizer.safetensors")
    codebooks.add_argument(
        "--out", type=place, required=True, metavar="FILE", help="the tokenizer.safetensors to write"
    )
    codebooks.add_argument("--squeeze", type=place, metavar="NPZ", help="SqueezeNet weights: tunes for them too")
    codebooks.add_argument(
        "--tune-steps", type=count, default=280, metavar="N", help="of gradient descent after k-means (default 280)"
    )
    codebooks.set_defaults(verb=verbs.train_codebooks)
    copying = networks.add_parser("copying", help="how far a finished predictor trusts the frame before")
    copying.add_argument("data", type=place, metavar="CLIPS", help="clips, searched recursively (needs PyAV)")
    copying.add_argument("--tokenizer", type=place, required=True, metavar="FILE", help="its tokenizer.safetensors")
    copying.add_argument("--predictor", type=place, required=True, metavar="FILE", help="its predictor.safetensors")
    copying.add_argument("--out", type=place, required=True, metavar="FILE", help="the predictor.safetensors to write")
    copying.set_defaults(verb=verbs.train_copying)
    joint = networks.add_parser("joint", help="decoder and predictor together, at the end")
    joint.add_argument("--tokenizer", type=place, required=True, metavar="FILE", help="the tokenizer.safetensors")
    joint.add_argument("--predictor", type=place, required=True, metavar="FILE", help="the predictor.safetensors")
    joint.add_argument("--clips", type=place, metavar="DIR", help="clips, for the frame before (needs PyAV)")
    joint.add_argument("--squeeze", type=place, metavar="NPZ", help="SqueezeNet weights: adds a perceptual loss")
    trained = ((tokenizer, verbs.train_tokenizer), (predictor, verbs.train_predictor), (joint, verbs.train_joint))
    for network, verb in trained:
        network.add_argument("data", type=place, metavar="DATA_DIR", help="photographs, searched recursively")
        network.add_argument("--out", type=place, required=True, metavar="RUN_DIR", help="checkpoint, log, weights")
        network.add_argument("--steps", type=positive, metavar="N", help="optimizer steps in all")
        network.add_argument("--batch", type=positive, metavar="N", help="pictures a step")
        network.add_argument("--seed", type=count, metavar="N")
        network.add_argument("--stop-after", type=positive, metavar="N", help="pause there; the schedule stays")
        network.add_argument("--resume", action="store_true", help="continue the run in RUN_DIR, exactly")
        network.set_defaults(verb=verb)
    for network in (tokenizer, predictor, codebooks, copying, joint):
        _add_device(network)


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, or auto")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    args = build_parser().parse_args(argv)
    try:
        args.verb(args)
        sys.stdout.flush()
    except BrokenPipeError:  # `... info | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except CodecError as error:
        print(f"python -m codec: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped (a training run continues with --resume)", file=sys.stderr)
        return 130
    return 0
