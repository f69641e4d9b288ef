"""What records of planted faults add up to."""

import dataclasses
import json
import math

import numpy as np
import pytest

from autofix import causes
from autofix.benchmarks import diagnosis, healthy, lines, summary, thresholds, unlearnable
from autofix.benchmarks.faults import judging, scores, trained
from autofix.benchmarks.faults.bases import BY_NAME
from autofix.benchmarks.faults.catalogue import Case
from autofix.benchmarks.faults.trained import diagnose_case, train
from autofix.evidence import CurveProfile, Evidence, FitProfile, InputProfile, ModelProfile, TargetProfile


def record(**fields):
    ordinary = {
        "kind": "diagnosis",
        "fault": "dead_units",
        "base": "regression",
        "seed": 0,
        "order": "evidence",
        "planted": ["hidden biases begin at -20"],
        "error": "",
        "healthy_skill": 0.9,
        "plain_skill": 0.0,
        "plain_seconds": 2.0,
        "skill": 0.88,
        "skill_lower": 0.8,
        "seconds": 5.0,
        "verdict": "repaired",
        "findings": [["dead_units", 0.9, ""], ["unscaled_inputs", 0.2, ""]],
        "strategies": ["revive_units"],
        "n_trials": 4,
        "notes": [],
        "evidence": "null",
    }
    return {**ordinary, **fields}


FAILED = {**{k: record()[k] for k in ("kind", "fault", "base", "seed", "order")}, "error": "Traceback\nValueError: x"}


def test_a_run_that_finds_names_and_undoes_the_fault_has_all_right():
    assert all(scores.judge(record()))


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        (
            {"verdict": "healthy", "findings": [], "strategies": []},
            {"found", "first", "three", "repaired", "said_repaired", "right"},
        ),
        ({"findings": [["a", 0.9, ""], ["b", 0.8, ""], ["dead_units", 0.7, ""]]}, {"first"}),
        ({"findings": [["a", 0.9, ""], ["b", 0.8, ""], ["c", 0.8, ""], ["dead_units", 0.7, ""]]}, {"first", "three"}),
        ({"skill": 0.7}, {"repaired"}),
        ({"skill": None}, {"repaired"}),
        ({"skill_lower": -0.1}, {"repaired"}),
        ({"strategies": ["lower_learning_rate"]}, {"right"}),
        ({"strategies": ["revive_units", "lower_learning_rate"]}, {"right"}),
        ({"strategies": ["reinitialize"]}, set()),
        ({"verdict": "unrepaired", "strategies": []}, {"repaired", "said_repaired", "right"}),
    ],
)
def test_what_is_wrong_is_counted_as_wrong(fields, wrong):
    judged = scores.judge(record(**fields))._asdict()
    assert {name for name, holds in judged.items() if not holds} == wrong


def test_a_run_that_failed_has_nothing_right_and_counts():
    assert not any(scores.judge(FAILED))
    assert scores.counted([FAILED]) == [FAILED]


def test_of_a_pair_one_cause_comes_first_and_both_are_among_the_first_four():
    causes = [["a"], ["b", "c"]]
    assert judging.ranks(causes, ["a", "x", "y", "c"]) == (True, True)
    assert judging.ranks(causes, ["a", "x", "y", "z", "b"]) == (False, False)
    assert judging.ranks(causes, ["x", "a", "b"]) == (False, False)
    assert judging.ranks(causes, ["a"]) == (False, False)
    assert judging.ranks(causes, []) == (False, False)


def test_of_a_pair_a_part_of_the_fix_is_right_but_nothing_else():
    fixes = [frozenset({"a", "b"})]
    assert judging.is_right(["a"], fixes, is_pair=True)
    assert judging.is_right(["b", "a"], fixes, is_pair=True)
    assert not judging.is_right(["a", "c"], fixes, is_pair=True)
    assert not judging.is_right([], fixes, is_pair=True)
    assert not judging.is_right(["a"], fixes, is_pair=False)


def test_seeds_that_train_by_themselves_are_left_out_and_nan_is_broken():
    assert judging.is_broken(record(plain_skill=None))
    assert judging.is_broken(record(plain_skill=0.2))
    assert not judging.is_broken(record(plain_skill=0.5))
    assert scores.counted([record(plain_skill=0.5)]) == []


def test_floors_are_checked_on_the_order_by_evidence_alone():
    good, bad = record(), record(order="ladder", findings=[], n_trials=12)
    checks = {check.title: check for check in scores.checks([good, bad])}
    assert checks["true cause first"].measured == "1 of 1"
    assert checks["trials by evidence over trials by ladder"].measured == "0.33"
    assert all(check.passed for check in checks.values())


def test_trials_are_compared_over_cases_that_ran_with_both_orders():
    records = [
        record(n_trials=4),
        record(n_trials=50, seed=1),
        record(n_trials=10, order="ladder"),
        {**FAILED, "order": "ladder", "seed": 1},
    ]
    assert scores.trial_ratio(records, "evidence", "ladder") == pytest.approx(0.4)
    assert math.isnan(scores.trial_ratio(records, "evidence", "random"))


def test_table_has_a_row_a_group_and_a_total():
    rows = scores.table([record(), record(verdict="unrepaired"), FAILED], lambda one: one["base"])
    assert [row[0] for row in rows] == ["regression", "in total"]
    assert all(len(row) == len(scores.COLUMNS) for row in rows)
    assert rows[-1][1] == "3"
    assert rows[-1][2] == "0.67"
    assert rows[-1][-1] == "1 error, 1 repaired, 1 unrepaired"


def test_a_fault_must_break_most_seeds_while_the_program_is_healthy():
    own = [record(kind="check", seed=seed, plain_skill=0.0 if seed else 0.9) for seed in range(5)]
    assert diagnosis.check_rows(own)[0][2:] == ("5", "0.80", "0.00", "0.90", "yes")
    assert diagnosis.check_rows(own[:3])[0][-1] == "NO"
    assert diagnosis.check_rows([record(kind="check", healthy_skill=0.3)])[0][-1] == "NO"


def test_a_healthy_program_must_have_skill_from_every_seed():
    own = [
        {
            "kind": "base",
            "base": "binary",
            "seed": 0,
            "error": "",
            "skill": skill,
            "skill_lower": 0.4,
            "plain_seconds": 2.0,
        }
        for skill in (0.9, 0.6)
    ]
    assert diagnosis.base_rows(own) == [("binary", "2", "0.75", "0.60", "0.40", "2.00", "yes")]
    assert diagnosis.base_rows([{**own[0], "skill": 0.4}])[0][-1] == "NO"


def test_unknown_names_are_refused_before_anything_is_trained(capsys):
    nothing = {"seeds": 1, "first_seed": 0, "doubles": False, "check_programs": False, "json": None}
    assert diagnosis.main(faults=["dead_unit"], bases=[], orders=["evidence"], **nothing) == 2
    assert diagnosis.main(faults=[], bases=[], orders=["evidenc"], **nothing) == 2


def double(value):
    return {"value": value, "double": 2 * value}


def test_records_are_appended_and_not_made_again(tmp_path):
    path = tmp_path / "folder" / "records.jsonl"
    lines.append(path, {"value": 1, "double": 2})
    path.write_text(path.read_text() + '{"value": 2, "dou')
    lines.append(path, {"value": 3, "double": 6})
    assert lines.read(path) == [{"value": 1, "double": 2}, {"value": 3, "double": 6}]
    tasks = [lines.Task({"value": value}, double, (value,)) for value in (1, 3)]
    assert lines.collect(tasks, path) == lines.read(path)
    lines.append(path, {"value": 1, "error": "ValueError"})
    assert lines.collect(tasks, path) == lines.read(path)[:2]
    assert lines.read(tmp_path / "none") == lines.read(None) == []


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
    kept = json.loads(json.dumps(summary.json_safe(record(evidence=json.dumps(evidence.to_dict())))))
    ((true, replayed),) = thresholds.with_evidence(
        [kept, record(), FAILED, record(order="ladder"), record(plain_skill=1.0)]
    )
    assert true == (("dead_units",),)
    assert repr(replayed) == repr(evidence)
    assert causes.rank(replayed, causes.Thresholds()) == causes.rank(evidence)


def test_healthy_pairs_must_be_left_alone_to_the_last_bit():
    good = {"error": "", "verdict": "healthy", "is_identical": True}
    assert all(check.passed for check in healthy.checks([good, good]))
    for bad in ({**good, "verdict": "unrepaired"}, {**good, "is_identical": False}, {"error": "ValueError"}):
        assert not all(check.passed for check in healthy.checks([good, bad]))


def test_programs_take_turns_and_then_the_next_seed():
    keys = [task.key for task in healthy.tasks(6, 4)]
    assert [key["seed"] for key in keys] == [4, 4, 4, 4, 4, 5]
    assert len({key["program"] for key in keys}) == 5
    assert len({task.key["program"] for task in unlearnable.tasks(10, 0)}) == 10


def test_false_repairs_and_long_searches_are_counted():
    quiet = {"error": "", "verdict": "unlearnable", "seconds": 4.0, "plain_seconds": 1.0}
    assert all(check.passed for check in unlearnable.checks([quiet] * 50))
    assert all(check.passed for check in unlearnable.checks([{**quiet, "verdict": "repaired"}, *[quiet] * 49]))
    false = unlearnable.checks([{**quiet, "verdict": "repaired"}] * 2 + [quiet] * 48)
    assert [check.passed for check in false] == [False, True, True, True]
    slow = unlearnable.checks([{**quiet, "seconds": 9.0}] * 10)
    assert [check.passed for check in slow] == [True, True, False, False]


@pytest.mark.parametrize("program", unlearnable.PROGRAMS, ids=lambda program: program.base.name)
def test_targets_with_nothing_to_learn_do_not_follow_the_inputs(program):
    drawn = program.draw(0)
    assert len(drawn.x) == len(drawn.y)
    wide = drawn.x_fresh.reshape(len(drawn.x_fresh), -1)[:, :4]
    if drawn.y_fresh.std() > 0:
        for column in wide.T:
            assert abs(np.corrcoef(column, drawn.y_fresh)[0, 1]) < 0.15


@pytest.mark.slow
def test_a_real_run_has_every_figure_that_is_judged(monkeypatch):
    monkeypatch.setattr(trained, "HEALTHY_STARTS", 1)
    made = diagnose_case(Case("insufficient_training", "regression", 0), "evidence")
    assert made["error"] == ""
    assert judging.is_broken(made)
    assert scores.judge(made).found
    assert diagnosis._line(made)
    assert set(record()) <= set(made)


def test_a_plain_training_is_judged_on_fresh_rows():
    short = dataclasses.replace(BY_NAME["binary"].draw(0), epochs=8)
    done = train(short)
    assert done.report is None
    assert done.skill > 0.2
    assert done.skill_lower < done.skill
    assert done.weights
