"""The record of a job: what its folder holds when it has ended, and what all summaries are made from."""

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable
from typing import Any, Self

from autofix.strict_json import decoded, encoded

GOOD = ("healthy", "repaired")
"""Statuses that need nobody's attention."""

STATUSES = (*GOOD, "unlearnable", "unrepaired", "not_assessed", "failed")
"""What a job can end with: the verdict of `autofix.fit`, or that it failed."""

FAILURES = ("error", "timeout", "crash")
"""Why a job failed: it raised an error, it took longer than its `timeout_s`, or its process died."""


@dataclasses.dataclass(frozen=True)
class JobRecord:
    """What became of a job. A job that has no record has not ended.

    Args:
        name: Of the job.
        content_hash: Of the job as it was when it ran, `Job.content_hash()`.
        status: One of `STATUSES`.
        failure: One of `FAILURES` where it failed, else empty.
        reason: In a sentence: why it failed, or what the report says.
        cause: Name of the likeliest cause of a failing training, None where there is none.
        strategies: Of the fix, in order.
        fix: The fix as Keras code.
        departures: What the user asked for and the fix overrules, in sentences.
        skill: Of the final model on held-out rows, the mean over outputs; None where it was not assessed.
        spread: Of its predictions, the largest over outputs; None where it was not assessed.
        metrics: Loss and metrics of the last epoch, and of the test rows as `test_loss` and so on.
        attempts: How often the job was begun, this time included.
        started: When the last attempt began, as an ISO time in UTC.
        seconds: Wall time of the last attempt.
        host: The machine it ran on.

    Example:

    >>> record = JobRecord("churn", "5f3a", "healthy", metrics={"loss": float("nan")})
    >>> JobRecord.from_json(record.to_json()).metrics
    {'loss': nan}
    """

    name: str
    content_hash: str
    status: str
    failure: str = ""
    reason: str = ""
    cause: str | None = None
    strategies: tuple[str, ...] = ()
    fix: str = ""
    departures: tuple[str, ...] = ()
    skill: float | None = None
    spread: float | None = None
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    attempts: int = 1
    started: str = ""
    seconds: float = 0.0
    host: str = ""

    @property
    def is_good(self) -> bool:
        """Whether the training is healthy or repaired."""
        return self.status in GOOD

    def is_final(self, content_hash: str, retry_failed: bool = False) -> bool:
        """Whether the job need not run again: it ended, and what it depends on is as it was.

        A job whose process died has not ended: nothing says that it would die again.

        Args:
            content_hash: Of the job as it is now.
            retry_failed: Whether jobs that failed are to run again.
        """
        is_open = self.failure == "crash" or (retry_failed and self.status == "failed")
        return self.content_hash == content_hash and not is_open

    def to_json(self) -> str:
        """The record as strict JSON."""
        return json.dumps(encoded(dataclasses.asdict(self)), indent=2, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The record that `to_json` wrote.

        Raises:
            ValueError: It is no such record.
        """
        values = json.loads(text)
        try:
            # One by one: whatever a metric is called, it is a number.
            values["metrics"] = {name: decoded(value) for name, value in values["metrics"].items()}
            for name in ("skill", "spread", "seconds"):
                values[name] = decoded(values[name])
            for name in ("strategies", "departures"):
                values[name] = tuple(values[name])
            return cls(**values)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"Not the record of a job: {error}") from error


def tally(statuses: Iterable[str]) -> str:
    """How many jobs ended how, in a line.

    Args:
        statuses: One a job: those of `STATUSES` come first, in that order, others behind them.

    Example:

    >>> tally(["failed", "healthy", "healthy"])
    '3 jobs: 2 healthy, 1 failed'
    """
    counts = Counter(statuses)
    order = {name: place for place, name in enumerate(STATUSES)}
    parts = [
        f"{counts[name]} {name.replace('_', ' ')}"
        for name in sorted(counts, key=lambda name: (order.get(name, len(order)), name))
    ]
    total = counts.total()
    return f"{total} job{'' if total == 1 else 's'}{': ' if parts else ''}{', '.join(parts)}"


def summary_row(record: JobRecord) -> dict[str, Any]:
    """The record as one row of a summary: JSON values, the important ones first."""
    values: dict[str, Any] = encoded(dataclasses.asdict(record))
    first = ("name", "status", "cause", "strategies", "skill", "spread", "seconds", "reason")
    return {**{name: values[name] for name in first}, **{k: v for k, v in values.items() if k not in first}}
