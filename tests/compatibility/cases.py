"""All cases, in the order of the document."""

from tests.compatibility import argument_kinds, input_kinds, model_kinds

CASES = (*input_kinds.CASES, *argument_kinds.CASES, *model_kinds.CASES)
