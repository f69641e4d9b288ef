from tests.compatibility import argument_kinds
from tests.compatibility.checks import check, each


@each(argument_kinds.CASES)
def test_arguments_are_compatible(case):
    check(case)
