"""Makes `docs/strategies.md` of the strategies' own words and of the example: `python -m tests.strategies.document`."""

import inspect
import re
from collections.abc import Sequence
from pathlib import Path

from autofix import remedies as remedies_module
from autofix.remedy import Remedy
from autofix.strategy import Strategy
from autofix.testing import SECTIONS

ROOT = Path(__file__).parents[2]
PATH = ROOT / "docs" / "strategies.md"
EXAMPLE = ROOT / "examples" / "strategy"

INTRODUCTION = """\
# Strategies

Made by `python -m tests.strategies.document`; a test fails where this page says something else than the strategies do.

A strategy treats some causes of a collapse by one kind of change. The ones that come with autofix are listed below;
those of other distributions register in the same way and are used beside them.

## How to write one

A strategy is a class with one method, in a file whose docstring says what it changes, when that helps, what it costs,
what it never touches, and where the idea comes from. This one is complete
([`examples/strategy/`](../examples/strategy/)):

```python
{strategy}```

`prescribe(hp, case)` gets

- `hp`, KerasTuner's `HyperParameters`. What it declares there is the search space: few settings, which are always
  declared where the strategy applies, the best value first. The first values of all settings are tried first, then one
  setting is changed at a time. `hp` takes strings, numbers and bools.
- `case`, which is frozen: `case.evidence` (what was measured: inputs, targets, layers, outputs, the run so far; see
  `autofix/evidence.py`), `case.findings` (the causes, likeliest first), `case.recipe` (the remedies before this one).
  `case.layers`, `case.heads` and `case.encoded_columns(index)` are the evidence as that recipe leaves it, and
  `changes_of(layer, activation="elu")` of `autofix.strategy` gives the changes that a layer takes.

and returns a remedy of `autofix.remedies`, or `None` where there is nothing to change. The remedies are
{remedies}.
Each is frozen, prints itself as Keras code and goes through JSON; the engine puts it into the program.

A strategy trains nothing, prints nothing, reads no file, draws no random number, and gives the same remedy for the same
case and values: whether the change helps is for the engine to prove. The attributes of the class say the rest:

| attribute | meaning |
| --- | --- |
{attributes}

## How to install one

```toml
{pyproject}```

The entry point has the strategy's `name`. Once installed, `autofix.strategy_names()` lists it, `autofix.fit` uses it by
itself where it treats a cause that was found, and `autofix.fit(..., strategies=["tiny_batches"])` uses nothing else. An
instance does without the installation: `strategies=["lower_learning_rate", TinyBatches()]`.

## How to test one

```python
{tests}```

`StrategyTests` holds the contract. It asks the strategy about small programs of many kinds with planted faults, and
checks: it declares what it is; the module's docstring has all its parts; settings are few, finite and always active;
the same case and values give the same remedy; the case stays as it is; nothing is printed, read, trained or drawn;
remedies are frozen, go through JSON and have code; the flags agree with the remedies; a remedy changes the program and
leaves the user's model alone; the repaired model predicts finite values, and saves and loads by Keras alone. A strategy
that applies to none of these programs overrides `programs()` and adds one.

## The strategies that come with autofix

In the order of `order="ladder"`; by default those that treat the likeliest causes come first.

"""


def parts_of(text: str) -> dict[str, str]:
    """The parts of a strategy's docstring, by their headings without the colon; each on one line."""
    pattern = "^(" + "|".join(map(re.escape, SECTIONS)) + ")"
    pieces = re.split(pattern, text, flags=re.MULTILINE)[1:]
    pairs = zip(pieces[::2], pieces[1::2], strict=True)
    return {heading.rstrip(":"): " ".join(body.split()).rstrip(".") for heading, body in pairs}


def row(strategy: Strategy) -> str:
    """The strategy as a line of the table."""
    parts = parts_of(inspect.getdoc(inspect.getmodule(type(strategy))) or "")
    treats = ", ".join(f"`{cause}`" for cause in sorted(strategy.treats))
    cells = [f"`{strategy.name}`", treats, parts["Changes"], parts["Costs"], parts["Never touches"]]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def attributes() -> str:
    """The class attributes of a strategy as lines of a table, in the words of its docstring."""
    text = (inspect.getdoc(Strategy) or "").partition("Class attributes:\n")[2]
    joined = re.sub(r"\n {8,}", " ", text)
    return "\n".join(f"| `{name}` | {meaning} |" for name, meaning in re.findall(r"^ {4}(\w+): (.+)$", joined, re.M))


def remedies() -> str:
    """Names of the kinds of remedy, wrapped."""
    names = [f"`{kind.__name__}`" for kind in Remedy.kinds.values() if kind.__module__ == remedies_module.__name__]
    lines, text = [""], ", ".join(names[:-1]) + f" and {names[-1]}"
    for word in text.split():
        if len(lines[-1]) + len(word) > 118:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


def page(strategies: Sequence[Strategy]) -> str:
    """The document."""
    introduction = INTRODUCTION.format(
        strategy=(EXAMPLE / "tiny_batches.py").read_text(encoding="utf-8"),
        pyproject=(EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"),
        tests=(EXAMPLE / "test_tiny_batches.py").read_text(encoding="utf-8"),
        remedies=remedies(),
        attributes=attributes(),
    )
    head = "| strategy | treats | changes | costs | never touches |\n| --- | --- | --- | --- | --- |\n"
    return introduction + head + "\n".join(row(strategy) for strategy in strategies) + "\n"


def built_in() -> list[Strategy]:
    """The strategies that come with autofix, in the order of the ladder."""
    from autofix.strategy import LADDER, resolve_strategies

    return list(resolve_strategies(LADDER))


if __name__ == "__main__":
    PATH.write_text(page(built_in()), encoding="utf-8")
