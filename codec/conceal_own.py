"""Concealment of your own, by import path: `package.module:function` wherever a method is named.

    def function(batch, received, codebook, before):  # or without `before`
        return [(code, confidence) for each picture]

    batch        Sequence of codec.tokens.Tokens, `known` False at the holes
    received     for each picture float32 [N, D]: the codewords that came, zero at the holes
    codebook     float32 [L, K, D], unit codewords of each level
    before       for each picture the frame before, a codec.latents.Concealed, or None
    code         float32 [N, D], what each token hands to the decoder
    confidence   float32 [N] in [0, 1]

A hole may get any vector; a shorter one tells the decoder of doubt. Where a token was received, code
and confidence are put right afterwards: what came is never guessed over.

Where methods look back (`temporal`) the function is called frame after frame, with one frame of each
film; `before` holds what it made of the frame before that. Elsewhere it gets pictures that have nothing
to do with one another, and `before` is all None.
"""

import importlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codec.books import book_of
from codec.codebook import SubCodebook, nearest
from codec.errors import RequestError
from codec.latents import Concealed

Guess = tuple[NDArray[np.float32], NDArray[np.float32]]
Function = Callable[..., Sequence[Guess]]


def is_path(method: str) -> bool:
    """Whether a method is named by import path."""
    return ":" in method


def load(path: str) -> Function:
    """The function at `package.module:function`.

    Raises:
        RequestError: If there is none, or it cannot be called.
    """
    module, _, attribute = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        step = "The module must be importable from the current folder"
        raise RequestError("conceal", f"cannot be imported ({error})", path, step) from error
    except Exception as error:  # whatever the user's module does when it is read
        said, step = f"{type(error).__name__}: {error}", f"python -c 'import {module}' shows where"
        raise RequestError("conceal", f"cannot be imported ({said})", path, step) from error
    if not callable(found):
        raise RequestError("conceal", "must be a function of (batch, received, codebook)", path)
    return cast(Function, found)


def conceal_by_path(
    received: Sequence[Concealed],
    before: Sequence[Concealed | None],
    codebook: Tensor,
    coarse: Sequence[SubCodebook],
    path: str,
) -> list[Concealed]:
    """Fill the holes of pictures with a function of the user's.

    Args:
        received: One or more pictures as method `zero` leaves them: nothing at the holes.
        before: The frame before each, as it was filled; None (or none at all) where there is none.
        codebook: float32 [L, K, D].
        coarse: Coarse codebooks of K/2, K/4, ... codewords.
        path: `package.module:function`.

    Raises:
        RequestError: If it cannot be imported, or what it returns has other shapes or is not finite.
    """
    batch, came = [picture.tokens for picture in received], [picture.code.copy() for picture in received]
    make = load(path)
    more = {"before": list(before) or [None] * len(batch)} if _looks_back(make) else {}
    guesses: Any = list(make(batch, came, codebook.numpy(), **more))
    if len(guesses) != len(batch):
        raise RequestError(path, f"must return {len(batch)} guesses, one a picture", len(guesses))
    return [_filled(picture, guess, codebook, coarse, path) for picture, guess in zip(received, guesses, strict=True)]


def _looks_back(make: Function) -> bool:
    try:
        return "before" in inspect.signature(make).parameters
    except ValueError:  # compiled, without a signature
        return False


def _filled(received: Concealed, guess: Guess, codebook: Tensor, coarse: Sequence[SubCodebook], path: str) -> Concealed:
    tokens, wanted = received.tokens, received.code.shape
    code, confidence = (np.array(part, np.float32) for part in guess)
    if code.shape != wanted or confidence.shape != wanted[:1]:
        got = f"{code.shape}, {confidence.shape}"
        raise RequestError(path, f"must return code {wanted} and confidence {wanted[:1]} for each picture", got)
    if not (np.isfinite(code).all() and np.isfinite(confidence).all()):
        raise RequestError(path, "must return finite numbers")
    code[tokens.known], confidence[tokens.known] = received.code[tokens.known], 1.0
    index, book = tokens.index.copy(), book_of(tokens)
    holes = np.flatnonzero(~tokens.known)
    for level, number in set(zip(tokens.level[holes].tolist(), book[holes].tolist(), strict=True)):
        at = holes[(tokens.level[holes] == level) & (book[holes] == number)]
        codewords = coarse[number - 1].codewords.cpu() if number else codebook[level]
        index[at] = nearest(torch.from_numpy(code[at]), codewords).numpy()
    return Concealed(replace(tokens, index=index), code, confidence.clip(0, 1))
