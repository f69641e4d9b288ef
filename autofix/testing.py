"""The contract of a strategy as tests, for built-in strategies and for those of other distributions.

The tests run under pytest, which is not needed to import this module.
"""

import builtins
import contextlib
import copy
import dataclasses
import inspect
import io
import json
import math
import os
import random
import re
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import keras
import numpy as np

from autofix.errors import StrategyError
from autofix.recipe import Recipe
from autofix.remedies import SetFitArgument
from autofix.remedy import Remedy
from autofix.report.records import Finding
from autofix.sample_programs import N_ROWS, Program, sample_programs
from autofix.search.search_space import SearchSpace, Values
from autofix.strategy import Case, Strategy

SECTIONS = ("Changes:", "Helps when:", "Costs:", "Never touches:", "Source:")
"""What the docstring of a strategy's module has to say."""

MAX_TRIALS = 12
"""Values of all settings together that a strategy may offer: a rung of the escalation runs no more trials."""

ROWS = 8
"""Rows that applied models predict."""

NAME = re.compile(r"[a-z][a-z0-9_]*")

INPUT_NAME = re.compile(r"input_layer_\d+")
"""Keras numbers the inputs of Sequential models anew in each copy."""


class StrategyTests:
    """What every strategy has to keep to. Inherit from it, name the strategy, and let pytest collect the class.

    The tests ask the strategy about the programs of `autofix.sample_programs`: networks of several kinds with planted
    faults. A strategy that applies to none of them needs a program of its own: override `programs`.

    Class attributes:
        strategy: The strategy's class, or a function that makes an instance.

    Example:

    >>> from autofix.strategies.reshuffle import Reshuffle
    >>> class TestReshuffle(StrategyTests):
    ...     strategy = Reshuffle
    >>> TestReshuffle().test_settings_are_few_and_always_active()
    """

    strategy: ClassVar[type[Strategy]]

    def programs(self) -> Sequence[Program]:
        """The programs that the strategy is asked about; `autofix.sample_programs.describe` makes further ones."""
        return sample_programs()

    def prescriptions(self) -> Iterator[tuple[Program, SearchSpace, Values, Recipe]]:
        """For each program that the strategy applies to, each setting at each value, and the recipe for it."""
        strategy = self.strategy()
        for program in self.programs():
            space = SearchSpace([strategy], _suspected(program.case, strategy))
            if strategy.name not in space.strategies:
                continue
            defaults = space.defaults([strategy.name])
            swept = [{**defaults, name: value} for name, values in space.settings.items() for value in values]
            for values in [defaults, *(values for values in swept if values != defaults)]:
                yield program, space, values, space.recipe([strategy.name], values)

    def test_it_declares_what_it_is(self) -> None:
        strategy = self.strategy()
        assert isinstance(strategy, Strategy), f"{strategy!r} is no autofix.Strategy."
        assert NAME.fullmatch(strategy.name), f"Expected a name in snake case. Received: {strategy.name!r}"
        for attribute in ("treats", "after"):
            names = getattr(strategy, attribute)
            assert isinstance(names, frozenset), f"{attribute} is no frozenset: {names!r}"
            assert all(NAME.fullmatch(name) for name in names), f"{attribute} has names that are no snake case: {names}"
        assert strategy.treats, "It treats no cause, so that no finding ever leads to it."
        for attribute in ("needs_surgery", "regroups", "recompiles"):
            assert isinstance(getattr(strategy, attribute), bool), f"{attribute} is no bool."
        assert strategy.when_left_out.strip(), "when_left_out is empty: the report could not say why it was left out."

    def test_its_module_says_what_it_does_and_from_where(self) -> None:
        text = inspect.getdoc(inspect.getmodule(self.strategy)) or ""
        missing = [section for section in SECTIONS if section not in text]
        assert not missing, f"The docstring of the strategy's module lacks {missing}."

    def test_it_applies_to_some_program(self) -> None:
        assert next(self.prescriptions(), None), (
            "The strategy applies to no program. Expected one at least. Override programs() and add one, made by "
            "autofix.sample_programs.describe()."
        )

    def test_settings_are_few_and_always_active(self) -> None:
        strategy = self.strategy()
        for program in self.programs():
            try:
                settings = SearchSpace([strategy], _suspected(program.case, strategy)).settings
            except StrategyError as error:
                raise AssertionError(f"{program.name}: {error}") from error
            n_trials = 1 + sum(len(values) - 1 for values in settings.values())
            assert n_trials <= MAX_TRIALS, f"{program.name}: {n_trials} trials. Expected at most {MAX_TRIALS}."
            for name, values in settings.items():
                assert all(_is_plain(value) for value in values), f"{program.name}: {name} has values {values}."

    def test_the_same_case_and_values_give_the_same_remedy(self) -> None:
        for program, space, values, recipe in self.prescriptions():
            again = space.recipe([self.strategy().name], values)
            assert again == recipe, f"{program.name} with {values}: first {recipe}, then {again}."

    def test_it_changes_nothing_of_the_case(self) -> None:
        for program in self.programs():
            before = copy.deepcopy(program.case)
            for _ in self._prescriptions_for(program):
                pass
            # By their text: NaN, which evidence may hold, equals nothing.
            assert repr(program.case) == repr(before), f"{program.name}: the case was changed."

    def test_it_prints_nothing_reads_nothing_trains_nothing_and_draws_no_random_number(self) -> None:
        for program in self.programs():
            list(self._prescriptions_for(program))  # what it imports, when it is first asked, is its own affair
            before = random.getstate(), repr(np.random.get_state())  # noqa: NPY002 - the global state is what is meant
            with _watched() as deeds:
                list(self._prescriptions_for(program))
            assert not deeds, f"{program.name}: while it prescribed, it did {deeds}."
            after = random.getstate(), repr(np.random.get_state())  # noqa: NPY002
            assert after == before, f"{program.name}: it drew from a global random generator."

    def test_its_remedies_are_plain_frozen_data(self) -> None:
        strategy = self.strategy()
        for program, _, values, recipe in self.prescriptions():
            for remedy in recipe:
                what = f"{program.name} with {values}: {remedy!r}"
                assert isinstance(remedy, Remedy), f"{what} is no autofix.Remedy."
                assert remedy.strategy == strategy.name, f"{what} is not in the strategy's name."
                assert _is_frozen(remedy), f"{what} is no frozen dataclass."
                assert _is_hashable(remedy), f"{what} holds something that can be changed."
                assert Recipe.from_json(recipe.to_json()) == recipe, f"{what} is another after a way through JSON."
                json.loads(recipe.to_json(), parse_constant=_refuse)

    def test_its_remedies_print_themselves_as_code(self) -> None:
        for program, _, values, recipe in self.prescriptions():
            for remedy in recipe:
                lines = remedy.code()
                what = f"{program.name} with {values}: the code of {remedy!r}"
                assert lines, f"{what} is empty."
                assert all(isinstance(line, str) and line.strip() for line in lines), f"{what} has empty lines: {lines}"

    def test_its_flags_are_those_of_its_remedies(self) -> None:
        strategy = self.strategy()
        for program, _, values, recipe in self.prescriptions():
            for remedy in recipe:
                what = f"{program.name} with {values}: {remedy!r}"
                is_regrouping = isinstance(remedy, SetFitArgument) and remedy.name in ("shuffle", "batch_size")
                assert remedy.needs_surgery == strategy.needs_surgery, f"{what} contradicts needs_surgery."
                assert strategy.recompiles or remedy.compiled_part() is None, f"{what} contradicts recompiles=False."
                assert strategy.regroups or not is_regrouping, f"{what} contradicts regroups=False."

    def test_its_remedies_change_the_program_and_leave_the_users_model_alone(self) -> None:
        for program, _, values, recipe in self.prescriptions():
            what = f"{program.name} with {values}"
            before = _description(program.model), _weights(program.model)
            if recipe.fit_arguments or not program.case.evidence.model.can_edit:
                continue
            repaired = self._applied(recipe, program)
            assert _description(repaired) != before[0], f"{what}: {recipe} changes nothing in the model."
            assert _description(program.model) == before[0], f"{what}: the user's model was changed."
            for old, new in zip(before[1], _weights(program.model), strict=True):
                np.testing.assert_array_equal(new, old, err_msg=f"{what}: weights of the user's model were changed.")
            _predict(repaired, program.x, what)

    def test_repaired_models_save_and_load_by_keras_alone(self) -> None:
        strategy = self.strategy()
        if not strategy.needs_surgery:
            return
        seen = set()
        for program, _, values, recipe in self.prescriptions():
            if program.name in seen:
                continue
            seen.add(program.name)
            what = f"{program.name} with {values}"
            repaired = self._applied(recipe, program)
            own = {type(layer) for layer in program.model._flatten_layers()}
            foreign = {
                type(layer)
                for layer in repaired._flatten_layers()
                if type(layer) not in own and not type(layer).__module__.startswith("keras.")
            }
            assert not foreign, f"{what}: Keras cannot load {foreign} without the package that they come from."
            # As after a training; Keras warns when it loads an optimizer without its state.
            repaired.optimizer.build(repaired.trainable_variables)
            with tempfile.TemporaryDirectory() as folder:
                repaired.save(Path(folder) / "model.keras")
                loaded = keras.saving.load_model(Path(folder) / "model.keras")
            for new, old in zip(_predict(loaded, program.x, what), _predict(repaired, program.x, what), strict=True):
                np.testing.assert_allclose(new, old, rtol=1e-6, err_msg=f"{what}: predictions differ when loaded.")

    def test_it_is_left_out_where_it_cannot_be_used(self) -> None:
        strategy = self.strategy()
        for program in self.programs():
            left_out = SearchSpace([strategy], program.case).left_out
            model = program.case.evidence.model
            if strategy.needs_surgery and not model.can_edit:
                assert left_out == {strategy.name: model.why_no_edit}, f"{program.name} takes no surgery."
            assert all(left_out.values()), f"{program.name}: it is left out without a reason."

    def _prescriptions_for(self, program: Program) -> Iterator[Recipe]:
        strategy = self.strategy()
        space = SearchSpace([strategy], program.case)
        for name, values in space.settings.items():
            for value in values:
                yield space.recipe([strategy.name], {**space.defaults([strategy.name]), name: value})
        yield space.recipe([strategy.name], space.defaults([strategy.name]))

    @staticmethod
    def _applied(recipe: Recipe, program: Program) -> Any:
        keras.utils.set_random_seed(0)
        return recipe.apply(program.model)


def _suspected(case: Case, strategy: Strategy) -> Case:
    """The case with a finding for what the strategy treats: without one, what would overrule the user is left out."""
    found = {finding.cause for finding in case.findings}
    suspicions = [Finding(cause, 0.5, "Suspected for the test.") for cause in sorted(strategy.treats - found)]
    return dataclasses.replace(case, findings=(*case.findings, *suspicions))


def _is_plain(value: Any) -> bool:
    """Whether KerasTuner can keep the value: exactly a str, int, float or bool, and a finite one."""
    return type(value) in (str, int, float, bool) and (not isinstance(value, float) or math.isfinite(value))


def _is_frozen(remedy: Remedy) -> bool:
    try:
        remedy.strategy = remedy.strategy  # type: ignore[misc]
    except dataclasses.FrozenInstanceError:
        return True
    return False


def _is_hashable(remedy: Remedy) -> bool:
    try:
        hash(remedy)
    except TypeError:
        return False
    return True


def _refuse(constant: str) -> None:
    raise AssertionError(f"Not strict JSON: {constant}")


@contextlib.contextmanager
def _watched() -> Iterator[list[str]]:
    """Collects what is done meanwhile that a strategy may not do."""
    deeds: list[str] = []

    def refuse(name: str, real: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            deeds.append(f"{name}{args!r}")
            return real(*args, **kwargs)

        return call

    out, err = io.StringIO(), io.StringIO()
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        for where, name in (
            (builtins, "open"),
            (io, "open"),
            (os, "open"),
            (keras.Model, "fit"),
            (keras.Model, "train_on_batch"),
        ):
            stack.enter_context(
                mock.patch.object(where, name, refuse(f"{where.__name__}.{name}", getattr(where, name)))
            )
        yield deeds
    deeds.extend(f"print({text!r})" for text in (out.getvalue(), err.getvalue()) if text)


def _description(model: Any) -> str:
    """The network, its loss and its optimizer, as text."""
    parts = [model.get_compile_config(), model.optimizer.get_config()]
    with contextlib.suppress(NotImplementedError):  # a subclassed network without get_config
        parts.append(model.get_config())
    text = json.dumps(keras.saving.serialize_keras_object(parts), sort_keys=True, default=str)
    return INPUT_NAME.sub("input_layer", text)


def _weights(model: Any) -> list[np.ndarray]:
    return [np.array(value) for value in model.get_weights()]


def _predict(model: Any, x: Any, what: str) -> list[np.ndarray]:
    """The outputs for the first rows, each checked to be finite."""
    rows = keras.tree.map_structure(lambda array: array[: min(ROWS, N_ROWS)], x)
    with warnings.catch_warnings():
        # Keras warns of a softmax over one unit, which is the fault of a program, not of the strategy.
        warnings.simplefilter("ignore")
        outputs = [np.asarray(one) for one in keras.tree.flatten(model(rows, training=False))]
    for output in outputs:
        assert len(output) == ROWS, f"{what}: {len(output)} predictions for {ROWS} rows."
        assert np.isfinite(output).all(), f"{what}: the repaired model predicts values that are not finite."
    return outputs
