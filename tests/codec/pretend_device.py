"""A device that is not there: tensors that say they are elsewhere, and refuse to meet those of the CPU.

What a GPU refuses (an operation on tensors of two devices, `numpy()`) is refused here too, while all numbers
are computed on the CPU. So it shows, without a GPU, whether everything is where it belongs.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map

ELSEWHERE = torch.device("meta")  # the one name of a device that every build of torch can spell without having it
READS = ("_local_scalar_dense", "equal", "is_nonzero")  # their answers are numbers of Python
MAY_MEET = ("copy_", "index", "index_put", "index_put_", "_index_put_impl_")  # with sources or places from the CPU


class Elsewhere(Tensor):
    """A tensor of the pretended device; what it holds is on the CPU."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> "Elsewhere":
        """Of the same shape and type."""
        made: Elsewhere = Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=ELSEWHERE,
        )
        made.inner = inner
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl

    def tolist(self) -> Any:
        """Numbers of Python, as of any tensor; torch refuses it to subclasses."""
        return self.inner.tolist()

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Stored as a tensor of the CPU, which is as what a checkpoint is read."""
        return self.inner.__reduce_ex__(protocol)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        """All operations."""
        return _run(func, tuple(args), dict(kwargs or {}))


class PretendedDevice(TorchDispatchMode):
    """While it lasts, `ELSEWHERE` is a device that holds tensors."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        """All operations, those that make tensors too."""
        return _run(func, tuple(args), dict(kwargs or {}))


def _run(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    name = func.overloadpacket.__name__
    tensors = [t for t in tree_iter((args, kwargs)) if isinstance(t, Tensor)]
    far = [t for t in tensors if isinstance(t, Elsewhere)]
    near = [t for t in tensors if t.ndim and not isinstance(t, Elsewhere)]
    first = bool(args) and isinstance(args[0], Elsewhere)
    if far and near and not (name in MAY_MEET and (first or name == "copy_")):
        raise RuntimeError(f"{name}: tensors on two devices, {[tuple(t.shape) for t in tensors]}")
    away = bool(far)
    if kwargs.get("device") is not None:
        away, kwargs["device"] = torch.device(kwargs["device"]) == ELSEWHERE, torch.device("cpu")
    if far and kwargs.get("pin_memory"):
        kwargs["pin_memory"] = False
    inner_args, inner_kwargs = tree_map(lambda t: t.inner if isinstance(t, Elsewhere) else t, (args, kwargs))
    if not far and not away:
        return func(*inner_args, **inner_kwargs)
    with (
        torch.inference_mode(False),
        torch.no_grad(),
    ):  # a view of a tensor that counts its versions must count them too
        return _answer(func(*inner_args, **inner_kwargs), name, args, far if away else None)


def _answer(out: Any, name: str, args: tuple[Any, ...], far: list[Elsewhere] | None) -> Any:
    if name.endswith("_") and not name.startswith("_f"):  # in place; the _foreach and _fused ones return nothing
        return args[0]
    if far is None or name in READS:
        return out
    known = {id(t.inner): t for t in far}
    return tree_map(lambda t: known.get(id(t), Elsewhere(t)) if isinstance(t, Tensor) else t, out)
