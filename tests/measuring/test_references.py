import time

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from autofix.measuring import references
from autofix.measuring.references import flatten_inputs, reference_predictions

LEARNERS = {"linear", "support_vector", "extra_trees", "network"}


def folds(n_samples: int, n_folds: int = 5) -> list[tuple[np.ndarray, np.ndarray]]:
    rows = np.random.default_rng(1).permutation(n_samples)
    return [(np.setdiff1d(rows, test), test) for test in np.array_split(rows, n_folds)]


def table(n_samples: int = 100, n_features: int = 2) -> np.ndarray:
    return np.random.default_rng(0).random((n_samples, n_features))


def r_squared(y: np.ndarray, predictions: np.ndarray) -> float:
    return float(1.0 - ((y - predictions) ** 2).mean() / y.var())


def test_only_nonlinear_learners_have_skill_on_nonlinear_data():
    x = table()
    y = (np.sin(10 * x[:, 0]) + np.cos(10 * x[:, 1]))[:, None]
    found = reference_predictions(x, y, "regression", folds(100))
    assert r_squared(y, found["linear"]) < 0.2
    assert r_squared(y, found["support_vector"]) > 0.9
    assert r_squared(y, found["extra_trees"]) > 0.6


def test_features_and_targets_of_any_scale_are_learned():
    x = table() * [1000.0, 1e-6]
    y = np.stack([1e6 * x[:, 0], 1e-6 + x[:, 1]], axis=1)
    for predictions in reference_predictions(x, y, "regression", folds(100)).values():
        assert r_squared(y[:, 0], predictions[:, 0]) > 0.9
        assert r_squared(y[:, 1], predictions[:, 1]) > 0.9


def test_nothing_is_learned_from_noise():
    x, y = table(200), np.random.default_rng(3).normal(size=(200, 1))
    for predictions in reference_predictions(x, y, "regression", folds(200)).values():
        assert r_squared(y, predictions) < 0.1


@pytest.mark.parametrize("kind", ["binary", "multilabel"])
def test_probabilities_of_columns_keep_off_0_and_1(kind):
    x = table()
    y = (x[:, : 1 if kind == "binary" else 2] > 0.5).astype(float)
    found = reference_predictions(x, y, kind, folds(100))
    assert set(found) == LEARNERS
    for predictions in found.values():
        assert predictions.shape == y.shape
        assert 1e-3 <= predictions.min() <= predictions.max() <= 1 - 1e-3
        assert ((predictions > 0.5) == y).mean() > 0.8


def test_probabilities_of_classes_sum_to_1_and_keep_off_0_and_1():
    x = table()
    y = (3 * x[:, 0]).astype(int)
    found = reference_predictions(x, y, "multiclass", folds(100), n_classes=4)
    assert set(found) == LEARNERS
    for predictions in found.values():
        assert predictions.shape == (100, 4)
        np.testing.assert_allclose(predictions.sum(axis=1), 1.0)
        assert 1e-3 - 1e-12 <= predictions.min() <= predictions.max() <= 1 - 1e-3
        assert (predictions.argmax(axis=1) == y).mean() > 0.8


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_classes_missing_from_a_training_part_are_no_failure(kind):
    x, labels = table(40), np.repeat([0, 1], 20)
    y = labels[:, None].astype(float) if kind == "binary" else labels
    one_class_only = [(np.arange(20), np.arange(20, 40))]
    found = reference_predictions(x, y, kind, one_class_only, n_classes=3)
    assert set(found) == LEARNERS
    assert all(np.isfinite(predictions[20:]).all() for predictions in found.values())


def test_rows_in_no_test_part_are_nan():
    x = table()
    test = np.arange(80, 100)
    for predictions in reference_predictions(x, x, "regression", [(np.arange(80), test)]).values():
        assert np.isnan(predictions[:80]).all()
        assert np.isfinite(predictions[80:]).all()


def test_a_constant_column_does_not_matter():
    x = table()
    y = x.sum(axis=1, keepdims=True)
    wider = np.column_stack([x[:, 0], np.full(100, 0.1), x[:, 1]])
    plain = reference_predictions(x, y, "regression", folds(100))
    for name, predictions in reference_predictions(wider, y, "regression", folds(100)).items():
        np.testing.assert_allclose(predictions, plain[name])


def test_constant_features_and_targets_give_the_constant():
    x, y = np.ones((30, 2)), np.full((30, 1), 7.0)
    for predictions in reference_predictions(x, y, "regression", folds(30)).values():
        np.testing.assert_allclose(predictions, 7.0)


def test_the_same_seed_gives_the_same_predictions_and_arguments_stay_as_they_were():
    x = table(400, 300)
    y = x[:, :1] > 0.5
    before = x.copy()
    first = reference_predictions(x, y, "binary", folds(400, 2), seed=5)
    second = reference_predictions(x, y, "binary", folds(400, 2), seed=5)
    for name, predictions in first.items():
        np.testing.assert_array_equal(predictions, second[name])
    np.testing.assert_array_equal(x, before)


def test_informative_features_are_found_among_many():
    x = table(300, 2000)
    y = 5 * x[:, 1500:1501]
    assert r_squared(y, reference_predictions(x, y, "regression", folds(300))["extra_trees"]) > 0.3


def test_a_learner_that_fails_is_left_out(monkeypatch):
    def fail(*arguments):
        raise RuntimeError

    monkeypatch.setattr(references, "_trees", fail)
    monkeypatch.setattr(references, "_network", fail)
    monkeypatch.setattr(references, "_kernel", lambda x, y, x_test, *_: np.full((len(x_test), 1), np.nan))
    x = table()
    assert set(reference_predictions(x, x[:, :1], "regression", folds(100))) == {"linear"}


@pytest.mark.parametrize("n_train", [0, 1, 2])
def test_too_few_rows_never_raise(n_train):
    x = table(10)
    for kind, y in (("regression", x), ("binary", x[:, :1] > 0.5), ("multiclass", np.arange(10) % 3)):
        found = reference_predictions(x, y, kind, [(np.arange(n_train), np.arange(5, 10))])
        assert all(np.isfinite(values[5:]).all() and np.isnan(values[:5]).all() for values in found.values())


def test_the_kernel_learner_is_left_out_on_many_rows():
    x = table(2600)
    assert "support_vector" not in reference_predictions(x, x, "regression", folds(2600))


def test_the_network_is_left_out_on_many_features():
    x = table(60, 65)
    assert "network" not in reference_predictions(x, x[:, :1], "regression", folds(60))


def test_the_network_learns_what_trees_and_kernels_learn_poorly():
    x = np.random.default_rng(0).normal(size=(400, 4))
    same_sign, is_far = x[:, 0] * x[:, 1] > 0.0, np.abs(x[:, 2]) > 0.67
    y = 2 * same_sign + is_far
    found = reference_predictions(x, y, "multiclass", folds(400), n_classes=4)
    likelihood = {name: float(np.log(shares[np.arange(400), y]).mean()) for name, shares in found.items()}
    assert likelihood["network"] > max(likelihood["extra_trees"], likelihood["support_vector"]) + 0.2


def test_many_outputs_are_learned_together():
    x = table(150, 3)
    y = x @ np.random.default_rng(2).normal(size=(3, 40))
    for predictions in reference_predictions(x, y, "regression", folds(150)).values():
        assert predictions.shape == y.shape
        assert r_squared(y, predictions) > 0.7


@pytest.mark.parametrize("kind", ["regression", "binary", "multiclass"])
def test_learning_takes_few_forests(kind):
    def table_of(n_samples, n_features):
        x = table(n_samples, n_features)
        return x, {"regression": x[:, 0], "binary": x[:, 0] > 0.5, "multiclass": (3 * x[:, 0]).astype(int)}[kind]

    def learn(x, y, splits):
        reference_predictions(x, y if kind == "multiclass" else y[:, None], kind, splits)

    small, large = table_of(100, 2), table_of(2000, 20)
    forest = RandomForestRegressor() if kind == "regression" else RandomForestClassifier()
    jobs = [lambda: forest.fit(*small), lambda: learn(*small, folds(100)), lambda: learn(*large, folds(2000)[:1])]
    seconds = np.empty((5, len(jobs)))
    for row in seconds:
        for job, work in enumerate(jobs):
            started = time.process_time()  # others on the machine do not count
            work()
            row[job] = time.process_time() - started
    a_forest, a_small, a_large = seconds.min(0)
    assert a_small < 6 * a_forest
    assert a_large < 4 * a_small


def test_tables_are_flattened_as_they_are_and_side_by_side():
    first, second = table(6, 3), np.arange(6)
    np.testing.assert_array_equal(flatten_inputs([first, second]), np.column_stack([first, second]))
    assert flatten_inputs([first.astype(np.float16), second]).dtype == np.float64


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3), (5, 7, 2), (8, 8, 512), (4, 20, 30, 3)])
def test_images_become_at_most_about_256_features(shape):
    flat = flatten_inputs([np.ones((3, *shape), dtype=np.uint8)])
    assert flat.shape[1] <= max(256, shape[-1])
    np.testing.assert_allclose(flat, 1.0)


def test_patches_are_averaged_where_they_lie():
    image = np.zeros((1, 32, 32, 1))
    image[0, :2, :2] = 4.0
    flat = flatten_inputs([image])
    assert flat.shape == (1, 256)
    np.testing.assert_allclose(flat[0, 0], 4.0)
    np.testing.assert_allclose(flat[0, 1:], 0.0)


def test_short_sequences_keep_every_value_and_long_ones_their_summary():
    assert flatten_inputs([np.random.default_rng(0).random((4, 10, 3))]).shape == (4, 6 * 3 + 30)
    long = np.random.default_rng(0).random((4, 500, 1))
    summary = [long.mean(1), long.std(1), long[:, 0], long[:, -1], long.min(1), long.max(1)]
    np.testing.assert_allclose(flatten_inputs([long]), np.concatenate(summary, axis=1))


def test_token_ids_are_also_counted():
    tokens = np.random.default_rng(0).integers(0, 5000, (50, 20))
    flat = flatten_inputs([tokens])
    assert flat.shape == (50, 20 + 64)
    np.testing.assert_array_equal(flat[:, 20:].sum(axis=1), 20.0)
    np.testing.assert_array_equal(flat, flatten_inputs([tokens.astype(np.float32)]))


def test_bags_of_tokens_make_word_order_learnable():
    tokens = np.random.default_rng(0).integers(0, 40, (200, 30))
    y = (tokens == 7).any(axis=1)[:, None]
    found = reference_predictions(flatten_inputs([tokens]), y, "binary", folds(200))
    assert ((found["extra_trees"] > 0.5) == y).mean() > 0.85


def test_numbers_that_are_no_tokens_are_not_counted():
    assert flatten_inputs([np.random.default_rng(0).random((50, 20))]).shape == (50, 20)
    assert flatten_inputs([np.random.default_rng(0).integers(0, 2, (50, 20))]).shape == (50, 20)


@pytest.mark.parametrize("shape", [(5, 2), (5, 4, 2), (5, 20, 20, 1)])
def test_non_finite_values_become_the_median_of_their_column(shape):
    array = np.ones(shape)
    array[0], array[1] = np.nan, np.inf
    filled = flatten_inputs([array])
    np.testing.assert_array_equal(filled, flatten_inputs([np.ones(shape)]))
    assert np.isnan(array[0]).all()


def test_a_column_without_a_finite_value_becomes_0():
    np.testing.assert_array_equal(flatten_inputs([np.full((3, 1), np.nan)]), np.zeros((3, 1)))


def test_strings_become_codes():
    flat = flatten_inputs([np.array(["b", "a", "b"], dtype=object), np.array([["1"], ["2"], ["3"]])])
    np.testing.assert_array_equal(flat, [[1.0, 1.0], [0.0, 2.0], [1.0, 3.0]])
