"""What a tracker is, and all of those of a run as one that never fails it."""

import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from autofix.errors import AutofixWarning
from autofix.report import Report
from autofix.scoring.assess import Assessment

OWN, REPAIRED = "own", "repaired"
"""Whose training a look is at: the user's own, or the repaired one."""


class Tracker(Protocol):
    """Something that a run is written to. Any of its methods may raise: then it is told no more."""

    name: str
    """For warnings."""

    def begin(self, parameters: Mapping[str, Any]) -> None:
        """Takes the settings of autofix, by name."""

    def look(self, training: str, epoch: int, heads: Sequence[Assessment]) -> None:
        """Takes what was seen at an epoch.

        Args:
            training: `OWN` or `REPAIRED`.
            epoch: Counted from 1.
            heads: One assessment an output.
        """

    def finish(self, report: Report) -> None:
        """Takes the report, trials included, when all is over."""


class Trackers:
    """All trackers of a run as one. A failing one is warned of, once, and left out from then on.

    Args:
        trackers: None of them may be needed for the training.
    """

    def __init__(self, trackers: Iterable[Tracker] = ()) -> None:
        self._trackers = list(trackers)

    def __bool__(self) -> bool:
        return bool(self._trackers)

    def begin(self, parameters: Mapping[str, Any]) -> None:
        """As of `Tracker`."""
        self._tell(lambda one: one.begin(parameters))

    def look(self, training: str, epoch: int, heads: Sequence[Assessment]) -> None:
        """As of `Tracker`."""
        self._tell(lambda one: one.look(training, epoch, heads))

    def finish(self, report: Report) -> None:
        """As of `Tracker`."""
        self._tell(lambda one: one.finish(report))

    def _tell(self, message: Callable[[Tracker], None]) -> None:
        for tracker in list(self._trackers):
            try:
                message(tracker)
            except Exception as error:  # noqa: BLE001 - a full disk or a lost server must not end a training
                self._trackers.remove(tracker)
                warnings.warn(
                    f"{tracker.name} gets no more of this run: {error!r}. The training goes on.",
                    AutofixWarning,
                    stacklevel=2,
                )


def open_trackers(log_dir: Any = None) -> Trackers:
    """The trackers of a run.

    Args:
        log_dir: Folder for TensorBoard's event files; None for none. MLflow is written to where a run is active.
    """
    trackers: list[Tracker] = []
    if log_dir is not None:
        from autofix.trackers.tensorboard import TensorBoardTracker

        trackers.append(TensorBoardTracker(log_dir))
    # Whoever has an active run has imported it; importing it takes a second, and it may not be installed.
    if "mlflow" in sys.modules:
        from autofix.trackers.mlflow import MLflowTracker

        trackers += MLflowTracker.of_active_run(sys.modules["mlflow"])
    return Trackers(trackers)


def named_numbers(heads: Sequence[Assessment]) -> dict[str, float]:
    """Spread and skill of each output, by `"skill"`, or `"skill/price"` where there are several outputs."""
    found = {}
    for head in heads:
        suffix = f"/{head.output_name}" if len(heads) > 1 else ""
        for name in ("spread", "skill", "skill_lower", "skill_upper"):
            found[f"{name}{suffix}"] = float(getattr(head, name))
    return found
