"""Scenarios: what is registered, at which strength and difficulty, and how others add theirs."""

import dataclasses
import pathlib

import numpy as np
import pytest

from autofix.benchmarks import builtin, healthy, published_scenarios, scenarios, unlearnable
from autofix.benchmarks.bench import SEEDS
from autofix.benchmarks.faults import catalogue
from autofix.benchmarks.faults.bases import BY_NAME, FURTHER_BASES
from autofix.benchmarks.faults.fault import Graded
from autofix.benchmarks.scenarios import Scenario
from autofix.errors import ArgumentError
from autofix.strategy import strategy_names

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "scenarios"
BUILT_IN = [*builtin.planted(), *builtin.controls(), *published_scenarios.SCENARIOS]


@pytest.fixture
def registry(monkeypatch):
    """The built-in scenarios, whatever is installed."""
    own = {scenario.name: scenario for scenario in BUILT_IN}
    monkeypatch.setattr(scenarios, "registered", lambda: own)
    return own


def installed(folder, entry_points):
    """What pip leaves of a distribution in a folder of packages."""
    metadata = folder / "autofix_example-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: autofix-example\nVersion: 0.1.0\n")
    (metadata / "entry_points.txt").write_text(f"[autofix.scenarios]\n{entry_points}\n")
    scenarios.registered.cache_clear()


@pytest.fixture
def forgotten():
    yield
    scenarios.registered.cache_clear()


def test_names_are_unique_and_every_verdict_is_there():
    assert len({scenario.name for scenario in BUILT_IN}) == len(BUILT_IN)
    assert {scenario.verdict for scenario in BUILT_IN} == set(scenarios.VERDICTS)


def test_every_fault_pair_and_kind_of_data_is_in_the_full_suite(registry):
    full = scenarios.chosen("full")
    planted = {scenario.name.split("/")[0] for scenario in full if scenario.verdict == "repaired"}
    assert planted == {*catalogue.BY_FAULT, "published"}
    assert {scenario.family for scenario in full} >= set(builtin.FAMILIES.values())
    assert {BY_NAME[base].name for base in builtin.FAMILIES} == set(BY_NAME)


def test_the_quick_suite_has_every_fault_once_every_kind_of_data_and_controls(registry):
    quick = scenarios.chosen("quick")
    faults = [scenario.name.split("/")[0] for scenario in quick if scenario.verdict == "repaired"]
    assert sorted(faults) == sorted([*builtin.QUICK, *["published"] * 3])
    assert {fault.name for fault in catalogue.FAULTS} <= set(faults)
    families = {scenario.family for scenario in quick}
    assert set(builtin.FAMILIES.values()) <= families
    assert {scenario.verdict for scenario in quick} == set(scenarios.VERDICTS)
    controls = {scenario.name.split("/")[1] for scenario in quick if scenario.verdict != "repaired"}
    assert controls == set(builtin.QUICK_CONTROLS)


def test_searches_run_once_a_fault_and_pair():
    searched = [scenario.name.split("/")[0] for scenario in BUILT_IN if scenario.is_searched]
    assert sorted(searched) == sorted([*catalogue.BY_FAULT, *["published"] * 3])


@pytest.mark.parametrize("scenario", BUILT_IN, ids=lambda scenario: scenario.name)
def test_a_scenario_repeats_by_its_seed_and_has_a_thousand_fresh_rows(scenario):
    first, again = scenario.draw(5), scenario.draw(5)
    np.testing.assert_array_equal(first.x, again.x)
    assert first.planted == again.planted
    assert len(first.x_fresh) >= 1_000
    assert first.with_seed(7).seed == 7
    assert first.with_seed(7).x is first.x
    if scenario.verdict == "repaired":
        assert first.planted
        assert {name for fix in scenario.fixes for name in fix} <= set(strategy_names())
        assert scenario.fix(5).x_fresh.shape[0] == len(first.x_fresh)


def test_a_strength_is_a_point_of_the_range():
    low, high = (builtin.Planted("learning_rate_too_high", "line", strength).draw(0) for strength in (0.0, 1.0))
    assert low.options.learning_rate == pytest.approx(0.5)
    assert high.options.learning_rate == pytest.approx(3.0)
    middle = builtin.Planted("learning_rate_too_high", "line", 0.5).draw(1).options.learning_rate
    assert middle == pytest.approx(np.sqrt(0.5 * 3.0))


def test_without_a_strength_faults_are_planted_as_ever():
    drawn, ordinary = Graded([3, 4], None), np.random.default_rng([3, 4])
    assert drawn.uniform(2.0, 3.0) == ordinary.uniform(2.0, 3.0)
    assert drawn.integers(1_000) == ordinary.integers(1_000)
    np.testing.assert_array_equal(Graded(0, 1.0).uniform(size=3), np.random.default_rng(0).uniform(size=3))


def test_difficulty_is_the_share_of_the_targets_that_is_noise():
    line = BY_NAME["line"]
    clear, hard = (builtin.harder(line, share).make_data(20_000, np.random.default_rng(0))[1] for share in (0.0, 0.5))
    assert np.var(hard) == pytest.approx(2.0 * np.var(clear), rel=0.05)
    classes = builtin.harder(BY_NAME["multiclass"], 0.4).make_data(20_000, np.random.default_rng(0))[1]
    clean = BY_NAME["multiclass"].make_data(20_000, np.random.default_rng(0))[1]
    # Of the 40 % that are dealt out anew, a quarter gets its own label back.
    assert np.mean(classes != clean) == pytest.approx(0.3, abs=0.02)
    both = builtin.harder(BY_NAME["pair"], 0.5).make_data(50, np.random.default_rng(0))[1]
    assert [len(one) for one in both] == [50, 50]


def test_fresh_digits_are_no_training_rows():
    program = BY_NAME["digits"].draw(0)
    known = {row.tobytes() for row in program.x}
    assert len(program.x_fresh) == 1_000
    # Two of the scans in the stock are equal.
    assert sum(row.tobytes() in known for row in program.x_fresh) <= 2


@pytest.mark.parametrize("base", FURTHER_BASES, ids=lambda base: base.name)
def test_programs_of_further_kinds_can_be_built(base):
    program = base.draw(0)
    model = program.build()
    assert model.compiled
    n_outputs = 1 if isinstance(base.task, str) else len(base.task)
    assert len(model.outputs) == n_outputs


def test_scenarios_are_chosen_by_name_and_beginning(registry):
    chosen = scenarios.chosen("quick", ["healthy/line", "dead_units/*"])
    assert [scenario.name for scenario in chosen][:2] == ["healthy/line", "dead_units/regression"]
    assert {one.name.split("/")[1] for one in scenarios.chosen("quick", ["*/images"])} == {"images"}
    with pytest.raises(ArgumentError, match="Did you mean 'healthy/line'"):
        scenarios.chosen("quick", ["healthy/lines"])


def test_a_broken_scenario_says_what_is_wrong_and_how_to_fix_it():
    good = BUILT_IN[0]
    with pytest.raises(ArgumentError, match="Expected fix and causes"):
        dataclasses.replace(good, fix=None)
    with pytest.raises(ArgumentError, match="Unknown verdict"):
        dataclasses.replace(good, verdict="broken")


def test_the_example_is_found_by_its_entry_point_and_its_fix_is_what_it_says(tmp_path, monkeypatch, forgotten):
    monkeypatch.syspath_prepend(EXAMPLE)
    monkeypatch.syspath_prepend(tmp_path)
    installed(tmp_path, "kelvin = kelvin:KELVIN")
    scenario = scenarios.chosen("quick", ["kelvin"])[0]
    assert isinstance(scenario, Scenario)
    broken, fixed = scenario.draw(3), scenario.fix(3)
    np.testing.assert_array_equal(broken.y, fixed.y)
    assert broken.x.mean() > 250 > 1 > abs(fixed.x.mean())
    assert fixed.build().compiled
    # The example's own pyproject.toml says the same.
    assert 'kelvin = "kelvin:KELVIN"' in (EXAMPLE / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("entry_point", "message"),
    [
        ("own = no_such_module:X", "Scenarios cannot be loaded"),
        ("own = math:pi", "Scenarios cannot be loaded"),
        ("own = string:digits", "Expected scenarios with names of their own"),
        ("own = kelvin:KELVIN\ntwice = kelvin:KELVIN", "Expected scenarios with names of their own"),
    ],
)
def test_what_is_no_scenario_is_named_with_its_entry_point(entry_point, message, tmp_path, monkeypatch, forgotten):
    monkeypatch.syspath_prepend(EXAMPLE)
    monkeypatch.syspath_prepend(tmp_path)
    installed(tmp_path, entry_point)
    with pytest.raises(ArgumentError, match=message):
        scenarios.registered()


@pytest.mark.parametrize("program", unlearnable.PROGRAMS, ids=lambda program: program.base.name)
def test_targets_with_nothing_to_learn_do_not_follow_the_inputs(program):
    drawn = program.draw(0)
    assert len(drawn.x) == len(drawn.y)
    wide = drawn.x_fresh.reshape(len(drawn.x_fresh), -1)[:, :4]
    if drawn.y_fresh.std() > 0:
        for column in wide.T:
            assert abs(np.corrcoef(column, drawn.y_fresh)[0, 1]) < 0.15


def test_suites_of_a_kind_hold_what_they_say(registry):
    planted = [scenario.name for scenario in scenarios.chosen("planted")]
    assert sorted(planted) == sorted(
        f"{fault.name}/{base}" for fault in catalogue.BY_FAULT.values() for base in fault.bases
    )
    for kind, programs in (("healthy", healthy.PROGRAMS), ("unlearnable", unlearnable.PROGRAMS)):
        suite = scenarios.chosen(kind)
        assert {scenario.verdict for scenario in suite} == {kind}
        assert len(suite) == len(programs)
        assert len(suite) * SEEDS[kind] == 200


def test_a_shared_fix_by_hand_is_one_program():
    shared = {}
    for scenario in BUILT_IN:
        if scenario.fixed_as:
            shared.setdefault(scenario.fixed_as, []).append(scenario.fix(1))
    assert len(shared) > 10
    for first, *others in shared.values():
        for other in others:
            for name in (field.name for field in dataclasses.fields(first) if field.name != "base"):
                np.testing.assert_equal(getattr(other, name), getattr(first, name))


def test_seeds_take_turns_with_what_has_the_same_cause_and_kind_of_data(registry):
    planted = scenarios.chosen("planted")
    first, second, third = (scenarios.in_turns(planted, seed) for seed in range(3))
    kinds = {(scenario.cause, scenario.family) for scenario in planted}
    assert len(first) == len(second) == len(kinds)
    assert {(scenario.cause, scenario.family) for scenario in first} == kinds
    assert third == first
    assert {*first, *second} == {*planted}
