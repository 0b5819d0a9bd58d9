"""docs/data.md and docs/python.md: their code runs and prints the output shown; no deep imports."""

from __future__ import annotations

import ast
import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

import facepoints

DOCS = Path(__file__).parents[1] / "docs"

ROOT = DOCS.parent
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]

FENCED = re.compile(
    r"(?:<!-- (?:file: (?P<file>\S+)|(?P<skip>not run)) -->\n)?^```(?P<kind>\w*)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)

pytest.importorskip("skimage", reason="the extra demo is not installed")


@pytest.mark.parametrize("page", ["data.md", "python.md"])
def test_every_block_prints_the_output_shown(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (DOCS / page).read_text("utf-8")
    names: dict[str, Any] = {}
    printed = ""
    blocks = list(FENCED.finditer(text))
    assert len(blocks) == text.count("```") / 2 > 10
    for block in blocks:
        line = text[: block.start("body")].count("\n") + 1
        body = block["body"]
        if block["skip"]:
            compile("\n" * (line - 1) + body, str(DOCS / page), "exec")
        elif block["kind"] == "python":
            assert not printed, f"line {line}: the output of the block before is not shown"
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile("\n" * (line - 1) + body, str(DOCS / page), "exec"), names)
            printed = out.getvalue()
        elif block["kind"] == "text":
            assert body == printed, f"line {line}"
            printed = ""
        else:
            assert block["kind"] == "csv", f"line {line}: a block of kind {block['kind']!r} is not tested"
            Path(block["file"]).write_text(body, "utf-8")
    assert not printed, "the output of the last block is not shown"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_in_the_docs_uses_only_the_public_api(page: Path) -> None:
    if page.name == "measures.md":
        pytest.skip("the formulas are tested in tests/test_docs_measures.py")
    for block in FENCED.finditer(page.read_text("utf-8")):
        if block["kind"] == "python":
            assert deep_uses(block["body"]) == set()


def deep_uses(code: str) -> set[str]:
    """Modules of facepoints that code imports, and attributes of `facepoints` that are not public."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("facepoints.")}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("facepoints"):
            found.add(node.module or "")
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "facepoints":
            found |= {node.attr} - set(facepoints.__all__)
    return found


@pytest.mark.parametrize(
    "page", [*PAGES, *(ROOT / name for name in ("CONTRIBUTING.md", "MODEL_CARD.md"))], ids=lambda page: page.name
)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text("utf-8")):
        name, _, heading = link.partition("#")
        target = page.parent / name if name else page
        assert target.is_file(), link
        if heading:
            assert heading in anchors(target.read_text("utf-8")), link


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of headings."""
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 170
