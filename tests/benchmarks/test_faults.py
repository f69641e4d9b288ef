"""Every fault changes what it says, and nothing else than a fault is planted."""

import dataclasses

import keras
import numpy as np
import pytest

from autofix.benchmarks.faults import catalogue, data
from autofix.benchmarks.faults.bases import BASES, BY_NAME
from autofix.benchmarks.faults.fault import Double
from autofix.benchmarks.faults.skill import measure, probabilities
from autofix.benchmarks.faults.trained import train
from autofix.strategy import strategy_names

CASES = catalogue.cases([3]) + catalogue.cases([3], doubles=True)

LEFT_ALONE = ("x", "y", "x_fresh", "y_fresh")


@pytest.fixture(scope="module")
def programs():
    return {base.name: base.draw(3) for base in BASES}


def planted(name, programs, base=None):
    fault = catalogue.BY_FAULT[name]
    return fault.planted_into(programs[base or fault.bases[0]])


def changed_fields(before, after):
    names = [
        field.name for field in dataclasses.fields(before) if field.name not in ("options", "planted", *LEFT_ALONE)
    ]
    arrays = [name for name in LEFT_ALONE if not np.array_equal(getattr(before, name), getattr(after, name))]
    options = [
        field.name
        for field in dataclasses.fields(before.options)
        if getattr(before.options, field.name) != getattr(after.options, field.name)
    ]
    return {*arrays, *options, *(name for name in names if getattr(before, name) != getattr(after, name))}


@pytest.mark.parametrize("base", BASES, ids=lambda base: base.name)
def test_same_seed_same_rows_and_fresh_rows_are_others(base):
    first, again, other = base.draw(1), base.draw(1), base.draw(2)
    np.testing.assert_array_equal(first.x, again.x)
    np.testing.assert_array_equal(first.y_fresh, again.y_fresh)
    assert not np.array_equal(first.x, other.x)
    assert first.x.shape[1:] == first.x_fresh.shape[1:]
    assert len(first.x) == len(first.y) == base.n_rows
    assert not np.array_equal(first.x[:5], first.x_fresh[:5])


@pytest.mark.parametrize("base", BASES, ids=lambda base: base.name)
def test_targets_are_of_about_unit_scale_or_balanced_classes(base):
    y = base.make_data(20_000, np.random.default_rng(0))[1]
    if base.task == "regression":
        assert abs(y.mean()) < 0.3
        assert 0.7 < y.std() < 1.6
    else:
        shares = np.bincount(y) / len(y)
        np.testing.assert_allclose(shares, 1 / len(shares), atol=0.03)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.fault}-{case.base}")
def test_a_fault_changes_the_program_and_says_how(case, programs):
    healthy = programs[case.base]
    broken = catalogue.BY_FAULT[case.fault].planted_into(healthy)
    assert changed_fields(healthy, broken)
    n_faults = 2 if isinstance(catalogue.BY_FAULT[case.fault], Double) else 1
    assert len(broken.planted) == n_faults
    assert broken.x.shape[0] == broken.y.shape[0]
    assert broken.x_fresh.shape[1:] == broken.x.shape[1:]
    again = catalogue.BY_FAULT[case.fault].planted_into(healthy)
    assert again.planted == broken.planted
    np.testing.assert_array_equal(again.x, broken.x)


@pytest.mark.parametrize("name", [fault.name for fault in catalogue.FAULTS])
def test_the_strength_differs_from_seed_to_seed_where_there_is_one(name):
    fault = catalogue.BY_FAULT[name]
    sentences = {fault.planted_into(BY_NAME[fault.bases[0]].draw(seed)).planted for seed in range(8)}
    without_strength = (
        "frozen_weights",
        "zero_weights",
        "softmax_over_one",
        "softmax_under_squares",
    )
    assert (len(sentences) == 1) == (name in without_strength)


@pytest.mark.parametrize(
    ("name", "base", "fields"),
    [
        ("unscaled_inputs", "regression", {"x", "x_fresh"}),
        ("unscaled_targets", "codes", {"y", "y_fresh"}),
        ("unencoded_categories", "codes", {"x", "x_fresh"}),
        ("learning_rate_too_high", "images", {"learning_rate"}),
        ("learning_rate_too_low", "tokens", {"learning_rate"}),
        ("batch_size_too_large", "binary", {"batch_size", "epochs"}),
        ("insufficient_training", "images", {"batch_size", "epochs"}),
        ("frozen_weights", "series", {"frozen"}),
        ("l2_penalty", "regression", {"l2"}),
        ("dropout", "multiclass", {"dropout"}),
        ("dead_units", "images", {"initial_bias"}),
        ("stacked_sigmoids", "binary", {"activation", "depth"}),
        ("tiny_weights", "binary", {"initial_std", "depth"}),
        ("zero_weights", "tokens", {"initial_constant"}),
        ("equal_weights", "multiclass", {"initial_constant"}),
        ("bottleneck", "regression", {"units", "depth", "activation"}),
        ("softmax_under_squares", "multiclass", {"y", "y_fresh", "loss"}),
        ("logits_as_probabilities", "binary", {"head_activation"}),
    ],
)
def test_a_fault_changes_nothing_but_what_it_is_about(name, base, fields, programs):
    changed = changed_fields(programs[base], planted(name, programs, base))
    # Where the strength drawn is that of the healthy program, a field stays as it is.
    assert changed <= fields
    assert changed


def test_scaled_inputs_are_the_same_rows_in_other_units(programs):
    broken = planted("unscaled_inputs", programs)
    for column in range(broken.x.shape[-1]):
        both = np.corrcoef(programs["regression"].x[:, column], broken.x[:, column])[0, 1]
        assert both == pytest.approx(1.0)
    assert broken.x.std(axis=0).max() > 300
    np.testing.assert_array_equal(broken.y, programs["regression"].y)


def test_sorted_rows_are_the_same_rows_and_can_be_shuffled_by_hand(programs):
    fault = catalogue.BY_FAULT["unshuffled_data"]
    broken = fault.planted_into(programs["regression"])
    steps = np.diff(broken.y)
    assert (steps >= 0).all() or (steps <= 0).all()
    np.testing.assert_array_equal(np.sort(broken.x, axis=0), np.sort(programs["regression"].x, axis=0))
    assert not broken.shuffle
    assert fault.healthy(programs["regression"]).shuffle


def test_rare_positives_are_two_or_three_in_a_hundred_and_can_be_seen_longer_by_hand(programs):
    fault = catalogue.BY_FAULT["imbalanced_labels"]
    broken = fault.planted_into(programs["binary"])
    assert 0.02 <= broken.y.mean() <= 0.03
    assert broken.y_fresh.mean() == pytest.approx(broken.y.mean(), abs=0.002)
    healthy = fault.healthy(programs["binary"])
    assert healthy.epochs == 10 * broken.epochs
    np.testing.assert_array_equal(healthy.x, broken.x)


def test_single_rows_and_their_remedy_differ_in_the_batches_alone(programs):
    fault = catalogue.BY_FAULT["batch_size_too_small"]
    broken, healthy = fault.planted_into(programs["regression"]), fault.healthy(programs["regression"])
    assert changed_fields(healthy, broken) == {"batch_size"}
    assert broken.batch_size == 1


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("bottleneck", {"units"}),
        ("stacked_sigmoids", {"activation"}),
        ("tiny_weights", {"initial_std"}),
        ("saturated_units", {"activation", "initial_std"}),
    ],
)
def test_networks_keep_their_layers_when_they_are_fixed_by_hand(programs, name, fields):
    fault = catalogue.BY_FAULT[name]
    broken, healthy = fault.planted_into(programs["regression"]), fault.healthy(programs["regression"])
    was, now = dataclasses.asdict(broken.options), dataclasses.asdict(healthy.options)
    assert {field for field in was if was[field] != now[field]} == fields
    assert all(now[field] == getattr(programs["regression"].options, field) for field in fields)


def test_pairs_are_fixed_by_hand_one_by_one(programs):
    broken = catalogue.BY_FAULT["learning_rate_too_low+stacked_sigmoids"].planted_into(programs["multiclass"])
    healthy = catalogue.BY_FAULT["learning_rate_too_low+stacked_sigmoids"].healthy(programs["multiclass"])
    assert healthy.options.depth == broken.options.depth
    assert healthy.options.activation == "relu"
    assert healthy.options.learning_rate == programs["multiclass"].options.learning_rate


def test_codes_say_what_the_one_hot_columns_said(programs):
    broken, healthy = planted("unencoded_categories", programs), programs["codes"]
    assert broken.x.shape == (len(healthy.x), data.CODE_COLUMNS + 1)
    places = healthy.x[:, : data.N_CODES].argmax(axis=1)
    assert len(set(zip(places, broken.x[:, 0], strict=True))) == len(set(places))
    np.testing.assert_array_equal(broken.x[:, -1], healthy.x[:, -1])


def test_targets_out_of_reach_are_out_of_reach():
    for seed in range(6):
        broken = planted("unreachable_targets", {"regression": BY_NAME["regression"].draw(seed)})
        reach = {"relu": (0, np.inf), "sigmoid": (0, 1), "tanh": (-1, 1)}[broken.options.head_activation]
        assert np.mean((broken.y > reach[0]) & (broken.y < reach[1])) < 0.05


@pytest.mark.parametrize("fault", catalogue.FAULTS, ids=lambda fault: fault.name)
def test_every_broken_program_can_be_built(fault, programs):
    program = fault.planted_into(programs[fault.bases[0]])
    model = program.build()
    assert model.compiled
    assert model.optimizer.learning_rate.numpy() == pytest.approx(program.options.learning_rate)
    if program.options.frozen == "all":
        assert model.trainable_variables == []
    keras.backend.clear_session()


def test_weights_begin_as_the_fault_says(programs):
    dead = planted("dead_units", programs).build()
    x = programs["regression"].x.astype("float32")
    assert np.all(dead.layers[0](x).numpy() == 0.0)
    equal = planted("equal_weights", programs).build()
    assert len(np.unique(equal.layers[0].kernel.numpy())) == 1
    assert len(np.unique(equal.layers[-1].kernel.numpy())) > 1


def test_causes_and_fixes_are_names_that_exist():
    names = set(strategy_names())
    for fault in catalogue.FAULTS:
        assert fault.causes
        for fix in fault.fixes:
            assert fix <= names, fault.name


def test_every_fault_is_planted_somewhere_and_names_are_unique():
    names = [fault.name for fault in (*catalogue.FAULTS, *catalogue.DOUBLES)]
    assert len(set(names)) == len(names)
    assert {base for fault in catalogue.FAULTS for base in fault.bases} == {base.name for base in BASES}


def test_cases_can_be_chosen_by_fault_and_base():
    assert catalogue.cases([0, 1], ["dead_units"], ["images"]) == [
        ("dead_units", "images", 0),
        ("dead_units", "images", 1),
    ]


def test_right_fixes_of_a_pair_undo_both():
    fixes = catalogue.right_fixes("linear_network+unscaled_targets")
    assert fixes == (frozenset({"add_hidden_layers", "standardize_targets"}),)


def test_skill_is_1_for_the_targets_0_for_their_mean_and_does_not_need_the_loss():
    y = np.array([0, 1, 1, 0] * 50)
    assert measure("binary", y, y[:, None].astype(float)).value == pytest.approx(1.0)
    assert measure("binary", y, np.full((200, 1), 0.5)).value == pytest.approx(0.0)
    logits = np.where(y == 1, 8.0, -8.0)[:, None]
    assert measure("binary", y, logits).value > 0.99
    assert measure("multiclass", y, np.eye(2)[y]).value == pytest.approx(1.0)
    assert measure("multiclass", y, 20 * np.eye(2)[y]).value > 0.99
    assert measure("regression", y.astype(float), np.full((200, 1), np.nan)).value == -np.inf


def test_skill_of_classes_counted_from_one_has_a_column_for_the_last():
    y = np.array([1, 2] * 20)
    assert measure("multiclass", y, np.eye(2)[y - 1]).value < 0.0
    assert measure("multiclass", y, np.eye(3)[y]).value == pytest.approx(1.0)


def test_lower_bound_of_skill_is_below_it_and_below_0_for_chance():
    rng = np.random.default_rng(0)
    y, noise = rng.normal(size=500), rng.normal(size=(500, 1))
    half = measure("regression", y, (0.5 * y)[:, None])
    assert half.lower < half.value
    assert measure("regression", y, 0.05 * noise).lower < 0.0


def test_probabilities_add_up_to_one():
    rng = np.random.default_rng(0)
    np.testing.assert_allclose(probabilities(rng.normal(size=(9, 3))).sum(axis=1), 1.0)
    np.testing.assert_allclose(probabilities(rng.normal(size=(9, 1))).sum(axis=1), 1.0)


def test_a_plain_training_is_judged_on_fresh_rows():
    short = dataclasses.replace(BY_NAME["binary"].draw(0), epochs=8)
    done = train(short)
    assert done.report is None
    assert done.skill > 0.2
    assert done.skill_lower < done.skill
    assert done.weights
