"""A page is one file: it loads nothing, escapes its texts, and every picture has a label."""

from __future__ import annotations

import numpy as np
import pytest
from jinja2 import UndefinedError

from facepoints.errors import BadChoice
from facepoints.reports.charts import Plot, Trace, plot
from facepoints.reports.html import _environment
from fixtures.strict_html import check

NASTY = "<script>alert('x')</script> & \"quoted\""
START = '{% extends "base.html" %}{% block title %}t{% endblock %}{% block main %}'


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (96, 96)).astype(np.uint8)


def rendered(main: str, **context: object) -> str:
    """A page with this source in its block main."""
    return _environment().from_string(START + main + "{% endblock %}").render(context)


def test_light_dark_paper_and_phone_are_supported() -> None:
    markup = rendered("")
    assert "prefers-color-scheme:dark" in markup
    assert "@media print" in markup
    assert 'name="viewport"' in markup


def test_points_without_a_position_are_not_shown(face: np.ndarray) -> None:
    points = np.array([[1.0, 2.0], [np.nan, 4.0]])
    card = rendered('{{ m.face_card(face, alt="a", points=points) }}', face=face, points=points)
    assert card.count("<circle") == 1


def test_tabs_beyond_the_style_sheet_are_refused() -> None:
    with pytest.raises(BadChoice, match="11 tabs, expected 1 to 10"):
        rendered('{% call(i) m.tabs("t", titles) %}{% endcall %}', titles=["x"] * 11)


def test_predictions_of_another_model_are_marked_apart(face: np.ndarray) -> None:
    source = '{{ m.face_card(face, alt="a", predicted=points, other=points, overlay="<g></g>" | safe) }}'
    card = rendered(source, face=face, points=np.array([[1.0, 2.0]]))
    assert [card.count(f'class="{css}"') for css in ("predicted", "other", "point")] == [1, 1, 0]
    assert card.index("<g>") < card.index("<circle")


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
    chart = plot(Plot(NASTY, (Trace(NASTY, np.arange(3.0), np.arange(3.0)),), "x", "y"))
    points = np.array([[10.0, 20.0], [np.nan, np.nan]])
    markup = _environment().from_string(source).render(nasty=NASTY, face=face, points=points, chart=chart)
    assert len(check(markup).links) == 2
    assert "alert(&#39;x&#39;)" in markup
    assert [markup.count(f'class="{kind}"') for kind in ("point", "predicted", "other")] == [1, 1, 1]


def test_a_row_of_the_wrong_length_and_an_unknown_variable_are_refused() -> None:
    with pytest.raises(BadChoice, match="3 cells, the header has 2"):
        rendered('{{ m.table(["a", "b"], [[1, 2, 3]]) }}')
    with pytest.raises(UndefinedError):
        rendered("{{ absent }}")
