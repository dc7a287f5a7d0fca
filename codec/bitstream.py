"""Bitstream: the tokens of a picture <-> slices, in any order and number.

A slice is what travels: some blocks of one picture, decodable alone (codec/slices.py). All slices of a picture make
a .vqs file (codec/vqs.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from codec import entropy, interleave
from codec.books import check_codes
from codec.config import BLOCK
from codec.errors import BitstreamError, RequestError
from codec.parts import Part, deal, merge
from codec.payload import Context
from codec.slices import MAX_SLICES, Flags, Place, decode_slices, encode_parts
from codec.tables import Tables
from codec.tokens import Tokens

MAX_SIDE = 16384  # pixels: the counts in a payload stay within the coder's 24 bits


@dataclass(frozen=True, slots=True)
class TokenSlice:
    """A slice on its way.

    Attributes:
        index, count: Slice `index` of `count` of its picture.
        tokens: Tokens inside, as the sender counted them (read from a file: as the slice itself says).
        data: Flags, payload, checksum.
    """

    index: int
    count: int
    tokens: int
    data: bytes


def grid_of(size: tuple[int, int]) -> tuple[int, int]:
    """(H, W) in pixels to (h, w) in blocks, rounded up.

    >>> grid_of((512, 770))
    (32, 49)
    """
    return -(-size[0] // BLOCK), -(-size[1] // BLOCK)


def encode_slices(
    tokens: Tokens,
    count: int,
    interleave_method: str,
    entropy_model: str,
    tables: Tables,
    model_hash: bytes,
    context: Context | None = None,
) -> list[TokenSlice]:
    """Tokens to `count` slices; see `encode_pictures`."""
    return encode_pictures([tokens], count, interleave_method, entropy_model, tables, model_hash, context)[0]


def encode_pictures(
    pictures: Sequence[Tokens],
    count: int,
    interleave_method: str,
    entropy_model: str,
    tables: Tables,
    model_hash: bytes,
    context: Context | None = None,
) -> list[list[TokenSlice]]:
    """Tokens of pictures of one size to `count` slices each, all of them side by side.

    Args:
        pictures: All known, indices within their codebooks.
        count: 1 to 255, at most one for each block.
        interleave_method: One of `interleave.METHODS`.
        entropy_model: One of `entropy.MODELS`.
        tables: Probabilities of the indices.
        model_hash: Digest of the weights, 4 bytes or more.
        context: Probabilities of the model `context`, which needs the networks.

    Raises:
        RequestError: If count or a method is none of these, the grid is too large, or the tables know
            no such book.
        BitstreamError: If the entropy model is `context` and there is none.
        ValueError: If tokens are lost, an index is too large, or the pictures are not of one size.
    """
    for tokens in pictures:
        _check(tokens, count, entropy_model, tables)
    if not pictures:
        return []
    grid, wire = pictures[0].grid, tables.on_the_wire(entropy_model)
    if any(tokens.grid != grid for tokens in pictures):
        raise ValueError(f"pictures must be of one size, got {sorted({tokens.grid for tokens in pictures})} blocks")
    dealt = interleave.partition(grid, count, interleave_method)
    parts = [part for tokens in pictures for part in deal(tokens, dealt)]
    flags = [Flags(wire, bool(tokens.level.any()), interleave_method, tokens.books) for tokens in pictures]
    places = [Place(index, count, grid, model_hash) for index in range(count)]
    each = [one for one in flags for _ in places]
    coded = encode_parts(parts, each, places * len(pictures), tables, context)
    slices = [
        TokenSlice(at % count, count, len(part.level), data)
        for at, (part, data) in enumerate(zip(parts, coded, strict=True))
    ]
    return [slices[start : start + count] for start in range(0, len(slices), count)]


def _check(tokens: Tokens, count: int, entropy_model: str, tables: Tables) -> None:
    """The tokens of a picture must be such as can be sent, and so requested."""
    most = min(MAX_SLICES, tokens.grid[0] * tokens.grid[1])
    if not 1 <= count <= most:
        raise RequestError("slices", f"must be from 1 to {most} (at most one for each block)", count)
    if max(tokens.grid) * BLOCK > MAX_SIDE:
        raise RequestError("picture", f"sides must be at most {MAX_SIDE} pixels", tokens.grid, "Cut it into parts")
    if entropy_model not in entropy.MODELS:
        raise RequestError("entropy", "unknown model", entropy_model, f"Available: {', '.join(entropy.MODELS)}")
    if tokens.books.book >= tables.books:
        raise RequestError("codebook", f"these weights have {tables.books} books", tokens.books.book)
    if not tokens.known.all():
        raise ValueError(f"only whole pictures can be sent, got {int((~tokens.known).sum())} lost tokens")
    check_codes(tokens, tables.codes)


def assemble(
    grid: tuple[int, int],
    slices: Sequence[TokenSlice],
    tables: Tables,
    model_hash: bytes,
    context: Context | None = None,
) -> tuple[Tokens, int]:
    """Slices that arrived to tokens, and how many of them were damaged; see `assemble_pictures`."""
    return assemble_pictures(grid, [slices], tables, model_hash, context)[0]


def assemble_pictures(
    grid: tuple[int, int],
    pictures: Sequence[Sequence[TokenSlice]],
    tables: Tables,
    model_hash: bytes,
    context: Context | None = None,
) -> list[tuple[Tokens, int]]:
    """The slices of each picture that arrived, in any order, to tokens; blocks of missing or damaged slices are lost.

    Returns:
        The tokens of each picture, and how many of its slices were damaged.
    """
    sent = [(piece.data, Place(piece.index, piece.count, grid, model_hash)) for slices in pictures for piece in slices]
    found = iter(decode_slices(sent, tables, context))
    return [_merged(grid, [next(found) for _ in slices]) for slices in pictures]


def _merged(grid: tuple[int, int], slices: Sequence[Part | BitstreamError]) -> tuple[Tokens, int]:
    whole = [part for part in slices if isinstance(part, Part)]
    parts = [part for part in whole if part.books == whole[0].books]  # slices of one picture agree
    return merge(grid, parts), len(slices) - len(parts)
