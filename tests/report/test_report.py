import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autofix.errors import ArgumentError
from autofix.recipe import Recipe
from autofix.remedies import SetLearningRate
from autofix.report import Report
from autofix.report.records import Finding, Reference, RunRecord, TrialRecord
from autofix.scoring.assess import Assessment

RECIPE = Recipe((SetLearningRate("lower_learning_rate", factor=0.01, was=1.0),))


def assessment(**changes) -> Assessment:
    values = {
        "n_samples": 33,
        "spread": 0.0,
        "skill": -0.01,
        "skill_lower": -0.05,
        "skill_upper": 0.02,
        "loss": 1.0,
        "constant_loss": 0.99,
        "is_finite": True,
        "is_target_constant": False,
        "output_name": "output",
    }
    return Assessment(**{**values, **changes})


def repaired(**changes) -> RunRecord:
    values = {
        "verdict": "repaired",
        "before": (assessment(),),
        "before_epoch": 2,
        "after": (assessment(spread=0.98, skill=0.97, skill_lower=0.95, skill_upper=0.98),),
        "findings": (
            Finding("learning_rate_too_high", 0.9, "The rate is 1."),
            Finding("dead_units", 0.4, "All."),
        ),
        "references": (Reference("linear", 0.98, 0.97, 0.99),),
        "trials": (
            TrialRecord(0, Recipe(), {}, math.nan, math.nan, math.nan, 0.0, 0.3, "control", "Not finite."),
            TrialRecord(1, RECIPE, {"factor": 0.01}, 0.97, 0.95, 0.98, 0.98, 0.2, "accepted"),
        ),
        "recipe": RECIPE,
        "left_out": {"add_hidden_layers": "The model is subclassed."},
        "notes": ("The data was read once.",),
        "seconds": {"watch": 0.1, "total": 1.5},
    }
    return RunRecord(**{**values, **changes})


def refuse_constant(name):
    raise AssertionError(f"{name} is not strict JSON")


def test_a_report_reads_its_record():
    record = repaired()
    report = Report(record)
    assert report.verdict == "repaired"
    assert report.cause == "learning_rate_too_high"
    assert report.fix == "optimizer=keras.optimizers.Adam(0.01)   # was 1"
    assert report.recipe == RECIPE
    assert (report.trials, report.before, report.after) == (record.trials, record.before, record.after)
    assert (report.references, report.findings) == (record.references, record.findings)
    assert (report.seconds, report.notes, report.left_out) == (record.seconds, record.notes, record.left_out)


def test_without_findings_there_is_no_cause():
    assert Report(RunRecord("healthy")).cause is None


@pytest.mark.parametrize("indent", [None, 2])
def test_json_is_strict_and_comes_back_equal(indent):
    report = Report(repaired())
    text = report.to_json(indent=indent)
    json.loads(text, parse_constant=refuse_constant)
    loaded = Report.from_json(text)
    assert loaded == report
    assert hash(loaded) == hash(report)
    assert loaded.recipe == report.recipe
    assert loaded.record.before == report.record.before


@given(st.floats(), st.floats(), st.floats(), st.text(), st.sampled_from(["NaN", "Infinity", "fine"]))
def test_any_number_and_any_note_survives_json(skill, lower, seconds, evidence, note):
    trial = TrialRecord(1, Recipe(), {"units": 8}, skill, lower, skill, 0.5, seconds, "failed", note)
    record = repaired(trials=(trial,), notes=(note,), left_out={"one": note}, findings=(Finding("c", 0.5, evidence),))
    loaded = Report.from_json(Report(record).to_json())
    assert loaded == Report(record)
    again = loaded.trials[0]
    assert (math.isnan(again.skill) and math.isnan(skill)) or again.skill == skill
    assert (again.note, loaded.notes, loaded.left_out) == (note, (note,), {"one": note})


def test_numpy_numbers_become_plain_ones():
    report = Report(repaired(seconds={"total": np.float32(0.5), "watch": np.float64(math.inf)}))
    assert report.to_dict()["seconds"] == {"total": 0.5, "watch": "Infinity"}


def test_reports_of_different_runs_differ():
    assert Report(repaired()) != Report(repaired(verdict="unrepaired"))
    assert Report(repaired()) != "a report"


def test_a_report_can_be_pickled():
    report = Report(repaired())
    assert pickle.loads(pickle.dumps(report)) == report


def test_repr_is_one_line_and_str_is_the_page():
    report = Report(repaired())
    expected = (
        "Report(verdict='repaired', cause='learning_rate_too_high', strategies=('lower_learning_rate',), trials=2)"
    )
    assert repr(report) == expected
    assert all(line in str(report) for line in report.diff.splitlines())


@pytest.mark.parametrize("text", ["{", "[]", "{}", '"NaN"', '{"verdict": "healthy"}', "null"])
def test_what_is_no_report_is_refused_with_the_way_out(text):
    with pytest.raises(ArgumentError, match="Expected"):
        Report.from_json(text)
