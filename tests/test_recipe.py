import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autofix.errors import ArgumentError
from autofix.recipe import Recipe
from autofix.remedies import (
    ChangeLayers,
    ClipGradients,
    CodeColumn,
    EncodeCategories,
    HeadChange,
    InsertHiddenLayers,
    LayerChange,
    NormalizeInputs,
    NormalizeLayers,
    ReplaceHeads,
    RescaleOutputs,
    SetFitArgument,
    SetLearningRate,
)
from autofix.remedy import Remedy

numbers = st.floats(allow_nan=False, allow_infinity=False)
names = st.text(min_size=1)
vectors = st.lists(numbers, min_size=1, max_size=12).map(tuple)
remedies = st.one_of(
    st.lists(st.none() | vectors, min_size=1, max_size=3).map(
        lambda rows: NormalizeInputs("standardize_inputs", mean=tuple(rows), variance=tuple(rows))
    ),
    st.builds(
        RescaleOutputs,
        strategy=names,
        scale=st.tuples(st.none() | numbers),
        offset=st.tuples(st.none() | numbers),
        learning_rate_factor=numbers,
        epsilon_factor=numbers,
    ),
    st.builds(SetLearningRate, strategy=names, factor=numbers, optimizer=names, was=numbers | names),
    st.builds(
        InsertHiddenLayers,
        strategy=names,
        units=st.integers(1, 512),
        depth=st.integers(1, 4),
        activation=names,
    ),
    st.builds(
        SetFitArgument,
        strategy=names,
        name=st.sampled_from(["shuffle", "batch_size"]),
        value=st.booleans() | st.integers(1) | st.tuples(st.tuples(st.integers(0), numbers)),
        was=st.none() | st.booleans() | st.integers(1) | names,
    ),
    st.builds(
        ChangeLayers,
        strategy=names,
        changes=st.lists(st.builds(LayerChange, names, names, names, st.none() | numbers | names, numbers)).map(tuple),
    ),
    st.builds(
        ReplaceHeads,
        strategy=names,
        heads=st.tuples(
            st.none()
            | st.builds(
                HeadChange,
                names,
                st.none() | st.integers(1, 9),
                st.none() | names,
                st.none() | names,
                st.tuples(st.integers(1, 9), names, names),
            )
        ),
    ),
    st.builds(NormalizeLayers, strategy=names, layer=names, after=st.lists(names).map(tuple)),
    st.builds(ClipGradients, strategy=names, global_clipnorm=numbers, optimizer=names, was=names),
    st.builds(
        EncodeCategories,
        strategy=names,
        columns=st.tuples(
            st.lists(st.builds(CodeColumn, st.integers(0), st.integers(), st.integers(2))).map(tuple),
        ),
    ),
)
recipes = st.lists(remedies, max_size=5).map(lambda drawn: Recipe(tuple(drawn)))

RATE = SetLearningRate("lower_learning_rate", factor=0.01, was=1.0)
LAYERS = InsertHiddenLayers("add_hidden_layers", units=64, depth=2)
SHUFFLE = SetFitArgument("reshuffle", name="shuffle", value=True, was=False)


@given(recipes)
def test_every_recipe_comes_back_from_json_equal(recipe):
    loaded = Recipe.from_json(recipe.to_json())
    assert loaded == recipe
    assert hash(loaded) == hash(recipe)
    assert loaded.code() == recipe.code()


@given(recipes)
def test_dropping_all_strategies_leaves_nothing(recipe):
    assert recipe.without(recipe.strategies) == Recipe()
    assert recipe.without([]) == recipe


@pytest.mark.parametrize(
    ("remedy", "code"),
    [
        (
            NormalizeInputs("s", mean=((0.5, 500.0),), variance=((1.0, 1e6),)),
            ["keras.layers.Normalization(mean=[0.5, 500], variance=[1, 1e+06])   # after the input"],
        ),
        (
            NormalizeInputs("s", mean=(None, (0.5,)), variance=(None, (2.0,))),
            ["keras.layers.Normalization(mean=[0.5], variance=[2])   # after input 1"],
        ),
        (
            RescaleOutputs("s", scale=(10.0,), offset=(-3.0,)),
            ["keras.layers.Rescaling(scale=10, offset=-3)   # as the last layer"],
        ),
        (
            RescaleOutputs("s", scale=(None, 10.0), offset=(None, 1.0), learning_rate_factor=0.01),
            [
                "keras.layers.Rescaling(scale=10, offset=1)   # after output 1",
                "optimizer.learning_rate *= 0.01",
            ],
        ),
        (RATE, ["optimizer=keras.optimizers.Adam(0.01)   # was 1"]),
        (
            SetLearningRate("s", factor=0.1, was="CosineDecay"),
            ["optimizer: every rate of its CosineDecay schedule times 0.1"],
        ),
        (
            LAYERS,
            ['keras.layers.Dense(64, activation="relu")   # before the output layer'] * 2,
        ),
        (SHUFFLE, ["model.fit(..., shuffle=True)   # was False"]),
        (
            SetFitArgument("s", name="batch_size", value=16, was=4096),
            ["model.fit(..., batch_size=16)   # was 4096"],
        ),
        (
            SetFitArgument("s", name="class_weight", value=((0, 0.5), (1, 5.0))),
            ["model.fit(..., class_weight={0: 0.5, 1: 5})   # was None"],
        ),
        (
            ChangeLayers(
                "s",
                (
                    LayerChange("dense", "Dense", "activation", "relu", "sigmoid"),
                    LayerChange("drop", "Dropout", "rate", 0.2, 0.99),
                ),
            ),
            [
                """keras.layers.Dense(..., activation="relu")   # 'dense', was "sigmoid\"""",
                "keras.layers.Dropout(..., rate=0.2)   # 'drop', was 0.99",
            ],
        ),
        (
            ReplaceHeads("s", (None, HeadChange("out", 3, "softmax", "mse", (1, "linear", "poisson")))),
            [
                """keras.layers.Dense(3, activation="softmax")   # 'out', was 1, "linear\"""",
                'model.compile(..., loss="mse")   # was "poisson"',
            ],
        ),
        (
            NormalizeLayers("s", "BatchNormalization", ("dense",)),
            ["keras.layers.BatchNormalization()   # after 'dense'"],
        ),
        (
            ClipGradients("s", global_clipnorm=1.0, optimizer="SGD"),
            ["keras.optimizers.SGD(..., global_clipnorm=1)   # was not clipped"],
        ),
        (
            EncodeCategories("s", ((CodeColumn(2, 1, 5),),)),
            ['keras.layers.CategoryEncoding(5, output_mode="one_hot")   # for column 2 less 1'],
        ),
    ],
)
def test_a_remedy_prints_itself_as_keras_code(remedy, code):
    assert remedy.code() == code


def test_every_kind_of_remedy_is_covered_here():
    covered = {NormalizeInputs, RescaleOutputs, SetLearningRate, InsertHiddenLayers, SetFitArgument}
    covered |= {ChangeLayers, ReplaceHeads, NormalizeLayers, ClipGradients, EncodeCategories}
    own = {kind for kind in Remedy.kinds.values() if kind.__module__ == "autofix.remedies"}
    assert own == covered


@pytest.mark.parametrize(
    ("remedy", "said"),
    [
        (SetFitArgument("s", name="epochs", value=300, was=100), "300 epochs in place of 100"),
        (SetFitArgument("s", name="class_weight", value=((0, 1.0),)), "weighs the classes"),
        (ChangeLayers("s", (LayerChange("base", "Dense", "trainable", True, False),)), "were frozen: base"),
        (ChangeLayers("s", (LayerChange("d", "Dense", "kernel_regularizer", None, "l2"),)), "regularisation of d"),
        (ReplaceHeads("s", (HeadChange("o", None, None, "mse", (1, "linear", "poisson")),)), "mse in place of poisson"),
        (ReplaceHeads("s", (HeadChange("o", 3, None, None, (1, "linear", "mse")),)), "3 values a row in place of 1"),
    ],
)
def test_a_remedy_says_what_it_overrules(remedy, said):
    assert said in remedy.departure()
    assert Recipe((RATE, remedy)).departures == (remedy.departure(),)


def test_initial_weights_are_no_part_of_what_is_compiled():
    kernel = LayerChange("d", "Dense", "kernel_initializer", "he_normal", "zeros")
    rate = LayerChange("drop", "Dropout", "rate", 0.1, 0.9)
    assert ChangeLayers("s", (kernel,)).compiled_part() is None
    assert ChangeLayers("s", (kernel, rate)).compiled_part() == ChangeLayers("s", (rate,))
    assert LAYERS.compiled_part() == LAYERS
    assert RATE.compiled_part() is None


def test_long_statistics_are_abbreviated_in_code_only():
    remedy = NormalizeInputs("s", mean=(tuple(range(100)),), variance=((1.0,) * 100,))
    assert "[0, 1, 2, 3, 4, 5, 6, ..., 99]" in remedy.code()[0]
    assert Remedy.from_dict(json.loads(json.dumps(remedy.to_dict()))) == remedy


def test_the_code_of_a_recipe_is_that_of_its_remedies_in_order():
    assert Recipe((RATE, SHUFFLE)).code().splitlines() == RATE.code() + SHUFFLE.code()
    assert Recipe().code() == ""


def test_without_drops_the_remedies_of_the_strategies_named_and_keeps_the_order():
    recipe = Recipe((RATE, LAYERS, SHUFFLE))
    assert recipe.without(["add_hidden_layers", "unheard_of"]) == Recipe((RATE, SHUFFLE))
    assert recipe.strategies == ("lower_learning_rate", "add_hidden_layers", "reshuffle")
    assert len(recipe) == 3


def test_factors_on_the_learning_rate_multiply():
    rescaled = RescaleOutputs("s", scale=(10.0,), offset=(0.0,), learning_rate_factor=0.5)
    assert Recipe((RATE, rescaled)).learning_rate_factor == pytest.approx(0.005)
    assert Recipe().learning_rate_factor == 1.0


def test_fit_arguments_are_collected_by_name():
    batches = SetFitArgument("resize_batches", name="batch_size", value=16)
    assert Recipe((SHUFFLE, RATE, batches)).fit_arguments == {"shuffle": True, "batch_size": 16}


def test_only_changes_to_the_network_need_surgery():
    assert not Recipe((RATE, SHUFFLE)).needs_surgery
    assert Recipe((RATE, LAYERS)).needs_surgery


def test_recipes_and_remedies_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        RATE.factor = 2.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().remedies = (RATE,)


@pytest.mark.parametrize("values", [{}, {"kind": "set_moon_phase", "strategy": "s"}])
def test_an_unknown_kind_is_refused_with_what_is_known(values):
    with pytest.raises(ArgumentError, match=r"Expected one of .*set_learning_rate.* Received: kind="):
        Remedy.from_dict(values)


def test_normalized_inputs_are_standard_and_the_others_are_left_alone():
    x = np.random.default_rng(0).normal(500.0, 100.0, (1000, 2))
    other = np.arange(1000)
    remedy = NormalizeInputs("s", mean=(tuple(x.mean(0)), None), variance=(tuple(x.var(0)), None))
    scaled, same = remedy.transform([x, other])
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled.mean(axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(scaled.std(axis=0), 1.0, atol=1e-4)
    assert same is other


def test_an_input_of_one_axis_keeps_its_shape():
    remedy = NormalizeInputs("s", mean=((1.0,),), variance=((4.0,),))
    np.testing.assert_allclose(remedy.transform([np.array([1.0, 5.0])])[0], [0.0, 2.0])


def test_recipes_are_read_without_importing_keras():
    code = "import sys, autofix.recipe; sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
