"""The network behind the tables by neighbours: fitted to photographs, then rounded to integers.

photographs -> index maps -> slices as they may be sent -> what is known around each token -> its index

Per level, a linear map takes the mean codeword around a token to a point of four numbers, and one hidden
layer takes the point to logits; both are trained by cross-entropy. Then points are cut into cells, and
the layers are trained on with the middles of the cells, which is all that the coder will know.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from codec.books import book_of_block
from codec.config import LEVELS
from codec.context_model import one_thread
from codec.granularity import rank
from codec.interleave import partition
from codec.neighbour_classes import DIMENSIONS, RANGE, SIDE, SURENESS, sureness_of
from codec.neighbour_rows import LOG_BITS
from codec.neighbour_tables import HIDDEN_BITS, NAMES, OUTPUT_BITS
from codec.neighbours import Canvases, stages
from codec.parts import Part, known_of, select
from codec.tokens import Books, from_dense
from codec.training.token_maps import HISTOGRAM_RATIOS, TokenMaps

HIDDEN = 32
STEPS, BATCH, PEAK_RATE = 300, 768, 1e-2
UNIT = 32.0  # integer coordinates of a point for 1.0 in the network
SLICES = (1, 1, 1, 4, 8)  # drawn for each picture


class Samples(NamedTuple):
    """Tokens of one level, n of them.

    Attributes:
        mean: float32 [n, (1 + level) D], the mean codeword around each; sums over one level after the other.
        book, symbol: int64 [n].
        sure: int64 [n], see `sureness_of`.
    """

    mean: NDArray[np.float32]
    book: NDArray[np.int64]
    symbol: NDArray[np.int64]
    sure: NDArray[np.int64]


def samples_of(
    maps: TokenMaps, coarse: Sequence[NDArray[np.int64]], codewords: Sequence[NDArray[np.float32]], seed: int
) -> list[Samples]:
    """A photograph, sent all coarse, with a smaller codebook, and mixed: samples of each level.

    Args:
        maps: Indices of the full codebooks, and densities.
        coarse: Indices of the smaller coarse codebooks, [h, w] each.
        codewords: Coarse of all books [K + S, D], medium and fine [K, D].
        seed: Of what is drawn.
    """
    rng = np.random.default_rng(seed)
    grid = (maps.block_density.shape[0], maps.block_density.shape[1])
    flat = np.zeros((2 * grid[0], 2 * grid[1]), np.uint8)
    split = rank(maps.block_density, maps.quarter_density, HISTOGRAM_RATIOS[rng.integers(len(HISTOGRAM_RATIOS))])
    ways = [(flat, Books()), (split, Books())]
    if coarse:
        ways.append((flat, Books(1 + int(rng.integers(len(coarse))), int(rng.integers(255)))))
    every: list[list[Samples]] = [[] for _ in range(LEVELS)]
    for quarters, books in ways:
        book = book_of_block(grid, books).reshape(grid)
        chosen = np.choose(book, [maps.indices[0], *coarse])
        tokens = from_dense([chosen, *maps.indices[1:]], quarters, books)
        for blocks in partition(grid, min(int(rng.choice(SLICES)), grid[0] * grid[1]), "low_discrepancy"):
            for level, samples in _around(select(tokens, blocks), grid, codewords):
                every[level].append(samples)
    return [_joined(some, (1 + level) * codewords[0].shape[1]) for level, some in enumerate(every)]


def _around(
    part: Part, grid: tuple[int, int], codewords: Sequence[NDArray[np.float32]]
) -> Iterator[tuple[int, Samples]]:
    """What is known around each token of a slice, as the coder will know it."""
    book_of = book_of_block(grid, part.books)[part.blocks]
    known, size = known_of(part.level, grid, part.blocks, book_of), codewords[0].shape[1]
    starts = _book_starts(len(codewords[1]), len(codewords[0]))
    canvases = Canvases(grid, np.unique(part.level).tolist(), (LEVELS * size + 1,), np.float32)
    for stage in stages(grid, part.blocks, part.level):
        sums, book = canvases.around(stage), known.book[stage.at]
        weight = sums[:, -1:]
        mean = sums[:, : (1 + stage.level) * size] / np.maximum(weight, 1)
        index = part.index[stage.at].astype(np.int64)
        sure = sureness_of(stage.level, stage.number, weight[:, 0].astype(np.int64))
        yield stage.level, Samples(mean, book.astype(np.int64), index, sure)
        values = np.zeros((len(book), LEVELS * size + 1), np.float32)
        values[:, stage.level * size : (1 + stage.level) * size] = codewords[stage.level][starts[book] + index]
        values[:, -1] = 1
        canvases.put(stage, partial(_of_any_level, values))


def _of_any_level(values: NDArray[np.float32], _: int) -> NDArray[np.float32]:
    return values


def _book_starts(codes: int, coarse: int) -> NDArray[np.int64]:
    starts, size = [0], codes
    while starts[-1] + size < coarse:
        starts.append(starts[-1] + size)
        size //= 2
    return np.array(starts)


def _joined(some: Sequence[Samples], width: int) -> Samples:
    none = Samples(np.zeros((0, width), np.float32), *(np.zeros(0, np.int64) for _ in range(3)))
    return Samples(*(np.concatenate(parts) for parts in zip(none, *some, strict=True)))


class Net(nn.Module):
    """Mean codewords -> points -> logits of all codewords of a level; a first layer for each sureness."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.point = nn.Parameter(torch.linalg.qr(torch.randn(inputs, DIMENSIONS))[0])
        self.hidden = nn.Parameter(torch.randn(SURENESS, DIMENSIONS + 1, HIDDEN) / 2)
        self.output = nn.Parameter(torch.zeros(HIDDEN + 1, outputs))

    def logits(self, point: Tensor, sure: Tensor, columns: slice) -> Tensor:
        """Points [n, 4] and sureness [n] to logits of some columns; nothing known leaves the bias alone."""
        hidden = torch.einsum("ni,nij->nj", _with_one(point), self.hidden[sure.clamp_min(0)]).relu()
        return (hidden * (sure >= 0)[:, None]) @ self.output[:-1, columns] + self.output[-1, columns]


def _with_one(point: Tensor) -> Tensor:
    return torch.cat([point, torch.ones(len(point), 1)], dim=1)


def _fit(net: Net, inputs: Tensor, data: Samples, starts: NDArray[np.int64], codes: int, project: bool) -> None:
    """Cross-entropy of the indices, each within its codebook; half of the steps of a level of many books go to them."""
    parameters = [*net.parameters()] if project else [net.hidden, net.output]
    optimizer = torch.optim.AdamW(parameters, PEAK_RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=STEPS)
    of_book = [torch.from_numpy(np.flatnonzero(data.book == book)) for book in range(len(starts))]
    present = [book for book, rows in enumerate(of_book) if len(rows)]
    index, sure = torch.from_numpy(data.symbol), torch.from_numpy(data.sure)
    for step in range(STEPS):
        book = present[0] if step % 2 == 0 or len(present) == 1 else present[1 + step // 2 % (len(present) - 1)]
        rows = of_book[book][torch.randint(len(of_book[book]), (BATCH,))]
        columns = slice(int(starts[book]), int(starts[book]) + (codes >> book))
        point = inputs[rows] @ net.point if project else inputs[rows]
        loss = nn.functional.cross_entropy(net.logits(point, sure[rows], columns), index[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


@one_thread()
def fit_neighbours(
    samples: Iterable[list[Samples]], codewords: Sequence[NDArray[np.float32]], seed: int = 0
) -> dict[str, Tensor]:
    """Samples of photographs to the integer tensors that are stored with the weights; the same for the same samples.

    Args:
        samples: Of each photograph, a list of levels.
        codewords: Coarse of all books [K + S, D], medium and fine [K, D].
        seed: Of the training.
    """
    torch.manual_seed(seed)
    codes, coarse, size = len(codewords[1]), len(codewords[0]), codewords[0].shape[1]
    gathered = [_joined(some, (1 + level) * size) for level, some in enumerate(zip(*samples, strict=True))]
    points, hidden, output = [], [], []
    for level, data in enumerate(gathered):
        starts = _book_starts(codes, coarse) if level == 0 else np.zeros(1, np.int64)
        net = Net(data.mean.shape[1], len(codewords[level]))
        _start(net, data, starts)
        means = torch.from_numpy(data.mean)
        _fit(net, means, data, starts, codes, True)
        with torch.no_grad():
            maps = [net.point[source * size : (1 + source) * size] for source in range(level + 1)]
            spread = torch.cat([torch.from_numpy(codewords[s]) @ m for s, m in enumerate(maps)]).abs()
            scale = RANGE / torch.quantile(spread, 0.98, dim=0).clamp_min(1e-6)
            net.hidden[:, :-1] *= (UNIT / scale)[:, None]
            middles = _middles((means @ (net.point * scale)).numpy(), SIDE[level]) / UNIT
        _fit(net, torch.from_numpy(middles), data, starts, codes, False)
        points += [torch.from_numpy(codewords[s]) @ (m * scale) for s, m in enumerate(maps)]
        hidden.append(net.hidden.detach())
        output.append(net.output.detach())
    return _rounded(points, hidden, output)


def _start(net: Net, data: Samples, starts: NDArray[np.int64]) -> None:
    """Begin with the histograms as biases."""
    counts = np.bincount(starts[data.book] + data.symbol, minlength=net.output.shape[1]) + 1
    with torch.no_grad():
        net.output[-1] = torch.from_numpy(np.log(counts)).float()
        for start, end in zip(starts, [*starts[1:], len(counts)], strict=True):
            net.output[-1, start:end] -= np.log(counts[start:end].sum())


def _middles(points: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Middles of the cells that points are in, as the coder has them."""
    width = (2 * RANGE + 1) / side
    cell = np.floor((points + RANGE + 0.5) / width).clip(0, side - 1)
    middles: NDArray[np.float32] = ((cell + 0.5) * width - RANGE - 0.5).astype(np.float32)
    return middles


def _rounded(points: list[Tensor], hidden: list[Tensor], output: list[Tensor]) -> dict[str, Tensor]:
    unit = 1 << HIDDEN_BITS
    inner = torch.stack(hidden).transpose(2, 3) * unit  # [levels, sureness, H, 5]
    inner[..., :-1] /= UNIT
    outer = torch.cat(output, dim=1).double() / np.log(2) * (1 << LOG_BITS)
    outer[:-1] *= 1 << OUTPUT_BITS
    most = torch.iinfo(torch.int16).max
    embedding = torch.cat(points).round().clamp(-RANGE, RANGE).to(torch.int8)
    rounded = embedding, inner.round().int(), outer.round().clamp(-most, most).to(torch.int16)
    return dict(zip(NAMES, rounded, strict=True))
