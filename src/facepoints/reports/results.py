"""Results of the public API that can write their own report.

The packages that compute results lie below `reports` and cannot import it. These classes add the method `report`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any

from facepoints.auditing.audit import AuditResult
from facepoints.evaluation.compare import Comparison
from facepoints.evaluation.result import Evaluation
from facepoints.exploration.explore import Exploration


@dataclass(frozen=True, repr=False)
class EvaluationReport(Evaluation):
    """An evaluation; `report(folder)` writes evaluate.html, scores.json, per_face.csv, per_point.csv and pictures."""

    def report(self, folder: str | PathLike[str]) -> Path:
        """Write the report and return the path of its page."""
        from facepoints.reports.evaluation.files import PAGE, write_report

        write_report(Path(folder), self)
        return Path(folder) / PAGE


@dataclass(frozen=True, repr=False)
class ComparisonReport(Comparison):
    """A comparison; `report(folder)` writes compare.html, compare.json and curves.png."""

    def report(self, folder: str | PathLike[str]) -> Path:
        """Write the report and return the path of its page."""
        from facepoints.reports.comparison.files import write_comparison

        write_comparison(self, Path(folder))
        return Path(folder) / "compare.html"


@dataclass(frozen=True, repr=False)
class AuditReport(AuditResult):
    """An audit; `report(folder)` writes audit.csv and audit.html."""

    def report(self, folder: str | PathLike[str]) -> Path:
        """Write the report and return the path of its page."""
        from facepoints.reports.audit import write_audit

        write_audit(self, Path(folder))
        return Path(folder) / "audit.html"


@dataclass(frozen=True, repr=False)
class ExplorationReport(Exploration):
    """An exploration; `report(folder)` writes explore.html, explore.json and pictures."""

    def report(self, folder: str | PathLike[str]) -> Path:
        """Write the report and return the path of its page."""
        from facepoints.reports.exploration.files import write_exploration

        write_exploration(self, Path(folder))
        return Path(folder) / "explore.html"


def arguments_of(result: Any) -> dict[str, Any]:
    """The fields of a result as arguments for its class with a report."""
    return {field.name: getattr(result, field.name) for field in fields(result)}
