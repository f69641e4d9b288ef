import dataclasses
import json

import pytest

from autofix.causes import CONFIDENT, DEFAULT, rank
from autofix.evidence import (
    CodesProfile,
    CurveProfile,
    Evidence,
    FitProfile,
    InputProfile,
    LayerProfile,
    ModelProfile,
    OutputProfile,
    ReferenceProfile,
    TargetProfile,
)

NAN = float("nan")


def inputs(*mean_and_std, is_integer=False, **fields):
    means, stds = zip(*mean_and_std, strict=True)
    low = tuple(mean - 2.0 * std for mean, std in mean_and_std)
    high = tuple(mean + 2.0 * std for mean, std in mean_and_std)
    return InputProfile(means, stds, low, high, means, stds, is_integer, **fields)


def hidden(name="hidden", **fields):
    values = {"activation": "relu", "units": 16, "gradient": 0.1, "start_gradient": 0.3, "update": 0.4, **fields}
    return LayerProfile(name, "Dense", **values)


def out(**fields):
    values = {"activation": "linear", "units": 1, "gradient": 0.1, "start_gradient": 0.5, "update": 0.6, **fields}
    return LayerProfile("out", "Dense", is_output=True, **values)


HEALTHY = Evidence(
    inputs=(inputs((0.0, 1.0), (0.5, 0.3)),),
    targets=(TargetProfile("regression", 0.0, 1.0, False, 0.0, minimum=-3.0, maximum=3.0, n_distinct=900),),
    model=ModelProfile(
        optimizer="Adam",
        learning_rate=0.001,
        schedule=None,
        default_learning_rate=0.001,
        is_scale_free=True,
        nonlinear_layers=1,
        layer_types=("Dense",),
        can_rescale_rate=True,
        can_edit=True,
        can_insert=True,
        output_activations=("linear",),
        outputs=(OutputProfile("out", 1, "linear", "mean_squared_error", False, minimum=-2.0, maximum=2.0),),
        layers=(hidden(dead_share=0.25, start_dead_share=0.2), out()),
    ),
    fit=FitProfile(n_rows=1000, batch_size=32, epochs=10, total_steps=320, shuffle=True),
    references=ReferenceProfile(linear=0.8, nonlinear=0.85, best_lower=0.7, p_value=0.005),
    curve=CurveProfile(losses=(1.0, 0.4, 0.2), data_loss=0.2, penalty=0.02, start_data_loss=1.2, start_penalty=0.03),
)


def case(**parts):
    """The healthy evidence with some fields of its parts changed."""
    changes = {}
    for name, values in parts.items():
        part = getattr(HEALTHY, name)
        if isinstance(values, dict):
            is_many = isinstance(part, tuple)
            changed = dataclasses.replace(part[0] if is_many else part, **values)
            values = (changed,) if is_many else changed
        changes[name] = values
    return dataclasses.replace(HEALTHY, **changes)


def confidence(evidence, cause):
    return next((finding.confidence for finding in rank(evidence) if finding.cause == cause), 0.0)


def order(evidence):
    return [finding.cause for finding in rank(evidence)]


def test_healthy_evidence_has_no_cause():
    assert rank(HEALTHY) == ()


def test_evidence_that_could_not_be_measured_has_no_cause():
    model = dataclasses.replace(HEALTHY.model, layers=(), outputs=(), learning_rate=None, default_learning_rate=None)
    bare = Evidence(HEALTHY.inputs, HEALTHY.targets, model, HEALTHY.fit)
    assert rank(bare) == ()


def head(**fields):
    return (dataclasses.replace(HEALTHY.model.outputs[0], **fields),)


CASES = {
    "unscaled_inputs": (case(inputs=(inputs((500.0, 300.0), (0.5, 0.3)),)), ("0.583", "583", "feature 0")),
    "unscaled_targets": (case(targets={"mean": 400.0, "std": 100.0, "minimum": 100.0}), ("400", "100", "-2 to 2")),
    "learning_rate_too_high": (case(model={"learning_rate": 1.0}), ("is 1, 1,000 times the default of Adam",)),
    "learning_rate_too_low": (
        case(model={"learning_rate": 1e-6, "layers": (hidden(update=1e-5), out(update=1e-4))}),
        ("1e-06", "320 steps", "0.01%"),
    ),
    "insufficient_capacity": (
        case(model={"nonlinear_layers": 0}, references={"linear": 0.1, "nonlinear": 0.8}),
        ("skill 0.80", "linear one 0.10"),
    ),
    "unshuffled_data": (case(fit={"shuffle": False}, targets={"order_drift": 0.95}), ("0.95",)),
    "batch_size_too_large": (
        case(fit={"batch_size": 1000, "total_steps": 10}, curve={"losses": (1.0, 1.0)}),
        ("1000 rows", "10 optimizer steps"),
    ),
    "batch_size_too_small": (case(fit={"batch_size": 1, "total_steps": 10000}), ("1 rows",)),
    "output_mismatch": (case(model={"outputs": head(activation="sigmoid")}), ("sigmoid reaches 0 to 1", "-3 to 3")),
    "dead_units": (
        case(model={"layers": (hidden(dead_share=1.0, start_dead_share=0.25), out())}),
        ("16 of 16 units of 'hidden'", ", 4 when"),
    ),
    "saturated_units": (
        case(model={"layers": (hidden(activation="tanh", start_saturated_share=1.0, kernel_scale=40.0), out())}),
        ("100% of the values of 'hidden'", "tanh", "40 times"),
    ),
    "vanishing_gradients": (
        case(
            model={
                "layers": (
                    *(hidden(f"h{i}", activation="sigmoid", start_gradient=10.0 ** (i - 7)) for i in range(6)),
                    out(),
                )
            }
        ),
        ("'h0'", "2.0e-07 of that of 'out'", "6 of them"),
    ),
    "exploding_gradients": (
        case(
            model={"layers": (hidden(start_gradient=5e6, kernel_scale=13.0), out()), "is_scale_free": False},
        ),
        ("'hidden'", "5,000,000 times", "13 times"),
    ),
    "symmetric_initialization": (
        case(model={"layers": (hidden(equal_share=1.0, kernel_scale=0.0), out())}),
        ("16 of 16 units of 'hidden'", "all weights 0"),
    ),
    "frozen_weights": (
        case(model={"layers": (hidden(is_trainable=False), out(is_trainable=False))}),
        ("None of the 2 layers", "'hidden' and 'out'"),
    ),
    "excessive_regularization": (
        case(model={"layers": (hidden(penalty=150.0), out())}, curve={"penalty": 150.0, "data_loss": 1.2}),
        ("150", "1.2", "'hidden'"),
    ),
    "imbalanced_labels": (
        case(targets={"kind": "binary", "class_shares": ((0, 0.97), (1, 0.03))}, model={"outputs": ()}),
        ("97.0%", "class 0"),
    ),
    "unencoded_categories": (
        case(inputs=(inputs((3.0, 2.0), codes=(CodesProfile(0, 0, 7, 8, gain=0.5),)),)),
        ("8 whole numbers of feature 0", "50%"),
    ),
    "insufficient_training": (case(curve={"half_skill": 0.1, "end_skill": 0.3}), ("0.10", "0.30", "320 steps")),
    "nonfinite_inputs": (case(inputs=(inputs((0.0, 1.0), n_nonfinite=3),)), ("3 values of the inputs",)),
    "constant_features": (case(inputs=(inputs((0.0, 0.0), constant_features=(0,)),)), ("Every feature",)),
    "constant_targets": (case(targets={"is_constant": True}), ("Every row has the same target",)),
    "no_signal": (
        case(references={"linear": 0.0, "nonlinear": 0.01, "best_lower": -0.02, "p_value": 0.6}),
        ("0.01", "-0.02", "p = 0.60"),
    ),
    "too_few_rows": (case(fit={"n_rows": 7}), ("7 rows", "10")),
    "nonfinite_training": (
        case(curve={"losses": (NAN, NAN), "has_nonfinite_weights": True}, model={"is_clipped": True}),
        ("since epoch 1",),
    ),
}


@pytest.mark.parametrize("cause", CASES)
def test_each_cause_is_found_by_its_evidence_and_names_its_numbers(cause):
    evidence, numbers = CASES[cause]
    found = {finding.cause: finding for finding in rank(evidence)}
    assert 0.0 < found[cause].confidence < 1.0
    assert found[cause].evidence.endswith((".", "1)."))
    for number in numbers:
        assert number in found[cause].evidence
    assert set(found) <= {cause, "exploding_gradients"}


DECISIVE = (
    *("learning_rate_too_high", "learning_rate_too_low", "insufficient_capacity", "unshuffled_data", "output_mismatch"),
    *("saturated_units", "vanishing_gradients", "exploding_gradients", "symmetric_initialization"),
    *("frozen_weights", "excessive_regularization", "nonfinite_inputs", "constant_features", "constant_targets"),
    *("no_signal", "too_few_rows"),
)


@pytest.mark.parametrize("cause", DECISIVE)
def test_direct_evidence_is_decisive(cause):
    evidence, _ = CASES[cause]
    assert order(evidence)[0] == cause
    assert confidence(evidence, cause) >= 0.9


@pytest.mark.parametrize(
    ("cause", "evidence"),
    [
        ("unscaled_inputs", case(inputs=(inputs((7.0, 7.0), (0.0, 0.2)),))),
        ("unscaled_inputs", case(inputs=(inputs((5e3, 3e3), is_integer=True),), model={"layer_types": ("Embedding",)})),
        (
            "unscaled_inputs",
            case(
                inputs=(inputs((500.0, 300.0)),),
                model={"layers": (LayerProfile("n", "Normalization"), *HEALTHY.model.layers)},
            ),
        ),
        (
            "unscaled_inputs",  # a rare flag
            case(inputs=(InputProfile((0.001,), (0.03,), (0.0,), (1.0,), (0.0,), (0.0,), False),)),
        ),
        ("unscaled_targets", case(targets={"kind": "multiclass", "mean": 400.0, "std": 100.0})),
        ("unscaled_targets", case(targets={"mean": 400.0, "std": 0.0})),
        (
            "unscaled_targets",
            case(
                targets={"mean": 400.0, "std": 100.0, "minimum": 100.0, "maximum": 700.0},
                model={"outputs": head(minimum=200.0, maximum=600.0)},
            ),
        ),
        (
            "unscaled_targets",
            case(targets={"std": 99.0}, model={"outputs": head(loss="mean_squared_logarithmic_error")}),
        ),
        ("learning_rate_too_high", case(model={"learning_rate": 1.0, "default_learning_rate": None})),
        ("learning_rate_too_high", case(model={"learning_rate": None})),
        ("learning_rate_too_low", case(model={"learning_rate": 1e-6, "default_learning_rate": None})),
        ("learning_rate_too_low", case(model={"learning_rate": 1e-4}, fit={"total_steps": 20_000})),
        ("insufficient_capacity", case(references={"linear": 0.1, "nonlinear": 0.8})),
        ("insufficient_capacity", case(model={"nonlinear_layers": 0}, references={"linear": 0.78, "nonlinear": 0.8})),
        ("insufficient_capacity", case(model={"nonlinear_layers": 0}, references={"linear": None, "nonlinear": None})),
        ("insufficient_capacity", case(model={"nonlinear_layers": 0}, references={"linear": -3.0, "nonlinear": 0.05})),
        ("unshuffled_data", case(targets={"order_drift": 0.9})),
        ("unshuffled_data", case(fit={"shuffle": False}, targets={"order_drift": 0.1})),
        ("batch_size_too_small", case(fit={"batch_size": 1, "n_rows": 500})),
        ("batch_size_too_large", case(fit={"batch_size": 32, "total_steps": 64, "epochs": 2})),
        ("dead_units", case(model={"layers": (hidden(dead_share=0.5), out())})),
        ("dead_units", case(model={"layers": (hidden(start_bias=-1.0), out())})),
        ("dead_units", case(model={"layers": (hidden(activation="tanh", start_bias=-20.0), out())})),
        ("dead_units", case(model={"layers": (hidden(activation="tanh", dead_share=1.0), out())})),
        ("dead_units", case(model={"layers": (hidden(), out(activation="relu", dead_share=1.0))})),
        (
            "dead_units",
            case(model={"layers": (hidden(kernel_scale=1e-3, dead_share=1.0), hidden("next", dead_share=1.0), out())}),
        ),
        ("saturated_units", case(model={"layers": (hidden(), out(activation="softmax", saturated_share=1.0))})),
        ("saturated_units", case(model={"layers": (hidden(activation="tanh", saturated_share=0.3), out())})),
        ("symmetric_initialization", case(model={"layers": (hidden(), out(units=3, equal_share=1.0))})),
        ("frozen_weights", case(model={"layers": (LayerProfile("n", "Normalization", is_trainable=False), out())})),
        ("excessive_regularization", case(curve={"penalty": 0.5, "data_loss": 1.0})),
        (
            "excessive_regularization",
            case(
                model={"layers": (LayerProfile("d", "Dropout", has_weights=False, arguments=(("rate", 0.5),)), out())}
            ),
        ),
        ("imbalanced_labels", case(targets={"kind": "binary", "class_shares": ((0, 0.8), (1, 0.2))})),
        ("unencoded_categories", case(inputs=(inputs((3.0, 2.0), codes=(CodesProfile(0, 0, 7, 8, gain=0.02),)),))),
        ("insufficient_training", case(curve={"half_skill": 0.5, "end_skill": 0.52})),
        ("insufficient_training", case(fit={"total_steps": 60}, curve={"losses": (1.0, 0.5, 0.5)})),
        ("no_signal", case(references={"best_lower": -0.1, "p_value": 0.005})),
    ],
)
def test_what_resembles_a_cause_is_none(cause, evidence):
    assert confidence(evidence, cause) == 0.0


@pytest.mark.parametrize(
    ("cause", "mild", "strong"),
    [
        ("learning_rate_too_high", case(model={"learning_rate": 0.02}), case(model={"learning_rate": 10.0})),
        ("unscaled_inputs", case(inputs=(inputs((20.0, 1.0)),)), case(inputs=(inputs((2e4, 1.0)),))),
        ("unscaled_targets", case(targets={"std": 20.0}), case(targets={"std": 2e4})),
        (
            "unshuffled_data",
            case(fit={"shuffle": False}, targets={"order_drift": 0.52}),
            case(fit={"shuffle": False}, targets={"order_drift": 1.0}),
        ),
        (
            "excessive_regularization",
            case(curve={"penalty": 3.0, "data_loss": 1.0}),
            case(curve={"start_penalty": 300.0, "start_data_loss": 1.0}),
        ),
    ],
)
def test_stronger_evidence_is_more_confident(cause, mild, strong):
    assert 0.0 < confidence(mild, cause) < CONFIDENT <= confidence(strong, cause) <= 0.99


def test_raw_pixels_alone_are_not_acted_on():
    assert 0.0 < confidence(case(inputs=(inputs((128.0, 70.0)),)), "unscaled_inputs") < CONFIDENT


dead_after = (hidden(dead_share=1.0, start_dead_share=0.2), out())
dead_before = (hidden(dead_share=1.0, start_dead_share=1.0), out())
saturated = (hidden(activation="tanh", start_saturated_share=1.0, saturated_share=1.0, start_gradient=1e-9), out())


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (case(model={"learning_rate": 1.0, "layers": dead_after}), ["learning_rate_too_high", "dead_units"]),
        (case(model={"learning_rate": 1.0, "layers": dead_before}), ["dead_units", "learning_rate_too_high"]),
        (case(inputs=(inputs((5e3, 1e3)),), model={"layers": dead_after}), ["unscaled_inputs", "dead_units"]),
        (
            case(inputs=(inputs((5e3, 1e3)),), model={"layers": saturated}),
            ["unscaled_inputs", "saturated_units", "vanishing_gradients"],
        ),
        (
            case(
                inputs=(inputs((5e3, 1e3)),),
                model={"is_scale_free": False, "layers": (hidden(start_gradient=1e6), out())},
                curve={"losses": (1e9, NAN), "has_nonfinite_weights": True},
            ),
            ["unscaled_inputs", "exploding_gradients", "nonfinite_training"],
        ),
        (
            case(model={"layers": (hidden(dead_share=1.0, start_dead_share=1.0, equal_share=1.0), out())}),
            ["symmetric_initialization", "dead_units"],
        ),
        (
            case(
                fit={"shuffle": False},
                targets={"order_drift": 0.95},
                model={"learning_rate": 0.05, "layers": dead_after},
            ),
            ["unshuffled_data", "learning_rate_too_high", "dead_units"],
        ),
        (
            case(
                targets={"mean": 1e6, "std": 1e5, "minimum": 8e5, "maximum": 12e5},
                model={"is_scale_free": False, "layers": (hidden(gradient=1e7), out())},
            ),
            ["unscaled_targets", "exploding_gradients"],
        ),
        (
            case(targets={"mean": 40.0, "std": 20.0, "maximum": 99.0}, model={"outputs": head(activation="sigmoid")}),
            ["output_mismatch", "unscaled_targets"],
        ),
        (
            case(fit={"batch_size": 1000, "total_steps": 10}, curve={"losses": (1.0, 0.9, 0.8)}),
            ["batch_size_too_large", "insufficient_training"],
        ),
        (
            case(
                model={"learning_rate": 1.0, "outputs": ()},
                targets={"kind": "binary", "class_shares": ((0, 0.97), (1, 0.03))},
            ),
            ["learning_rate_too_high", "imbalanced_labels"],
        ),
    ],
)
def test_consequences_rank_below_their_causes(evidence, expected):
    assert order(evidence)[: len(expected)] == expected
    ranks = [finding.confidence for finding in rank(evidence)]
    assert ranks == sorted(ranks, reverse=True)
    if expected[0] != "dead_units":
        assert all(confidence(evidence, effect) < CONFIDENT for effect in expected[1:])


def test_biases_that_kill_once_the_inputs_are_scaled_are_found_below_the_scales():
    evidence = case(inputs=(inputs((5e3, 1e3)),), model={"layers": (hidden(start_bias=-20.0), out())})
    assert order(evidence) == ["unscaled_inputs", "dead_units"]
    assert confidence(evidence, "dead_units") >= CONFIDENT


def test_units_that_were_dead_before_the_first_step_are_decisive():
    evidence = case(model={"layers": dead_before})
    assert order(evidence) == ["dead_units"]
    assert confidence(evidence, "dead_units") >= 0.9
    assert CONFIDENT <= confidence(case(model={"layers": dead_after}), "dead_units") < 0.9


def test_a_thousandfold_rate_is_wrong_whatever_the_order_of_the_rows():
    evidence = case(fit={"shuffle": False}, targets={"order_drift": 0.9}, model={"learning_rate": 1.0})
    assert confidence(evidence, "learning_rate_too_high") >= 0.9


def test_a_single_short_epoch_is_suspected_of_being_too_little():
    short = case(fit={"total_steps": 30, "epochs": 1, "n_rows": 960}, curve={"losses": (1.0,)})
    assert order(short) == ["insufficient_training"]
    assert confidence(short, "insufficient_training") < CONFIDENT


def test_single_rows_at_a_high_rate_are_noisier():
    single = {"batch_size": 1, "total_steps": 10000}
    calm, noisy = case(fit=single), case(fit=single, model={"learning_rate": 0.02})
    assert confidence(calm, "batch_size_too_small") < confidence(noisy, "batch_size_too_small")


def test_a_flat_output_is_less_certain_than_one_out_of_reach():
    target = {"minimum": 0.0, "maximum": 1.0}
    flat = case(targets=target, model={"outputs": head(activation="sigmoid", is_flat=True)})
    assert CONFIDENT <= confidence(flat, "output_mismatch") < 0.8


def test_a_tail_out_of_reach_is_less_certain_than_half_of_the_targets():
    def reached(low):
        return case(targets={"minimum": low, "maximum": 5.0}, model={"outputs": head(activation="relu")})

    assert confidence(reached(-0.5), "output_mismatch") < 0.75 < 0.9 <= confidence(reached(-5.0), "output_mismatch")


def test_every_threshold_moves_some_confidence_or_ranking():
    """What is not used cannot be tested for its influence."""
    still = (hidden(update=0.001), out(update=0.001))
    far = {"mean": 400.0, "std": 10.0, "minimum": 100.0, "maximum": 700.0}
    noise = LayerProfile("n", "GaussianNoise", has_weights=False, arguments=(("stddev", 5.5),))
    evidences = [evidence for evidence, _ in CASES.values()]
    evidences += [
        case(model={"learning_rate": 0.02}),
        case(inputs=(inputs((11.0, 4.0)),)),
        case(fit={"n_rows": 11}),
        case(targets=far, model={"outputs": head(minimum=200.0, maximum=205.5)}),
        case(targets=far, model={"outputs": head(minimum=200.0, maximum=204.5)}),
        case(model={"learning_rate": 1e-5}, fit={"total_steps": 90_000}),
        case(model={"learning_rate": 1e-5}, fit={"total_steps": 110_000}),
        case(model={"learning_rate": 1e-5, "layers": still}, fit={"total_steps": 900}),
        case(model={"learning_rate": 1e-5, "layers": still}, fit={"total_steps": 1100}),
        case(model={"learning_rate": 1e-5, "layers": (hidden(update=0.11), out(update=0.11))}),
        case(model={"learning_rate": 1e-5, "layers": (hidden(update=0.09), out(update=0.09))}),
        case(model={"learning_rate": 0.02, "layers": (hidden(update=11.0), out())}),
        case(model={"learning_rate": 0.02, "layers": (hidden(update=9.0), out())}),
        case(curve={"losses": (1.0, 3.5)}),
        case(curve={"losses": (1.0, 2.5)}),
        case(fit={"batch_size": 500, "total_steps": 110, "epochs": 55}),
        case(fit={"batch_size": 500, "total_steps": 90, "epochs": 10}),
        case(fit={"batch_size": 64, "total_steps": 88, "epochs": 8}),
        case(fit={"batch_size": 1, "n_rows": 1100}),
        case(fit={"batch_size": 2, "n_rows": 3000}),
        case(fit={"total_steps": 90}, curve={"losses": (1.0, 0.5, 0.489)}),
        case(fit={"total_steps": 90}, curve={"losses": (1.0, 0.5, 0.491)}),
        case(curve={"half_skill": 0.1, "end_skill": 0.155}),
        case(model={"nonlinear_layers": 0}, references={"linear": 0.1, "nonlinear": 0.21}),
        case(model={"layers": (hidden(units=2), out())}, references={"linear": 0.1, "nonlinear": 0.9}),
        case(fit={"shuffle": False}, targets={"order_drift": 0.55}),
        case(references={"linear": 0.0, "nonlinear": 0.1, "best_lower": 0.018, "p_value": 0.2}),
        case(references={"linear": 0.0, "nonlinear": 0.1, "best_lower": 0.0, "p_value": 0.055}),
        case(targets={"kind": "binary", "class_shares": ((0, 0.95), (1, 0.05))}, model={"outputs": ()}),
        case(model={"layers": (hidden(dead_share=0.8), out())}),
        case(model={"layers": (hidden(start_bias=-5.5), out())}),
        case(model={"layers": (hidden(activation="tanh", saturated_share=0.6), out())}),
        case(model={"layers": (hidden("a", start_gradient=0.004), hidden("b"), out())}),
        case(model={"layers": (hidden(equal_share=0.6), out())}),
        case(model={"layers": (hidden(kernel_scale=0.09), out())}),
        case(model={"layers": (hidden(activation="tanh", saturated_share=0.9, kernel_scale=5.5), out())}),
        case(curve={"penalty": 1.1, "data_loss": 1.0}),
        case(model={"layers": (LayerProfile("d", "Dropout", has_weights=False, arguments=(("rate", 0.85),)), out())}),
        case(model={"layers": (noise, out())}),
        case(model={"is_scale_free": False, "layers": (hidden(gradient=110.0), out())}),
        case(inputs=(inputs((3.0, 2.0), codes=(CodesProfile(0, 0, 7, 8, gain=0.11),)),)),
        case(model={"learning_rate": 0.12, "layers": dead_after}),
        case(fit={"shuffle": False}, targets={"order_drift": 0.95}, model={"learning_rate": 0.09}),
    ]
    unmoved = []
    for field in dataclasses.fields(DEFAULT):
        moved = False
        for factor in (0.75, 1.25):
            other = dataclasses.replace(DEFAULT, **{field.name: getattr(DEFAULT, field.name) * factor})
            moved = moved or any(rank(evidence, other) != rank(evidence) for evidence in evidences)
        unmoved += [] if moved else [field.name]
    assert unmoved == []


def test_evidence_goes_through_json():
    evidence = CASES["unencoded_categories"][0]
    assert Evidence.from_dict(json.loads(json.dumps(evidence.to_dict()))) == evidence


def test_recurrent_layers_whose_input_weights_are_0_hand_nothing_on():
    layer = LayerProfile("lstm", "LSTM", "tanh", units=8, kernel_scale=0.0)
    evidence = dataclasses.replace(HEALTHY, model=dataclasses.replace(HEALTHY.model, layers=(layer,)))
    (finding,) = [one for one in rank(evidence) if one.cause == "symmetric_initialization"]
    assert "'lstm' began at 0" in finding.evidence
