"""The door to the codec, on a tiny codec with weights the test writes."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codec import checkpoint
from codec.conceal import METHODS
from codec.decoder import Decoder
from codec.predictor import Predictor
from simulator.errors import MediaError
from simulator.importance import LEAST
from simulator.vq_media import VqMedia, measure
from tests.codec.tiny import TINY, photograph, tiny_tensors

FRAMES = np.stack([photograph(64, 80, seed) for seed in range(3)])


@pytest.fixture
def weights(tmp_path: Path) -> str:
    tokenizer, predictor = tiny_tensors()
    checkpoint.save(tmp_path / "tokenizer.safetensors", "tokenizer", TINY, tokenizer, {})
    checkpoint.save(tmp_path / "predictor.safetensors", "predictor", TINY, predictor, {})
    return str(tmp_path)


def test_it_names_itself_and_its_weights_as_reports_look_for_them(weights: str) -> None:
    told = VqMedia(weights=weights).describe()
    assert told["name"] == "vq" and len(told["model_hash"]) == 64 and "sha256" not in told


@pytest.mark.parametrize(
    "options",
    [{}, {"bpp": 0.2}, *({"ratios": (0.2, 0.3, 0.5), "entropy": model} for model in ("uniform", "context"))],
)
def test_all_slices_back_is_the_lossless_picture_and_nothing_is_concealed(weights: str, options: dict) -> None:
    codec = VqMedia(weights=weights, **options)
    sent = codec.encode(FRAMES, 4, "low_discrepancy")
    assert all(sum(s.tokens for s in frame.slices) == frame.tokens for frame in sent)
    whole = codec.decode([frame.slices for frame in sent], (64, 80), "none", False)
    concealed = codec.decode([frame.slices for frame in sent], (64, 80), "expected", False)
    for a, b in zip(whole, concealed, strict=True):
        assert np.array_equal(a.picture, b.picture)
        assert (b.block_state == 2).all() and (b.confidence == 1).all()
    assert [codec.count_correct(s, d) for s, d in zip(sent, concealed, strict=True)] == [0, 0, 0]


def test_a_codebook_of_fewer_codewords_makes_smaller_slices(weights: str) -> None:
    sizes = [
        sum(len(part.data) for frame in codec.encode(FRAMES, 1, "low_discrepancy") for part in frame.slices)
        for codec in (VqMedia(weights=weights, entropy="uniform", codebook=k) for k in (8, None))
    ]
    assert sizes[0] < sizes[1]


def test_refined_frames_keep_their_rate_and_are_other_tokens(weights: str) -> None:
    plain, refined = (
        VqMedia(weights=weights, bpp=0.2, refine=steps).encode(FRAMES, 2, "low_discrepancy") for steps in (None, 4)
    )
    for before, after in zip(plain, refined, strict=True):
        assert sum(len(part.data) for part in after.slices) * 8 <= 0.2 * 64 * 80
        assert [part.data for part in before.slices] != [part.data for part in after.slices]


def test_a_rate_and_a_codebook_contradict_each_other(weights: str) -> None:
    with pytest.raises(MediaError, match="chooses the codebook itself"):
        VqMedia(weights=weights, bpp=0.04, codebook=8)


def test_a_lost_slice_is_concealed_and_right_guesses_are_counted(weights: str) -> None:
    codec = VqMedia(weights=weights)
    (sent,) = codec.encode(FRAMES[:1], 4, "low_discrepancy")
    (decoded,) = codec.decode([sent.slices[1:]], (64, 80), "argmax", False)
    assert (decoded.block_state == 1).sum() == sent.slices[0].tokens == 5
    assert 0 <= codec.count_correct(sent, decoded) <= 5
    assert decoded.slices_corrupt == 0


def test_slices_of_flat_bands_matter_less_and_scattered_slices_matter_alike(weights: str) -> None:
    codec, picture = VqMedia(weights=weights), np.full((1, 128, 64, 3), 90, np.uint8)
    picture[:, 64:] = np.random.default_rng(1).integers(0, 256, (64, 64, 3))
    (bands,) = codec.encode(picture, 4, "raster")
    (scattered,) = codec.encode(picture, 4, "low_discrepancy")
    assert [part.importance for part in bands.slices][2:] == [0, 0] and bands.slices[0].importance == LEAST
    assert {part.importance for part in scattered.slices} == {0}


def test_a_damaged_slice_counts_as_corrupt_and_leaves_a_hole(weights: str) -> None:
    codec = VqMedia(weights=weights)
    (sent,) = codec.encode(FRAMES[:1], 2, "raster")
    first = sent.slices[0]
    bad = type(first)(first.index, first.count, first.tokens, first.data[:-1] + bytes([first.data[-1] ^ 1]))
    (decoded,) = codec.decode([(bad, sent.slices[1])], (64, 80), "none", False)
    assert decoded.slices_corrupt == 1 and (decoded.block_state == 0).sum() == first.tokens


@pytest.mark.parametrize("options", [{}, {"ratios": (0.2, 0.3, 0.5)}])
def test_erased_tokens_are_holes_and_the_others_stay(weights: str, options: dict) -> None:
    codec = VqMedia(weights=weights, **options)
    (sent,) = codec.encode(FRAMES[:1], 4, "low_discrepancy")
    first = sent.slices[0]._replace(erased=(0, sent.slices[0].tokens - 1))
    (whole,) = codec.decode([sent.slices], (64, 80), "none", False)
    (decoded,) = codec.decode([(first, *sent.slices[1:])], (64, 80), "argmax", False)
    (everything,) = codec.decode([[part._replace(erased=tuple(range(part.tokens))) for part in sent.slices]],
                                 (64, 80), "argmax", False)  # fmt: skip
    assert (decoded.tokens_lost, decoded.slices_corrupt, whole.tokens_lost) == (2, 0, 0)
    assert (decoded.block_state == 1).sum() in (1, 2) and everything.tokens_lost == sent.tokens
    assert 0 <= codec.count_correct(sent, decoded) <= 2
    decoded.guess.tokens.index[~decoded.guess.tokens.known] = whole.guess.tokens.index[~decoded.guess.tokens.known]
    assert codec.count_correct(sent, decoded) == 2


def test_tokens_of_a_damaged_slice_are_lost(weights: str) -> None:
    codec = VqMedia(weights=weights)
    (sent,) = codec.encode(FRAMES[:1], 2, "raster")
    bad = sent.slices[0]._replace(data=b"rubbish", erased=(1,))
    (decoded,) = codec.decode([(bad, sent.slices[1])], (64, 80), "none", False)
    assert decoded.tokens_lost == bad.tokens


def test_nothing_received_still_gives_a_picture(weights: str) -> None:
    (decoded,) = VqMedia(weights=weights).decode([()], (50, 70), "expected", False)
    assert decoded.picture.shape == (50, 70, 3) and (decoded.block_state == 1).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bpp": 0.2, "ratios": (0, 0, 1)}, "bpp or ratios, not both"),
        ({"ratios": (0.5, 0.5)}, "three shares are needed"),
        ({"refine": 0}, "at least 1 step, got 0"),
        ({"squeeze": "x.npz"}, "goes with codec.refine"),
        ({"refine": 2, "squeeze": "x.npz"}, "cannot read SqueezeNet"),
        ({"device": "tpu"}, "must be auto, cpu or cuda"),
        ({"precision": "fp16"}, "must be auto, fp32 or bf16"),
    ],
)
def test_options_that_contradict_are_refused(weights: str, options: dict, words: str) -> None:
    with pytest.raises(MediaError, match=words):
        VqMedia(weights=weights, **options)


def test_requests_the_codec_refuses_become_media_errors(weights: str) -> None:
    with pytest.raises(MediaError, match="must be a number above 0"):
        VqMedia(weights=weights, bpp=0.0).encode(FRAMES, 4, "raster")
    with pytest.raises(MediaError, match="at most one for each block"):
        VqMedia(weights=weights).encode(FRAMES[:, :16, :16], 4, "raster")
    with pytest.raises(MediaError, match="no such weights"):
        VqMedia(weights="nowhere")


def test_an_unknown_method_or_one_that_lacks_the_past_is_refused(weights: str) -> None:
    codec = VqMedia(weights=weights)
    with pytest.raises(MediaError, match="Available: none"):
        codec.decode([()], (64, 80), "magic", False)
    with pytest.raises(MediaError, match="temporal"):
        codec.decode([()], (64, 80), "copy_previous", False)


def test_frames_of_a_film_look_back(weights: str) -> None:
    codec = VqMedia(weights=weights)
    sent = codec.encode(np.stack([FRAMES[0]] * 2), 4, "low_discrepancy")
    whole, copied = codec.decode([sent[0].slices, sent[1].slices[1:]], (64, 80), "copy_previous", True)
    assert np.array_equal(copied.guess.code, whole.guess.code)  # a still film is copied without loss
    assert copied.tokens_lost == 0 and (copied.block_state == 1).sum() == sent[1].slices[0].tokens


def test_measure_gives_the_columns_asked_for() -> None:
    large = np.stack([photograph(176, 192)])
    assert set(measure()(large, large)) == {"psnr_db", "ssim", "ms_ssim"}
    with pytest.raises(MediaError, match="cannot read"):
        measure(Path("missing.npz"))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_neither_neighbours_nor_threads_nor_other_methods_change_a_bit(
    weights: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = VqMedia(weights=weights, ratios=(0.2, 0.3, 0.5), precision=precision)
    sent = codec.encode(FRAMES, 4, "low_discrepancy")
    holed = [frame.slices[1:] for frame in sent]
    methods = [method for method in METHODS if method != "copy_previous"]
    alone = {m: [codec.decode([slices], (64, 80), m, False)[0] for slices in holed] for m in methods}
    with ThreadPoolExecutor(2) as two:
        monkeypatch.setattr("simulator.vq_media.threads", lambda: two)
        shared = codec.decode_each(holed * 4, (64, 80), methods)
        assert VqMedia(weights=weights, ratios=(0.2, 0.3, 0.5)).encode(FRAMES[1:], 4, "low_discrepancy") == sent[1:]
    for method in methods:
        for a, b in zip(alone[method] * 4, shared[method], strict=True):
            assert np.array_equal(a.picture, b.picture) and np.array_equal(a.confidence, b.confidence)
            assert np.array_equal(a.guess.code, b.guess.code)


def test_methods_that_ask_the_same_share_one_pass(weights: str, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = {Decoder: 0, Predictor: 0}
    for network in passes:
        monkeypatch.setattr(network, "forward", _counted(network.forward, network, passes))
    codec = VqMedia(weights=weights)
    (sent,) = codec.encode(FRAMES[:1], 4, "low_discrepancy")
    codec.decode_each([sent.slices[1:]], (64, 80), ["expected", "zero", "neighbour_mean", "argmax", "none"])
    assert passes == {Decoder: 4, Predictor: 1}, "none and zero share a picture, argmax and expected a guess"


def _counted(ask: Any, network: type, passes: dict[type, int]) -> Any:
    def forward(self: Any, *inputs: Any) -> Any:
        passes[network] += 1
        return ask(self, *inputs)

    return forward
