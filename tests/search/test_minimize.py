import dataclasses
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autofix.recipe import Recipe
from autofix.remedies import SetFitArgument
from autofix.search.minimize import minimize


def recipe_of(names):
    return Recipe(tuple(SetFitArgument(name, name="batch_size", value=8) for name in names))


@dataclasses.dataclass(frozen=True)
class ToyOutcome:
    recipe: Recipe
    skill: float
    seconds: float = 0.0


class ToyJudge:
    """A recipe works when it holds all remedies of one of the sets that suffice."""

    is_out_of_time = False

    def __init__(self, sufficient, unconfirmed=(), weaker=(), skills=None):
        self.ran = []
        self._sufficient = [set(names) for names in sufficient]
        self._unconfirmed = [set(names) for names in unconfirmed]
        self._weaker = [set(names) for names in weaker]
        self._skills = skills or {}

    def run(self, recipe, repeat=0):
        self.ran.append(recipe.strategies)
        return ToyOutcome(recipe, self._skills.get(recipe.strategies, 0.5))

    def is_proven(self, outcome, repeat=0):
        return any(names <= set(outcome.recipe.strategies) for names in self._sufficient)

    def confirms(self, recipe):
        return set(recipe.strategies) not in self._unconfirmed

    def mean_skill(self, recipe):
        return self._skills.get(recipe.strategies, 0.5)

    def keeps_skill(self, recipe, best):
        is_near = self.mean_skill(recipe) >= 0.9 * self.mean_skill(best)
        return is_near and set(recipe.strategies) not in self._weaker


def smallest(judge, names, likelihood=len):
    seen = []
    outcome: Any = ToyOutcome(recipe_of(names), 0.5)
    found = minimize(judge, outcome, lambda *what: seen.append((what[0].recipe.strategies, what[1])), likelihood)
    return "".join(found.recipe.strategies), seen


def test_remedies_that_do_nothing_are_dropped():
    assert smallest(ToyJudge(["b"]), "abc")[0] == "b"


def test_remedies_that_are_all_needed_stay():
    judge = ToyJudge(["abc"])
    found, seen = smallest(judge, "abc")
    assert found == "abc"
    assert seen
    assert not any(keeps for _, keeps in seen)


def test_remedies_that_can_only_go_in_pairs_go_in_pairs():
    assert smallest(ToyJudge(["abc", "c"], weaker=["bc", "ac"]), "abc")[0] == "c"


def test_a_single_remedy_is_not_taken_away():
    judge = ToyJudge([""])
    assert smallest(judge, "a") == ("a", [])
    assert judge.ran == []


def test_what_is_not_confirmed_is_not_kept():
    assert smallest(ToyJudge(["a"], unconfirmed=["a", "b"]), "ab")[0] == "ab"


def test_what_loses_skill_is_not_kept():
    assert smallest(ToyJudge([""], weaker=["a"]), "ab")[0] == "b"


def test_of_equally_small_recipes_the_best_is_kept():
    assert smallest(ToyJudge([""], skills={("b",): 0.9, ("a",): 0.6}), "ab")[0] == "b"
    assert smallest(ToyJudge([""], skills={("b",): 0.6, ("a",): 0.9}), "ab")[0] == "a"


def test_the_likelier_one_is_kept_only_where_it_is_practically_as_good():
    def likelihood(recipe):
        return "a" in recipe.strategies

    assert smallest(ToyJudge([""], skills={("a",): 0.58, ("b",): 0.6}), "ab", likelihood)[0] == "a"
    assert smallest(ToyJudge([""], skills={("a",): 0.5, ("b",): 0.8}), "ab", likelihood)[0] == "b"


def test_what_is_dropped_must_keep_the_skill_of_the_best_so_far():
    skills = {("a", "b"): 0.8, ("a",): 0.6, ("b",): 0.5}
    assert smallest(ToyJudge([""], skills=skills), "abc")[0] == "ab"
    assert smallest(ToyJudge([""], skills={**skills, ("a",): 0.75}), "abc")[0] == "a"


def test_every_smaller_recipe_is_told():
    _, seen = smallest(ToyJudge(["a"]), "ab")
    assert seen == [(("b",), False), (("a",), True)]


def test_it_ends_with_the_best_so_far_when_time_is_up():
    judge = ToyJudge(["b"])
    judge.is_out_of_time = True
    assert smallest(judge, "abc")[0] == "abc"
    assert judge.ran == []


@given(st.sets(st.sampled_from("abcde"), min_size=1))
def test_exactly_the_needed_remedies_are_left(needed):
    assert smallest(ToyJudge([needed]), "abcde")[0] == "".join(sorted(needed))


@given(st.lists(st.sets(st.sampled_from("abcd"), min_size=1), min_size=1, max_size=3))
def test_no_single_remedy_and_no_pair_can_still_go(sufficient):
    judge = ToyJudge(sufficient)
    found, _ = smallest(judge, "abcd")
    assert any(names <= set(found) for names in sufficient)
    for n_dropped in (1, 2):
        for kept in itertools.combinations(found, len(found) - n_dropped) if len(found) > n_dropped else ():
            assert not any(names <= set(kept) for names in sufficient)


@pytest.mark.parametrize("names", ["a", "ab", "abc"])
def test_the_control_arm_is_never_the_result(names):
    assert len(smallest(ToyJudge([""]), names)[0]) == 1
