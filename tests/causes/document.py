"""Makes `docs/causes.md`: `python -m tests.causes.document`. The pictures are made by `tests.causes.pictures`."""

import json
from pathlib import Path

from autofix.strategy import LADDER, resolve_strategies
from tests.causes.texts import TEXTS

ROOT = Path(__file__).parents[2]
PATH = ROOT / "docs" / "causes.md"
EXAMPLES = Path(__file__).with_name("examples.json")
IMAGES = ROOT / "docs" / "images" / "causes"

INTRODUCTION = """\
# Causes

Made by `python -m tests.causes.document`; a test fails where this page says something else than the code does.

Every cause that autofix can name: what you see, what is measured, what treats it, and what to do by hand. A finding has
a confidence between 0 and 1; causes of 0.7 and more are treated together first. What a likely cause explains, such as
dead units after steps of a huge rate, ranks below it.

In the pictures a fault was planted into a small program that learns well without it: predictions against targets on
fresh rows on the left, the loss by epoch on the right; grey is the program without the fault. "Seen" is what
`autofix.fit` said of that very training. Two causes have no picture, because no training shows them: values that are
not finite are refused before any, and a leak is found in trials.

| cause | treated by |
| --- | --- |
"""


def treated_by() -> dict[str, list[str]]:
    """The strategies that treat each cause, in the order of the ladder."""
    found: dict[str, list[str]] = {}
    for strategy in resolve_strategies(LADDER):
        for cause in strategy.treats:
            found.setdefault(cause, []).append(strategy.name)
    return found


def section(cause: str, strategies: list[str], example: dict[str, str]) -> str:
    """What the page says of a cause."""
    text = TEXTS[cause]
    links = ", ".join(f"[`{name}`](strategies.md#the-strategies-that-come-with-autofix)" for name in strategies)
    lines = [f"## `{cause}`", "", f"**Looks like.** {text.looks}", "", f"**Measured.** {text.measured}", ""]
    if (IMAGES / f"{cause}.svg").exists():
        lines += [f"![{example['planted']}](images/causes/{cause}.svg)", ""]
    if example:
        lines += [f"*Planted:* {example['planted']}", "", f"*Seen:* {example['seen']}", ""]
    lines += [
        f"**Treated by** {links}." if links else "**Treated by** nothing: no change of the training would help.",
        "",
    ]
    return "\n".join([*lines, f"**By hand.** {text.yourself}", ""])


def page() -> str:
    """The document."""
    strategies = treated_by()
    examples = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    rows = "\n".join(
        f"| [`{cause}`](#{cause}) | {', '.join(f'`{name}`' for name in strategies.get(cause, [])) or 'nothing'} |"
        for cause in TEXTS
    )
    sections = "\n".join(section(cause, strategies.get(cause, []), examples.get(cause, {})) for cause in TEXTS)
    return f"{INTRODUCTION}{rows}\n\n{sections}"


if __name__ == "__main__":
    PATH.write_text(page(), encoding="utf-8")
