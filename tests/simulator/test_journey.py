import pytest

from simulator.journey import Conservation, Tally, account
from tests.simulator.tiny import journey


def journeys():
    made = [journey(number, 100 + number) for number in range(4)]
    for each, fate in zip(made, ("delivered", "lost", "late", None), strict=True):
        each.fate = fate
    return made


def balanced(**changed):
    counts = {
        "sent": Tally(4, 406),
        "delivered": Tally(1, 100),
        "lost": Tally(1, 101),
        "late": Tally(1, 102),
        "in_flight": Tally(1, 103),
    }
    return Conservation(**{**counts, **changed})


def test_a_balanced_account_passes():
    balanced().check(account(journeys()))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"sent": Tally(5, 406)}, "packets are not conserved: .*'sent': 5"),
        ({"sent": Tally(4, 407)}, "bytes are not conserved: .*'sent': 407"),
        ({"duplicated": Tally(1, 0)}, "packets are not conserved"),
        ({"lost": Tally(0, 0), "corrupt": Tally(1, 101)}, "lost: counted .*packets=0.* journeys say .*packets=1"),
    ],
)
def test_what_does_not_balance_raises_with_the_values(changed, words):
    with pytest.raises(AssertionError, match=words):
        balanced(**changed).check(account(journeys()))


def test_a_journey_without_a_fate_is_in_flight():
    assert account(journeys())["in_flight"] == Tally(1, 103)
