"""Plots of a hyperparameter search by optuna.visualization.matplotlib, as SVG for the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from markupsafe import Markup
from optuna.study import Study

from facepoints.reports.charts import STYLE, svg
from facepoints.tuning.results import StudyResult, optuna_study
from facepoints.tuning.storage import quiet_optuna

LABEL = "RMSE, px"


def charts(result: StudyResult) -> dict[str, Markup]:
    """history, curves, parallel (all fields), and one chart for each field; empty without finished trials."""
    with quiet_optuna():
        import optuna.visualization.matplotlib as plots

        limit = _limit(result)
        shown = tuple(
            replace(trial, rmse=min(trial.rmse, limit)) for trial in result.finished if trial.rmse is not None
        )
        study = optuna_study(shown, result.space)
        if not study.trials:
            return {}
        complete = optuna_study(tuple(trial for trial in shown if trial.state == "complete"), result.space)
        made = {"curves": _drawn("RMSE of each trial by epoch", lambda: _curves(plots, study, limit), 7.5, 3.6)}
        if complete.trials:
            alt = "RMSE of each complete trial, and the best so far"
            made["history"] = _drawn(alt, lambda: _history(plots, complete), 7.5, 3.6)
        fields = [field for field in result.space if len({trial.params[field] for trial in study.trials}) > 1]
        if fields:
            alt, width = "All trials, each a line through its values", max(6.0, 1.4 * len(fields) + 2)
            made["parallel"] = _drawn(
                alt, lambda: plots.plot_parallel_coordinate(study, fields, target_name=LABEL), width, 4
            )
        for field in fields:
            made[field] = _drawn(
                f"RMSE by {field}", partial(plots.plot_slice, study, [field], target_name=LABEL), 4.6, 3.2
            )
        return made


def _limit(result: StudyResult) -> float:
    """Upper end of the RMSE axis, px: one trial that diverged must not compress the others."""
    values = np.array([trial.rmse for trial in result.finished if trial.rmse is not None] or [1.0])
    low, middle = float(values.min()), float(np.median(values))
    return min(float(values.max()), low + max(4 * (middle - low), 0.2 * low))


def _history(plots: Any, study: Study) -> Any:
    axes = plots.plot_optimization_history(study, target_name=LABEL)
    axes.set(xlabel="complete trials", ylabel=LABEL)
    return axes


def _curves(plots: Any, study: Study, limit: float) -> Any:
    axes = plots.plot_intermediate_values(study)
    values = [value for trial in study.trials for value in trial.intermediate_values.values()]
    axes.set_ylim(top=max([limit, *np.percentile(values or [limit], [75])]))
    axes.set(xlabel="epoch", ylabel=LABEL)
    if axes.get_legend() is not None:
        axes.get_legend().remove()  # a line for each trial number
    return axes


def _drawn(alt: str, plot: Callable[[], Any], width: float, height: float) -> Markup:
    """SVG of a plot; width and height in inches of 72 px."""
    import matplotlib as mpl
    from matplotlib import pyplot

    with mpl.rc_context(STYLE):
        figure = plot().figure
        for axes in figure.axes:
            axes.set_title("")
        figure.set_size_inches(width, height)
        figure.set_layout_engine("tight")
        chart = svg(figure, alt)
        pyplot.close(figure)
    return chart
