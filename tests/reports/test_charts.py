"""Charts are deterministic, well-formed SVG with a label, and show the values."""

from __future__ import annotations

import re

import numpy as np
import pytest

from facepoints.reports.charts import Plot, Trace, bars, histogram, plot, scatter
from fixtures.strict_html import Strict

UNSAFE = "<script>alert('x')</script> & \"quoted\" $"


def dots(name: str, count: int = 3) -> Trace:
    x = np.arange(count, dtype=float)
    return Trace(name, x, x, x - 0.5, x + 0.5, dots=True)


def parsed(markup: str) -> Strict:
    parser = Strict()
    parser.feed(markup)
    parser.close()
    assert not parser.open
    assert not parser.wordless
    return parser


def test_all_texts_are_escaped() -> None:
    values = np.arange(50.0)
    for chart in (
        plot(Plot(UNSAFE, (dots(UNSAFE), dots("b")), UNSAFE, UNSAFE, band=0.15)),
        bars([(UNSAFE, 3.0), ("none", 0.0)], unit=UNSAFE),
        histogram({UNSAFE: values, "same": values}, alt=UNSAFE, label=UNSAFE),
        scatter(values, values, alt=UNSAFE, x_label=UNSAFE, y_label=UNSAFE, highlight=values > 40),
    ):
        parsed(chart)
        assert "<script" not in chart


def test_bars_are_as_long_as_their_values() -> None:
    drawn = bars([("a", 5), ("b", 10), ("c", 0)])
    boxes = re.findall(r'd="M ([\d.]+) [\d.]+ L ([\d.]+) [^"]*"[^>]*fill: var\(--one\)', " ".join(drawn.split()))
    lengths = np.array([float(right) - float(left) for left, right in boxes])
    np.testing.assert_allclose(lengths / lengths.max(), [0.5, 1, 0], atol=1e-4)


def test_a_histogram_of_nothing_is_nothing() -> None:
    assert histogram({"a": np.array([np.nan])}, alt="x") == ""
    assert "<path" in histogram({"a": np.ones(3)}, alt="x")


def test_higher_values_are_drawn_higher_and_inside_the_frame() -> None:
    drawn = plot(Plot("t", (Trace("a", np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 2.0])),), "x", "y"))
    ((path, _),) = re.findall(r'<path d="([^"]*)"( clip-path="[^"]*")? style="[^"]*stroke: var\(--one\)', drawn)
    x, y = np.array(re.findall(r"[ML] (\S+) (\S+)", path), float).T
    assert (np.diff(x) > 0).all()
    assert y[0] > y[2] > y[1] > 0
    width, height = (float(v) for v in re.findall(r'viewBox="0 0 (\S+) (\S+)"', drawn)[0])
    assert x.max() <= width
    assert y.max() <= height


def test_the_same_chart_has_the_same_bytes_and_two_charts_share_no_name() -> None:
    one, two = (plot(Plot(title, (dots("a"),), "x", "y")) for title in "ab")
    assert one == plot(Plot("a", (dots("a"),), "x", "y"))
    assert not set(re.findall(r'id="(.*?)"', one)) & set(re.findall(r'id="(.*?)"', two))


@pytest.mark.parametrize("count", [0, 1])
def test_a_plot_of_no_or_one_value_is_well_formed(count: int) -> None:
    parsed(plot(Plot("t", (dots("a", count),), "x", "y")))
