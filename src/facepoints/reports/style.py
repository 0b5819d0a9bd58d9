"""The style sheet of the reports as text, for pages that are not rendered by `html.render`."""

from __future__ import annotations

from pathlib import Path

STYLE = (Path(__file__).parent / "templates" / "style.css").read_text("utf-8")
