"""TensorBoard: spread and skill by epoch, skill by trial, the report as text."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from autofix.report import Report
from autofix.scoring.assess import Assessment
from autofix.trackers.tracker import named_numbers

TRIAL_NUMBERS = ("skill", "skill_lower", "skill_upper", "spread", "rung", "seconds")
"""Of a trial's record, by trial."""


class TensorBoardTracker:
    """Event files below a folder: `own` and `repaired` for the trainings, `search` for the trials.

    Args:
        log_dir: The folder, made if need be.
    """

    name = "TensorBoard"

    def __init__(self, log_dir: str | Path) -> None:
        self._folder = Path(log_dir)
        self._writers: dict[str, Any] = {}

    def begin(self, parameters: Mapping[str, Any]) -> None:
        """Writes nothing: the report has the settings that matter."""

    def look(self, training: str, epoch: int, heads: Sequence[Assessment]) -> None:
        with self._writer(training).as_default(epoch):
            for name, value in named_numbers(heads).items():
                tf.summary.scalar(f"autofix/{name}", value)

    def finish(self, report: Report) -> None:
        for number, trial in enumerate(report.trials):
            with self._writer("search").as_default(number):
                for name in TRIAL_NUMBERS:
                    tf.summary.scalar(f"autofix/trial/{name}", float(getattr(trial, name)))
        with self._writer("search").as_default(0):
            # Indented, so that it is shown as it is.
            tf.summary.text("autofix/report", "\n".join(f"    {line}" for line in str(report).splitlines()))
        for writer in self._writers.values():
            writer.close()

    def _writer(self, run: str) -> Any:
        if run not in self._writers:
            self._writers[run] = tf.summary.create_file_writer(str(self._folder / run))
        return self._writers[run]
