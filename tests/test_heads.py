import pytest

from autofix.evidence import OutputProfile, TargetProfile
from autofix.heads import Head, mismatch

BINARY = TargetProfile("binary", 0.5, 0.5, False, 0.0, minimum=0.0, maximum=1.0, n_distinct=2, is_whole=True)
FROM_1 = TargetProfile("binary", 1.5, 0.5, False, 0.0, minimum=1.0, maximum=2.0, n_distinct=2, is_whole=True)
CLASSES = TargetProfile("multiclass", 1.0, 0.8, False, 0.0, minimum=0.0, maximum=2.0, n_distinct=3, is_whole=True)
ONE_HOT = TargetProfile(
    "multiclass", 0.3, 0.5, False, 0.0, 0.0, 1.0, width=3, n_distinct=3, is_whole=True, is_one_hot=True
)
LABELS = TargetProfile(
    "multilabel", 0.4, 0.5, False, 0.0, 0.0, 1.0, width=3, n_distinct=2, is_whole=True, has_several=True
)
NUMBERS = TargetProfile("regression", 40.0, 20.0, False, 0.0, minimum=-30.0, maximum=80.0, n_distinct=100)
SHARES = TargetProfile("regression", 0.5, 0.2, False, 0.0, minimum=0.1, maximum=0.9, n_distinct=100)
COUNTS = TargetProfile("regression", 4.0, 2.0, False, 0.0, minimum=0.0, maximum=9.0, n_distinct=10, is_whole=True)

BCE, CCE, SCCE, MSE = (
    "binary_crossentropy",
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
    "mean_squared_error",
)


def output(loss, activation, units=1, *, from_logits=False, **facts):
    return OutputProfile("out", units, activation, loss, from_logits, **facts)


@pytest.mark.parametrize(
    ("found", "target"),
    [
        (output(BCE, "sigmoid"), BINARY),
        (output(BCE, "linear", from_logits=True), BINARY),
        (output(BCE, "softmax", 3), ONE_HOT),
        (output(BCE, "sigmoid", 3), LABELS),
        (output(BCE, "sigmoid"), SHARES),
        (output(CCE, "softmax", 3), ONE_HOT),
        (output(CCE, "linear", 3, from_logits=True), ONE_HOT),
        (output(SCCE, "softmax", 3), CLASSES),
        (output(SCCE, "softmax", 7), CLASSES),
        (output(SCCE, "linear", 3, from_logits=True), CLASSES),
        (output(MSE, "linear"), NUMBERS),
        (output(MSE, "sigmoid"), SHARES),
        (output(MSE, "relu"), COUNTS),
        (output(MSE, "softmax", 3), ONE_HOT),
        (output("poisson", "exponential"), COUNTS),
        (output("mean_absolute_error", "unknown"), NUMBERS),
        (output("", "softmax"), NUMBERS),
        (output("a_loss_of_the_users_own", "softmax"), NUMBERS),
    ],
)
def test_an_output_that_can_say_what_the_targets_ask_for_has_no_mismatch(found, target):
    assert mismatch(found, target) is None


@pytest.mark.parametrize(
    ("found", "target", "head"),
    [
        (output(BCE, "softmax"), BINARY, Head(activation="sigmoid")),
        (output(BCE, "softmax", 3), LABELS, Head(activation="sigmoid")),
        (output(BCE, "linear"), BINARY, Head(activation="sigmoid")),
        (output(BCE, "relu"), BINARY, Head(activation="sigmoid")),
        (output(BCE, "sigmoid", from_logits=True), BINARY, Head(activation="linear")),
        (output(BCE, "sigmoid"), FROM_1, Head(activation="linear", loss=MSE)),
        (output(BCE, "sigmoid"), NUMBERS, Head(activation="linear", loss=MSE)),
        (output(CCE, "softmax"), BINARY, Head(activation="sigmoid", loss=BCE)),
        (output(CCE, "softmax"), CLASSES, Head(3, "softmax", SCCE)),
        (output(CCE, "softmax", 3), LABELS, Head(activation="sigmoid", loss=BCE)),
        (output(CCE, "linear", 3), ONE_HOT, Head(activation="softmax")),
        (output(CCE, "softmax", 3, from_logits=True), ONE_HOT, Head(activation="linear")),
        (output(SCCE, "softmax", 2), CLASSES, Head(3, "softmax", SCCE)),
        (output(SCCE, "softmax"), BINARY, Head(activation="sigmoid", loss=BCE)),
        (output(SCCE, "softmax", 3), ONE_HOT, Head(loss=CCE)),
        (output(SCCE, "linear", 3), CLASSES, Head(activation="softmax")),
        (output(SCCE, "softmax", 3), NUMBERS, Head(1, "linear", MSE)),
        (output(MSE, "sigmoid"), NUMBERS, Head(activation="linear")),
        (output(MSE, "relu"), NUMBERS, Head(activation="linear")),
        (output(MSE, "softmax"), SHARES, Head(activation="linear")),
        (output(MSE, "softmax", 3), CLASSES, Head(loss=SCCE)),
        (output(MSE, "linear", 3), NUMBERS, Head(units=1)),
        (output(MSE, "relu", is_flat=True), COUNTS, Head(activation="linear")),
        (output("poisson", "linear"), COUNTS, Head(activation="softplus")),
        (output("poisson", "exponential"), NUMBERS, Head(activation="linear", loss=MSE)),
    ],
)
def test_the_head_that_the_targets_ask_for_comes_first(found, target, head):
    wrong = mismatch(found, target)
    assert wrong is not None
    assert wrong.heads[0] == head
    assert wrong.reason.endswith(".")


def test_targets_at_the_very_ends_of_an_activation_are_within_its_reach():
    scaled = TargetProfile("regression", 0.5, 0.3, False, 0.0, minimum=-0.01, maximum=1.02, n_distinct=50)
    assert mismatch(output(MSE, "sigmoid"), scaled) is None
    assert mismatch(output(MSE, "tanh"), NUMBERS).heads[0] == Head(activation="linear")


def test_numbers_too_large_for_classes_are_quantities():
    years = TargetProfile("multiclass", 1990.0, 9.0, False, 0.0, 1950.0, 2020.0, n_distinct=70, is_whole=True)
    assert mismatch(output(SCCE, "softmax", 10), years).heads[0] == Head(1, "linear", MSE)
