import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from autofix.measuring.dependence import BLOCK_ROWS, MAX_BLOCKS, dependence_p_value, shows_dependence

RNG = np.random.default_rng(0)
X = RNG.normal(size=(150, 3))


@pytest.mark.parametrize(
    "y",
    [
        X[:, 0] + RNG.normal(size=150),
        X[:, 1] ** 2,
        np.abs(X[:, :2]).max(axis=1),
        np.eye(3)[np.digitize(X[:, 2], [-0.5, 0.5])],
        np.column_stack([RNG.normal(size=150), X[:, 0]]),
    ],
)
def test_dependence_of_any_form_is_found(y):
    assert dependence_p_value(X, y) <= 0.01


def test_chance_rejects_as_often_as_it_should():
    rng = np.random.default_rng(1)
    values = [dependence_p_value(rng.normal(size=(40, 2)), rng.normal(size=40), seed) for seed in range(300)]
    assert 0.02 <= np.mean(np.array(values) <= 0.05) <= 0.09
    assert 0.4 <= np.mean(values) <= 0.6


@pytest.mark.parametrize(
    ("x", "y"), [(np.ones((20, 2)), np.arange(20.0)), (np.arange(20.0)[:, None], np.ones(20)), (X[:3], X[:3, 0])]
)
def test_nothing_that_varies_depends_on_nothing(x, y):
    assert dependence_p_value(x, y) == 1.0


@hypothesis.settings(max_examples=20, deadline=None)
@hypothesis.given(st.floats(1e-6, 1e6), st.floats(-1e3, 1e3))
def test_units_do_not_matter(scale, shift):
    x, y = X[:40], X[:40, 0] + X[40:80, 1]
    assert dependence_p_value(scale * x + shift, y) == pytest.approx(dependence_p_value(x, y), abs=0.02)


def test_of_many_rows_a_sample_is_used_and_it_repeats():
    x = np.random.default_rng(0).normal(size=(2 * MAX_BLOCKS * BLOCK_ROWS, 5))
    y = x[:, :1] ** 2
    assert dependence_p_value(x, y) == dependence_p_value(x, y) == 0.005


def test_a_weak_dependence_that_one_block_misses_is_found_in_more():
    def found(n_rows):
        p_values = []
        for seed in range(10):
            rng = np.random.default_rng(seed)
            x = rng.normal(size=(n_rows, 8))
            p_values.append(dependence_p_value(x, 0.2 * x[:, 0] + rng.normal(size=n_rows), seed))
        return np.mean(np.array(p_values) <= 0.05)

    assert found(MAX_BLOCKS * BLOCK_ROWS) >= found(BLOCK_ROWS) + 0.3


@pytest.mark.parametrize(
    "targets",
    [
        [X[:, 0]],
        [np.digitize(X[:, 2], [-0.5, 0.5])],  # class numbers
        [RNG.normal(size=(150, 1)), np.abs(X[:, :1])],  # one output of several is enough
        [np.stack([X[:, :2], X[:, :2]], axis=1)],  # sequences
    ],
)
def test_a_quick_test_finds_what_is_plain_to_see(targets):
    assert shows_dependence([X], targets)


def test_a_quick_test_takes_inputs_of_any_shape():
    rng = np.random.default_rng(7)
    targets = rng.normal(size=(150, 1))
    images = rng.normal(size=(150, 8, 8, 1)) + targets[:, :, None, None]
    assert shows_dependence([rng.normal(size=(150, 2)), images], [targets])


def test_a_quick_test_looks_at_some_columns_of_many():
    rng = np.random.default_rng(8)
    wide = rng.normal(size=(150, 1)) + rng.normal(size=(150, 5_000))
    assert shows_dependence([wide], [wide.mean(axis=1)])
    assert shows_dependence([wide.mean(axis=1)[:, None]], [wide])
    assert shows_dependence([wide[:, :0], wide], [wide.mean(axis=1), wide[:, :0]])


def test_a_quick_test_seldom_takes_noise_for_more():
    rng = np.random.default_rng(6)
    found = [shows_dependence([rng.normal(size=(60, 3))], [rng.normal(size=60)], seed) for seed in range(200)]
    assert np.mean(found) <= 0.1
