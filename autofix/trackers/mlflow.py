"""MLflow: settings, metrics and the report in the run that is active."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

from autofix.report import Report
from autofix.scoring.assess import Assessment
from autofix.trackers.tracker import REPAIRED, named_numbers


class MLflowTracker:
    """Writes to a run that somebody else has started and will end.

    Args:
        mlflow: The module, as the user imported it.
        run_id: Of the run.
    """

    name = "MLflow"

    def __init__(self, mlflow: Any, run_id: str) -> None:
        self._mlflow = mlflow
        self._run_id = run_id

    @classmethod
    def of_active_run(cls, mlflow: Any) -> list[Self]:
        """The tracker of the active run, or none."""
        try:
            run = mlflow.active_run()
        except Exception:  # noqa: BLE001 - a half-imported module, or a store that is gone: nothing to write to
            return []
        return [] if run is None else [cls(mlflow, run.info.run_id)]

    def begin(self, parameters: Mapping[str, Any]) -> None:
        known = self._mlflow.get_run(self._run_id).data.params
        # A parameter is written once a run: a second training in it may have others.
        new = {f"autofix.{name}": value for name, value in parameters.items() if f"autofix.{name}" not in known}
        self._mlflow.log_params(new, run_id=self._run_id)

    def look(self, training: str, epoch: int, heads: Sequence[Assessment]) -> None:
        prefix = "autofix.repaired" if training == REPAIRED else "autofix"
        self._log({f"{prefix}.{name}": value for name, value in named_numbers(heads).items()}, epoch)

    def finish(self, report: Report) -> None:
        for number, trial in enumerate(report.trials):
            self._log({"autofix.trial.skill": trial.skill, "autofix.trial.rung": trial.rung}, number)
        self._log({f"autofix.seconds.{part}": seconds for part, seconds in report.seconds.items()}, 0)
        client = self._mlflow.MlflowClient()
        client.set_tag(self._run_id, "autofix.verdict", report.verdict)
        if report.cause is not None:
            client.set_tag(self._run_id, "autofix.cause", report.cause)
        if report.recipe:
            client.set_tag(self._run_id, "autofix.fix", " + ".join(report.recipe.strategies))
        client.log_text(self._run_id, str(report), "autofix/report.txt")
        client.log_text(self._run_id, report.to_json(indent=1), "autofix/report.json")

    def _log(self, metrics: Mapping[str, float], step: int) -> None:
        finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
        if finite:
            self._mlflow.log_metrics(finite, step=step, run_id=self._run_id)
