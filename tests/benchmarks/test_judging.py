"""How a run of a planted fault is judged."""

import pytest

from autofix.benchmarks.faults import judging

CAUSES = [["dead_units"]]
FIXES = [frozenset({"revive_units"}), frozenset({"reinitialize"})]


def record(**fields):
    ordinary = {
        "error": "",
        "healthy_skill": 0.9,
        "plain_skill": 0.0,
        "skill": 0.88,
        "skill_lower": 0.8,
        "verdict": "repaired",
        "findings": [["dead_units", 0.9, ""], ["unscaled_inputs", 0.2, ""]],
        "strategies": ["revive_units"],
    }
    return {**ordinary, **fields}


def judge(one):
    return judging.judge(one, CAUSES, FIXES)


def test_a_run_that_finds_names_and_undoes_the_fault_has_all_right():
    assert all(judge(record()))


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
    judged = judge(record(**fields))._asdict()
    assert {name for name, holds in judged.items() if not holds} == wrong


def test_a_run_that_failed_has_nothing_right():
    assert not any(judge({"error": "Traceback\nValueError: x"}))


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


def test_seeds_that_train_by_themselves_are_not_broken_and_nan_is():
    assert judging.is_broken(record(plain_skill=None))
    assert judging.is_broken(record(plain_skill=0.2))
    assert not judging.is_broken(record(plain_skill=0.5))
