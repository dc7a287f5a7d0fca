"""Token erasure: all packets arrive, but a share of the tokens inside is gone.

No network does this. It is the experiment of papers on token codecs, where each index is lost with
the same chance, and the border case of perfect interleaving: what a packet loss of the same rate
would cost if every hole stood alone.
"""

from simulator import scenario_channel
from simulator.media import Slice
from simulator.streams import generator


def erase(part: Slice, rate: float, seed: int, frame: int) -> Slice:
    """A slice with its erased tokens named: each with chance `rate`, whatever the others.

    One uniform number a token, from a stream of its own for each slice: on one seed, a higher rate
    erases all that a lower rate erases, and a lost slice shifts no draw of the others.

    Args:
        part: The slice as it arrived.
        rate: 0 to 1.
        seed: The run's seed.
        frame: Its frame, not wrapped.
    """
    draws = generator(seed, f"token erasure {frame}/{part.index}").random(part.tokens)
    return part._replace(erased=tuple((draws < rate).nonzero()[0].tolist()))


def share(channel: scenario_channel.Channel) -> float:
    """Share of tokens a channel erases."""
    return channel.loss.rate if isinstance(channel.loss, scenario_channel.TokenErasure) else 0.0
