"""The shape of the networks. Saved in every checkpoint, so weights describe themselves."""

from dataclasses import asdict, dataclass, fields
from typing import Any

LEVELS = 3  # coarse, medium, fine
BLOCK = 16  # pixels a side of one coarse token
LEVEL_NAMES = ("coarse", "medium", "fine")


def cells(level: int) -> int:
    """Tokens a side of one 16x16 block at a level: 1, 2, 4.

    >>> [cells(level) for level in range(LEVELS)]
    [1, 2, 4]
    """
    return 1 << level


@dataclass(frozen=True)
class CodecConfig:
    """Sizes of tokenizer and predictor; the defaults are the shipped compact preset.

    Attributes:
        codes: K, codewords per level.
        code_dim: D, dimensions of a codeword (unit length).
        encoder_widths, decoder_widths: Channels at H/4, H/8, H/16.
        encoder_blocks, decoder_blocks: Residual blocks at H/4, H/8, H/16.
        coarse_hidden: Channels inside the residual blocks at H/16, which have most of the weights.
        cond_width: Channels of the decoder's conditioning branch.
        predictor_width, predictor_layers, predictor_heads: The masked transformer.
    """

    codes: int = 1024
    code_dim: int = 12
    encoder_widths: tuple[int, int, int] = (64, 160, 320)
    encoder_blocks: tuple[int, int, int] = (4, 3, 2)
    decoder_widths: tuple[int, int, int] = (96, 192, 320)
    decoder_blocks: tuple[int, int, int] = (4, 3, 3)
    coarse_hidden: int = 256
    cond_width: int = 64
    predictor_width: int = 256
    predictor_layers: int = 7
    predictor_heads: int = 4

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "CodecConfig":
        """Inverse of `to_dict`; JSON lists become tuples again.

        Raises:
            TypeError: If a key is unknown (weights of another version).
        """
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise TypeError(f"unknown keys {sorted(unknown)}")
        kept: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**kept)
