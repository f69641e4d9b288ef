import pytest

from tests.compatibility import input_kinds
from tests.compatibility.checks import check, each


# Keras 3.15 says so at the end of the first epoch of a dataset whose length it does not know.
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@each(input_kinds.CASES)
def test_inputs_are_compatible(case):
    check(case)
