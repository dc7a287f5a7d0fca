"""Errors of the codec.

    CodecError(Exception)
      ImageError        a picture that cannot be read or is too small
      BitstreamError    bytes that are no valid stream: says offset and field
      CheckpointError   weights that are missing, damaged or of another version
      RequestError      a request that cannot be met: rate, ratios, method

Each keeps its raw parts in `args`, so it survives copying and pickling
(multiprocessing and simpy rebuild exceptions with `type(e)(*e.args)`).
"""


class CodecError(Exception):
    """Base of all errors a user of the codec can cause.

    Args:
        where: File, field or argument at fault.
        rule: What holds there, in words.
        value: The value found.
        next_step: What the user can do about it.
    """

    def __init__(self, where: str, rule: str, value: object = "", next_step: str = "") -> None:
        super().__init__(where, rule, value, next_step)

    def __str__(self) -> str:
        where, rule, value, next_step = self.args
        got = f", got {value!r}" if value != "" else ""
        return f"{where}: {rule}{got}" + (f". {next_step}" if next_step else "")


class ImageError(CodecError):
    """A picture that cannot be read, or is smaller than one block."""


class BitstreamError(CodecError):
    """Bytes that are not a valid stream; `where` names file, field and offset."""


class CheckpointError(CodecError):
    """Weights that are missing, damaged, or of another format version."""


class RequestError(CodecError):
    """A request that cannot be met, such as ratios that do not sum to one."""
