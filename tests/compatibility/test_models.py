from tests.compatibility import model_kinds
from tests.compatibility.checks import check, each


@each(model_kinds.CASES)
def test_models_are_compatible(case):
    check(case)
