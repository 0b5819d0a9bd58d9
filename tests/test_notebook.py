"""The tour runs from top to bottom, on drawn faces."""

from __future__ import annotations

from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
TOUR = Path(__file__).parents[1] / "notebooks" / "tour.ipynb"


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")  # the kernel's plumbing, not ours
def test_the_tour_runs(tmp_path: Path) -> None:
    notebook = nbformat.read(TOUR, as_version=4)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {"tour/explore/explore.html", "tour/audit/audit.csv", "tour/run/scores.json", "tour/submission.csv"} <= made


def test_the_tour_is_kept_with_its_outputs() -> None:
    cells = [cell for cell in nbformat.read(TOUR, as_version=4).cells if cell.cell_type == "code"]
    assert all(cell.outputs for cell in cells if "display(" in cell.source or "print_scores" in cell.source)
    assert not [out for cell in cells for out in cell.outputs if out.output_type == "error"]
