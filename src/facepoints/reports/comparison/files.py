"""Write the report of a comparison into a folder.

compare.html     the page
compare.json     everything in numbers
curves.png       the cumulative curves
"""

from __future__ import annotations

import json
from pathlib import Path

from facepoints.evaluation.compare import Comparison
from facepoints.files import write_text
from facepoints.reports.charts import save_png
from facepoints.reports.comparison.page import compare_page, curves


def names_of(paths: list[Path]) -> list[str]:
    """Names of models in tables: the last part of the path, or the whole path where that is ambiguous."""
    short = [path.name if path.is_file() else path.resolve().name for path in paths]
    return [str(path) if short.count(name) > 1 else name for name, path in zip(short, paths, strict=True)]


def write_comparison(found: Comparison, out: Path) -> None:
    """Write the files named above into the folder `out`; nothing before everything is computed."""
    texts = {
        "compare.html": compare_page(found),
        "compare.json": json.dumps(found.as_dict(), indent=2, allow_nan=False) + "\n",
    }
    for name, text in texts.items():
        write_text(out / name, text)
    save_png(curves(found), out / "curves.png", "Comparison of models")
