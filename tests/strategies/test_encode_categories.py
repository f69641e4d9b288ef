import dataclasses

import pytest

from autofix.evidence import CodesProfile
from tests.strategies.records import NUMBERS, case, prescribe

CODES = CodesProfile(column=1, minimum=3, maximum=9, n_codes=5, gain=0.8)


def with_codes(*codes, **changes):
    return dataclasses.replace(NUMBERS, codes=codes, **changes)


def test_columns_of_codes_are_encoded_from_the_smallest_to_the_largest():
    remedy = prescribe("encode_categories", case(inputs=(NUMBERS, with_codes(CODES))))
    assert remedy.columns == ((), ((1, 3, 7),))


@pytest.mark.parametrize(
    "profile",
    [
        NUMBERS,
        with_codes(dataclasses.replace(CODES, gain=0.01)),
        with_codes(dataclasses.replace(CODES, maximum=500)),
        with_codes(CODES, shape=(8, 2)),
    ],
)
def test_ordered_long_and_other_columns_stay(profile):
    assert prescribe("encode_categories", case(inputs=(profile,))) is None


def test_tokens_of_an_embedding_stay():
    tokens = with_codes(CODES, is_integer=True)
    assert prescribe("encode_categories", case(inputs=(tokens,), layer_types=("Embedding",))) is None
    assert prescribe("encode_categories", case(inputs=(tokens,))) is not None


def test_encoded_columns_are_not_standardized():
    far = with_codes(CODES, mean=(100.0, 6.0), std=(20.0, 2.0))
    encoding = prescribe("encode_categories", case(inputs=(far,)))
    remedy = prescribe("standardize_inputs", case(inputs=(far,), recipe=[encoding]))
    assert (remedy.mean, remedy.variance) == (((100.0, 0.0),), ((400.0, 1.0),))
    assert prescribe("standardize_inputs", case(inputs=(far,))).mean == ((100.0, 6.0),)
