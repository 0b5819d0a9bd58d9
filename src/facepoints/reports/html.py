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

The functions below `render` build HTML in Python; they stay until exploration, tuning and the server have templates.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from facepoints.errors import BadChoice
from facepoints.reports.style import STYLE

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

MOST_TABS = 10
"""Tabs that the style sheet knows how to show."""


def render(template: str, **context: object) -> str:
    """The page that a template of this package makes of the context."""
    return _environment().get_template(template).render(context)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

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
    """A grey or BGR image as PNG in a data: address."""
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
    return [(target, type(main)(title)) for target, title in re.findall(r'<section id="(.*?)"><h2>(.*?)</h2>', main)]


def _rows_of(rows: Iterable[Sequence[Content]], cells: int) -> list[Sequence[Content]]:
    """The rows of a table; each must have as many cells as the header."""
    checked = list(rows)
    for row in checked:
        if len(row) != cells:
            raise BadChoice(f"a table row has {len(row)} cells, the header has {cells}")
    return checked


def _finite(points: Points | None) -> list[list[float]]:
    """The (x, y) of points (k, 2) that are known."""
    return [] if points is None else [point for point in points.tolist() if np.isfinite(point).all()]


@dataclass(frozen=True)
class Html:
    """Markup that is safe to stand in a page as it is."""

    markup: str

    def __html__(self) -> str:
        return self.markup

    def __add__(self, other: Content) -> Html:
        return Html(self.markup + safe(other).markup)


Content = Html | str | int
"""What goes into a page: plain text is escaped, Html stands as it is."""

Points = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Section:
    """A heading of the page and what stands under it."""

    title: str
    body: Content

    @property
    def anchor(self) -> str:
        """The title as a link's target: "How the sources differ" -> how-the-sources-differ."""
        return anchor(self.title)


def safe(content: Content) -> Html:
    """Html, and Markup of a chart or template, as it is; anything else as escaped text."""
    if isinstance(content, Html):
        return content
    return Html(content.__html__() if hasattr(content, "__html__") else html.escape(str(content)))


def joined(parts: Iterable[Content], between: str = "") -> Html:
    """Parts one after the other."""
    return Html(between.join(safe(part).markup for part in parts))


def text(*parts: Content, muted: bool = False) -> Html:
    """A paragraph."""
    return _wrapped("p", joined(parts), css="muted" if muted else "")


def bold(content: Content) -> Html:
    """Words that matter."""
    return _wrapped("strong", content)


def code(content: Content) -> Html:
    """Words as they stand in a file or on a command line."""
    return _wrapped("code", content)


def name(content: str) -> Html:
    """A name such as left_eye_center, which may break after an underscore where room is scarce."""
    return Html(html.escape(content).replace("_", "_<wbr>"))


def listed(items: Iterable[Content]) -> Html:
    """Things below each other, each with a dot."""
    return _wrapped("ul", joined(_wrapped("li", item) for item in items))


def heading(content: Content) -> Html:
    """A heading within a section."""
    return _wrapped("h3", content)


def facts(pairs: Iterable[tuple[Content, Content]]) -> Html:
    """Big numbers with a word below each: (number, word)."""
    items = [_wrapped("div", _wrapped("b", number) + _wrapped("span", word)) for number, word in pairs]
    return _wrapped("div", joined(items), css="facts")


def table(header: Sequence[Content], rows: Iterable[Sequence[Content]], *, words: int = 1, caption: str = "") -> Html:
    """A table that scrolls on its own on a narrow screen; its first `words` columns are words, the others numbers."""

    def line(cells: Sequence[Content], tag: Literal["td", "th"]) -> Html:
        if len(cells) != len(header):
            raise BadChoice(f"a table row has {len(cells)} cells, the header has {len(header)}")
        kinds = ["words" if i < words else "number" for i in range(len(cells))]
        return _wrapped("tr", joined(_wrapped(tag, cell, css=kind) for cell, kind in zip(cells, kinds, strict=True)))

    head = _wrapped("thead", line(header, "th"))
    body = _wrapped("tbody", joined(line(row, "td") for row in rows))
    title = _wrapped("caption", caption) if caption else Html("")
    return Html(f'<div class="wide" tabindex="0"><table>{(title + head + body).markup}</table></div>')


def picture(image: NDArray[np.uint8], alt: str, *, width: int | None = None, sharp: bool = False) -> Html:
    """A grey or BGR image, inline. width: shown so wide (CSS px) where there is room; sharp: pixels stay squares."""
    size = f' style="width:{width}px"' if width else ""
    h, w = image.shape[:2]
    css = ' class="sharp"' if sharp else ""
    return Html(f'<img{css}{size} width="{w}" height="{h}" alt="{html.escape(alt)}" src="{data_uri(image)}">')


def face_card(
    face: NDArray[np.uint8],
    caption: Content = "",
    *,
    alt: str,
    points: Points | None = None,
    guessed: Points | None = None,
    result: Points | None = None,
    over: Html | None = None,
) -> Html:
    """A face (h, w) with points (k, 2) px as dots and guesses (k, 2) as rings; a caption below. NaN draws nothing.

    `result` are predictions of another model, rings of another color; `over` is SVG in px of the face, below all marks.
    """
    h, w = face.shape[:2]
    marks = [
        f'<circle class="{css}" cx="{x:.2f}" cy="{y:.2f}" r="{0.014 * w:.2f}"/>'
        for css, places in (("other", result), ("predicted", guessed), ("point", points))
        if places is not None
        for x, y in places.tolist()
        if np.isfinite([x, y]).all()
    ]
    # pixel centers are whole numbers: the image spans -0.5 to w - 0.5
    drawn = (
        f'<svg role="img" aria-label="{html.escape(alt)}" viewBox="-0.5 -0.5 {w} {h}">'
        f'<image x="-0.5" y="-0.5" width="{w}" height="{h}" href="{data_uri(face)}"/>'
        f"{over.markup if over else ''}{''.join(marks)}</svg>"
    )
    return figure(Html(drawn), caption, css="card")


def figure(content: Content, caption: Content = "", *, css: str = "") -> Html:
    """Anything with a caption below it."""
    below = _wrapped("figcaption", caption) if caption != "" else Html("")
    return _wrapped("figure", safe(content) + below, css=css)


def titled(title: Content, content: Content) -> Html:
    """Anything with a title above it."""
    return _wrapped("figure", _wrapped("figcaption", title, css="above") + content)


def grid(items: Iterable[Content], *, least: int = 130) -> Html:
    """Things side by side, as many in a row as find room when each has at least `least` CSS px."""
    body = joined(items).markup
    return Html(f'<div class="grid" style="--least:{least}px">{body}</div>')


def row(items: Sequence[Content], *, least: int = 80) -> Html:
    """Things in one row, whatever the screen: it scrolls where each would get less than `least` CSS px."""
    style = f"--columns:{max(len(items), 1)};--least:{least}px"
    return Html(f'<div class="row" tabindex="0" style="{style}">{joined(items).markup}</div>')


def strips(lines: Iterable[tuple[str, NDArray[np.uint8], str]]) -> Html:
    """Narrow images below each other, stretched to the page's width: (name, image, alternative text)."""
    parts = [_wrapped("span", name(title)) + picture(image, alt, sharp=True) for title, image, alt in lines]
    return _wrapped("div", joined(parts), css="strips")


def details(summary: Content, body: Content) -> Html:
    """Something to open with a click; on paper it is closed."""
    return _wrapped("details", _wrapped("summary", summary) + body)


def tabs(group: str, panels: Sequence[tuple[str, Content]]) -> Html:
    """Panels of which one shows, chosen by its title; paper shows all. Each set of tabs on a page is a `group`."""
    if not 1 <= len(panels) <= MOST_TABS:
        raise BadChoice(f"{len(panels)} tabs, expected 1 to {MOST_TABS}")
    own = html.escape(group)
    buttons = "".join(
        f'<input type="radio" name="{own}" id="{own}-{i}"{" checked" if i == 0 else ""}>'
        f'<label for="{own}-{i}">{html.escape(title)}</label>'
        for i, (title, _) in enumerate(panels)
    )
    shown = "".join(f'<div data-title="{html.escape(title)}">{safe(body).markup}</div>' for title, body in panels)
    return Html(f'<div class="tabs">{buttons}<div class="panels">{shown}</div></div>')


def note(*parts: Content) -> Html:
    """A remark that stands out: the sentence to remember."""
    return _wrapped("p", joined(parts), css="note")


def page(title: str, lead: Content, sections: Sequence[Section]) -> str:
    """The whole file."""
    contents = "".join(f'<li><a href="#{s.anchor}">{html.escape(s.title)}</a></li>' for s in sections)
    body = "".join(
        f'<section id="{s.anchor}"><h2>{html.escape(s.title)}</h2>{safe(s.body).markup}</section>' for s in sections
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style></head>\n<body><header><h1>{html.escape(title)}</h1>"
        f'<div class="lead">{safe(lead).markup}</div></header>\n<nav aria-label="Contents"><ul>{contents}</ul></nav>\n'
        f"<main>{body}</main></body></html>\n"
    )


def _wrapped(tag: str, content: Content, *, css: str = "") -> Html:
    kind = f' class="{css}"' if css else ""
    return Html(f"<{tag}{kind}>{safe(content).markup}</{tag}>")
