import ast
import dataclasses

import keras
import keras_tuner
import numpy as np
import pytest

from autofix.data.training_data import TrainingData
from autofix.errors import ModelError
from autofix.evidence import Evidence, FitProfile, InputProfile, ModelProfile, TargetProfile
from autofix.measuring.inspection import collect
from autofix.recipe import Recipe
from autofix.remedies import HeadChange, ReplaceHeads
from autofix.sample_programs import sample_programs
from autofix.search.search_space import SearchSpace
from autofix.strategy import Case, resolve_strategies

STRATEGIES = resolve_strategies(None)
BY_NAME = {strategy.name: strategy for strategy in STRATEGIES}
layers = keras.layers


def program(optimizer="adam", x_scale=100.0, y_scale=50.0, x=None, y=None, stack=None, loss="mse", **fit):
    """A model and the evidence of its training, on data that every strategy has something to say about."""
    rng = np.random.default_rng(0)
    x = rng.normal(3.0, 1.0, (100, 2)) * [x_scale, 1.0] if x is None else x
    y = np.sort(rng.normal(2.0, 1.0, (100, 1)), axis=0) * y_scale if y is None else y
    model = keras.Sequential([keras.Input(x.shape[1:]), *(stack or [layers.Dense(4), layers.Dense(1)])])
    model.compile(optimizer, loss)
    data = TrainingData.from_arrays(x, y, **{"shuffle": False, "batch_size": 16, "epochs": 2, **fit})
    return model, Case(collect(model, data, ["multiclass" if "crossentropy" in loss else "regression"]))


def changed(case, **model):
    evidence = case.evidence
    return dataclasses.replace(
        case, evidence=dataclasses.replace(evidence, model=dataclasses.replace(evidence.model, **model))
    )


def prescribe(name, case, **values):
    hp = keras_tuner.HyperParameters()
    for key, value in values.items():
        hp.Fixed(key, value)
    return BY_NAME[name].prescribe(hp, case)


def settings(strategy, case):
    """Every value of every hyperparameter of a strategy's space, one changed at a time."""
    space = keras_tuner.HyperParameters()
    strategy.prescribe(space, case)
    yield {}
    for parameter in space.space:
        for value in parameter.values:
            yield {parameter.name: value}


@pytest.fixture(scope="module")
def failing():
    return program()


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.name)
class TestEveryBuiltInStrategy:
    def test_its_name_is_that_of_its_file(self, strategy):
        assert type(strategy).__module__ == f"autofix.strategies.{strategy.name}"

    def test_what_it_looks_at_comes_from_other_strategies(self, strategy):
        assert strategy.after <= BY_NAME.keys() - {strategy.name}

    def test_its_code_reads_as_keras_code(self, strategy):
        for program in sample_programs():
            space = SearchSpace([strategy], program.case)
            for remedy in space.recipe([strategy.name], space.defaults([strategy.name])):
                for line in remedy.code():
                    ast.parse(f"f({line}\n)" if "=keras." in line else line)
                    assert "keras." in line or "model." in line or "optimizer." in line

    def test_it_does_not_apply_where_nothing_is_known(self, strategy):
        text = InputProfile((), (), (), (), (), (), is_integer=False)
        target = TargetProfile("other", 0.0, 0.0, is_constant=True, order_drift=0.0)
        model = ModelProfile(
            "Own", None, None, None, False, 0, (), False, False, False, (), why_no_edit="it is built so"
        )
        fit = FitProfile(n_rows=4, batch_size=8, epochs=1, total_steps=1, shuffle=True)
        assert strategy.prescribe(keras_tuner.HyperParameters(), Case(Evidence((text,), (target,), model, fit))) is None


class OwnCall(keras.Model):
    def call(self, inputs):
        return inputs[:, :1]


@pytest.mark.parametrize("name", ["standardize_inputs", "standardize_targets", "add_hidden_layers"])
def test_a_network_that_takes_no_surgery_refuses_the_remedies_that_need_it(name, failing):
    model = OwnCall()
    model(np.zeros((1, 2)))
    with pytest.raises(ModelError):
        Recipe((prescribe(name, failing[1]),)).apply(model)


def test_inputs_come_out_standard():
    x = np.random.default_rng(0).normal(500.0, [100.0, 0.01], (100, 2))
    _, case = program(x=x)
    (scaled,) = prescribe("standardize_inputs", case).transform([x])
    np.testing.assert_allclose(scaled.mean(axis=0), 0.0, atol=1e-2)
    np.testing.assert_allclose(scaled.std(axis=0), 1.0, atol=1e-2)


def test_constant_features_stay_finite():
    x = np.column_stack([np.full(100, 7.0), np.arange(100.0)])
    (scaled,) = prescribe("standardize_inputs", program(x=x)[1]).transform([x])
    assert (scaled[:, 0] == 0.0).all()
    assert np.isfinite(scaled).all()


def test_the_robust_scale_is_offered_where_outliers_make_the_deviation():
    x = np.random.default_rng(0).normal(size=(100, 2))
    assert list(settings(BY_NAME["standardize_inputs"], program(x=x)[1])) == [{}]
    x[0] = 1e6
    case = program(x=x)[1]
    assert {"robust": True} in list(settings(BY_NAME["standardize_inputs"], case))
    (scaled,) = prescribe("standardize_inputs", case, robust=True).transform([x])
    np.testing.assert_allclose(scaled[1:].std(axis=0), 1.0, atol=0.3)


def test_token_ids_are_not_standardized():
    x = np.random.default_rng(0).integers(0, 9, (100, 3))
    stack = [layers.Embedding(9, 2), layers.Flatten(), layers.Dense(1)]
    assert prescribe("standardize_inputs", program(x=x, stack=stack)[1]) is None
    assert prescribe("standardize_inputs", program(x=x)[1]) is not None


@pytest.mark.parametrize("rate", [1.0, 1e-6])
def test_rates_around_the_default_are_offered_whatever_the_rate_was(rate):
    case = program(keras.optimizers.Adam(rate))[1]
    rates = [values["factor"] * rate for values in settings(BY_NAME["lower_learning_rate"], case) if values]
    assert min(rates) == pytest.approx(0.0001, rel=1e-3)
    assert max(rates) == pytest.approx(0.1, rel=1e-3)
    assert all(values.get("factor") != 1.0 for values in settings(BY_NAME["lower_learning_rate"], case))


def test_a_rate_that_cannot_be_rescaled_is_left_alone():
    assert prescribe("lower_learning_rate", changed(program()[1], can_rescale_rate=False)) is None
    assert prescribe("lower_learning_rate", changed(program()[1], learning_rate=None)) is None


def test_layers_are_only_added_where_there_is_a_place_for_them():
    assert prescribe("add_hidden_layers", changed(program()[1], can_insert=False)) is None


def test_rows_that_are_shuffled_are_not_shuffled_again():
    assert prescribe("reshuffle", program(shuffle=True)[1]) is None


def test_batch_sizes_on_offer_differ_from_the_users_and_fit_the_rows():
    for batch_size, expected in ((16, {8, 32}), (8, {32}), (32, {8})):
        case = program(batch_size=batch_size)[1]
        sizes = {values["batch_size"] for values in settings(BY_NAME["resize_batches"], case) if values}
        assert sizes == expected


def test_targets_are_scaled_back_by_their_own_deviation_and_mean():
    y = np.random.default_rng(0).normal(300.0, 40.0, (100, 1))
    remedy = prescribe("standardize_targets", program(y=y)[1])
    assert remedy.scale == pytest.approx((y.std(),))
    assert remedy.offset == pytest.approx((y.mean(),))
    assert remedy.learning_rate_factor == 1.0


def test_the_rate_is_corrected_for_optimizers_that_feel_the_scale():
    y = np.random.default_rng(0).normal(300.0, 40.0, (100, 1))
    remedy = prescribe("standardize_targets", program("sgd", y=y)[1])
    assert remedy.learning_rate_factor == pytest.approx(y.std() ** -2)


@pytest.mark.parametrize(
    ("loss", "scale", "gradients"),
    [
        ("mse", 40.0, 1600.0),
        ("mae", 40.0, 40.0),
        ("huber", 40.0, 40.0),
        ("huber", 0.1, 0.01),
        ("log_cosh", 0.1, 0.01),
        ("mape", 40.0, 60.0),
        ("msle", 0.001, 1e-6),
    ],
)
def test_gradients_in_the_units_of_the_targets_are_those_of_the_loss(loss, scale, gradients):
    y = np.abs(np.random.default_rng(0).normal(0.0, scale, (100, 1)))
    y *= scale / y.std()
    measured = prescribe("standardize_targets", program("sgd", loss=loss, y=y)[1]).learning_rate_factor
    assert measured == pytest.approx(1.0 / gradients, rel=0.5)


@pytest.mark.parametrize(("optimizer", "power"), [("adam", 1), ("rmsprop", 2), ("adadelta", 0), ("sgd", 0)])
def test_epsilon_shrinks_with_gradients_that_it_would_outweigh(optimizer, power):
    y = np.random.default_rng(0).normal(0.0, 1.0, (100, 1))
    small = prescribe("standardize_targets", program(optimizer, y=1e-3 * y)[1])
    assert small.epsilon_factor == pytest.approx((1e-3 * y.std()) ** (2 * power))
    assert prescribe("standardize_targets", program(optimizer, y=0.1 * y)[1]).epsilon_factor == 1.0


@pytest.mark.parametrize(
    "arguments",
    [
        {"stack": [layers.Dense(1, activation="sigmoid")]},
        {"y": np.arange(100) % 3, "stack": [layers.Dense(3)], "loss": "sparse_categorical_crossentropy"},
        {"y": np.full((100, 1), 7.0)},
    ],
)
def test_bounded_classified_and_constant_targets_are_not_scaled(arguments):
    assert prescribe("standardize_targets", program(**arguments)[1]) is None


def test_outputs_that_become_linear_are_standardized_after_that():
    y = np.random.default_rng(0).normal(300.0, 40.0, (100, 1))
    for loss in ("mse", "binary_crossentropy"):
        case = program(y=y, stack=[layers.Dense(1, activation="sigmoid", name="out")], loss=loss)[1]
        assert prescribe("standardize_targets", case) is None
        head = HeadChange("out", None, "linear", "mean_squared_error", (1, "sigmoid", loss))
        recipe = Recipe((ReplaceHeads("repair_output_head", (head,)),))
        remedy = prescribe("standardize_targets", dataclasses.replace(case, recipe=recipe))
        assert remedy.offset == pytest.approx((y.mean(),))


def test_outputs_that_become_classes_are_not_standardized():
    case = program()[1]
    head = HeadChange("out", 3, "softmax", "sparse_categorical_crossentropy", (1, "linear", "mean_squared_error"))
    recipe = Recipe((ReplaceHeads("repair_output_head", (head,)),))
    assert prescribe("standardize_targets", dataclasses.replace(case, recipe=recipe)) is None
