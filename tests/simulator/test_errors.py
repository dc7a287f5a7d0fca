import copy
import pickle

import pytest

from simulator import errors

KINDS = [
    errors.ScenarioError, errors.SourceError, errors.TraceError, errors.MediaError, errors.OutputError, errors.PoolError
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_pickling_copying_and_simpy(kind):
    error = kind("x.yaml:3: channel.loss", "must be a share", 1.5, "Example: 20 %")
    text = "x.yaml:3: channel.loss: must be a share, got 1.5. Example: 20 %"
    for twin in (error, pickle.loads(pickle.dumps(error)), copy.copy(error), type(error)(*error.args)):
        assert (type(twin), str(twin)) == (kind, text)


def test_what_was_not_given_is_not_in_the_message():
    assert str(errors.OutputError("results", "cannot be written")) == "results: cannot be written"


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_can_be_caught_as_one(kind):
    assert issubclass(kind, errors.SimulatorError)
