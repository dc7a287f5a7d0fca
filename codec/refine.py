"""Refinement: tokens sought for one picture, where the encoder has one answer for all.

    features --nearest--> codewords --decoder--> picture --loss--+
        ^                                                        |
        +------------- gradient, straight through ---------------+

A few steps of gradient descent on the features of a picture find codewords from which the same decoder
paints it better (Campos et al., 2019, arXiv 1906.01223; Yang et al., 2020, arXiv 2006.04240, section 3.1).
The bitstream and who decodes it know nothing of that: it costs time, where a picture is encoded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from codec.books import book_of_block
from codec.codebook import SubCodebook, most_alike, nearest
from codec.config import BLOCK
from codec.decoder import Decoder
from codec.distortion import distortion
from codec.errors import RequestError
from codec.latents import LatentMaps, presence
from codec.layers import resample
from codec.perceptual import Squeeze
from codec.quantizer import Quantizer
from codec.rate_request import Allocation

PEAK_RATE = 0.03  # of Adam on features of unit length; falls in a straight line to zero
SQUARED_WEIGHT = 40.0
PERCEPTUAL_WEIGHT, COARSE_PERCEPTUAL_WEIGHT = 5.0, 2.5  # of mixed and of all-coarse pictures
TILE = 48  # blocks a side that are refined together: bounds memory
HALO = 4  # blocks around them that the decoder sees and that stay as they are


@dataclass(frozen=True)
class Refinement:
    """How hard to seek.

    Attributes:
        steps: Steps of gradient descent for each picture; each takes about as long as decoding it thrice.
        perceptual: Makes the tokens look better; without it they are only nearer to the picture, and
            what they show is smoother.

    Raises:
        RequestError: If `steps` is below 1.
    """

    steps: int = 20
    perceptual: Squeeze | None = None

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise RequestError("refine", "must be at least 1 step", self.steps)


class Area(NamedTuple):
    """Blocks of a picture, from (top, left) to before (bottom, right)."""

    top: int
    left: int
    bottom: int
    right: int

    def at(self, cells: int) -> tuple[slice, slice]:
        """Rows and columns on a grid of `cells` cells for the side of a block."""
        return slice(self.top * cells, self.bottom * cells), slice(self.left * cells, self.right * cells)


class Refiner:
    """Decoder and codebooks to seek with.

    Args:
        decoder, quantizer, books: Of the codec, without gradients of their own.
        wanted: How hard to seek.
    """

    def __init__(
        self, decoder: Decoder, quantizer: Quantizer, books: Sequence[SubCodebook], wanted: Refinement
    ) -> None:
        self._decoder, self._codebook, self._wanted = decoder, quantizer.codebook, wanted
        self._coarse = [quantizer.codebook[0], *(book.codewords for book in books)]

    def refine(self, picture: Tensor, features: Sequence[Tensor], choice: Allocation) -> list[Tensor]:
        """Features whose nearest codewords make a better picture.

        Args:
            picture: [3, H, W] in [-1, 1], sides multiples of 16.
            features: [D, h_l, w_l] for each level, unit length along D.
            choice: What will be sent of them.

        Returns:
            Where `choice` sends a token, the codeword found; elsewhere as they were.
        """
        with torch.inference_mode(False), torch.enable_grad():
            x, found = picture.clone()[None], [z.clone()[None] for z in features]
            for tile, window in tiles(*grid_of(choice)):
                codes, there = self._descend(x[(..., *window.at(BLOCK))], found, choice, tile, window)
                for level, (z, code, here) in enumerate(zip(found, codes, there, strict=True)):
                    part = z[(..., *window.at(1 << level))]
                    part.copy_(torch.where(here > 0, code, part))
        return [z[0] for z in found]

    def _descend(
        self, x: Tensor, features: Sequence[Tensor], choice: Allocation, tile: Area, window: Area
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Codewords [1, D, ...] for a window, and 1 where they are of the tile and sent."""
        present = [p.to(x.device) for p in presence(choice.quarters[None][(..., *window.at(2))])]
        book = book_of_block(grid_of(choice), choice.books).reshape(grid_of(choice))[window.at(1)]
        free = [p * inside(tile, window, level).to(x) for level, p in enumerate(present)]
        z = [z[(..., *window.at(1 << level))].clone().requires_grad_() for level, z in enumerate(features)]
        optimizer = torch.optim.Adam(z, betas=(0.9, 0.99))
        chance = torch.Generator().manual_seed(0)
        for step in range(self._wanted.steps):
            codes = [leaf + (self._nearest(level, leaf, book) - leaf).detach() for level, leaf in enumerate(z)]
            maps = LatentMaps([c * p for c, p in zip(codes, present, strict=True)], present, present)
            loss = self.loss(self._decoder(maps).float(), x, not choice.quarters.any(), chance)
            optimizer.param_groups[0]["lr"] = PEAK_RATE * (1 - step / self._wanted.steps)
            for leaf, slope, here in zip(z, torch.autograd.grad(loss, z), free, strict=True):
                leaf.grad = slope * here
            optimizer.step()
            for leaf in z:
                leaf.data = F.normalize(leaf.data, dim=1)
        return [self._nearest(level, leaf, book) for level, leaf in enumerate(z)], free

    def _nearest(self, level: int, z: Tensor, book: NDArray[np.uint8]) -> Tensor:
        """Codewords [1, D, h, w] nearest to features of that shape; book [h, w] has the books of coarse ones."""
        rows = z.detach().permute(0, 2, 3, 1)
        if level:
            codes = self._codebook[level][most_alike(rows, self._codebook[level])]
        else:
            codes = torch.zeros_like(rows)
            for number in np.unique(book):
                words, here = self._coarse[number], torch.from_numpy(book == number).to(z.device)
                codes[:, here] = words[nearest(rows[:, here], words)]
        return codes.permute(0, 3, 1, 2)

    def loss(self, y: Tensor, x: Tensor, coarse: bool, chance: torch.Generator | None = None) -> Tensor:
        """What is minimised.

        Args:
            y: Pictures shown, [B, 3, H, W] in [-1, 1].
            x: Originals.
            coarse: Whether they are all coarse.
            chance: Moves the window of the perceptual distance; default: the place of the first step.
        """
        loss = distortion(y, x) + SQUARED_WEIGHT * (y - x).square().mean()
        if self._wanted.perceptual is not None:
            weight = COARSE_PERCEPTUAL_WEIGHT if coarse else PERCEPTUAL_WEIGHT
            chance = torch.Generator().manual_seed(0) if chance is None else chance
            loss = loss + weight * self._wanted.perceptual.shaken(y, x, chance).mean()
        return loss


def grid_of(choice: Allocation) -> tuple[int, int]:
    """(h, w) in blocks."""
    return choice.quarters.shape[0] // 2, choice.quarters.shape[1] // 2


def tiles(height: int, width: int) -> Iterator[tuple[Area, Area]]:
    """Areas that cover a picture of so many blocks, each with the window around it that the decoder gets.

    >>> [tile.at(1) for tile, _ in tiles(10, 50)]
    [(slice(0, 10, None), slice(0, 25, None)), (slice(0, 10, None), slice(25, 50, None))]
    """
    rows, columns = (np.linspace(0, n, -(-n // TILE) + 1).round().astype(int).tolist() for n in (height, width))
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            window = (max(top - HALO, 0), max(left - HALO, 0), min(bottom + HALO, height), min(right + HALO, width))
            yield Area(top, left, bottom, right), Area(*window)


def inside(tile: Area, window: Area, level: int) -> Tensor:
    """1 where a cell of the window belongs to the tile, else 0: [1, 1, h_l, w_l]."""
    blocks = torch.zeros(1, 1, window.bottom - window.top, window.right - window.left)
    top, left = tile.top - window.top, tile.left - window.left
    blocks[..., top : top + tile.bottom - tile.top, left : left + tile.right - tile.left] = 1
    return resample(blocks, level)
