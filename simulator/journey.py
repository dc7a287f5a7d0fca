"""What becomes of a packet on its way, and the proof that none was forgotten.

A `Packet` is frozen: it is what was sent. Its `Journey` is the record being written about it; the
receiver reads nothing there but the packet, for that is all a real one would see.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Literal, TypeAlias

from simulator.fec_packet import FecPacket
from simulator.packet import Packet

AnyPacket: TypeAlias = Packet | FecPacket
Fate = Literal["delivered", "lost", "queue_drop", "corrupt", "late", "duplicate"]


@dataclass(slots=True)
class Journey:
    """One packet under way.

    Attributes:
        packet: What was sent.
        number: Which packet of the run, from 0, not wrapped.
        frame: Its frame, from 0, not wrapped.
        size_bytes: On the wire, all headers included.
        sent_ns: When the sender handed it to the link.
        arrived_ns: When it reached the receiver; None if it has not.
        fate: None while it is under way.
        copies: What the channel made of it besides, each a journey of its own with the same number.
    """

    packet: AnyPacket
    number: int
    frame: int
    size_bytes: int
    sent_ns: int
    arrived_ns: int | None = None
    fate: Fate | None = None
    copies: "list[Journey] | None" = None

    def copy(self) -> "Journey":
        """A second journey of the same packet, from here on; the channel sends it on its own."""
        twin = Journey(self.packet, self.number, self.frame, self.size_bytes, self.sent_ns)
        self.copies = [*(self.copies or []), twin]
        return twin


@dataclass(slots=True)
class Tally:
    """Packets counted, and their bytes on the wire."""

    packets: int = 0
    bytes: int = 0

    def add(self, size_bytes: int) -> None:
        """Count one packet."""
        self.packets += 1
        self.bytes += size_bytes


@dataclass(frozen=True)
class Conservation:
    """Where all packets of a run went, each cause counted by the element that saw it.

    sent + duplicated = delivered + lost + queue_drop + corrupt + late + duplicate + in_flight

    Attributes:
        sent: Counted by the sender.
        duplicated: Copies the channel made.
        delivered, late, duplicate: Counted by the receiver: in time and new; after the render time;
            bringing nothing that was not there.
        lost, queue_drop, corrupt: Counted by the link; corrupt is what a checksum found damaged.
        in_flight: Without a fate, by what the journeys say; none once a session has ended.
    """

    sent: Tally = field(default_factory=Tally)
    duplicated: Tally = field(default_factory=Tally)
    delivered: Tally = field(default_factory=Tally)
    lost: Tally = field(default_factory=Tally)
    queue_drop: Tally = field(default_factory=Tally)
    corrupt: Tally = field(default_factory=Tally)
    late: Tally = field(default_factory=Tally)
    duplicate: Tally = field(default_factory=Tally)
    in_flight: Tally = field(default_factory=Tally)

    def check(self, seen: Mapping[str, Tally]) -> None:
        """Balance the counts, and compare them with a second account.

        Args:
            seen: What the journeys say; see `account`.

        Raises:
            AssertionError: If a packet or a byte is missing or there twice; says all values.
        """
        for unit in ("packets", "bytes"):
            counts = {each.name: getattr(getattr(self, each.name), unit) for each in fields(self)}
            came = sum(counts[name] for name in CAME)
            if 2 * came != sum(counts.values()):  # what came and what went are equal halves
                raise AssertionError(f"{unit} are not conserved: {counts}")
        for name, tally in seen.items():
            if getattr(self, name) != tally:  # raise, since `assert` sleeps under python -O
                raise AssertionError(f"{name}: counted {getattr(self, name)}, journeys say {tally}")


CAME = ("sent", "duplicated")
WENT = tuple(each.name for each in fields(Conservation) if each.name not in CAME)


def with_copies(journeys: Iterable[Journey]) -> Iterator[Journey]:
    """Journeys, each followed by those of its copies, and of their copies."""
    for journey in journeys:
        yield journey
        if journey.copies:
            yield from with_copies(journey.copies)


def account(journeys: Iterable[Journey]) -> dict[str, Tally]:
    """Tally of each fate, and of what is in flight, by what the journeys and their copies say."""
    seen = {name: Tally() for name in WENT}
    for journey in with_copies(journeys):
        seen[journey.fate or "in_flight"].add(journey.size_bytes)
    return seen
