"""How much the diagnosis depends on its thresholds."""

import dataclasses
import json
import math

import pytest

from autofix import causes
from autofix.benchmarks import lines, summary, thresholds
from autofix.benchmarks.__main__ import main
from autofix.benchmarks.measures import Results
from autofix.evidence import CurveProfile, Evidence, FitProfile, InputProfile, ModelProfile, TargetProfile


def runs_of(seed, evidence="null", plain_skill=0.0, **fields):
    """A broken program's plain, hand-made and repaired run, as `autofix bench` keeps them."""
    common = {"scenario": "dead_units/line", "seed": seed, "expected": "repaired", "cause": "dead_units", "error": ""}
    common |= {"causes": [["dead_units"]], "fixes": [["revive_units"]], "seconds": 1.0, "cpu_s": 1.0}
    own = {"evidence": evidence, "skill": 0.9, "skill_lower": 0.8, "findings": [], "verdict": "repaired", **fields}
    return [
        {**common, "arm": "nothing", "skill": plain_skill, "skill_lower": -0.1},
        {**common, "arm": "hand", "skill": 0.9, "skill_lower": 0.8},
        {**common, "arm": "autofix", **own},
    ]


@dataclasses.dataclass(frozen=True)
class Limits:
    share: float = 0.4
    steps: int = 3
    name: str = "x"


def test_each_threshold_is_moved_both_ways_and_whole_numbers_stay_whole():
    moved = thresholds.moved_thresholds(Limits())
    assert [(name, factor) for name, factor, _ in moved] == [
        ("", 1.0),
        ("share", 0.75),
        ("share", 1.25),
        ("steps", 0.75),
        ("steps", 1.25),
    ]
    assert [limits.steps for _, _, limits in moved] == [3, 3, 3, 2, 4]
    assert moved[1][2].share == pytest.approx(0.3)


class Named:
    def __init__(self, cause):
        self.cause = cause


def test_the_largest_change_of_a_share_is_found():
    runs = [((("a",),), 0.35), ((("a",),), 0.9)]
    moved = thresholds.sweep(runs, Limits(), lambda size, limits: [Named("a" if size > limits.share else "b")])
    assert moved[0].first == 0.5
    assert thresholds.largest_change(moved) == pytest.approx(0.5)


def test_evidence_is_ranked_as_it_was_measured_nan_included():
    curve = CurveProfile(losses=(math.nan,), data_loss=math.nan, has_nonfinite_weights=True)
    inputs = InputProfile((0.0,), (1.0,), (-2.0,), (2.0,), (0.0,), (1.3,), False)
    model = ModelProfile("SGD", 0.1, None, 0.01, False, 1, ("Dense",), True, True, True, ("linear",))
    fit = FitProfile(100, 10, 10, 100, True)
    evidence = Evidence((inputs,), (TargetProfile("regression", 0.0, 1.0, False, 0.0),), model, fit, curve=curve)
    measured = json.dumps(evidence.to_dict())
    records = [
        *runs_of(0, measured),
        *runs_of(1),
        *runs_of(2, error="Traceback\nValueError: x"),
        *runs_of(3, measured, plain_skill=0.9),
    ]
    kept = json.loads(json.dumps(summary.json_safe(records)))
    ((true, replayed),) = thresholds.with_evidence(Results.of(kept))
    assert true == [["dead_units"]]
    assert repr(replayed) == repr(evidence)
    assert causes.rank(replayed, causes.Thresholds()) == causes.rank(evidence)


def test_a_folder_without_evidence_is_refused(tmp_path, capsys):
    for record in runs_of(0):
        lines.append(tmp_path / "records.jsonl", record)
    assert main(["thresholds", str(tmp_path)]) == 2
    assert "No evidence" in capsys.readouterr().out
