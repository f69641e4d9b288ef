import math

import numpy as np
import pytest

from autofix.errors import ArgumentError
from autofix.scoring.assess import assess
from autofix.scoring.best_constant import best_constant
from autofix.scoring.numpy_losses import LOSS_NAMES, loss_spec


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def labels_of(n, k, seed=0):
    return np.random.default_rng(seed).integers(0, k, n)


TARGETS = {
    "mean_squared_error": noise(60, 2),
    "mean_absolute_error": noise(61, 2),
    "mean_absolute_percentage_error": noise(60, 2) + 3.0,
    "mean_squared_logarithmic_error": np.exp(noise(60, 2)),
    "huber": 3.0 * noise(60, 2),
    "log_cosh": 3.0 * noise(60, 2),
    "hinge": (noise(60, 2) > 0.3).astype(float),
    "squared_hinge": (noise(60, 2) > 0.3) * 2.0 - 1.0,
    "poisson": np.random.default_rng(0).poisson(4.0, (60, 2)).astype(float),
    "kl_divergence": np.eye(3)[labels_of(60, 3)] * 0.8 + 0.2 / 3,
    "cosine_similarity": noise(60, 3) + 1.0,
    "binary_crossentropy": (noise(60, 2) > 0.3).astype(float),
    "categorical_crossentropy": np.eye(3)[labels_of(60, 3)],
    "sparse_categorical_crossentropy": labels_of(60, 3),
}
SHAPES = {name: np.shape(y)[1:] or (3,) for name, y in TARGETS.items()}
ON_SIMPLEX = {"kl_divergence", "categorical_crossentropy", "sparse_categorical_crossentropy"}


def mean_loss(loss, y, constant, weights=None):
    rows = np.broadcast_to(constant, (len(y), *np.shape(constant)))
    return float(np.average(loss.per_row(y, rows), weights=weights))


def test_every_known_loss_is_tested():
    assert TARGETS.keys() == set(LOSS_NAMES)


def test_a_mistyped_loss_gets_a_suggestion_and_an_unknown_option_is_named():
    with pytest.raises(ArgumentError, match="Did you mean 'huber'"):
        loss_spec("hubber")
    with pytest.raises(ArgumentError, match=r"Received: \['gamma'\]"):
        loss_spec("huber", gamma=1.0)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", LOSS_NAMES)
def test_no_other_constant_beats_the_best_one(name, weighted):
    loss, y, shape = loss_spec(name), TARGETS[name], SHAPES[name]
    weights = np.random.default_rng(1).uniform(size=len(y)) if weighted else None
    found = best_constant(y, loss, shape, weights)
    assert found.shape == shape
    best = mean_loss(loss, y, found, weights)
    rng = np.random.default_rng(2)
    for scale in (1e-3, 0.1, 1.0):
        for _ in range(30):
            other = found + scale * rng.normal(size=shape)
            if name in ON_SIMPLEX:
                other = np.abs(other) / np.abs(other).sum()
            value = mean_loss(loss, y, np.maximum(other, 0.0) if name == "poisson" else other, weights)
            assert value >= best - 1e-9


@pytest.mark.parametrize("name", ["mean_squared_error", "huber", "binary_crossentropy", "hinge", "poisson"])
def test_flat_targets_are_aligned_with_a_column_of_predictions(name):
    y, p = labels_of(9, 2).astype(float), np.linspace(0.1, 0.9, 9)
    flat = loss_spec(name).per_row(y, p[:, None])
    assert flat.shape == (9,)
    for other in (loss_spec(name).per_row(y[:, None], p[:, None]), loss_spec(name).per_row(y[:, None], p)):
        np.testing.assert_array_equal(flat, other)
    assert assess(y, p[:, None], loss_spec(name)) == assess(y[:, None], p[:, None], loss_spec(name))


def test_labels_may_be_flat_or_a_column():
    y, p = labels_of(9, 3), np.full((9, 3), 1 / 3)
    loss = loss_spec("sparse_categorical_crossentropy")
    np.testing.assert_array_equal(loss.per_row(y, p), loss.per_row(y[:, None], p))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("poisson", {}),
        ("binary_crossentropy", {"label_smoothing": 0.2}),
        ("categorical_crossentropy", {"label_smoothing": 0.2}),
        ("cosine_similarity", {}),
        ("kl_divergence", {}),
    ],
)
def test_a_perfect_prediction_has_skill_one_where_the_smallest_loss_is_not_zero(name, options):
    y = TARGETS[name]
    smoothing = options.get("label_smoothing", 0.0)
    floor = 0.5 * smoothing if name.startswith("binary") else smoothing / y.shape[1]
    found = assess(y, y * (1.0 - smoothing) + floor, loss_spec(name, **options))
    assert found.skill == pytest.approx(1.0, abs=1e-4)
    assert found.state == "skilled"


def test_better_predictions_have_more_skill_where_losses_are_negative():
    y = np.random.default_rng(0).poisson(50.0 * np.exp(0.3 * noise(300)), 300).astype(float)
    loss = loss_spec("poisson")
    assert (loss.per_row(y, y) < 0.0).all()
    skills = [assess(y, share * y + (1.0 - share) * y.mean(), loss).skill for share in (0.0, 0.5, 0.9)]
    assert skills == sorted(skills)
    assert skills[0] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_diverged_predictions_are_assessed_quietly_under_every_loss(name):
    p = np.full((len(TARGETS[name]), *SHAPES[name]), math.inf)
    p[0] = math.nan
    assert assess(TARGETS[name], p, loss_spec(name)).state == "non_finite"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("binary_crossentropy", {}),
        ("binary_crossentropy", {"from_logits": True}),
        ("categorical_crossentropy", {"from_logits": True}),
        ("sparse_categorical_crossentropy", {"from_logits": True}),
        ("hinge", {}),
        ("squared_hinge", {}),
        ("mean_squared_error", {}),
    ],
)
def test_probabilities_survive_the_way_to_the_output_and_back(name, options):
    loss = loss_spec(name, **options)
    probabilities = np.array([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]])
    np.testing.assert_allclose(loss.to_probabilities(loss.from_target_space(probabilities)), probabilities, rtol=1e-6)
