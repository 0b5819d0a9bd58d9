"""docs/measures.md: its example prints what stands below it, and the table names every column."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

from facepoints.inference.measures import MEASURES

DOCS = Path(__file__).parents[1] / "docs" / "measures.md"


def test_the_example_prints_what_it_says() -> None:
    text = DOCS.read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```\n\n^```text\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == text.count("```python") == 1
    for code, shown in blocks:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(code, str(DOCS), "exec"), {})
        assert out.getvalue() == shown


def test_every_measure_is_explained_with_its_unit() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", DOCS.read_text("utf-8"), re.MULTILINE))
    assert list(rows) == list(MEASURES)
    for name, unit in rows.items():
        assert MEASURES[name].startswith(unit), name
