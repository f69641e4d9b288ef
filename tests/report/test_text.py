import dataclasses
import math
import re
from typing import Any

import numpy as np
import pytest

from autofix.recipe import Recipe
from autofix.remedies import InsertHiddenLayers, NormalizeInputs, RescaleOutputs, SetFitArgument, SetLearningRate
from autofix.report.records import VERDICTS, Finding, Reference, RunRecord, TrialRecord
from autofix.report.text import render
from autofix.scoring.assess import Assessment

RATE = SetLearningRate("lower_learning_rate", factor=0.01, was=1.0)


def assessment(**changes) -> Assessment:
    values: dict[str, Any] = {
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


def trial(rung: int = 1, skill: float = 0.5, status: str = "rejected", remedies: tuple = (RATE,)) -> TrialRecord:
    return TrialRecord(rung, Recipe(remedies), {}, skill, skill - 0.1, skill + 0.1, 0.9, 0.25, status)


def overflowing() -> RunRecord:
    """More of everything than a screen holds."""
    long = "very " * 200
    wide = NormalizeInputs("standardize_inputs", mean=((123456.5,) * 60,) * 9, variance=((1e-9,) * 60,) * 9)
    return RunRecord(
        "repaired",
        before=tuple(assessment(output_name=f"output_{i}" * 20) for i in range(12)),
        before_epoch=4,
        after=tuple(assessment(output_name=f"output_{i}") for i in range(12)),
        findings=tuple(Finding(f"cause_{i}", 0.5, long) for i in range(9)),
        references=tuple(Reference("extra_trees", 0.5, 0.4, 0.6) for _ in range(5)),
        trials=tuple(trial(rung) for rung in range(20) for _ in range(3)),
        recipe=Recipe((wide,)),
        left_out={f"strategy_{i}": long for i in range(9)},
        notes=(long, long),
        seconds={f"part_{i}": 1.0 for i in range(40)},
    )


@pytest.mark.parametrize("verdict", VERDICTS)
def test_every_verdict_is_named_and_explained(verdict):
    first = render(RunRecord(verdict)).splitlines()[0]
    assert first.startswith(f"autofix   {verdict}: ")
    assert first.endswith(".")


def test_a_healthy_page_says_that_nothing_was_changed_and_no_more():
    page = render(RunRecord("healthy", before=(assessment(skill=0.9, skill_lower=0.8),), before_epoch=1))
    assert "the model learns; nothing was changed" in page
    assert len(page.splitlines()) == 2


def test_a_healthy_page_does_not_say_that_the_model_learns_where_that_is_not_known():
    page = render(RunRecord("healthy", before=(assessment(skill=0.01, skill_lower=-0.05),), before_epoch=1))
    assert "no fault was found; on 33 rows its skill cannot be told from none." in " ".join(page.split())
    assert "learns" not in page


def test_a_repaired_page_tells_the_whole_story():
    record = RunRecord(
        "repaired",
        before=(assessment(),),
        before_epoch=2,
        after=(assessment(spread=0.98, skill=0.97, skill_lower=0.95, skill_upper=0.98),),
        findings=(Finding("learning_rate_too_high", 0.9, "The rate of 1 is 1000 times the default."),),
        references=(Reference("linear", 0.98, 0.97, 0.99), Reference("extra_trees", 0.95, 0.9, 0.97)),
        trials=(
            trial(0, math.nan, "control", ()),
            trial(1, 0.5),
            trial(1, 0.97, "accepted"),
            trial(1, 0.96, "minimal"),
        ),
        recipe=Recipe((RATE,)),
        left_out={"add_hidden_layers": "The model is subclassed."},
        notes=("The data was read once.",),
        seconds={"watch": 0.1, "trials": 1.2, "total": 1.5},
    )
    assert render(record).splitlines()[1:] == [
        "before    epoch 2, spread 0.000, skill -0.010 [-0.050, 0.020] on 33 rows",
        "after     spread 0.980, skill 0.970 [0.950, 0.980] on 33 rows",
        "reference linear reaches skill 0.980 [0.970, 0.990] on held-out rows",
        "",
        "cause     learning_rate_too_high (90%): The rate of 1 is 1000 times the default.",
        "",
        "fix       -optimizer=keras.optimizers.Adam(1.0)",
        "          +optimizer=keras.optimizers.Adam(0.01)",
        "",
        "tried     0 control                1 trial, no skill to measure  0.2 s",
        "          1 + lower_learning_rate  2 trials, skill 0.970 [0.870, 1.070], accepted  0.5 s",
        "          smaller recipes          1 trial, lower_learning_rate suffices  0.2 s",
        "left out  add_hidden_layers: The model is subclassed.",
        "note      The data was read once.",
        "time      1.5 s: watch 0.1, trials 1.2",
    ]


SEEN = re.compile(r"spread (\S+), skill (\S+) \[(\S+), (\S+)\] on ([\d,]+) rows")
TRIED = re.compile(r"^\S* +(\d+) .*  (\d+) trials?, skill (\S+) \[(\S+), (\S+)\].*  (\S+) s$")


@pytest.mark.parametrize("seed", range(5))
def test_the_numbers_are_those_of_the_record(seed):
    rng = np.random.default_rng(seed)

    def numbers(*names: str) -> dict[str, float]:
        return {name: float(rng.normal()) for name in names}

    skills = ("skill", "skill_lower", "skill_upper")
    before, after = (assessment(**numbers("spread", *skills), n_samples=int(rng.integers(5000))) for _ in range(2))
    trials = tuple(dataclasses.replace(trial(rung), **numbers(*skills, "seconds")) for rung in (0, 1, 1, 2))
    references = tuple(Reference(name, **numbers(*skills)) for name in ("linear", "extra_trees"))
    seconds = {"watch": 1.25, "total": float(rng.uniform(1.0, 9.0))}
    record = RunRecord(
        "repaired", (before,), 7, (after,), references=references, trials=trials, recipe=Recipe((RATE,)),
        seconds=seconds,
    )  # fmt: skip
    page = render(record)
    shown = [(*map(float, found[:4]), int(found[4].replace(",", ""))) for found in SEEN.findall(page)]
    assert shown == [
        (*(round(getattr(one, name), 3) for name in ("spread", *skills)), one.n_samples) for one in (before, after)
    ]
    best = max(references, key=lambda one: one.skill)
    assert f"{best.name} reaches skill {best.skill:.3f} [{best.skill_lower:.3f}, {best.skill_upper:.3f}]" in page
    rows = [[float(number) for number in found] for line in page.splitlines() for found in TRIED.findall(line)]
    assert rows == [
        [rung, len(members), *(round(getattr(max(members, key=lambda one: one.skill), name), 3) for name in skills),
         round(sum(one.seconds for one in members), 1)]
        for rung, members in ((rung, [one for one in trials if one.rung == rung]) for rung in range(3))
    ]  # fmt: skip
    assert f"{seconds['total']:.1f} s: watch 1.2" in page


def test_any_page_fits_one_screen():
    lines = render(overflowing()).splitlines()
    assert 24 <= len(lines) <= 40
    assert max(map(len, lines)) <= 100
    assert any("report.fix has them all" in line for line in lines)


def test_outputs_are_told_apart_by_name():
    record = RunRecord("unrepaired", before=(assessment(output_name="price"), assessment(output_name="class")))
    assert "price: spread" in render(record)
    assert "class: spread" in render(record)


def test_non_finite_predictions_are_said_to_be_so():
    record = RunRecord("unrepaired", before=(assessment(is_finite=False, skill=math.nan, spread=math.nan),))
    assert "predictions are not finite" in render(record)


def test_unlearnable_gives_the_numbers_and_what_would_help():
    references = (Reference("extra_trees", -0.02, -0.2, 0.1), Reference("linear", -0.04, -0.3, 0.05))
    record = RunRecord("unlearnable", findings=(Finding("too_few_rows", 0.8, "12."),), references=references)
    page = " ".join(render(record).split())
    assert "The best of extra_trees, linear reached skill -0.020 [-0.200, 0.100]" in page
    assert "More rows would help." in page


def test_constant_targets_are_the_reason_when_every_output_has_them():
    page = render(RunRecord("unlearnable", before=(assessment(is_target_constant=True),)))
    assert "the targets are constant" in page
    assert "how the targets were made" in " ".join(page.split())


def test_unrepaired_names_the_best_that_was_tried():
    record = RunRecord("unrepaired", trials=(trial(0, 0.9, "control"), trial(1, math.nan), trial(2, 0.25)))
    page = " ".join(render(record).split())
    assert "none of 2 trials proved a repair" in page
    assert "Best tried: lower_learning_rate, skill 0.250" in page


def test_unrepaired_says_why_nothing_could_be_tried():
    control = dataclasses.replace(trial(0, math.nan, "failed", ()), note="ValueError('no such shape')")
    page = " ".join(render(RunRecord("unrepaired", trials=(control,))).split())
    assert "nothing could be tried (its training as a trial failed: ValueError('no such shape'))" in page


def test_long_code_stays_code_to_paste():
    remedies = (
        NormalizeInputs("standardize_inputs", mean=((12345.678,) * 8,), variance=((0.00012345678,) * 8,)),
        RescaleOutputs("standardize_targets", scale=(12.5,), offset=(-3.0,)),
        InsertHiddenLayers("add_hidden_layers", units=64, depth=1, kernel_initializer="glorot_uniform" * 2),
    )
    page = render(RunRecord("repaired", recipe=Recipe(remedies)))
    diff = [line[10:] for line in page.splitlines() if line.startswith(("fix ", "          "))]
    assert {line[0] for line in diff} == {"+"}
    code = [line[1:] for line in diff]
    compile("\n".join(code), "fix", "exec")
    assert any("mean=[12345.7" in line for line in code)
    assert code.count("# before the output layer") == 1


def test_many_strategies_that_were_left_out_are_counted():
    record = RunRecord("unrepaired", left_out={f"strategy_{number}": "Why." for number in range(12)})
    assert "left out  12 strategies, for the reasons in report.left_out" in render(record).splitlines()


def test_causes_that_the_fix_treats_come_first_and_the_others_are_marked():
    findings = (Finding("dead_units", 0.9, "All."), Finding("learning_rate_too_high", 0.8, "It is 1."))
    record = RunRecord("repaired", findings=findings, recipe=Recipe((RATE,)), mattering=("learning_rate_too_high",))
    lines = [line for line in render(record).splitlines() if "%" in line]
    assert lines == [
        "cause     learning_rate_too_high (80%): It is 1.",
        "          not needed: dead_units (90%): All.",
    ]


def test_a_fix_that_overrules_the_user_says_so_first():
    longer = SetFitArgument("train_longer", name="epochs", value=300, was=100)
    page = " ".join(render(RunRecord("repaired", recipe=Recipe((longer,)))).split())
    assert page.startswith(
        "autofix repaired: the fix changes what was asked for. It trains for 300 epochs in place of 100."
    )


def test_a_leak_is_not_called_a_repair():
    trial_record = trial(1, 0.97, "accepted")
    record = RunRecord("unrepaired", findings=(Finding("leaky_split", 1.0, "Copies."),), trials=(trial_record,))
    assert "proves nothing" in render(record)
