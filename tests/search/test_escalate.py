import contextlib
import dataclasses
import json
import math
from pathlib import Path

import keras_tuner
import pytest
from hypothesis import given, settings, strategies

import autofix
from autofix.evidence import Evidence, FitProfile, InputProfile, ModelProfile, TargetProfile
from autofix.recipe import Recipe
from autofix.remedies import SetFitArgument
from autofix.report.records import Finding, TrialRecord
from autofix.search.escalate import EscalationOracle, EscalationTuner
from autofix.search.search_space import SearchSpace

ONE = (1.0,)
EVIDENCE = Evidence(
    inputs=(InputProfile(mean=ONE, std=ONE, minimum=ONE, maximum=ONE, median=ONE, iqr=ONE, is_integer=False),),
    targets=(TargetProfile("regression", 0.0, 1.0, is_constant=False, order_drift=0.0),),
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
    fit=FitProfile(n_rows=100, batch_size=32, epochs=10, total_steps=40, shuffle=True),
)


class Toy(autofix.Strategy):
    """One setting with three values; the remedy is a marker that nothing runs."""

    name = "toy"
    treats = frozenset({"toy_cause"})

    def prescribe(self, hp, case):
        value = hp.Choice("value", [1, 2, 3], ordered=False)
        return SetFitArgument(self.name, name="batch_size", value=value, was=0)


class Red(Toy):
    name = "red"
    treats = frozenset({"cause_of_red"})


class Green(Toy):
    name = "green"
    treats = frozenset({"cause_of_green"})


class Blue(Toy):
    name = "blue"
    treats = frozenset({"cause_of_blue"})


TOYS = (Red(), Green(), Blue())
"""By name: blue, green, red."""


class ToyJudge:
    """Scores recipes by a function; `dies_at` raises KeyboardInterrupt instead of running that trial."""

    def __init__(self, skill_of=lambda values: 0.0, accept=math.inf, dies_at=None, failing=(), sufficient=math.inf):
        self.tried = []
        self.is_done = False
        self._skill_of = skill_of
        self._accept = accept
        self._sufficient = sufficient
        self._dies_at = dies_at
        self._failing = failing

    def try_recipe(self, recipe, rung, values):
        if len(self.tried) == self._dies_at:
            raise KeyboardInterrupt
        self.tried.append((rung, recipe.strategies, dict(values)))
        skill = math.nan if len(self.tried) - 1 in self._failing else float(self._skill_of(values))
        status = "accepted" if skill >= self._accept else "failed" if math.isnan(skill) else "rejected"
        if self._sufficient <= skill < self._accept:
            status, self._sufficient = "sufficient", skill + 1e-9
        return TrialRecord(rung, recipe, dict(values), skill, skill, skill, 1.0, 0.0, status if rung else "control")

    def should_stop(self):
        return self.is_done


def space_of(toys=TOYS, findings=()):
    return SearchSpace(toys, autofix.Case(EVIDENCE, tuple(findings)))


def search(judge, space=None, rungs=None, directory=None, identity="toy", **limits):
    """Runs a search and returns its oracle."""
    space = space or space_of()
    rungs = space.rungs("ladder") if rungs is None else rungs
    oracle = EscalationOracle(space, rungs, **{"max_trials": 100, **limits})
    tuner = EscalationTuner(oracle, space, judge, lambda record: None, directory, identity)
    try:
        if not oracle.is_stopped:
            tuner.search()
    finally:
        tuner.close()
    return oracle


def total(values):
    """More is better for every setting; those of strategies that are not in play count 0."""
    return sum(values.values()) / 10


def test_the_objective_is_explicit():
    space = space_of()
    objective = EscalationOracle(space, space.rungs("ladder"), max_trials=1).objective
    assert (objective.name, objective.direction) == ("skill", "max")


def test_rung_0_is_the_control_arm():
    judge = ToyJudge()
    search(judge, max_trials=1)
    assert judge.tried == [(0, (), {})]


def test_rungs_accumulate():
    judge = ToyJudge(total)
    search(judge)
    first_of_rung = {rung: names for rung, names, _ in reversed(judge.tried)}
    assert first_of_rung == {0: (), 1: ("blue",), 2: ("blue", "green"), 3: ("blue", "green", "red")}
    rungs = [rung for rung, _, _ in judge.tried]
    assert rungs == sorted(rungs)


def test_good_settings_are_pinned_on_the_next_rung():
    judge = ToyJudge(total)
    search(judge)
    on_rung_2 = [values for rung, _, values in judge.tried if rung == 2]
    assert on_rung_2[0] == {"blue/value": 3, "green/value": 1}
    on_rung_3 = [values for rung, _, values in judge.tried if rung == 3]
    assert on_rung_3[0] == {"blue/value": 3, "green/value": 3, "red/value": 1}


def test_a_strategy_that_hurts_is_left_out_of_the_sweeps():
    judge = ToyJudge(lambda values: 0.1 * values.get("blue/value", 0) - 0.1 * values.get("green/value", 0))
    search(judge)
    assert (3, ("blue", "red"), {"blue/value": 3, "red/value": 1}) in judge.tried


def test_what_is_no_better_than_the_control_arm_is_left_out_of_the_next_rung():
    judge = ToyJudge(lambda values: -0.1 * values.get("blue/value", 0))
    search(judge)
    assert next(names for rung, names, _ in judge.tried if rung == 2) == ("green",)


def test_likely_strategies_are_tried_together_and_then_alone():
    findings = [Finding("cause_of_red", 0.95, ""), Finding("cause_of_blue", 0.75, "")]
    space = space_of(findings=findings)
    judge = ToyJudge(lambda values: 0.1 * values.get("red/value", 0))
    search(judge, space, rungs=space.rungs("evidence"), n_likely=space.n_likely("evidence"))
    assert [names for rung, names, _ in judge.tried if rung < 3][:4] == [(), ("red",), ("blue", "red"), ("blue",)]


@pytest.mark.parametrize(
    ("trials_a_rung", "first"), [(12, [("blue",), ("blue", "red"), ("red",)]), (1, [("blue", "red")])]
)
def test_of_likely_strategies_those_that_need_no_compilation_come_before_all_together(trials_a_rung, first):
    class Compiled(Red):
        recompiles = True

    findings = [Finding("cause_of_red", 0.9, ""), Finding("cause_of_blue", 0.9, "")]
    space = space_of((Blue(), Green(), Compiled()), findings)
    rungs, n_likely = space.rungs("evidence"), space.n_likely("evidence")
    judge = ToyJudge()
    search(judge, space, rungs=rungs, n_likely=n_likely, trials_a_rung=trials_a_rung)
    assert rungs[0] == ("blue", "red")
    assert [names for rung, names, _ in judge.tried if rung == 1][: len(first)] == first


def test_what_needs_no_compilation_comes_before_what_is_hardly_likelier():
    class Compiled(Red):
        recompiles = True

    space = space_of(
        (Blue(), Green(), Compiled()), [Finding("cause_of_red", 0.5, ""), Finding("cause_of_green", 0.9, "")]
    )
    assert space.rungs("evidence") == [("green",), ("blue",), ("red",)]


def test_what_is_proven_on_the_last_likely_rung_is_polished_before_others_are_tried():
    class Compiled(Red):
        recompiles = True

    class Proving(ToyJudge):
        def try_recipe(self, recipe, rung, values):
            record = super().try_recipe(recipe, rung, values)
            return dataclasses.replace(record, status="proven") if rung else record

    space = space_of((Blue(), Green(), Compiled()), [Finding("cause_of_green", 0.9, "")])
    judge = Proving(total)
    search(judge, space, rungs=space.rungs("evidence"), n_likely=space.n_likely("evidence"))
    on_first = [names for rung, names, _ in judge.tried if rung == 1]
    assert on_first[0] == ("green",)
    assert ("blue", "green") in on_first
    assert all("red" not in names for names in on_first)


def test_every_setting_is_swept_and_nothing_is_tried_twice():
    judge = ToyJudge(total)
    search(judge)
    assert {values["blue/value"] for rung, _, values in judge.tried if rung == 1} == {1, 2, 3}
    keys = [json.dumps([names, sorted(values.items())]) for _, names, values in judge.tried]
    assert len(keys) == len(set(keys))


def test_it_stops_at_the_first_accepted():
    judge = ToyJudge(total, accept=0.5)
    oracle = search(judge)
    assert [record.status for record in oracle.records].count("accepted") == 1
    assert oracle.records[-1].status == "accepted"
    assert oracle.is_stopped


def test_of_what_suffices_only_settings_that_cost_little_are_still_tried():
    class Compiled(Green):
        recompiles = True

    judge = ToyJudge(total, sufficient=0.1)
    oracle = search(judge, space_of((Blue(), Compiled(), Red())))
    first = next(index for index, record in enumerate(oracle.records) if record.status == "sufficient")
    names, values = zip(*[(names, values) for _, names, values in judge.tried[first + 1 :]], strict=True)
    assert judge.tried[first][1] == ("blue",)
    assert set(names) == {("blue",), ("blue", "red")}  # its own settings first, then what needs no compilation
    assert list(names) == sorted(names)
    assert {value["blue/value"] for value in values[:2]} == {2, 3}
    assert oracle.records[-1].rung == 1


def test_what_is_likely_alone_and_its_settings_follow_what_suffices_together():
    class Compiled(Green):
        recompiles = True

    class Proving(ToyJudge):
        def try_recipe(self, recipe, rung, values):
            record = super().try_recipe(recipe, rung, values)
            return dataclasses.replace(record, status="proven") if record.status == "rejected" else record

    findings = [Finding("cause_of_red", 0.9, ""), Finding("cause_of_green", 0.9, "")]
    space = space_of((Compiled(), Red()), findings)
    judge = Proving(lambda values: 0.5 if len(values) == 2 else total(values), sufficient=0.5)
    search(judge, space, rungs=space.rungs("evidence"), n_likely=space.n_likely("evidence"))
    tried = [names for rung, names, _ in judge.tried]
    assert tried[:3] == [(), ("red",), ("green", "red")]
    assert tried.index(("green",)) > max(index for index, names in enumerate(tried) if names == ("green", "red"))
    assert {values["red/value"] for _, names, values in judge.tried if names == ("red",)} == {1, 2, 3}


def test_a_single_likely_strategy_has_no_alternative():
    space = space_of((Green(), Red()), [Finding("cause_of_red", 0.9, "")])
    judge = ToyJudge(total, sufficient=0.1)
    search(judge, space, rungs=space.rungs("evidence"), n_likely=space.n_likely("evidence"))
    assert {names for _, names, _ in judge.tried} == {(), ("red",), ("green", "red")}


def test_what_is_as_good_as_can_be_ends_the_polishing():
    judge = ToyJudge(total, sufficient=0.1, accept=0.2)
    oracle = search(judge)
    assert [record.status for record in oracle.records][-2:] == ["sufficient", "accepted"]


def test_the_settings_of_what_is_new_are_swept_though_the_first_one_is_bad():
    judge = ToyJudge(lambda values: -1.0 if values.get("blue/value") == 1 else total(values))
    search(judge, rungs=[("red",), ("blue",)])
    tried = [values.get("blue/value") for rung, names, values in judge.tried if rung == 2 and "blue" in names]
    assert {2, 3} <= set(tried)


@pytest.mark.parametrize("most", [1, 2, 5])
def test_max_trials_counts_the_control_arm(most):
    judge = ToyJudge(total)
    search(judge, max_trials=most)
    assert len(judge.tried) == most


def test_a_rung_has_no_more_trials_than_allowed():
    judge = ToyJudge(total)
    search(judge, trials_a_rung=2)
    assert [rung for rung, _, _ in judge.tried] == [0, 1, 1, 2, 2, 3, 3]


def test_it_stops_when_the_judge_says_so():
    judge = ToyJudge(total)
    judge.is_done = True
    search(judge)
    assert len(judge.tried) == 1


def test_failed_trials_do_not_end_the_search():
    oracle = search(ToyJudge(total, failing=range(2, 6)))
    assert [record.status for record in oracle.records[2:6]] == ["failed"] * 4
    assert {record.status for record in oracle.records[6:]} == {"rejected"}
    assert oracle.records[-1].rung == 3


def test_a_search_where_all_fail_ends():
    oracle = search(ToyJudge(failing=range(1000)))
    assert {record.rung for record in oracle.records} == {0, 1, 2, 3}


def test_without_strategies_only_the_control_arm_runs():
    judge = ToyJudge()
    search(judge, space_of(()))
    assert judge.tried == [(0, (), {})]


def test_a_strategy_that_applies_no_more_is_not_asked_forever():
    class OnlyAlone(Red):
        name = "solitary"

        def prescribe(self, hp, case):
            return None if case.recipe else super().prescribe(hp, case)

    judge = ToyJudge(total)
    search(judge, space_of((Blue(), OnlyAlone())))
    on_rung_2 = [(names, values) for rung, names, values in judge.tried if rung == 2]
    assert len(on_rung_2) == len({str(one) for one in on_rung_2})


def test_errors_of_the_judge_pass_through():
    class Broken(ToyJudge):
        def try_recipe(self, recipe, rung, values):
            raise ZeroDivisionError("the judge is broken")

    with pytest.raises(ZeroDivisionError, match="the judge is broken"):
        search(Broken())


def test_the_ladder_is_a_fixed_order():
    findings = [Finding("cause_of_red", 0.9, ""), Finding("cause_of_green", 0.8, "")]
    assert space_of(findings=findings).rungs("ladder") == [("blue",), ("green",), ("red",)]


def test_evidence_begins_with_all_that_treat_confident_findings_and_goes_on_by_confidence():
    findings = [Finding("cause_of_red", 0.9, ""), Finding("cause_of_green", 0.3, "")]
    assert space_of(findings=findings).rungs("evidence") == [("red",), ("green",), ("blue",)]
    findings = [Finding("cause_of_red", 0.9, ""), Finding("cause_of_blue", 0.89, "")]
    assert space_of(findings=findings).rungs("evidence") == [("red", "blue"), ("green",)]
    findings = [Finding("cause_of_red", 0.9, ""), Finding("cause_of_blue", 0.8, "")]
    assert space_of(findings=findings).rungs("evidence") == [("red",), ("blue",), ("green",)]


def test_a_random_order_is_repeatable_by_its_seed():
    orders = {tuple(space_of().rungs("random", seed)) for seed in range(20)}
    assert len(orders) > 2
    assert space_of().rungs("random", 3) == space_of().rungs("random", 3)


def test_where_nothing_is_to_be_had_what_is_likely_and_what_is_cheap_is_tried():
    class Slow(Green):
        recompiles = True

    findings = [Finding("cause_of_red", 0.95, "")]
    assert space_of((Red(), Blue(), Slow()), findings=findings).hopeless_rungs("evidence") == [("red",), ("blue",)]


def test_a_strategy_that_looks_at_another_ones_remedy_comes_after_it():
    class Follower(Blue):
        after = frozenset({"red"})

        def prescribe(self, hp, case):
            return super().prescribe(hp, case) if case.recipe.strategies == ("red",) else None

    space = space_of((Follower(), Red()))
    assert list(space.strategies) == ["blue", "red"]
    strategies = ("blue", "red")
    assert space.recipe(strategies, space.defaults(strategies)).strategies == ("red", "blue")
    assert list(space_of((Follower(), Green())).left_out) == ["blue"]


class Longer(Toy):
    """Overrules the user."""

    name = "longer"
    treats = frozenset({"cause_of_longer"})

    def prescribe(self, hp, case):
        return SetFitArgument(self.name, name="epochs", value=30, was=10)


def test_what_overrules_the_user_is_tried_with_a_finding_only():
    assert "overrule" in space_of((Red(), Longer())).left_out["longer"]
    findings = [Finding("cause_of_longer", 0.3, "")]
    assert space_of((Red(), Longer()), findings=findings).overruling == {"longer"}


@pytest.mark.parametrize(("proven_at", "is_tried"), [(0.0, False), (9.0, True)])
def test_what_overrules_the_user_is_not_tried_where_something_else_is_proven(proven_at, is_tried):
    class Proving(ToyJudge):
        def try_recipe(self, recipe, rung, values):
            record = super().try_recipe(recipe, rung, values)
            return dataclasses.replace(record, status="proven") if rung and record.skill >= proven_at else record

    space = space_of((Red(), Longer()), findings=[Finding("cause_of_longer", 0.3, "")])
    judge = Proving(total)
    search(judge, space, rungs=[("red",), ("longer",)])
    assert any("longer" in names for _, names, _ in judge.tried) is is_tried


def test_sweeps_wait_for_what_is_as_likely():
    findings = [Finding("cause_of_red", 0.95, ""), Finding("cause_of_blue", 0.75, "")]
    space = space_of(findings=findings)
    judge = ToyJudge(total)
    search(judge, space, rungs=space.rungs("evidence"), n_likely=space.n_likely("evidence"))
    assert [rung for rung, _, _ in judge.tried][:3] == [0, 1, 2]


def test_what_needs_a_new_compilation_comes_after_its_equals():
    class Slow(Blue):
        name = "a_slow_one"
        recompiles = True

    assert space_of((Slow(), Red())).rungs("evidence") == [("red",), ("a_slow_one",)]


def test_strategies_that_do_not_apply_are_left_out_with_the_reason():
    class Never(Toy):
        name = "never"

        def prescribe(self, hp, case):
            return None

    class Surgeon(Toy):
        name = "surgeon"
        needs_surgery = True

    evidence = dataclasses.replace(
        EVIDENCE, model=dataclasses.replace(EVIDENCE.model, can_edit=False, why_no_edit="no layer fits")
    )
    space = SearchSpace((Never(), Surgeon(), Red()), autofix.Case(evidence))
    assert list(space.strategies) == ["red"]
    assert "apply" in space.left_out["never"]
    assert space.left_out["surgeon"] == "no layer fits"


def test_a_strategy_that_raises_is_named():
    class Raising(Toy):
        name = "raising"

        def prescribe(self, hp, case):
            raise KeyError("missing")

    with pytest.raises(autofix.StrategyError, match=r"'raising'.*missing"):
        space_of((Raising(),))


@pytest.mark.parametrize("depth", [1, 2])
def test_conditional_settings_are_refused(depth):
    class Conditional(Toy):
        name = "conditional"

        def prescribe(self, hp, case):
            hp.Choice("kind", ["a", "b"])
            with contextlib.ExitStack() as stack:
                for _ in range(depth):
                    stack.enter_context(hp.conditional_scope("kind", ["a"]))
                hp.Choice("only_of_a", [1, 2])
            return super().prescribe(hp, case)

    with pytest.raises(autofix.StrategyError, match="conditional"):
        space_of((Conditional(),))


def test_every_kind_of_setting_is_swept_from_its_default():
    class Many(Toy):
        name = "many"

        def prescribe(self, hp, case):
            hp.Int("count", 1, 3, default=2)
            hp.Float("share", 0.0, 1.0, default=0.25)
            hp.Boolean("flag", default=True)
            hp.Fixed("fixed", "as it is")
            return super().prescribe(hp, case)

    found = space_of((Many(),)).settings
    assert found["many/count"][0] == 2
    assert sorted(found["many/count"]) == [1, 2, 3]
    assert found["many/share"][0] == 0.25
    assert len(found["many/share"]) > 3
    assert found["many/flag"] == [True, False]
    assert found["many/fixed"] == ["as it is"]
    assert found["many/value"] == [1, 2, 3]


# Resume


def interrupted(directory, dies_at, **limits):
    """What ran up to the kill, and what the same search ran afterwards."""
    before, after = ToyJudge(total, dies_at=dies_at), ToyJudge(total)
    with contextlib.suppress(KeyboardInterrupt):
        search(before, directory=directory, **limits)
    oracle = search(after, directory=directory, **limits)
    return before.tried, after.tried, oracle


@pytest.mark.parametrize("dies_at", [0, 1, 4, 11])
def test_a_killed_search_goes_on_where_it_was(tmp_path, dies_at):
    whole = ToyJudge(total)
    search(whole)
    before, after, oracle = interrupted(tmp_path, dies_at)
    assert len(before) == dies_at
    assert before + after == whole.tried
    assert [(r.rung, r.recipe.strategies, r.values) for r in oracle.records] == whole.tried


@settings(max_examples=8, deadline=None)
@given(deaths=strategies.lists(strategies.integers(0, 6), max_size=3))
def test_any_series_of_kills_repeats_no_finished_trial(tmp_path_factory, deaths):
    directory = tmp_path_factory.mktemp("search")
    tried = []
    for dies_at in [*deaths, None]:
        judge = ToyJudge(total, dies_at=dies_at)
        with contextlib.suppress(KeyboardInterrupt):
            search(judge, directory=directory)
        tried += judge.tried
    whole = ToyJudge(total)
    search(whole)
    assert tried == whole.tried


def test_a_finished_search_is_not_run_again(tmp_path):
    first, second = ToyJudge(total, accept=0.5), ToyJudge(total, accept=0.5)
    before = search(first, directory=tmp_path)
    after = search(second, directory=tmp_path)
    assert first.tried
    assert second.tried == []
    assert after.records == before.records


def test_a_search_that_was_stopped_for_time_goes_on(tmp_path):
    whole, first, second = ToyJudge(total), ToyJudge(total), ToyJudge(total)
    search(whole)
    first.is_done = True
    search(first, directory=tmp_path)
    search(second, directory=tmp_path)
    assert len(first.tried) == 1
    assert first.tried + second.tried == whole.tried


def test_failed_trials_are_not_repeated_either(tmp_path):
    first = ToyJudge(total, failing=(1, 2), dies_at=4)
    with contextlib.suppress(KeyboardInterrupt):
        search(first, directory=tmp_path)
    second = ToyJudge(total)
    oracle = search(second, directory=tmp_path)
    assert [record.status for record in oracle.records[1:3]] == ["failed", "failed"]
    assert all(trial not in first.tried for trial in second.tried)


def refuse(constant):
    raise AssertionError(f"{constant} is not strict JSON")


def test_the_files_are_strict_json(tmp_path):
    interrupted(tmp_path, 4, max_trials=6)
    with contextlib.suppress(KeyboardInterrupt):
        search(ToyJudge(failing=(1, 2), dies_at=3), directory=tmp_path, identity="with failures")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 8
    for path in files:
        json.loads(path.read_text(), parse_constant=refuse)


def test_the_trials_of_another_problem_are_not_resumed(tmp_path):
    search(ToyJudge(total), directory=tmp_path, identity="one")
    judge = ToyJudge(total)
    search(judge, directory=tmp_path, identity="another", max_trials=3)
    assert len(judge.tried) == 3


def test_foreign_files_in_the_directory_stay(tmp_path):
    mine = tmp_path / "notes.txt"
    mine.write_text("keep me")
    search(ToyJudge(total), directory=tmp_path)
    assert mine.read_text() == "keep me"


def test_a_search_without_a_directory_leaves_no_files(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    search(ToyJudge(total))
    assert list(Path(tmp_path).iterdir()) == []


def test_it_says_nothing(capsys, tmp_path):
    interrupted(tmp_path, 3)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_recipes_are_in_the_order_of_the_ladder():
    recipe = space_of().recipe(("red", "blue"), {"red/value": 2, "blue/value": 3})
    assert isinstance(recipe, Recipe)
    assert recipe.strategies == ("blue", "red")
    assert [remedy.value for remedy in recipe if isinstance(remedy, SetFitArgument)] == [3, 2]


def test_the_oracle_is_one_of_keras_tuner():
    assert issubclass(EscalationOracle, keras_tuner.Oracle)
    assert issubclass(EscalationTuner, keras_tuner.Tuner)
