"""A page is one whole file: it fetches nothing, escapes what it is given, and every picture has words."""

from __future__ import annotations

import re

import numpy as np
import pytest

from facepoints.errors import BadChoice
from facepoints.reports.charts import Plot, Trace, bars, histogram, plot
from facepoints.reports.html import (
    Html,
    Section,
    details,
    face_card,
    facts,
    figure,
    grid,
    listed,
    name,
    note,
    page,
    picture,
    row,
    strips,
    table,
    tabs,
    text,
    titled,
)
from fixtures.strict_html import check

NASTY = "<script>alert('x')</script> & \"quoted\""


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (96, 96)).astype(np.uint8)


def dots(name: str, count: int = 3) -> Trace:
    x = np.arange(count, dtype=float)
    return Trace(name, x, x, x - 0.5, x + 0.5, dots=True)


def everything(face: np.ndarray) -> Html:
    points = np.array([[10.0, 20.0], [np.nan, np.nan]])
    return (
        text(NASTY)
        + facts([(NASTY, NASTY)])
        + table([NASTY, "n"], [[NASTY, 3]], caption=NASTY)
        + picture(face, NASTY, width=100)
        + grid([face_card(face, NASTY, alt=NASTY, points=points, guessed=points)])
        + row([figure(text("a"), NASTY), titled(NASTY, text("b"))])
        + strips([(NASTY, face[:1], NASTY)])
        + details(NASTY, text(NASTY))
        + tabs("one", [(NASTY, text("a")), ("b", text("b"))])
        + note(NASTY, name(NASTY))
        + bars([(NASTY, 3.0), ("none", 0.0)], unit=NASTY)
        + listed([NASTY, text(NASTY)])
        + plot(Plot(NASTY, (dots(NASTY), dots("b")), NASTY, NASTY, band=0.15))
        + histogram({NASTY: np.arange(50.0), "same": np.arange(50.0)}, alt=NASTY, label=NASTY)
    )


def test_a_page_with_everything_is_sound_and_escapes_all_words(face: np.ndarray) -> None:
    markup = page(NASTY, NASTY, [Section("First things", everything(face)), Section(NASTY, text("x"))])
    parser = check(markup)
    assert len(parser.links) == 2
    assert "alert(&#x27;x&#x27;)" in markup


def test_light_dark_paper_and_phone_are_thought_of() -> None:
    markup = page("t", "", [])
    assert "prefers-color-scheme:dark" in markup
    assert "@media print" in markup
    assert 'name="viewport"' in markup


def test_points_without_a_place_are_not_drawn(face: np.ndarray) -> None:
    card = face_card(face, alt="a", points=np.array([[1.0, 2.0], [np.nan, 4.0]])).markup
    assert card.count("<circle") == 1


def test_a_row_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(BadChoice, match="3 cells, the header has 2"):
        table(["a", "b"], [[1, 2, 3]])


def test_only_as_many_tabs_as_the_style_knows() -> None:
    with pytest.raises(BadChoice, match="expected 1 to 10"):
        tabs("t", [("x", text("x"))] * 11)


def test_bars_are_as_long_as_their_values() -> None:
    widths = re.findall(r"width:([\d.]+)%", bars([("a", 5), ("b", 10), ("c", 0)]).markup)
    assert [float(w) for w in widths] == [50, 100, 0]


def test_a_histogram_of_nothing_is_nothing() -> None:
    assert histogram({"a": np.array([np.nan])}, alt="x").markup == ""
    assert "polygon" in histogram({"a": np.ones(3)}, alt="x").markup


def test_a_rival_s_points_are_marked_apart(face: np.ndarray) -> None:
    points = np.array([[1.0, 2.0]])
    card = face_card(face, alt="a", guessed=points, result=points + 1, over=Html("<g></g>")).markup
    assert [card.count(f'class="{css}"') for css in ("guess", "result", "point")] == [1, 1, 0]
    assert card.index("<g>") < card.index("<circle")


def test_higher_values_are_drawn_higher_and_inside_the_frame() -> None:
    drawn = plot(Plot("t", (Trace("a", np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 2.0])),), "x", "y"))
    (line,) = re.findall(r'<polyline[^>]*points="([^"]*)"', drawn.markup)
    x, y = np.array([[float(v) for v in pair.split(",")] for pair in line.split()]).T
    assert (np.diff(x) > 0).all()
    assert y[0] > y[2] > y[1] > 0
    width, height = (float(v) for v in re.findall(r'viewBox="0 \S+ (\S+) (\S+)"', drawn.markup)[0])
    assert x.max() <= width
    assert y.max() <= height


@pytest.mark.parametrize("count", [0, 1])
def test_a_plot_of_hardly_anything_is_sound(count: int) -> None:
    check(page("t", "", [Section("s", plot(Plot("t", (dots("a", count),), "x", "y")))]))
