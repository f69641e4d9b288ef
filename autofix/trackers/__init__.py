"""Trackers: a run's looks, trials and report in TensorBoard and MLflow."""

from autofix.trackers.tracker import Tracker, Trackers, open_trackers

__all__ = ["Tracker", "Trackers", "open_trackers"]
