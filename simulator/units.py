"""People's units to the simulation's and back; the only place with an 8 or a 1e9.

Inside, time is whole nanoseconds, rates are bits a second, shares are 0 to 1, sizes are bytes.
Whole numbers, so that adding up a day of packet times loses nothing.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache

MS_NS = 1_000_000
SECOND_NS = 1_000_000_000
BYTE_NS = 8 * SECOND_NS  # time of a byte on a line of 1 bit/s

DURATIONS_NS = {"ns": 1, "us": 1_000, "ms": MS_NS, "s": SECOND_NS}
RATES_BPS = {"bit/s": 1, "kbit/s": 10**3, "Mbit/s": 10**6, "Gbit/s": 10**9}
RATE_SPELLINGS = RATES_BPS | {"bps": 1, "kbps": 10**3, "Mbps": 10**6, "Gbps": 10**9}
SHARES: dict[str, int | Decimal] = {"": 1, "%": Decimal("0.01")}

LARGEST = 2**63 - 1  # what an int64 column holds: 292 years of nanoseconds

QUANTITY = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)\s*(\S*)\s*")


def parse_duration_ns(value: str | int | float) -> int:
    """A duration in whole nanoseconds; a bare number means milliseconds.

    Raises:
        ValueError: If it is no duration, is negative, or is longer than 292 years.

    >>> parse_duration_ns("1.5 s"), parse_duration_ns(40)
    (1500000000, 40000000)
    """
    rule = "a duration is a number >= 0 in ns, us, ms or s"
    return _whole(value, DURATIONS_NS | {"": MS_NS}, rule, "40 ms")


def parse_rate_bps(value: str | int | float) -> int:
    """A rate in bits a second; a bare number means bit/s. Bytes a second are not accepted.

    Raises:
        ValueError: If it is no rate, or is negative.

    >>> parse_rate_bps("1 Mbit/s"), parse_rate_bps("500 kbps"), parse_rate_bps(1e6)
    (1000000, 500000, 1000000)
    """
    rule = "a rate is a number >= 0 in bit/s, kbit/s, Mbit/s or Gbit/s"
    return _whole(value, RATE_SPELLINGS | {"": 1}, rule, "1 Mbit/s")


def parse_share(value: str | int | float) -> float:
    """A share from 0 to 1.

    Raises:
        ValueError: If it is no share, or outside 0 to 1.

    >>> parse_share("20 %"), parse_share(0.2)
    (0.2, 0.2)
    """
    rule = "a share is a number from 0 to 1, or from 0 % to 100 %"
    share = _parse(value, SHARES, rule, "20 %")
    if not 0 <= share <= 1:
        raise ValueError(_message(rule, value, "20 %"))
    return float(share)


def _whole(value: str | int | float, units: dict[str, int], rule: str, example: str) -> int:
    """Exact decimal arithmetic, then the nearest whole number."""
    quantity = _parse(value, units, rule, example)
    if not 0 <= quantity <= LARGEST:
        raise ValueError(_message(rule, value, example))
    return int(quantity.to_integral_value())


def _parse(value: str | int | float, units: Mapping[str, int | Decimal], rule: str, example: str) -> Decimal:
    match = QUANTITY.fullmatch(str(value))
    if isinstance(value, bool) or match is None or match[2] not in units:
        raise ValueError(_message(rule, value, example))
    return Decimal(match[1]) * units[match[2]]


def _message(rule: str, value: object, example: str) -> str:
    return f"{rule}, got {value!r}. Example: {example}"


def format_duration(duration_ns: int) -> str:
    """The shortest exact spelling; `parse_duration_ns` reads it back to the same number.

    >>> format_duration(1_500_000_000), format_duration(0)
    ('1500 ms', '0 s')
    """
    return _format(duration_ns, DURATIONS_NS)


def format_rate(rate_bps: int) -> str:
    """The shortest exact spelling; `parse_rate_bps` reads it back to the same number.

    >>> format_rate(1_500_000)
    '1500 kbit/s'
    """
    return _format(rate_bps, RATES_BPS)


def _format(value: int, units: dict[str, int]) -> str:
    unit = next(name for name in reversed(units) if value % units[name] == 0)
    return f"{value // units[unit]} {unit}"


def ns_to_ms(duration_ns: int) -> float:
    """Nanoseconds to milliseconds, for tables."""
    return duration_ns / MS_NS


def bits(size_bytes: int) -> int:
    """Bytes to bits."""
    return size_bytes * 8


def transmission_ns(size_bytes: int, rate_bps: int) -> int:
    """Time to put `size_bytes` on a line of `rate_bps` > 0, rounded up so no line beats its rate.

    >>> transmission_ns(1500, 1_000_000) / MS_NS
    12.0
    """
    return -(-size_bytes * BYTE_NS // rate_bps)


def clock_ticks(time_ns: int, clock_hz: int) -> int:
    """What a clock of `clock_hz` shows at a time: whole ticks since 0.

    >>> clock_ticks(SECOND_NS // 30, 90_000)
    2999
    """
    return time_ns * clock_hz // SECOND_NS


@lru_cache(maxsize=64)  # a frame's time is asked for by each of its packets
def frame_time_ns(frame: int, fps: float) -> int:
    """When frame number `frame` of a camera of `fps` > 0 is taken: i/fps, to the nearest nanosecond.

    From the number each time, not by adding up steps, so 29.97 fps does not drift.

    >>> frame_time_ns(24, 24.0), frame_time_ns(1, 24.0)
    (1000000000, 41666667)
    """
    numerator, denominator = fps.as_integer_ratio()
    return (2 * frame * SECOND_NS * denominator + numerator) // (2 * numerator)
