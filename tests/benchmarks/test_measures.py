"""What records of all arms add up to, on records made by hand."""

import math

import pytest

from autofix.benchmarks import durations, measures, requirements, results
from autofix.benchmarks.measures import Results

BASE = {
    "kind": "bench",
    "scenario": "dead_units/line",
    "arm": "nothing",
    "seed": 0,
    "family": "linear regression",
    "expected": "repaired",
    "cause": "dead_units",
    "causes": [["dead_units"]],
    "fixes": [["revive_units"], ["reinitialize"]],
    "strength": None,
    "difficulty": 0.0,
    "planted": ["hidden biases begin at -20"],
    "measured_on": {"python": "3.11", "workers": 1},
    "error": "",
    "skill": 0.0,
    "skill_lower": -0.1,
    "seconds": 2.0,
    "peak_mb": 900.0,
    "added_mb": 90.0,
    "cpu_s": 2.5,
    "drop": [0.0, 0.0, 0.0],
    "is_identical": False,
}

REPORTED = {
    "verdict": "repaired",
    "findings": [["dead_units", 0.9, ""]],
    "strategies": ["revive_units"],
    "n_trials": 4,
    "trials": [["control", [], 0.0, "", 0, 0.1], ["accepted", ["revive_units"], 0.9, "", 1, 0.2]],
    "parts": {"watch": 1.0, "trials": 2.0, "final": 1.5},
}


def record(**fields):
    return {**BASE, **fields}


def broken_run(seed=0, **autofix):
    """A broken scenario that plain training fails on and the hand-made fix learns, with what autofix made of it."""
    own = {"skill": 0.88, "skill_lower": 0.8, "seconds": 3.0, "drop": [-0.88, -0.9, -0.8], **REPORTED, **autofix}
    return [
        record(seed=seed, is_identical=True),
        record(seed=seed, arm="hand", skill=0.9, skill_lower=0.85, seconds=2.0),
        record(seed=seed, arm="autofix", **own),
    ]


def control(expected, **autofix):
    quiet = {"verdict": expected, "findings": [], "strategies": [], "n_trials": 1, "is_identical": True, "trials": []}
    one = {"scenario": f"{expected}/line", "expected": expected, "cause": expected, "causes": [], "fixes": []}
    return record(arm="autofix", **{**one, **quiet, **autofix})


def plain_control(expected):
    one = {"scenario": f"{expected}/line", "expected": expected, "cause": expected, "causes": [], "fixes": []}
    return record(**one, is_identical=True)


def ordered(order, n_trials, seed=0):
    """The run of autofix with the strategies in another order."""
    return {**broken_run(seed)[2], "arm": order, "n_trials": n_trials}


def searched(curve, seed=0, **fields):
    points = [
        {"seconds": s, "trial": n, "skill": skill, "skill_lower": skill - 0.1, "strategies": []}
        for n, (s, skill) in enumerate(curve, start=1)
    ]
    last = {"skill": curve[-1][1], "skill_lower": curve[-1][1] - 0.1, "seconds": 100.0, "n_trials": 60}
    return record(arm="random_search", seed=seed, curve=points, **{**last, **fields})


def figures(records, arm="autofix"):
    return measures.figures_of(Results.of(records), arm)


def test_a_good_run_has_all_right():
    found = figures([*broken_run(), control("healthy"), control("unlearnable")])
    for one in (found.repaired, found.never_worse, found.first, found.three, found.right):
        assert one.value == 1.0
    assert (found.repaired.n, found.never_worse.n) == (1, 3)
    assert (found.false_interventions.held, found.false_interventions.n) == (0, 1)
    assert (found.false_repairs.held, found.false_repairs.n) == (0, 1)
    assert found.over_hand.median == found.over_plain.median == 1.5


@pytest.mark.parametrize(
    "fields",
    [
        {"skill": 0.8},  # below 0.9 of 0.9
        {"skill_lower": -0.01},
        {"skill": None},
        {"verdict": "unrepaired"},
        {"verdict": "healthy"},
        {"error": "ValueError"},
    ],
)
def test_what_is_no_repair_is_not_counted_as_one(fields):
    assert figures(broken_run(**fields)).repaired.value == 0.0


def test_an_arm_without_verdicts_is_judged_by_fresh_rows_alone():
    good = record(arm="sklearn", skill=0.9, skill_lower=0.8)
    found = figures([*broken_run(), good], "sklearn")
    assert found.repaired.value == 1.0
    assert found.first.n == found.false_repairs.n == found.false_interventions.n == 0


def test_a_fix_by_hand_in_other_units_is_not_compared_with_plain():
    records = broken_run()
    del records[1]["drop"]
    assert figures(records, "hand").never_worse.n == 0
    assert figures(records, "hand").repaired.value == 1.0


def test_seeds_that_train_by_themselves_and_fixes_that_do_not_work_are_left_out():
    lucky = [record(skill=0.5), *broken_run()[1:]]
    assert figures(lucky).repaired.n == 0
    hopeless = [record(), record(arm="hand", skill=0.1, skill_lower=-0.1), broken_run()[2]]
    assert figures(hopeless).repaired.n == 0
    assert figures([record(), broken_run()[2]]).repaired.n == 0  # without a hand-made fix there is nothing to judge by


def test_worse_is_what_is_lower_than_plain_beyond_the_noise():
    assert figures(broken_run(drop=[0.05, 0.02, 0.08])).never_worse.value == 0.0
    assert figures(broken_run(drop=[0.05, 0.005, 0.1])).never_worse.value == 1.0
    assert figures(broken_run(error="ValueError")).never_worse.value == 0.0


@pytest.mark.parametrize(
    "fields", [{"verdict": "repaired"}, {"is_identical": False}, {"verdict": "unrepaired"}, {"error": "ValueError"}]
)
def test_a_healthy_training_that_is_not_left_alone_is_an_intervention(fields):
    assert figures([control("healthy", **fields)]).false_interventions.value == 1.0


def test_a_repair_of_what_cannot_be_learned_is_a_false_one():
    assert figures([control("unlearnable", verdict="repaired")]).false_repairs.value == 1.0
    assert figures([control("unlearnable", verdict="unrepaired")]).false_repairs.value == 0.0


def test_a_search_is_timed_until_its_best_would_have_been_a_repair():
    joined = Results.of([*broken_run(), searched([(5.0, 0.2), (30.0, 0.85), (60.0, 0.89)])])
    assert durations.seconds_to_repair(joined.on_broken("random_search")["dead_units/line", 0]) == 30.0
    assert durations.speedups(joined, "random_search") == [10.0]
    never = Results.of([*broken_run(), searched([(5.0, 0.2)])])
    assert durations.speedups(never, "random_search") == [math.inf]
    # Where autofix repairs nothing there is no time to compare with.
    assert durations.speedups(Results.of([*broken_run(skill=0.0), searched([(5.0, 0.9)])]), "random_search") == []


def test_of_several_records_the_last_counts_and_an_error_only_for_want_of_others():
    first, again = record(skill=0.1), record(skill=0.2)
    failed = record(error="the process died")
    for records, skill in (([first, again], 0.2), ([failed, again], 0.2), ([again, failed], 0.2)):
        (kept,) = Results.of(records).records.values()
        assert kept["skill"] == skill
    (kept,) = Results.of([failed]).records.values()
    assert kept["error"]


def test_shares_have_wilson_intervals():
    # Source: Brown, Cai, DasGupta (2001), Interval estimation for a binomial proportion, formula (4).
    p, n, z = 0.95, 200, 1.959964
    middle, half = p + z**2 / (2 * n), z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    found = measures.share([True] * 190 + [False] * 10)
    assert found.lower == pytest.approx((middle - half) / (1 + z**2 / n), abs=1e-6)
    assert found.upper == pytest.approx((middle + half) / (1 + z**2 / n), abs=1e-6)
    assert str(measures.share([])) == "-"


def test_requirements_hold_or_are_missed():
    many = [one for seed in range(200) for one in broken_run(seed)]
    good = [*many, *(control("healthy", seed=seed) for seed in range(5)), control("unlearnable")]
    good += [searched([(90.0, 0.9)], seed=seed) for seed in range(3)]
    good += [plain_control("unlearnable"), *(ordered("ladder", 8, seed) for seed in range(3))]
    assert all(check.passed for check in requirements.checks(Results.of(good)))
    assert len(requirements.checks(Results.of(good))) == 12
    for bad in (
        [*many, *(one for seed in range(200, 230) for one in broken_run(seed, skill=0.0))],
        [*many, control("healthy", is_identical=False)],
        [*many, control("unlearnable", verdict="repaired")],
        [*many, searched([(3.0, 0.9)])],
        [one for seed in range(200) for one in broken_run(seed, seconds=3.1)],
        [*many, control("healthy", drop=[0.1, 0.1, 0.1])],
        [one for seed in range(200) for one in broken_run(seed, findings=[["a", 0.9, ""], *REPORTED["findings"]])],
        [one for seed in range(200) for one in broken_run(seed, strategies=["reshuffle"])],
        [*many, ordered("random", 7)],
    ):
        assert [check.passed for check in requirements.checks(Results.of(bad))].count(False) == 1


def test_a_search_needs_as_long_as_on_the_last_program_that_makes_its_share_the_same():
    # Autofix repairs three of four in 3 s each; the search the same number after 6, 9 and 45 s, and one never.
    records = [one for seed in range(4) for one in broken_run(seed, **({"skill": 0.0} if seed == 3 else {}))]
    found = [searched([(seconds, 0.9)], seed=seed) for seed, seconds in enumerate((45.0, 6.0, 9.0))]
    found.append(searched([(5.0, 0.2)], seed=3))
    assert durations.matched_speedup(Results.of([*records, *found]), "random_search") == 15.0
    fewer = [*records, *found[1:], searched([(5.0, 0.2)])]
    assert durations.matched_speedup(Results.of(fewer), "random_search") == math.inf
    assert math.isnan(durations.matched_speedup(Results.of(records), "random_search"))


def test_trials_are_compared_over_runs_of_both_orders():
    records = [*broken_run(), *broken_run(1, n_trials=50), ordered("ladder", 10)]
    assert measures.trial_ratio(Results.of(records), "ladder") == pytest.approx(0.4)
    assert math.isnan(measures.trial_ratio(Results.of(records), "random"))


def test_the_time_that_is_required_is_that_of_runs_alone():
    beside = [{**one, "measured_on": {"workers": 2}} for one in broken_run(1, seconds=20.0)]
    by_hand_beside = broken_run(2, seconds=30.0)
    by_hand_beside[1]["measured_on"] = {"workers": 2}
    joined = Results.of([*broken_run(), *beside, *by_hand_beside])
    assert durations.over_hand_alone(joined).median == 1.5
    assert figures([*broken_run(), *beside, *by_hand_beside]).over_hand.median == 10.0
    assert durations.over_hand_alone(Results.of(beside)).median == 10.0


@pytest.mark.parametrize(("seconds", "holds"), [(4.0, True), (4.1, False)])
def test_a_verdict_that_nothing_can_be_learned_takes_no_longer_than_the_training(seconds, holds):
    quick = [plain_control("unlearnable"), control("unlearnable")]
    other = [{**one, "seed": 1} for one in (plain_control("unlearnable"), control("unlearnable", seconds=seconds))]
    checks = requirements.checks(Results.of([*quick, *other]))
    (check,) = [one for one in checks if one.title == "unlearnable: wall time over model.fit's"]
    assert check.passed is holds
    assert check.measured == f"{1 + holds} of 2, longest {seconds / 2.0:.2f}"


def test_each_cause_has_a_row_and_counts_what_fails_only():
    lucky = [{**one, "seed": 2, **({"skill": 0.5} if one["arm"] == "nothing" else {})} for one in broken_run()]
    rows = results.cause_rows(Results.of([*broken_run(), *broken_run(1, skill=0.3), *lucky]))
    assert [row[0] for row in rows] == ["dead_units", "in total"]
    assert rows[0][1:] == ("3", "2", "2 of 2", "2 of 2", "2 of 2", "1 of 2", "2 of 2", "4", "1.5", "1.5", "2 repaired")
    assert all(len(row) == len(results.CAUSE_COLUMNS) for row in rows)


def test_times_are_told_by_how_long_the_program_fixed_by_hand_trains():
    long = [{**one, "seconds": 20.0} for one in broken_run(1)]
    unrepaired = broken_run(2, skill=0.0)
    beside = [{**one, "measured_on": {"workers": 2}} for one in broken_run(3, seconds=4.0)]
    rows = results.length_rows(Results.of([*broken_run(), *long, *unrepaired, *beside]))
    assert [row[:3] for row in rows] == [
        ("2 to 5 s", "one", "1"),
        ("10 s and more", "one", "1"),
        ("2 to 5 s", "several", "1"),
    ]
    assert [row[-1].split()[0] for row in rows] == ["1.5", "1", "2"]
    assert all(len(row) == len(results.LENGTH_COLUMNS) for row in rows)


def test_groups_have_the_share_of_each_arm():
    joined = Results.of([*broken_run(), *broken_run(1, skill=0.0)])
    shares = measures.groups(joined, "cause")["dead_units"]
    assert (shares["autofix"].held, shares["autofix"].n) == (1, 2)
    assert shares["nothing"].held == 0
    assert shares["hand"].held == 2


def everything():
    records = [*broken_run(), *broken_run(1, skill=0.3), control("healthy", verdict="repaired")]
    records += [control("unlearnable", verdict="repaired"), searched([(5.0, 0.2), (30.0, 0.85)])]
    records += [record(arm="sklearn", skill=0.9, skill_lower=0.8, seed=1), searched([(5.0, 0.1)], seed=1)]
    failed = record(arm="autofix", scenario="zero_weights/line", error="Traceback\nValueError: x")
    hand = record(arm="hand", scenario="zero_weights/line", skill=0.9, skill_lower=0.8)
    return [
        *records,
        failed,
        hand,
        record(scenario="zero_weights/line"),
        record(arm="autokeras", not_run="AutoKeras is not installed"),
    ]


def test_the_page_shows_every_run_that_autofix_loses_and_why(tmp_path):
    joined = Results.of(everything())
    assert len(measures.losses(joined)) == 4
    lost = "\n".join(results.loss_lines(joined))
    assert "Of 3 broken runs it does not repair 2; of the controls it gets 2 wrong." in lost
    for told in (
        "repaired in part, skill 0.30 of 0.90",
        "failed",
        "healthy, called repaired",
        "nothing to learn, called",
    ):
        assert told in lost
    assert "scikit-learn on 1 of 1 (dead_units)" in lost


def test_who_diverged_is_not_better():
    lost = "\n".join(results.loss_lines(Results.of([record(skill=None), *broken_run(skill=0.3)[1:]])))
    assert "fixed by hand on 1 of 1" in lost
    assert "model.fit as it is" not in lost


def test_the_page_has_tables_pictures_and_the_command(tmp_path, capsys):
    page = tmp_path / "out" / "RESULTS.md"
    assert results.show(Results.of(everything()), page, "autofix bench --suite full") == 1
    text = page.read_text(encoding="utf-8")
    assert "```\nautofix bench --suite full\n```" in text
    for heading in ("Requirements", "The arms", "Against the searches", "Where autofix loses", "Repaired, by cause"):
        assert f"## {heading}" in text
    assert "Not run: AutoKeras (AutoKeras is not installed)." in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in tables)
    pictures = sorted((tmp_path / "out" / "pictures").iterdir())
    assert [path.name for path in pictures] == ["cost.svg", "repaired.svg", "time.svg"]
    for path in pictures:
        assert f"(pictures/{path.name})" in text
        assert path.read_text(encoding="utf-8").rstrip().endswith("</svg>")
    before = [path.read_bytes() for path in pictures]
    results.show(Results.of(everything()), page, "")
    assert [path.read_bytes() for path in pictures] == before
    assert "Made by" not in page.read_text(encoding="utf-8")


def test_controls_alone_make_a_page_without_pictures(tmp_path):
    page = tmp_path / "RESULTS.md"
    assert results.show(Results.of([control("healthy"), control("unlearnable")]), page, "") == 0
    assert not (tmp_path / "pictures").exists()
    assert "it gets every control right" in page.read_text(encoding="utf-8")
