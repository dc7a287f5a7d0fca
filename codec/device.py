"""Device: where the networks run."""

import torch

from codec.errors import RequestError

CPU = torch.device("cpu")


def choose_device(name: str) -> torch.device:
    """The device of a name.

    Raises:
        RequestError: If the name is unknown, or CUDA is asked for and missing.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise RequestError("device", "must be auto, cpu or cuda", name)
    if name == "cuda" and not torch.cuda.is_available():
        raise RequestError("device", "this machine, or this build of torch, has no CUDA", name, "Use cpu or auto")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
