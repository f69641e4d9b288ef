"""The report of a run: a reader of one `RunRecord`."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

from autofix import atomic_files
from autofix.errors import ArgumentError, ScriptError
from autofix.recipe import Recipe
from autofix.report.diff import diff
from autofix.report.records import Finding, Reference, RunRecord, TrialRecord
from autofix.report.text import headline, render
from autofix.scoring.assess import Assessment
from autofix.strict_json import decoded, encoded

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Report:
    """What `autofix.fit` saw, tried and did. `print` it for a page to read.

    Two reports are equal when their JSON is. A report can be pickled.

    Args:
        record: Everything there is to say.

    Example:

    >>> report = Report(RunRecord("healthy"))
    >>> report.verdict, report.cause, report.fix
    ('healthy', None, '')
    >>> Report.from_json(report.to_json()) == report
    True
    """

    record: RunRecord

    @property
    def verdict(self) -> str:
        """`"healthy"`, `"repaired"`, `"unlearnable"`, `"unrepaired"` or `"not_assessed"`."""
        return self.record.verdict

    @property
    def headline(self) -> str:
        """The verdict in a sentence or two."""
        return headline(self.record)

    @property
    def cause(self) -> str | None:
        """Name of the likeliest cause, or None when none was found."""
        return self.record.findings[0].cause if self.record.findings else None

    @property
    def fix(self) -> str:
        """The smallest fix as Keras code to paste; empty unless repaired."""
        return self.record.recipe.code()

    @property
    def diff(self) -> str:
        """The smallest fix as lines of Keras code to take away (`-`) and to add (`+`); empty unless repaired."""
        return "\n".join(diff(self.record.recipe))

    @property
    def recipe(self) -> Recipe:
        """The smallest fix as data; an empty recipe unless repaired."""
        return self.record.recipe

    @property
    def trials(self) -> tuple[TrialRecord, ...]:
        """All trials, in the order they ran."""
        return self.record.trials

    @property
    def before(self) -> tuple[Assessment, ...]:
        """What was seen of the user's own training, one assessment an output."""
        return self.record.before

    @property
    def after(self) -> tuple[Assessment, ...] | None:
        """The final model, one assessment an output; None unless repaired."""
        return self.record.after

    @property
    def references(self) -> tuple[Reference, ...]:
        """The learners the model was compared with, best first."""
        return self.record.references

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The causes with their evidence, likeliest first."""
        return self.record.findings

    @property
    def evidence(self) -> dict[str, Any] | None:
        """The measured facts that the findings rest on, as JSON values; None where none were collected."""
        return self.record.evidence

    @property
    def departures(self) -> tuple[str, ...]:
        """What the user asked for that the fix overrules, in sentences; empty where it overrules nothing."""
        return self.record.recipe.departures

    @property
    def mattering(self) -> tuple[str, ...]:
        """Names of the causes that the smallest fix treats: the fix holds without treating the others."""
        return self.record.mattering

    @property
    def seconds(self) -> dict[str, float]:
        """Wall time by part of the run, `"total"` among them."""
        return self.record.seconds

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what else happened."""
        return self.record.notes

    @property
    def left_out(self) -> dict[str, str]:
        """Why strategies could not be used, by name."""
        return self.record.left_out

    def with_class_names(self, names: Iterable[Any]) -> Self:
        """The same report with names for the classes, for its figures.

        Args:
            names: In the order of the class numbers.
        """
        circumstances = dataclasses.replace(self.record.circumstances, class_names=tuple(map(str, names)))
        return dataclasses.replace(self, record=dataclasses.replace(self.record, circumstances=circumstances))

    def save(self, path: str | os.PathLike[str]) -> pathlib.Path:
        """Writes the report to a file, and returns its path.

        Args:
            path: Ending in `.html` for a self-contained page, `.json` for all there is as data, `.txt` for the text
                that `print` shows. A file that is there already is replaced as a whole.

        Raises:
            ArgumentError: It ends in something else, or its folder does not exist.
        """
        target = pathlib.Path(path)
        writers = {".html": self.to_html, ".json": lambda: self.to_json(indent=2) + "\n", ".txt": lambda: f"{self}\n"}
        ending = target.suffix.lower()
        if ending not in writers:
            raise ArgumentError(
                f"A report cannot be written to such a file. Expected a name that ends in one of {list(writers)}. "
                f"Received: path={str(path)!r}. Choose one of these endings."
            )
        if not target.parent.is_dir():
            raise ArgumentError(
                "There is no folder to write the report into. Expected a path in a folder that exists. "
                f"Received: path={str(path)!r}. Make the folder first."
            )
        atomic_files.write(target, writers[ending]())
        return target

    def to_html(self) -> str:
        """The report as a self-contained HTML page: light and dark, printable, without scripts."""
        from autofix.report import html  # with its templates it takes longer to load than all the rest

        return html.page(self.record)

    def plot(self, kind: str) -> "Figure":
        """A figure of the report as matplotlib draws it. The state of pyplot is left alone.

        Args:
            kind: `"predictions"`, `"roc"`, `"progress"`, `"losses"`, `"trials"`, `"references"`, `"layers"`,
                `"features"` or `"time"`.

        Raises:
            ArgumentError: There is no such kind, or this run has nothing to show in it.
        """
        from autofix.report.figures import picture

        found = picture(self.record, kind)
        from autofix.report.plots import figure  # matplotlib takes a quarter of a second to import

        return figure(found)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from autofix.report import html

        return html.fragment(self.record)

    def to_script(self) -> str:
        """The repaired training as a program of plain Keras, without autofix.

        It makes the network with the fix in it, at the same initial weights, and trains it on the same batches: its
        predictions are those of the repaired model to 1e-5, where the rows were given as arrays. A marked place says
        which rows it needs.

        Raises:
            ScriptError: There is no repair, or something in it is of the user's own making, such as a layer.
        """
        if not self.record.script.code:
            raise ScriptError(
                "There is no program. Expected a repaired training made of Keras' own parts. "
                f"Received: verdict={self.verdict!r}, where {self.record.script.reason}. "
                "Use report.fix, or save the repaired model with model.save."
            )
        return self.record.script.code

    def to_dict(self) -> dict[str, Any]:
        """The report as strict JSON values: NaN and infinities as `"NaN"`, `"Infinity"` and `"-Infinity"`."""
        strict: dict[str, Any] = encoded(self.record.to_dict())
        return strict

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The report that `to_dict` wrote.

        Raises:
            ArgumentError: It is not the dictionary of a report.
        """
        try:
            return cls(RunRecord.from_dict(decoded(values)))
        except (AttributeError, KeyError, TypeError) as error:
            raise ArgumentError(
                f"This is not a report. Expected a dictionary from Report.to_dict. Received: "
                f"values={str(values)[:80]}, where {error!r} was raised. "
                "Load the report with the version of autofix that wrote it."
            ) from error

    def to_json(self, indent: int | None = None) -> str:
        """The report as strict JSON text, with the values of `to_dict`.

        Args:
            indent: Spaces a level; None for one line.
        """
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)

    @classmethod
    def from_json(cls, json_text: str) -> Self:
        """The report that `to_json` wrote.

        Raises:
            ArgumentError: It is not the JSON of a report.
        """
        try:
            values = json.loads(json_text)
        except ValueError as error:
            raise ArgumentError(
                "This is not JSON. Expected text from Report.to_json. "
                f"Received: json_text={json_text[:80]!r}. Check that the file is complete."
            ) from error
        return cls.from_dict(values)

    def __eq__(self, other: object) -> bool:
        # By JSON, because NaN in a record would make it differ from itself.
        return self.to_json() == other.to_json() if isinstance(other, Report) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.to_json())

    def __str__(self) -> str:
        return render(self.record)

    def __repr__(self) -> str:
        parts = [f"verdict={self.verdict!r}"]
        if self.cause is not None:
            parts.append(f"cause={self.cause!r}")
        if self.recipe:
            parts.append(f"strategies={self.recipe.strategies!r}")
        parts.append(f"trials={len(self.trials)}")
        return f"Report({', '.join(parts)})"
