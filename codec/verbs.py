"""What the verbs of `python -m codec` do: read, call, write, print. Their options: cli.py.

Heavy modules are imported by the verb that needs them, so that --help answers at once.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codec.errors import BitstreamError, RequestError

if TYPE_CHECKING:
    from codec.evaluate_films import FilmCases
    from codec.evaluate_loss import Cases
    from codec.model import Codec
    from codec.refine import Refinement
    from codec.tokens import Books, Tokens
    from codec.vqs import VqsFile


def encode(args: argparse.Namespace) -> None:
    """Picture to file."""
    from codec.files import write_atomically
    from codec.images import open_image
    from codec.model import Codec
    from codec.rate_path import ALL_COARSE
    from codec.rate_request import Packing
    from codec.vqs import write_vqs

    if args.refine is None:
        _refuse(args, ("squeeze",), "goes with --refine")
    if args.codebook is not None and (args.bpp, args.kbytes) != (None, None):
        raise RequestError("--codebook", "--bpp and --kbytes choose the codebook themselves", args.codebook)
    if args.out.suffix.lower() != ".vqs":  # so that no photograph is written over
        raise RequestError(str(args.out), "streams are written as .vqs", args.out.suffix, "Let the name end in .vqs")
    picture = open_image(args.image)
    codec = Codec.load(args.weights)
    pixels = picture.shape[0] * picture.shape[1]
    bpp = args.bpp if args.kbytes is None else 8000 * args.kbytes / pixels
    packing = Packing(args.slices, args.interleave, args.entropy)
    try:
        tokens = codec.encode(picture, args.ratios or ALL_COARSE, bpp, args.codebook, packing, _refinement(args))
    except RequestError as error:
        if args.kbytes is None:
            raise
        _, rule, _, next_step = error.args
        raise RequestError("--kbytes", rule, args.kbytes, next_step) from error
    slices = codec.to_slices(tokens, args.slices, args.interleave, args.entropy)
    data = write_vqs((picture.shape[0], picture.shape[1]), slices, codec.hash)
    write_atomically(args.out, data)
    print(f"{args.out}: {len(data)} bytes, {8 * len(data) / pixels:.4f} bits per pixel, {_levels(tokens)}")


def _refinement(args: argparse.Namespace) -> "Refinement | None":
    from codec.perceptual import Squeeze
    from codec.refine import Refinement

    if args.refine is None:
        return None
    return Refinement(args.refine, None if args.squeeze is None else Squeeze(args.squeeze))


def _levels(tokens: "Tokens") -> str:
    counts = [int((tokens.level == level).sum()) for level in range(3)]
    return f"{len(tokens)} tokens ({counts[0]} coarse, {counts[1]} medium, {counts[2]} fine)"


def _read(path: Path, codec: "Codec | None" = None) -> "VqsFile":
    from codec.vqs import read_vqs

    known = (None, None) if codec is None else (codec.hash, codec.tables)
    try:
        return read_vqs(path.read_bytes(), str(path), *known)
    except OSError as error:
        raise BitstreamError(str(path), f"cannot be read ({error.strerror})", "", "Check the path") from error


def decode(args: argparse.Namespace) -> None:
    """File to picture, what was lost on the way filled in."""
    import numpy as np

    from codec.bitstream import grid_of
    from codec.confidence import confidence_map
    from codec.images import save_png
    from codec.model import Codec
    from codec.tokens import with_lost_blocks

    for out in (args.out, args.confidence):
        if out is not None and out.suffix.lower() != ".png":
            raise RequestError(str(out), "pictures are written as PNG", out.suffix, "Let the name end in .png")
    if args.out == args.confidence:
        raise RequestError("--confidence", "must be another file than the picture", str(args.out))
    _read(args.file)  # a damaged file is told before weights are loaded
    codec = Codec.load(args.weights, precision=args.precision)
    file = _read(args.file, codec)
    absent = sorted(set(args.drop_slices) - set(range(len(file.slices))))
    if absent:
        raise RequestError("--drop-slices", f"slices are numbered from 0 to {len(file.slices) - 1}", absent[0])
    arrived = [piece for piece in file.slices if piece.index not in args.drop_slices]
    tokens, damaged = codec.from_slices(grid_of(file.size), arrived)
    if damaged and not args.salvage:
        rule = f"{damaged} of {len(file.slices)} slices fail their checksum"
        raise BitstreamError(str(args.file), rule, "", _next_step(file.flags.entropy_model))
    draws = np.random.default_rng(args.seed).random(tokens.grid[0] * tokens.grid[1])
    tokens = with_lost_blocks(tokens, draws < args.drop)
    filled = codec.conceal([tokens], args.conceal)
    save_png(args.out, codec.decode(filled, file.size)[0])
    if args.confidence is not None:
        save_png(args.confidence, confidence_map(filled[0].tokens, filled[0].confidence, file.size))
    lost, blocks = int((~tokens.known).sum()), len(draws)
    how = f", {lost} of {blocks} blocks lost ({args.conceal})" if lost else ""
    print(f"{args.out}: {file.size[1]}x{file.size[0]} pixels{how}")


def _next_step(entropy_model: str) -> str:
    if entropy_model == "context":
        return (
            "It needs the predictor and the kind of machine it was made with; --salvage conceals what does not decode"
        )
    return "Fetch the file again, or add --salvage to conceal them"


def evaluate(args: argparse.Namespace) -> None:
    """Folder to tables and figure: of rates, with --loss of robustness, with --entropy of entropy models."""
    if args.entropy is not None:
        _refuse(
            args,
            ("loss", "conceal", "seeds", "against", "frames", "codecs", "squeeze", "refine"),
            "goes without --entropy",
        )
    elif args.loss is None:
        _refuse(args, ("conceal", "seeds", "against", "slices", "frames"), "goes with --loss")
    else:
        _refuse(args, ("codecs",), "goes without --loss, which is for our codec alone")
        if len(_flat(args.slices, (1,))) > 1:
            raise RequestError("--slices", "several go with --entropy, one with --loss", args.slices)
    from codec import evaluate as evaluation
    from codec.evaluate_entropy import Codings
    from codec.evaluate_films import holds_films
    from codec.evaluate_pictures import Judge
    from codec.evaluate_rate import CODECS, RATES
    from codec.model import Codec
    from codec.perceptual import Squeeze

    evaluation.check_out(args.out, args.folder)
    judge = Judge(None if args.squeeze is None else Squeeze(args.squeeze))
    codec = Codec.load(args.weights, precision=args.precision)
    if args.entropy is not None:
        codings = Codings(_flat(args.entropy, ()), _flat(args.slices, (1,)), _flat(args.bpp, (None,)))
        done = evaluation.evaluate_entropy(codec, args.folder, codings)
    elif args.loss is None:
        names, rates = _flat(args.codecs, CODECS), _flat(args.bpp, RATES)
        done = evaluation.evaluate_rates(codec, args.folder, names, rates, judge, _say, _refinement(args))
    elif holds_films(args.folder):
        done = evaluation.evaluate_films(codec, args.folder, _film_cases(args), judge, args.against)
    else:
        done = evaluation.evaluate_losses(codec, args.folder, _cases(args), judge, args.against)
    print(done.words())
    for path in done.write(args.out) if args.out is not None else ():
        print(path)


def _cases(args: argparse.Namespace) -> "Cases":
    from codec.evaluate_loss import Cases

    _refuse(args, ("frames",), "goes with a folder of clips")
    methods, rates = _flat(args.conceal, ("expected",)), _flat(args.bpp, (None,))
    slices, refinement = _flat(args.slices, (1,))[0], _refinement(args)
    return Cases(rates, _flat(args.loss, ()), methods, args.seeds or 1, slices, refinement)


def _film_cases(args: argparse.Namespace) -> "FilmCases":
    from codec.evaluate_films import FILM_METHODS, FilmCases

    _refuse(args, ("refine",), "goes with a folder of pictures")
    packets = None if args.slices is None else args.slices[0][0]
    given = {"packets": packets, "seeds": args.seeds, "frames": args.frames}
    numbers = {name: value for name, value in given.items() if value is not None}
    return FilmCases(_flat(args.bpp, (None,)), _flat(args.loss, ()), _flat(args.conceal, FILM_METHODS), **numbers)


def _flat(lists: Sequence[Sequence[Any]] | None, default: Sequence[Any]) -> list[Any]:
    """A list given with commas, spaces or both, each value once; or its default."""
    return list(dict.fromkeys(default if lists is None else (value for part in lists for value in part)))


def _refuse(args: argparse.Namespace, names: Sequence[str], rule: str) -> None:
    for name in names:
        if getattr(args, name) is not None:
            raise RequestError(f"--{name}", rule)


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def info(args: argparse.Namespace) -> None:
    """What a file says of itself, or which weights are in use."""
    if args.file is None:
        from codec.model import Codec

        facts = Codec.load(args.weights).describe()
    else:
        facts = _facts(_read(args.file), args.file.stat().st_size)
    for name, value in facts.items():
        print(f"{name:<18} {value}")


def bench(args: argparse.Namespace) -> None:
    """Time and memory of each task."""
    from codec import bench as benchmark
    from codec.evaluate import check_out
    from codec.files import write_atomically

    check_out(args.out)
    options = benchmark.Options(args.weights, args.device, args.precision, args.threads, args.repeats)
    table = benchmark.bench(options, _say)
    print(benchmark.words(table))
    if args.out is not None:
        write_atomically(args.out, table.to_csv(index=False).encode())


def _facts(file: "VqsFile", size_bytes: int) -> dict[str, Any]:
    from codec.entropy import NEIGHBOURS

    height, width = file.size
    return {
        "pixels": f"{width}x{height}",
        "bytes": size_bytes,
        "bits per pixel": f"{8 * size_bytes / (height * width):.4f}",
        "tokens": sum(piece.tokens for piece in file.slices),
        "granularity": "mixed" if file.flags.mixed else "all coarse",
        "granularity map": f"{file.map_bits / 8:.0f} bytes, {file.map_bits / (height * width):.4f} bits per pixel",
        "coarse codebook": _codebook(file.flags.books),
        "entropy model": {NEIGHBOURS: "static by neighbours"}.get(file.flags.entropy_model, file.flags.entropy_model),
        "slices": f"{len(file.slices)} ({file.flags.interleave})",
        "bytes of slices": " ".join(str(len(piece.data)) for piece in file.slices),
        "model hash": f"{file.model.hex()}...",
    }


def _codebook(books: "Books") -> str:
    """Sizes of the coarse codebooks; the file does not say what K is, its weights do."""
    smaller, larger = (f"K/{1 << book}" if book else "K" for book in (books.book, max(0, books.book - 1)))
    return f"{smaller} codewords" + (f", {larger} for {books.cut / 255:.1%} of the blocks" if books.cut else "")


def train_tokenizer(args: argparse.Namespace) -> None:
    """Train; the trainer exports by itself."""
    from codec.config import CodecConfig
    from codec.training import tokenizer
    from codec.training.tokenizer_samples import TokenizerRecipe

    recipe = replace(TokenizerRecipe(), compile=args.compile, **_given(args))
    paths = (args.predictor, args.start)
    tokenizer.train_tokenizer(
        args.data, args.out, args.squeeze, recipe, CodecConfig(), args.resume, args.stop_after, *paths, args.device
    )
    print(args.out / "tokenizer.safetensors")


def train_codebooks(args: argparse.Namespace) -> None:
    """Cluster, tune, count, write a copy of the weights."""
    from codec.training.codebook_tuning import TuningRecipe
    from codec.training.export import train_codebooks

    recipe = TuningRecipe(args.tune_steps) if args.tune_steps else None
    print(
        f"{args.out}: sha256 {train_codebooks(args.tokenizer, args.data, args.out, args.squeeze, recipe, args.device)}"
    )


def train_copying(args: argparse.Namespace) -> None:
    """Fit, write a copy of the weights."""
    from codec.training.copying import train_copying

    print(f"{args.out}: {train_copying(args.tokenizer, args.predictor, args.data, args.out, device=args.device)}")


def train_predictor(args: argparse.Namespace) -> None:
    """Train; the trainer exports by itself."""
    from codec.training import predictor

    recipe = replace(predictor.PredictorRecipe(), **_given(args))
    paths = (args.clips, args.start)
    rest = (args.resume, args.stop_after, *paths, args.device)
    print(predictor.train_predictor(args.data, args.out, args.tokenizer, recipe, *rest))


def train_joint(args: argparse.Namespace) -> None:
    """Train; the trainer exports by itself."""
    from codec.training import joint
    from codec.training.joint_samples import JointRecipe

    recipe = replace(JointRecipe(), **_given(args))
    paths = (args.tokenizer, args.predictor)
    for path in joint.train_joint(
        args.data, args.out, *paths, recipe, args.clips, args.squeeze, args.resume, args.stop_after, args.device
    ):
        print(path)


def _given(args: argparse.Namespace) -> dict[str, Any]:
    """Numbers of the recipe that the user gave."""
    return {name: value for name in ("steps", "batch", "seed") if (value := getattr(args, name)) is not None}
