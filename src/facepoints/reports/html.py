"""Pages from Jinja2 templates: one HTML file with everything in it, which opens from disk, on paper and on a phone.

A report is a template next to this module, `templates/NAME.html`, that extends `base.html` and uses its macros as `m`:

    {% extends "base.html" %}
    {% block title %}What is in these files?{% endblock %}
    {% block lead %}{{ m.facts([("7,049", "labeled faces")]) }}{% endblock %}
    {% block main %}
    {% call m.section("Files") %}
    <p>{{ files | length }} files.</p>
    {{ m.table(["name", "size"], rows) }}
    {{ m.face_card(face, "row 1", points=points) }}
    {{ chart }}
    {% endcall %}
    {% endblock %}

Python computes numbers, rows, images and charts (`charts` returns Markup, which is not escaped) and calls
`render("NAME.html", files=files, rows=rows, ...)`; sentences stand in the template. Everything else is escaped, and
an undefined variable is an error. No page loads anything or runs a script; colors follow the light or dark setting of
the reader.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from facepoints.errors import BadChoice

MOST_TABS = 10
"""Maximum number of tabs, as in templates/style.css."""

Points = NDArray[np.floating[Any]]


def render(template: str, **context: object) -> str:
    """The page that a template of this package makes of the context."""
    return _environment().get_template(template).render(context)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("facepoints.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "anchor": anchor,
        "headings": _headings,
        "rows_of": _rows_of,
        "tab_titles": _tab_titles,
        "finite": _finite,
        "data_uri": data_uri,
        "px": px,
        "count": count,
        "percent": percent,
        "interval": interval,
    }
    return environment


def anchor(title: str) -> str:
    """A title as the target of a link: "How the sources differ" -> how-the-sources-differ."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "section"


def data_uri(image: NDArray[np.uint8]) -> str:
    """A gray or BGR image as PNG in a data: address."""
    encoded, content = cv2.imencode(".png", np.ascontiguousarray(image), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    if not encoded:
        raise BadChoice(f"an image of {image.dtype} and shape {image.shape} cannot be shown")
    return "data:image/png;base64," + base64.b64encode(content.tobytes()).decode("ascii")


def px(value: float | None) -> str:
    """1.234 -> 1.23; a dash for None."""
    return "–" if value is None else f"{value:.2f}"


def count(value: int) -> str:
    """1234 -> 1,234."""
    return f"{value:,}"


def percent(share: float) -> str:
    """0.256 -> 26 %."""
    return f"{100 * share:.0f} %"


def interval(ends: tuple[float, float] | None) -> str:
    """(1.234, 2.345) -> 1.23 to 2.35; a dash for None."""
    return "–" if ends is None else f"{ends[0]:.2f} to {ends[1]:.2f}"


def _headings(main: Markup) -> list[tuple[str, Markup]]:
    """(anchor, title) of each section."""
    return [(target, Markup(title)) for target, title in re.findall(r'<section id="(.*?)"><h2>(.*?)</h2>', main)]


def _rows_of(rows: Iterable[Sequence[object]], cells: int) -> list[Sequence[object]]:
    """The rows of a table; each must have as many cells as the header."""
    checked = list(rows)
    for row in checked:
        if len(row) != cells:
            raise BadChoice(f"a table row has {len(row)} cells, the header has {cells}")
    return checked


def _tab_titles(titles: Iterable[str]) -> list[str]:
    found = list(titles)
    if not 1 <= len(found) <= MOST_TABS:
        raise BadChoice(f"{len(found)} tabs, expected 1 to {MOST_TABS}")
    return found


def _finite(points: Points | None) -> list[list[float]]:
    """The (x, y) of points (k, 2) that are known."""
    return [] if points is None else [point for point in points.tolist() if np.isfinite(point).all()]
