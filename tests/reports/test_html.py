"""A page is one whole file: it fetches nothing, escapes what it is given, and every picture has words."""

from __future__ import annotations

import re

import numpy as np
import pytest
from jinja2 import UndefinedError

from facepoints.errors import BadChoice
from facepoints.reports.charts import Plot, Trace, bars, histogram, plot
from facepoints.reports.html import (
    Html,
    Section,
    _environment,
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
    drawn = bars([("a", 5), ("b", 10), ("c", 0)])
    boxes = re.findall(r'd="M ([\d.]+) [\d.]+ L ([\d.]+) [^"]*"[^>]*fill: var\(--one\)', " ".join(drawn.split()))
    lengths = np.array([float(right) - float(left) for left, right in boxes])
    np.testing.assert_allclose(lengths / lengths.max(), [0.5, 1, 0], atol=1e-4)


def test_a_histogram_of_nothing_is_nothing() -> None:
    assert histogram({"a": np.array([np.nan])}, alt="x") == ""
    assert "<path" in histogram({"a": np.ones(3)}, alt="x")


def test_a_rival_s_points_are_marked_apart(face: np.ndarray) -> None:
    points = np.array([[1.0, 2.0]])
    card = face_card(face, alt="a", guessed=points, result=points + 1, over=Html("<g></g>")).markup
    assert [card.count(f'class="{css}"') for css in ("predicted", "other", "point")] == [1, 1, 0]
    assert card.index("<g>") < card.index("<circle")


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


def test_a_template_escapes_and_lists_its_sections(face: np.ndarray) -> None:
    source = (
        '{% extends "base.html" %}{% block title %}{{ nasty }}{% endblock %}{% block main %}'
        '{% call m.section(nasty) %}{{ m.facts([(1, nasty)]) }}{{ m.table([nasty, "n"], [[nasty, 2]], caption=nasty) }}'
        "{{ m.face_card(face, nasty, points=points, predicted=points, other=points) }}{{ m.picture(face, nasty) }}"
        '{% call(i) m.tabs("t", [nasty, "b"]) %}{{ i }}{% endcall %}{% endcall %}'
        '{% call m.section("B") %}{{ m.strips([(nasty, face, nasty)]) }}{{ chart }}{{ m.name(nasty) }}'
        "{% call m.note() %}{{ nasty }}{% endcall %}{% call m.details(nasty) %}x{% endcall %}"
        "{% call m.grid() %}{% call m.figure(nasty) %}x{% endcall %}{% endcall %}"
        "{% call m.row(2) %}{% call m.titled(nasty) %}x{% endcall %}{% endcall %}{% endcall %}{% endblock %}"
    )
    chart = plot(Plot(NASTY, (dots(NASTY),), "x", "y"))
    points = np.array([[10.0, 20.0], [np.nan, np.nan]])
    markup = _environment().from_string(source).render(nasty=NASTY, face=face, points=points, chart=chart)
    assert len(check(markup).links) == 2
    assert [markup.count(f'class="{kind}"') for kind in ("point", "predicted", "other")] == [1, 1, 1]


def test_a_template_refuses_a_row_of_the_wrong_length_and_an_unknown_variable() -> None:
    start = '{% extends "base.html" %}{% block main %}'
    with pytest.raises(BadChoice, match="3 cells, the header has 2"):
        _environment().from_string(start + '{{ m.table(["a", "b"], [[1, 2, 3]]) }}{% endblock %}').render()
    with pytest.raises(UndefinedError):
        _environment().from_string(start + "{{ absent }}{% endblock %}").render()


@pytest.mark.parametrize("count", [0, 1])
def test_a_plot_of_hardly_anything_is_sound(count: int) -> None:
    check(page("t", "", [Section("s", plot(Plot("t", (dots("a", count),), "x", "y")))]))
