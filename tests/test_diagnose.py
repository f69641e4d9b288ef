import dataclasses

import pytest

from autofix.causes import rank
from autofix.evidence import Evidence, FitProfile, InputProfile, ModelProfile, ReferenceProfile, TargetProfile


def inputs(*mean_and_std, is_integer=False):
    means, stds = zip(*mean_and_std, strict=True)
    return InputProfile(means, stds, means, means, means, stds, is_integer)


HEALTHY = Evidence(
    inputs=(inputs((0.0, 1.0), (0.5, 0.3)),),
    targets=(TargetProfile("regression", mean=0.0, std=1.0, is_constant=False, order_drift=0.0),),
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
    ),
    fit=FitProfile(n_rows=1000, batch_size=32, epochs=10, total_steps=320, shuffle=True),
    references=ReferenceProfile(linear=0.8, nonlinear=0.85, best_lower=0.7),
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


def test_healthy_evidence_has_no_cause():
    assert rank(HEALTHY) == ()


CASES = {
    "unscaled_inputs": case(inputs=(inputs((500.0, 300.0), (0.5, 0.3)),)),
    "unscaled_targets": case(targets={"mean": 400.0, "std": 100.0}),
    "learning_rate_too_high": case(model={"learning_rate": 1.0}),
    "learning_rate_too_low": case(model={"learning_rate": 1e-6}),
    "insufficient_capacity": case(model={"nonlinear_layers": 0}, references={"linear": 0.1, "nonlinear": 0.8}),
    "unshuffled_data": case(fit={"shuffle": False}, targets={"order_drift": 0.9}),
    "batch_size_too_large": case(fit={"batch_size": 1000, "total_steps": 10}),
    "batch_size_too_small": case(fit={"batch_size": 1, "total_steps": 10000}),
}


@pytest.mark.parametrize("cause", CASES)
def test_each_cause_is_found_alone_by_its_evidence(cause):
    (finding,) = rank(CASES[cause])
    assert finding.cause == cause
    assert 0.0 < finding.confidence < 1.0
    assert finding.evidence.endswith((".", "1)."))


@pytest.mark.parametrize(
    ("cause", "evidence"),
    [
        ("unscaled_inputs", case(inputs=(inputs((7.0, 7.0), (0.0, 0.2)),))),
        (
            "unscaled_inputs",
            case(inputs=(inputs((5000.0, 3000.0), is_integer=True),), model={"layer_types": ("Embedding",)}),
        ),
        ("unscaled_targets", case(targets={"kind": "multiclass", "mean": 400.0, "std": 100.0})),
        ("unscaled_targets", case(targets={"mean": 400.0, "std": 0.0})),
        ("learning_rate_too_high", case(model={"learning_rate": 1.0, "default_learning_rate": None})),
        ("learning_rate_too_high", case(model={"learning_rate": None})),
        ("learning_rate_too_low", case(model={"learning_rate": 1e-6, "default_learning_rate": None})),
        ("insufficient_capacity", case(references={"linear": 0.1, "nonlinear": 0.8})),
        ("insufficient_capacity", case(model={"nonlinear_layers": 0}, references={"linear": 0.78, "nonlinear": 0.8})),
        ("insufficient_capacity", case(model={"nonlinear_layers": 0}, references={"linear": None, "nonlinear": None})),
        ("insufficient_capacity", case(model={"nonlinear_layers": 0}, references={"linear": -3.0, "nonlinear": 0.05})),
        ("unshuffled_data", case(targets={"order_drift": 0.9})),
        ("unshuffled_data", case(fit={"shuffle": False}, targets={"order_drift": 0.1})),
        ("batch_size_too_small", case(fit={"batch_size": 1, "n_rows": 500})),
    ],
)
def test_what_resembles_a_cause_is_none(cause, evidence):
    assert confidence(evidence, cause) == 0.0


def test_a_feature_of_tiny_scale_is_unscaled_too():
    assert confidence(case(inputs=(inputs((0.0, 1e-4), (0.0, 1.0)),)), "unscaled_inputs") > 0.6


@pytest.mark.parametrize(
    ("cause", "mild", "strong"),
    [
        ("learning_rate_too_high", case(model={"learning_rate": 0.02}), case(model={"learning_rate": 10.0})),
        ("unscaled_inputs", case(inputs=(inputs((20.0, 1.0)),)), case(inputs=(inputs((2e4, 1.0)),))),
        ("unscaled_targets", case(targets={"std": 20.0}), case(targets={"std": 2e4})),
        (
            "unshuffled_data",
            case(fit={"shuffle": False}, targets={"order_drift": 0.6}),
            case(fit={"shuffle": False}, targets={"order_drift": 1.0}),
        ),
    ],
)
def test_stronger_evidence_is_more_confident(cause, mild, strong):
    assert 0.0 < confidence(mild, cause) < confidence(strong, cause) <= 0.99


def test_the_likeliest_cause_comes_first():
    evidence = case(model={"learning_rate": 1.0}, inputs=(inputs((15.0, 1.0)),), fit={"total_steps": 90})
    findings = rank(evidence)
    assert findings[0].cause == "learning_rate_too_high"
    assert len(findings) == 3
    ranks = [finding.confidence for finding in findings]
    assert ranks == sorted(ranks, reverse=True)


def test_the_evidence_names_the_numbers():
    (finding,) = rank(CASES["learning_rate_too_high"])
    assert "learning rate is 1, 1000 times the default of Adam" in finding.evidence
    (finding,) = rank(case(inputs=(inputs((0.0, 1.0), (500.0, 0.0)),)))
    assert "feature 1 is furthest" in finding.evidence
