"""The tilt towards the frame before: evidence from the neighbours, a distribution still, fitted to clips."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from codec import checkpoint
from codec.conceal import Concealer, frames_before
from codec.copying import FITTED, Copying, Hints, hints_of
from codec.model import Codec
from codec.packing import TokenBatch, pack
from codec.predictor import Predictor
from codec.tokens import Tokens, from_dense, with_lost_blocks
from codec.training.copying import Evidence, fit
from tests.codec.test_evaluate_films import write_clip
from tests.codec.tiny import TINY, photograph, tiny_codec, tiny_tensors

CODEC = tiny_codec()
CODEBOOK = CODEC.quantizer.codebook
HOLE = np.arange(36) == 14  # row 2, column 2 of 6x6 blocks


def tokens_of(index: np.ndarray, level: int = 0) -> Tokens:
    dense = [np.kron(index, np.ones((1 << each, 1 << each), int)) for each in range(3)]
    return from_dense(dense, np.full((2 * index.shape[0], 2 * index.shape[1]), level, np.uint8))


def asked(now: Tokens, before: Tokens) -> tuple[TokenBatch, torch.Tensor, Hints]:
    packed, seen = pack([now], CODEBOOK), frames_before(CODEC.conceal([before], "zero"), CODEBOOK)
    assert seen is not None
    return packed, seen, hints_of(packed, seen)


def test_the_share_counts_the_received_neighbours_that_stayed() -> None:
    index = np.arange(36).reshape(6, 6) % 16
    changed = index.copy()
    changed[0, 0] += 1  # within two blocks of the hole, as 24 blocks are
    changed[5, 5] = 0  # 35 % 16 is 3; out of reach
    hints = asked(with_lost_blocks(tokens_of(changed), HOLE), tokens_of(index))[2]
    assert hints.evidence[0, 14].tolist() == pytest.approx([1, float(torch.logit(torch.tensor(23.5 / 25))), 1])
    assert torch.equal(hints.code[0, 14], CODEBOOK[0, index[2, 2]]) and bool(hints.there[0, 14])


def test_a_guess_a_frame_before_is_no_witness_and_is_told_apart() -> None:
    index = np.arange(36).reshape(6, 6) % 16
    before = with_lost_blocks(tokens_of(index), np.ones(36, bool))
    hints = asked(with_lost_blocks(tokens_of(index), HOLE), before)[2]
    assert hints.evidence[0, 14].tolist() == [1, 0, 0], "nobody can be asked: even odds"


def test_a_split_block_a_frame_before_says_nothing() -> None:
    index = np.arange(36).reshape(6, 6) % 16
    packed, seen, hints = asked(with_lost_blocks(tokens_of(index), HOLE), tokens_of(index, level=1))
    assert not hints.there[0, 14]
    concealer = Concealer(CODEC.predictor, CODEBOOK)
    ((at, tilted, words),) = concealer.distributions(packed, seen)
    hidden = CODEC.predictor(packed.code, packed.known, packed.level, packed.position, packed.real, seen)
    plain = CODEC.predictor.logits(hidden[at], CODEC.predictor.keys(words), 0).softmax(-1)
    assert torch.allclose(tilted, plain, atol=1e-6)


def test_the_tilt_is_that_of_the_formula() -> None:
    copying, logits = Copying(), torch.randn(1, 16)
    code, evidence = 0.8 * CODEBOOK[0, 5], torch.tensor([1.0, 2.0, 1.0])
    hints = Hints(code[None, None], evidence[None, None], torch.ones(1, 1, dtype=torch.bool), torch.ones(1, 1))
    kernel, same = np.array([1, 2, 1]) @ np.array(FITTED)
    wanted = logits[0] + float(kernel) * (CODEBOOK[0] @ CODEBOOK[0, 5])
    wanted[5] += float(same)
    assert torch.allclose(copying(logits, CODEBOOK[0], hints, hints.there)[0], wanted, atol=1e-2)


def test_a_still_film_is_copied_and_a_moving_one_less() -> None:
    index = np.arange(36).reshape(6, 6) % 16
    moved = np.roll(index, 5)
    moved[2, 2] = index[2, 2]
    given = []
    for now in (index, moved):
        packed, seen, _ = asked(with_lost_blocks(tokens_of(now), HOLE), tokens_of(index))
        ((_, probability, _),) = Concealer(CODEC.predictor, CODEBOOK).distributions(packed, seen)
        assert float(probability.sum()) == pytest.approx(1)
        given.append(float(probability[0, index[2, 2]]))
    assert given[0] > 0.9 and given[1] < 0.5


def test_a_guess_near_the_codeword_before_gives_way_to_it() -> None:
    index = np.arange(36).reshape(6, 6) % 16
    still, moved = (tokens_of(now) for now in (index, (index + 5) % 16))
    before = CODEC.conceal([still], "zero")
    for now, copied in ((still, True), (moved, False)):
        holed = [with_lost_blocks(now, HOLE)]
        settled, mean = (CODEC.concealer.fill(holed, m, before)[0] for m in ("copy_or_expected", "shrunk"))
        assert np.allclose(settled.code[14], before[0].code[14] if copied else mean.code[14], atol=1e-6)
        assert settled.confidence[14] == pytest.approx(0.998 if copied else mean.confidence[14])
    alone = [with_lost_blocks(still, HOLE)]
    assert np.array_equal(*(CODEC.conceal(alone, method)[0].code for method in ("copy_or_expected", "shrunk")))


def test_weights_from_before_the_tilt_load_with_the_first_one() -> None:
    state = {name: t for name, t in tiny_tensors()[1].items() if name != "copying.weight"}
    predictor = Predictor(TINY)
    predictor.load_state_dict(state)
    assert torch.equal(predictor.copying.weight.detach(), torch.tensor(FITTED))


def test_fitting_finds_the_weights_that_made_the_data() -> None:
    torch.manual_seed(1)
    found, made, wanted = Evidence(), Copying(), torch.tensor([[1.0, 0.5], [2.0, 0.3], [-1.0, 1.0]])
    made.weight.data.copy_(wanted)
    count, codewords = 20000, F.normalize(torch.randn(16, 4), dim=-1)
    logits, code = torch.randn(count, 16).log_softmax(-1), codewords[torch.randint(16, (count,))]
    evidence = torch.stack([torch.ones(count), torch.randn(count), torch.randint(2, (count,)).float()], -1)
    hints = Hints(code[None], evidence[None], torch.ones(1, count, dtype=torch.bool), torch.ones(1, count))
    truth = torch.distributions.Categorical(logits=made(logits, codewords, hints, hints.there).detach()).sample()
    for part, values in (("logits", logits), ("code", code), ("evidence", evidence), ("truth", truth)):
        getattr(found, part).append(values)
    found.weight.append(torch.ones(count))
    fitted = Copying()
    before, after = fit(fitted, codewords, found)
    assert after < before and torch.allclose(fitted.weight.detach(), wanted, atol=0.15)


def test_the_command_changes_six_weights_and_nothing_else(tmp_path: Path) -> None:
    from codec.cli import main

    tokenizer, predictor = tiny_tensors()
    (tmp_path / "clips").mkdir()
    write_clip(tmp_path / "clips" / "still.mkv", [photograph(256, 256, 1)] * 3)
    files = [tmp_path / f"{name}.safetensors" for name in ("tokenizer", "predictor")]
    checkpoint.save(files[0], "tokenizer", TINY, tokenizer, {})
    checkpoint.save(files[1], "predictor", TINY, predictor, {})
    words = (
        "train",
        "copying",
        tmp_path / "clips",
        "--tokenizer",
        files[0],
        "--predictor",
        files[1],
        "--out",
        files[1],
    )
    assert main([str(word) for word in words]) == 0
    after = checkpoint.load(files[1], "predictor")[1]
    changed = {name for name, tensor in after.items() if not torch.equal(tensor, predictor[name])}
    assert changed == {"copying.weight"}
    assert Codec.load(tmp_path).predictor.copying.weight.abs().max() > 0.5
