"""docs/data.md and docs/python.md: their blocks run in order, and print what stands below them."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[1] / "docs"

FENCED = re.compile(
    r"(?:<!-- file: (?P<file>\S+) -->\n)?^```(?P<kind>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize("page", ["data.md", "python.md"])
def test_every_block_does_what_it_says(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (DOCS / page).read_text("utf-8")
    names: dict[str, Any] = {}
    printed = ""
    blocks = list(FENCED.finditer(text))
    assert len(blocks) == text.count("```") / 2 > 10
    for block in blocks:
        line = text[: block.start("body")].count("\n") + 1
        body = block["body"]
        if block["kind"] == "python":
            assert not printed, f"line {line}: what the block before prints stands nowhere"
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile("\n" * (line - 1) + body, str(DOCS / page), "exec"), names)
            printed = out.getvalue()
        elif block["kind"] == "text":
            assert body == printed, f"line {line}"
            printed = ""
        else:
            assert block["kind"] == "csv", f"line {line}: a block of {block['kind'] or 'no kind'} is not tested"
            Path(block["file"]).write_text(body, "utf-8")
    assert not printed, "what the last block prints stands nowhere"
