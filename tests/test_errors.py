import pickle

import pytest

from autofix import errors


@pytest.mark.parametrize(
    ("error", "refined"),
    [
        (errors.DataError, ValueError),
        (errors.ArgumentError, ValueError),
        (errors.ModelError, ValueError),
        (errors.StrategyError, ValueError),
        (errors.ScriptError, ValueError),
        (errors.UnrepairedError, RuntimeError),
        (errors.CodeError, RuntimeError),
    ],
)
def test_every_error_is_an_autofix_error_and_the_built_in_it_refines(error, refined):
    assert issubclass(error, errors.AutofixError)
    assert issubclass(error, refined)
    assert str(error("What is wrong.")) == "What is wrong."


def test_an_unrepaired_error_keeps_its_report_through_pickling():
    error = pickle.loads(pickle.dumps(errors.UnrepairedError("No repair.", report={"verdict": "unrepaired"})))
    assert error.report == {"verdict": "unrepaired"}
    assert str(error) == "No repair."


def test_the_problems_of_a_job_file_come_back_from_another_process():
    error = pickle.loads(pickle.dumps(errors.JobFileError(["first", "second"])))
    assert isinstance(error, errors.AutofixError)
    assert isinstance(error, ValueError)
    assert error.problems == ("first", "second")
    assert str(error) == "first\nsecond"


def test_warnings_can_be_silenced_as_one():
    assert issubclass(errors.CollapseWarning, errors.AutofixWarning)
    assert issubclass(errors.AutofixWarning, UserWarning)
