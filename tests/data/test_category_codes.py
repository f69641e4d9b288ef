import numpy as np
import pytest

from autofix.data.category_codes import profile_codes


def gain(n_rows, n_codes, effect, seed, *, is_class=False, noise=0.3):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, n_codes, n_rows)
    y = effect(codes) + noise * rng.normal(size=n_rows)
    target = (y > np.median(y)).astype(np.int64) if is_class else y
    (found,) = profile_codes(codes[:, None].astype(np.float64), target)
    return found.gain


SMOOTH = {
    "line": lambda codes: 0.1 * codes,
    "curve": lambda codes: (codes - 15.0) ** 2 / 100.0,
    "wave": lambda codes: np.sin(codes / 5.0),
    "saturation": lambda codes: np.log1p(codes),
    "nothing": lambda codes: 0.0 * codes,
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", SMOOTH)
def test_ordered_numbers_do_not_look_like_codes(name, seed):
    assert gain(300, 30, SMOOTH[name], seed) < 0.05


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("n_codes", "is_class"), [(5, False), (8, True), (12, False), (30, True), (30, False)])
def test_categories_without_order_do(n_codes, is_class, seed):
    effects = np.random.default_rng(100 + seed).permutation(np.linspace(-2.0, 2.0, n_codes))
    assert gain(400, n_codes, lambda codes: effects[codes], seed, is_class=is_class) > 0.1


def test_chance_alone_gives_no_gain():
    gains = [gain(300, 20, lambda codes: 0.0 * codes, seed, noise=1.0) for seed in range(100)]
    assert max(gains) < 0.05


def test_one_hot_classes_are_explained_together():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 9, 300)
    labels = np.array([0, 2, 1, 0, 1, 2, 0, 2, 1])[codes]
    (found,) = profile_codes(codes[:, None].astype(float), np.eye(3)[labels])
    (same,) = profile_codes(codes[:, None].astype(float), labels)
    assert found.gain > 0.5
    assert same.gain == pytest.approx(found.gain, abs=1e-6)


@pytest.mark.parametrize(
    "column",
    [
        np.linspace(0.0, 1.0, 100),  # no whole numbers
        np.arange(100.0) % 2,  # two codes
        np.arange(100.0),  # as many as rows
        np.arange(100.0) % 40,  # too few rows a code
        np.full(100, np.nan),
    ],
)
def test_other_columns_are_passed_over(column):
    assert profile_codes(column[:, None], np.arange(100.0)) == ()


def test_codes_are_described():
    values = np.column_stack([np.linspace(0, 1, 60), np.arange(60) % 4 - 2.0])
    values[3, 1] = np.nan
    (found,) = profile_codes(values, np.arange(60.0))
    assert (found.column, found.minimum, found.maximum, found.n_codes) == (1, -2, 1, 4)


def test_a_constant_target_gives_no_gain():
    (found,) = profile_codes((np.arange(60) % 4.0)[:, None], np.ones(60))
    assert found.gain == 0.0
