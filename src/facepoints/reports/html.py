"""The look of every page we make: one HTML file with all in it, that opens from disk, on paper and on a phone.

    Html                     markup that is safe; plain text given in its place is escaped
    ├── text, bold, code     words, and name for what_has_underscores; listed for several
    ├── table, cards, facts  numbers
    ├── picture, face_card   images, inline as PNG; points lie over a face as vectors and stay sharp
    ├── grid, row, strips    things side by side, one row, narrow pictures below each other
    ├── figure               a thing with a caption
    ├── details, tabs        things to open, without JavaScript
    └── section, page        the whole, with a table of contents

Nothing is fetched, nothing runs; colors follow the reader's light or dark setting.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from facepoints.errors import BadChoice
from facepoints.reports.style import STYLE

MOST_TABS = 10
"""Tabs that the style sheet knows how to show."""


@dataclass(frozen=True)
class Html:
    """Markup that is safe to stand in a page as it is."""

    markup: str

    def __add__(self, other: Html) -> Html:
        return Html(self.markup + other.markup)


Content = Html | str | int
"""What goes into a page: plain text is escaped, Html stands as it is."""

Points = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Section:
    """A heading of the page and what stands under it."""

    title: str
    body: Html

    @property
    def anchor(self) -> str:
        """The title as a link's target: "How the sources differ" -> how-the-sources-differ."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-") or "section"


def safe(content: Content) -> Html:
    """Html as it is, anything else as escaped text."""
    return content if isinstance(content, Html) else Html(html.escape(str(content)))


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
    return Html(f'<img{css}{size} width="{w}" height="{h}" alt="{html.escape(alt)}" src="{_png(image)}">')


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

    `result` are somebody else's guesses, rings of another color; `over` is SVG in px of the face, below all marks.
    """
    h, w = face.shape[:2]
    marks = [
        f'<circle class="{css}" cx="{x:.2f}" cy="{y:.2f}" r="{0.014 * w:.2f}"/>'
        for css, places in (("result", result), ("guess", guessed), ("point", points))
        if places is not None
        for x, y in places.tolist()
        if np.isfinite([x, y]).all()
    ]
    # pixel centers are whole numbers: the image spans -0.5 to w - 0.5
    drawn = (
        f'<svg role="img" aria-label="{html.escape(alt)}" viewBox="-0.5 -0.5 {w} {h}">'
        f'<image x="-0.5" y="-0.5" width="{w}" height="{h}" href="{_png(face)}"/>'
        f"{over.markup if over else ''}{''.join(marks)}</svg>"
    )
    return figure(Html(drawn), caption, css="card")


def figure(content: Html, caption: Content = "", *, css: str = "") -> Html:
    """Anything with a caption below it."""
    below = _wrapped("figcaption", caption) if caption != "" else Html("")
    return _wrapped("figure", content + below, css=css)


def titled(title: Content, content: Html) -> Html:
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


def details(summary: Content, body: Html) -> Html:
    """Something to open with a click; on paper it is closed."""
    return _wrapped("details", _wrapped("summary", summary) + body)


def tabs(group: str, panels: Sequence[tuple[str, Html]]) -> Html:
    """Panels of which one shows, chosen by its title; paper shows all. Each set of tabs on a page is a `group`."""
    if not 1 <= len(panels) <= MOST_TABS:
        raise BadChoice(f"{len(panels)} tabs, expected 1 to {MOST_TABS}")
    own = html.escape(group)
    buttons = "".join(
        f'<input type="radio" name="{own}" id="{own}-{i}"{" checked" if i == 0 else ""}>'
        f'<label for="{own}-{i}">{html.escape(title)}</label>'
        for i, (title, _) in enumerate(panels)
    )
    shown = "".join(f'<div data-title="{html.escape(title)}">{body.markup}</div>' for title, body in panels)
    return Html(f'<div class="tabs">{buttons}<div class="panels">{shown}</div></div>')


def note(*parts: Content) -> Html:
    """A remark that stands out: the sentence to remember."""
    return _wrapped("p", joined(parts), css="note")


def page(title: str, lead: Content, sections: Sequence[Section]) -> str:
    """The whole file."""
    contents = "".join(f'<li><a href="#{s.anchor}">{html.escape(s.title)}</a></li>' for s in sections)
    body = "".join(
        f'<section id="{s.anchor}"><h2>{html.escape(s.title)}</h2>{s.body.markup}</section>' for s in sections
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


def _png(image: NDArray[np.uint8]) -> str:
    encoded, content = cv2.imencode(".png", np.ascontiguousarray(image), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    if not encoded:
        raise BadChoice(f"an image of {image.dtype} and shape {image.shape} cannot be shown")
    return "data:image/png;base64," + base64.b64encode(content.tobytes()).decode("ascii")
