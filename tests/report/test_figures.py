"""The numbers of the figures, apart from how they are drawn."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autofix.errors import ArgumentError
from autofix.recipe import Recipe
from autofix.report.figures import FIGURES, picture, pictures
from autofix.report.figures.marks import LARGEST, NARROWEST, Axis, Curve, axis_of, describe
from autofix.report.figures.roc import roc_curve
from autofix.report.records import RunRecord, TrialRecord
from autofix.report.traces import LossCurve, Trace
from tests.report import made


def kinds(record):
    return [one.kind for one in pictures(record)]


def test_a_run_without_anything_to_show_has_no_figure():
    assert pictures(RunRecord("not_assessed")) == []


def test_only_what_was_measured_is_drawn():
    assert kinds(made.repaired()) == [kind for kind in FIGURES if kind != "roc"]
    assert kinds(made.binary()) == list(FIGURES)
    assert kinds(made.repaired(evidence=None, repaired=None, references=(), trials=(), predictions=())) == [
        "progress",
        "losses",
        "time",
    ]


@pytest.mark.parametrize("kind", FIGURES)
def test_every_figure_is_asked_for_by_its_kind(kind):
    assert picture(made.binary(), kind).kind == kind


def test_a_mistyped_kind_is_answered_with_the_one_that_was_meant():
    with pytest.raises(ArgumentError, match=r"Did you mean 'predictions'\?"):
        picture(made.repaired(), "prediction")


def test_a_figure_without_content_is_refused_with_those_that_have_some():
    with pytest.raises(ArgumentError, match=r"nothing to show.*Expected one of \['time'\]"):
        picture(RunRecord("healthy", seconds={"looks": 0.1, "total": 1.0}), "layers")


def test_points_are_the_targets_and_predictions_of_the_record():
    before, after = picture(made.repaired(), "predictions").panels
    assert before.marks[0].x == after.marks[0].x == (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)
    assert before.marks[0].y == (2.5,) * 6
    assert after.marks[0].y == (0.1, 0.9, 2.1, 2.9, 4.1, 5.5)
    assert (before.marks[0].role, after.marks[0].role) == ("before", "after")
    assert "skill 0.970 [0.950, 0.980], spread 0.980" in after.note


def test_predictions_share_the_axis_of_the_targets_where_they_lie_on_it():
    wild = made.numbers("control", (0.0, 1.0), (1e6, 0.5))
    tame = made.numbers("fix", (0.0, 1.0), (0.1, 0.9))
    before, after = picture(made.repaired(predictions=(wild, tame)), "predictions").panels
    assert (after.x.low, after.x.high) == (after.y.low, after.y.high)
    assert before.x == after.x
    assert before.y.high > 1e6


def test_predictions_that_are_not_finite_are_said_to_be():
    lost = made.numbers("control", (0.0, 1.0), (math.nan, math.nan), is_finite=False)
    found = made.numbers("fix", (0.0, 1.0), (0.1, 0.9))
    panel, _ = picture(made.repaired(predictions=(lost, found)), "predictions").panels
    assert panel.note == "predictions are not finite"
    assert all(math.isfinite(limit) for limit in (panel.y.low, panel.y.high))


def test_where_nothing_is_finite_there_is_nothing_to_draw():
    nan = {"skill": math.nan, "skill_lower": math.nan, "skill_upper": math.nan, "is_finite": False}
    record = made.repaired(
        predictions=(made.numbers("control", (0.0, 1.0), (math.nan, math.nan), **nan),),
        own=Trace((made.look(1, spread=math.nan, **nan),), LossCurve((1, 2), (math.nan, math.nan))),
        repaired=None,
        trials=(TrialRecord(0, Recipe(), {}, math.nan, math.nan, math.nan, math.nan, 0.3, "control"),),
    )
    assert not {"predictions", "progress", "losses", "trials"} & set(kinds(record))


def test_the_values_of_an_output_stand_in_pairs_of_before_and_after():
    rows = ((0.0, 1.0), (1.0, 0.0))
    samples = [
        dataclasses.replace(sample, kind="multilabel", targets=rows, predictions=rows, n_columns=2)
        for sample in made.repaired().predictions
    ]
    panels = picture(made.repaired(predictions=tuple(samples)), "predictions").panels
    assert [panel.title for panel in panels] == [
        "Your program, unchanged, value 1",
        "With the fix, value 1",
        "Your program, unchanged, value 2",
        "With the fix, value 2",
    ]


def test_a_confusion_matrix_counts_targets_by_row_and_predictions_by_column():
    before, after = picture(made.binary(), "predictions").panels
    assert before.counts == ((1, 1), (1, 1))
    assert after.counts == ((2, 0), (0, 2))  # a probability of 0.5 counts as class 1


@pytest.mark.parametrize("n_classes", [2, 10, 11, 50])
def test_every_row_is_counted_however_many_classes_there_are(n_classes):
    panel = picture(made.classes(n_classes), "predictions").panels[0]
    assert sum(map(sum, panel.counts)) == n_classes
    assert len(panel.names) == min(n_classes, 10)
    if n_classes > 10:
        assert panel.names[-1] == f"other ({n_classes - 9})"


def test_classes_have_their_names_where_they_have_some():
    named = dataclasses.replace(made.repaired().circumstances, class_names=("cat", "dog", "<b>"))
    panel = picture(made.classes(circumstances=named), "predictions").panels[0]
    assert panel.names == ("cat", "dog", "<b>")


def test_the_area_of_a_roc_curve_is_the_share_of_pairs_in_order():
    targets, scores = [0.0, 0.0, 1.0, 1.0, 1.0], [0.1, 0.5, 0.5, 0.9, 0.2]
    pairs = [
        (a, b) for a, t in zip(scores, targets, strict=True) for b, u in zip(scores, targets, strict=True) if t < u
    ]
    expected = sum((a < b) + 0.5 * (a == b) for a, b in pairs) / len(pairs)
    false, true, area = roc_curve(targets, scores)
    assert area == pytest.approx(expected)
    assert (false[0], true[0], false[-1], true[-1]) == (0.0, 0.0, 1.0, 1.0)


@pytest.mark.parametrize("targets", [[0.0, 0.0], [1.0, 1.0]])
def test_there_is_no_roc_curve_of_one_class(targets):
    assert roc_curve(targets, [0.1, 0.9]) is None


def test_there_is_no_roc_curve_of_scores_that_are_not_finite():
    assert roc_curve([0.0, 1.0], [math.nan, 0.9]) is None


def test_looks_are_drawn_with_their_bounds_and_what_is_off_the_scale_is_said():
    found = picture(made.repaired(), "progress")
    spread, skill = found.panels
    assert [curve.y for curve in spread.marks] == [(0.2, 0.0), (0.0, 0.98)]
    assert [curve.y for curve in skill.marks] == [(-0.01, -0.01), (-4.5, 0.97)]
    assert [curve.low for curve in skill.marks] == [(-0.05, -0.05), (-5.0, 0.95)]
    assert "the lowest is -4.500" in found.caption
    assert skill.note == "-0.010 after epoch 2; 0.970 after epoch 100 with the fix"


def test_a_healthy_training_has_the_colour_of_what_works():
    found = picture(made.repaired(verdict="healthy", repaired=None), "progress")
    assert found.legend == (("after", "your training"),)


def test_losses_are_those_that_were_logged():
    panel = picture(made.repaired(), "losses").panels[0]
    assert [(curve.x, curve.y) for curve in panel.marks] == [
        ((1.0, 2.0), (9.0, 2.0)),
        ((1.0, 2.0, 3.0), (8.0, 1.0, 0.125)),
    ]
    assert panel.y.is_log


def test_losses_down_to_0_are_not_drawn_on_a_logarithmic_axis():
    own = Trace((), LossCurve((1, 2, 3), (5.0, 0.0, math.nan)))
    panel = picture(made.repaired(own=own, repaired=None), "losses").panels[0]
    assert not panel.y.is_log
    assert panel.y.low < 0.0 < 5.0 < panel.y.high


def test_the_ladder_holds_every_trial_and_the_control_arm():
    rows = picture(made.repaired(), "trials").panels[0].rows
    assert [row.label for row in rows] == ["0 control: your program", "1 + lower_learning_rate"]
    assert [row.note for row in rows] == [
        "1 trial, best -3.500 [-4.000, -3.000]",
        "2 trials, best 0.963 [0.950, 0.978]",
    ]
    values = [mark.value for row in rows for mark in row.marks]
    assert values[0] == -0.5  # off the scale, which the caption says
    assert math.isnan(values[1])
    assert values[2] == 0.9625


def test_smaller_recipes_have_a_row_of_their_own_with_what_came_of_them():
    smaller = TrialRecord(1, Recipe(), {}, 0.1, 0.0, 0.2, 0.5, 0.1, "not minimal")
    rows = picture(made.repaired(trials=(*made.repaired().trials, smaller)), "trials").panels[0].rows
    assert (rows[-1].label, rows[-1].note) == ("smaller recipes", "1 trial, none as good")


def test_references_stand_beside_the_control_arm_and_the_fix():
    rows = picture(made.repaired(), "references").panels[0].rows
    assert [(row.label, row.note) for row in rows] == [
        ("your program", "-3.500 [-4.000, -3.000]"),
        ("with the fix", "0.963 [0.950, 0.978]"),
        ("linear", "0.980 [0.970, 0.990]"),
        ("extra_trees", "0.900 [0.880, 0.920]"),
    ]


def test_layers_are_matched_by_name_and_panels_without_content_are_left_out():
    panels = picture(made.repaired(), "layers").panels
    assert [panel.title for panel in panels] == ["Dead units", "Gradients"]
    assert [row.note for row in panels[0].rows] == ["100% → 25%", "0%"]
    assert [[mark.value for mark in row.marks] for row in panels[1].rows] == [[2.0, 0.125], [0.5]]


def test_features_have_their_names_and_a_mean_of_0_is_not_drawn_on_a_logarithmic_axis():
    rows = picture(made.repaired(), "features").panels[0].rows
    assert [(row.label, row.note) for row in rows] == [
        ("age", "mean 0, deviation 1"),
        ("income", "mean 500, deviation 501"),
    ]
    assert [len(row.marks) for row in rows] == [1, 2]


def test_features_without_names_have_numbers():
    nameless = dataclasses.replace(made.repaired().circumstances, feature_names=())
    rows = picture(made.repaired(circumstances=nameless), "features").panels[0].rows
    assert [row.label for row in rows] == ["feature 0", "feature 1"]


def test_parts_of_the_time_are_those_of_the_record():
    panel = picture(made.repaired(), "time").panels[0]
    assert panel.title == "1.50 s in all"
    assert [row.marks[0].value for row in panel.rows] == [0.1, 0.75]


def test_the_number_of_marks_is_bounded():
    for one in pictures(made.overflowing()):
        assert len(one.panels) <= 12, one.kind
        for panel in one.panels:
            assert len(getattr(panel, "rows", ())) <= 40, one.kind
            for mark in getattr(panel, "marks", ()):
                assert len(mark.x) <= 500, one.kind


@given(st.floats(-1e12, 1e12), st.floats(NARROWEST, 1e12), st.integers(2, 8))
def test_ticks_lie_on_the_axis_and_are_few(low, share, most):
    axis = Axis("", low, low + share * max(abs(low), 1e-12))
    ticks = axis.ticks(most)
    tolerance = 1e-6 * (axis.high - axis.low)
    assert len(ticks) <= most
    assert all(axis.low - tolerance <= tick <= axis.high + tolerance for tick in ticks)
    assert list(ticks) == sorted(set(ticks))


@given(st.floats(1e-30, 1e30), st.floats(1.01, 1e30), st.integers(2, 8))
def test_ticks_of_a_logarithmic_axis_lie_on_it_and_are_few(low, ratio, most):
    axis = Axis("", low, low * ratio, is_log=True)
    ticks = axis.ticks(most)
    assert len(ticks) <= most
    assert all(-1e-6 <= axis.place(tick) <= 1.0 + 1e-6 for tick in ticks)


@given(st.lists(st.floats()), st.booleans())
def test_an_axis_holds_every_value_that_can_be_drawn(values, is_log):
    axis = axis_of("", values, is_log=is_log)
    assert math.isfinite(axis.low)
    assert math.isfinite(axis.high)
    assert axis.low < axis.high
    least = 1.0 / LARGEST if is_log else -LARGEST
    assert all(axis.low <= value <= axis.high for value in values if least <= value <= LARGEST)


def test_a_panel_in_words_says_its_numbers():
    words = describe(picture(made.repaired(), "references").panels[0])
    assert "linear: 0.980 [0.970, 0.990]" in words
    words = describe(picture(made.binary(), "predictions").panels[1])
    assert "target 0: 2 as 0" in words


def test_a_curve_has_as_many_bounds_as_points():
    for panel in picture(made.repaired(), "progress").panels:
        for curve in panel.marks:
            assert isinstance(curve, Curve)
            assert len(curve.low) in (0, len(curve.y))
