"""Precision: which networks multiply in bfloat16, and where that pays.

What decides bits on the wire never does: encoder, search of the codebooks and probability models run
in fp32, so tokens do not depend on the machine more than fp32 does. What only paints may: the decoder,
and the layers of the masked transformer when it fills holes. Norms, softmax, the guesses and the sum
that is the picture stay fp32. Decision: docs/decisions/0009-bf16-where-it-only-paints.md.
"""

from typing import TypeVar

import torch
from torch import nn

from codec.errors import RequestError

Network = TypeVar("Network", bound=nn.Module)

PRECISIONS = ("auto", "fp32", "bf16")
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def multiplies_bf16(device: torch.device) -> bool:
    """Whether a device has instructions for products of bf16.

    CUDA has, with tensor cores; a CPU with AVX512_BF16 (twice as fast as fp32) or AMX (8x). Elsewhere
    bf16 is 4x slower.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    asks = getattr(torch.cpu, "_is_avx512_bf16_supported", bool)  # torch has it since 2.6
    return torch.backends.cpu.get_cpu_capability() == "AMX" or bool(asks())


def choose_precision(name: str, device: torch.device) -> str:
    """`fp32` or `bf16`; `auto` is bf16 where the device multiplies it.

    Raises:
        RequestError: If the name is unknown.
    """
    if name not in PRECISIONS:
        raise RequestError("precision", f"must be {', '.join(PRECISIONS[:-1])} or {PRECISIONS[-1]}", name)
    return name if name != "auto" else "bf16" if multiplies_bf16(device) else "fp32"


def lower(network: Network, precision: str) -> Network:
    """Round the weights of convolutions and linear layers, once and for all; norms and embeddings stay.

    Args:
        network: Changed in place. Its forward pass casts what it hands to such a layer.
        precision: "fp32" changes nothing.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.to(TYPES[precision])
    return network
