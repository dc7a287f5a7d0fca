"""Entropy models compared: the same tokens, true sizes, one row a case."""

from pathlib import Path

import pytest
from PIL import Image

from codec.errors import RequestError
from codec.evaluate_entropy import Codings, entropy_means, entropy_table
from tests.codec.tiny import photograph, tiny_codec


def test_every_model_and_number_of_slices_has_a_row_with_the_size_of_its_file(tmp_path: Path) -> None:
    for seed in range(2):
        Image.fromarray(photograph(48, 64, seed)).save(tmp_path / f"{seed}.png")
    codec = tiny_codec()
    codings = Codings(("uniform", "static", "context"), (1, 3), (None, 0.3))
    table = entropy_table(codec, tmp_path, codings)
    assert len(table) == 2 * 3 * 2 * 2
    assert (table.groupby(["image", "bpp_requested", "slices"], dropna=False)["tokens"].nunique() == 1).all()
    assert (table["bpp"] == 8 * table["bytes"] / (48 * 64)).all() and (table[["encode_s", "decode_s"]] > 0).all().all()
    coarse = table[table["bpp_requested"].isna() & (table["entropy"] == "uniform")]
    # 11 bytes of header, 12 tokens of 4 bits, what is set aside for the coder; length and checksum.
    assert set(coarse[coarse["slices"] == 1]["bytes"]) == {11 + 7 + 3}
    assert (table[table["bpp_requested"].isna()]["bpp_map"] == 0).all()
    assert (table[table["bpp_requested"] == 0.3]["bpp_map"] > 0).all()
    sizes = table.pivot_table(index=["image", "bpp", "slices"], columns="entropy", values="bytes")
    assert not (sizes["context"] > sizes["static"]).any()
    means = entropy_means(table)
    assert len(means) == 12 and (means["images"] == 2).all()
    assert (means[means["entropy"] == "static"]["of_static"] == 1).all()
    one = means[(means["entropy"] == "context") & (means["slices"] == 3)].iloc[0]
    rows = table[(table["slices"] == 3) & table["bpp_requested"].isna()].groupby("entropy")["bytes"].sum()
    assert one["of_static"] == pytest.approx(rows["context"] / rows["static"])


def test_without_static_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    Image.fromarray(photograph(32, 32)).save(tmp_path / "x.png")
    means = entropy_means(entropy_table(tiny_codec(), tmp_path, Codings(("uniform",))))
    assert means["of_static"].isna().all()


def test_an_unknown_model_is_named_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="--entropy: unknown model, got 'huffman'. Available: uniform, static"):
        entropy_table(tiny_codec(), tmp_path, Codings(("huffman",)))
