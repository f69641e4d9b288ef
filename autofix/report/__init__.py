"""What a run is told as: plain records, and a `Report` that reads them."""

from autofix.report.report import Report

__all__ = ["Report"]
