"""Sub-codebooks: weighted k-means of a codebook."""

import pytest
import torch
from torch.nn import functional as F

from codec.codebook import SIZES, cluster, nearest


@pytest.fixture(scope="module")
def codebook() -> torch.Tensor:
    return F.normalize(torch.randn(1024, 12, generator=torch.Generator().manual_seed(3)), dim=-1)


def error(codebook: torch.Tensor, usage: torch.Tensor, size: int) -> float:
    codewords, member = cluster(codebook, usage, size)
    gap = (codebook - codewords[member]).square().sum(-1)
    return float((gap * usage).sum() / usage.sum())


def test_every_size_has_its_codewords_all_used_and_members_at_their_nearest(codebook: torch.Tensor) -> None:
    for size in SIZES:
        codewords, member = cluster(codebook, torch.ones(1024), size)
        assert codewords.shape == (size, 12)
        assert len(member.unique()) == size
        assert torch.equal(member, nearest(codebook, codewords))
        assert float(codewords.norm(dim=-1).max()) <= 1 + 1e-6


def test_more_codewords_leave_less_error(codebook: torch.Tensor) -> None:
    errors = [error(codebook, torch.ones(1024), size) for size in SIZES]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.5 * errors[0]


def test_often_used_codewords_get_closer_codewords(codebook: torch.Tensor) -> None:
    usage = torch.ones(1024)
    usage[:32] = 1e4
    codewords, member = cluster(codebook, usage, 64)
    gap = (codebook - codewords[member]).square().sum(-1)
    assert float(gap[:32].mean()) < 0.05 * float(gap[32:].mean())


def test_the_same_seed_gives_the_same_codebook(codebook: torch.Tensor) -> None:
    a, b = (cluster(codebook, torch.ones(1024), 32) for _ in range(2))
    assert torch.equal(a.codewords, b.codewords)
