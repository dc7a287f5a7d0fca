"""Weights on disk: one safetensors file for each network, written atomically, versioned, hashed.

    header  format (version of this layout), network, config (JSON), sha256 of the tensors, notes
    body    fp16 weights; int32 probability tables, fixed at export (codec/tables.py)

Half precision is what is shipped and hashed, so both ends of a link hold the same numbers.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from codec.config import CodecConfig
from codec.errors import CheckpointError

FORMAT = "2"  # 1: before the encoder had norms


def digest(tensors: dict[str, Tensor]) -> bytes:
    """SHA-256 over names, shapes, types and bytes of the tensors, in the order of their names."""
    sha = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        sha.update(f"{name} {list(tensor.shape)} {tensor.dtype}".encode())
        sha.update(tensor.numpy().tobytes())
    return sha.digest()


def packed(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as they are stored and hashed: numbers in half precision, integers as they are."""
    return {name: (t.half() if t.is_floating_point() else t).detach().cpu().contiguous() for name, t in tensors.items()}


def save(path: Path, network: str, config: CodecConfig, tensors: dict[str, Tensor], notes: dict[str, str]) -> str:
    """Write weights in half precision and say their hash (hex). Integer tensors stay as they are.

    Args:
        path: Written under a temporary name, then moved into place.
        network: "tokenizer" or "predictor".
        config: Sizes of the networks.
        tensors: A state dict, and integer tables.
        notes: Anything worth keeping with the weights, such as steps.
    """
    stored = packed(tensors)
    sha = digest(stored).hex()
    metadata = {"format": FORMAT, "network": network, "config": json.dumps(config.to_dict()), "sha256": sha}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    save_file(stored, temporary, metadata | notes)
    os.replace(temporary, path)
    return sha


def load(path: Path, network: str) -> tuple[CodecConfig, dict[str, Tensor], bytes]:
    """Read weights: config, fp32 tensors (integers as they are), and their hash.

    Raises:
        CheckpointError: If the file is missing, damaged, of another format, or of another network.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata: dict[str, Any] = file.metadata() or {}
            stored = {name: file.get_tensor(name) for name in file.keys()}
    except FileNotFoundError as error:
        raise CheckpointError(str(path), "no such weights file", "", "Check the path") from error
    except (SafetensorError, OSError) as error:
        raise CheckpointError(str(path), f"not a readable safetensors file ({error})") from error
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            str(path),
            f"weights of format {FORMAT} are needed",
            metadata.get("format", "none"),
            "Train again, or use the version that made them",
        )
    if metadata.get("network") != network:
        raise CheckpointError(str(path), f"the {network} is needed here", metadata.get("network"))
    sha = digest(stored)
    if sha.hex() != metadata.get("sha256"):
        raise CheckpointError(str(path), "the tensors do not match the hash in the header", sha.hex()[:12])
    try:
        config = CodecConfig.from_dict(json.loads(metadata["config"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(str(path), f"its config cannot be read ({error})") from error
    return config, {n: t.float() if t.is_floating_point() else t for n, t in stored.items()}, sha


def fill(module: torch.nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Load tensors into a network.

    Raises:
        CheckpointError: If names or shapes differ (weights of another version).
    """
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise CheckpointError(str(path), f"weights of another version ({first})") from error
