"""The tour runs from top to bottom on synthetic faces, uses only the public API and is stored with its outputs."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
TOUR = Path(__file__).parents[1] / "notebooks" / "tour.ipynb"


def code_cells() -> list[Any]:
    return [cell for cell in nbformat.read(TOUR, as_version=4).cells if cell.cell_type == "code"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")  # of the kernel's client
def test_the_tour_runs(tmp_path: Path) -> None:
    notebook = nbformat.read(TOUR, as_version=4)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    wanted = {
        "explore/explore.html",
        "run/scores.json",
        "evaluation/evaluate.html",
        "compare/compare.html",
        "model.onnx",
        "submission.csv",
    }
    assert {f"tour/{name}" for name in wanted} <= made


def test_the_tour_imports_only_the_public_api() -> None:
    nodes = [node for cell in code_cells() for node in ast.walk(ast.parse(cell.source))]
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    assert imported == {"pathlib", "matplotlib.pyplot", "numpy", "facepoints"}


def test_the_tour_is_stored_with_its_outputs() -> None:
    cells = code_cells()
    assert all(cell.outputs for cell in cells if "show(" in cell.source and "def show(" not in cell.source)
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]
