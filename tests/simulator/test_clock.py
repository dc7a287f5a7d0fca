"""The clock with two queues against one plain heap."""

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.clock import DAY_BITS, Clock

DAY_NS = 1 << DAY_BITS

# what is done when it is its turn: [by call or by timeout, how long from now, what is done then]
waits = st.one_of(st.integers(0, 3), st.integers(0, 3 * DAY_NS), st.integers(0, 40).map(lambda days: days * DAY_NS))
acts = st.recursive(
    st.just([]), lambda then: st.lists(st.tuples(st.booleans(), waits, then), max_size=4), max_leaves=40
)


def by_clock(plan):
    clock, seen = Clock(), []

    def do(then):
        seen.append((clock.now_ns, clock.now, [wait for _, wait, _ in then]))
        for called, wait_ns, more in then:
            if called:
                clock.call_at(clock.now_ns + wait_ns, do, more)
            else:
                clock.timeout(wait_ns, more).callbacks.append(lambda event: do(event.value))

    do(plan)
    clock.run()
    return seen


def by_heap(plan):
    heap, seen, number = [(0, 0, plan)], [], 0
    while heap:
        now_ns, _, then = heapq.heappop(heap)
        seen.append((now_ns, now_ns, [wait for _, wait, _ in then]))
        for _, wait_ns, more in then:
            number += 1
            heapq.heappush(heap, (now_ns + wait_ns, number, more))
    return seen


@given(acts)
def test_calls_and_timeouts_take_turns_as_in_one_heap(plan):
    assert by_clock(plan) == by_heap(plan)


def test_a_process_of_simpy_runs_on_it():
    clock, seen = Clock(), []

    def process():
        for _ in range(3):
            seen.append(clock.now_ns)
            yield clock.timeout(2 * DAY_NS)

    clock.process(process())
    clock.call_at(3 * DAY_NS, seen.append, "called")
    clock.run()
    assert seen == [0, 2 * DAY_NS, "called", 4 * DAY_NS]


def test_what_fails_in_a_process_or_a_call_is_raised():
    def process():
        yield clock.timeout(1)
        raise ValueError("broken process")

    clock = Clock()
    clock.process(process())
    with pytest.raises(ValueError, match="broken process"):
        clock.run()
    clock.call_at(5, lambda what: {}[what], "missing")
    with pytest.raises(KeyError, match="missing"):
        clock.run()
