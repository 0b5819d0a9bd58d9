"""A page is one whole file: it fetches nothing, escapes what it is given, and every picture has words."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from facepoints.charts import bars, histogram
from facepoints.errors import BadChoice
from facepoints.pages import (
    Html,
    Section,
    details,
    face_card,
    facts,
    figure,
    grid,
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

NASTY = "<script>alert('x')</script> & \"quoted\""
VOID = {"meta", "img", "input", "br", "wbr", "circle", "rect", "line", "image", "polygon"}


class Strict(HTMLParser):
    """Fails on tags that are not closed in order; keeps pictures without words."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wordless: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if (tag == "img" and not given.get("alt")) or (tag == "svg" and not given.get("aria-label")):
            self.wordless.append(self.get_starttag_text() or tag)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if tag == "a":
            self.links.append(str(given["href"]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID, f"{tag} closes itself"

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"{tag} was not open"
        assert self.open.pop() == tag


def check(markup: str) -> Strict:
    """What every page of ours obeys."""
    parser = Strict()
    parser.feed(markup)
    parser.close()
    assert not parser.open
    assert not parser.wordless
    assert len(set(parser.ids)) == len(parser.ids)
    assert all(link.startswith("#") and link[1:] in parser.ids for link in parser.links)
    assert not re.search(r"(?:https?:)?//[a-z]", re.sub(r"base64,[A-Za-z0-9+/=]+", "", markup))
    assert "<script" not in markup
    assert not re.search(r"@import|url\(", markup)
    return parser


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (96, 96)).astype(np.uint8)


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
