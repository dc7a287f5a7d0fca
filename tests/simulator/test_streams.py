import numpy as np

from simulator.streams import Draws, generator


def first(seed, purpose, count=8):
    return generator(seed, purpose).random(count).tolist()


def test_equal_seed_and_purpose_give_equal_streams():
    assert first(7, "loss") == first(7, "loss")


def test_another_seed_or_another_purpose_gives_another_stream():
    seeds = [0, 1, 7, 2**32, 2**32 + 1, 2**63 - 1]
    streams = [tuple(first(seed, purpose)) for seed in seeds for purpose in ("loss", "delay", "")]
    assert len(set(streams)) == len(streams)


def test_a_further_purpose_leaves_the_others_as_they_were():
    alone = generator(7, "loss")
    before = alone.random(4).tolist()
    generator(7, "jitter").random(1000)
    assert before + alone.random(4).tolist() == first(7, "loss")


def test_streams_of_two_purposes_are_uncorrelated():
    a, b = (generator(7, purpose).random(100_000) for purpose in ("loss", "delay"))
    assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(100_000)  # five standard errors


def test_the_sequence_does_not_depend_on_the_block_size():
    draws = [Draws(generator(3, "x"), block).uniform for block in (1, 7, 4096)]
    one, seven, many = ([draw() for _ in range(50)] for draw in draws)
    assert one == seven == many


def test_draws_are_plain_floats_of_the_generators_sequence():
    draw = Draws(generator(3, "x")).uniform
    values = [draw() for _ in range(8)]
    assert values == first(3, "x") and all(type(value) is float for value in values)
