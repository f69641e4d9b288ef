import dataclasses

from autofix.evidence import OutputProfile, TargetProfile
from tests.strategies.records import TARGET, case, prescribe, settings

LABELS = TargetProfile("binary", 0.5, 0.5, False, 0.0, maximum=1.0, n_distinct=2, is_whole=True)
SOFTMAX = OutputProfile("out", units=1, activation="softmax", loss="binary_crossentropy", from_logits=False)
FAR = dataclasses.replace(TARGET, minimum=20.0, maximum=80.0)


def test_a_softmax_over_one_unit_becomes_a_sigmoid():
    remedy = prescribe("repair_output_head", case(outputs=(SOFTMAX,), targets=(LABELS,)))
    assert remedy.heads == (("out", None, "sigmoid", None, (1, "softmax", "binary_crossentropy")),)


def test_outputs_that_suit_their_targets_stay():
    good = OutputProfile("number", units=1, activation="linear", loss="mean_squared_error", from_logits=False)
    assert prescribe("repair_output_head", case(outputs=(good,))) is None
    remedy = prescribe("repair_output_head", case(outputs=(good, SOFTMAX), targets=(TARGET, LABELS)))
    assert remedy.heads[0] is None
    assert remedy.heads[1].layer == "out"


def test_layers_that_cannot_be_made_anew_stay():
    fixed = dataclasses.replace(SOFTMAX, can_replace=False)
    assert prescribe("repair_output_head", case(outputs=(fixed,), targets=(LABELS,))) is None


def test_heads_of_which_several_would_do_are_a_setting():
    counts = dataclasses.replace(TARGET, minimum=0.0, maximum=9.0, is_whole=True)
    output = OutputProfile("rate", units=1, activation="linear", loss="poisson", from_logits=False)
    program = case(outputs=(output, SOFTMAX), targets=(counts, LABELS))
    assert settings("repair_output_head", program) == {"alternative": [0, 1]}
    first, second = (prescribe("repair_output_head", program, alternative=index).heads for index in (0, 1))
    assert (first[0].activation, second[0].activation) == ("softplus", "exponential")
    assert first[1] == second[1]


def test_a_change_of_the_loss_departs_from_what_was_asked_for():
    output = OutputProfile("out", units=1, activation="sigmoid", loss="binary_crossentropy", from_logits=False)
    remedy = prescribe("repair_output_head", case(outputs=(output,), targets=(FAR,)))
    assert remedy.heads[0][1:4] == (None, "linear", "mean_squared_error")
    assert "mean_squared_error in place of binary_crossentropy" in remedy.departure()
