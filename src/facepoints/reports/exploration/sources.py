"""The parts of explore.html about annotation sources."""

from __future__ import annotations

from typing import Any

import numpy as np

from facepoints.exploration.explore import Exploration
from facepoints.exploration.label_offset import Interval
from facepoints.keypoints import FOUR
from facepoints.metrics import source_name
from facepoints.reports.charts import bars
from facepoints.reports.exploration.faces import EYES_AT, arrow_image, eye_images, mean_faces
from facepoints.reports.exploration.pictures import stretched


def sources_part(result: Exploration) -> dict[str, Any]:
    """Rows of each source, and how clearly the sources are separated."""
    rows = [
        [
            s.name,
            f"{s.rows:,}",
            percent(s.rows / len(result.data)),
            f"{s.complete:,}",
            "–".join(map(str, dict.fromkeys(s.labels_per_row))),
            f"{s.first_row:,}–{s.last_row:,}",
        ]
        for s in result.sources.found
    ]
    counts = [(f"{count} points", float(n)) for count, n in sorted(result.sources.rows_by_labels.items())]
    between = sum(n for count, n in result.sources.rows_by_labels.items() if len(FOUR) < count <= 10)
    switches = result.sources.switches
    return {
        "rows": rows,
        "bars": bars(counts, unit=" rows"),
        "between": between,
        "gap": between <= 0.02 * len(result.data),
        "switches": "once" if switches == 1 else f"{switches:,} times",
        "ordered": switches <= 3,
        "switch_share": percent(switches / max(len(result.data) - 1, 1)),
    }


def difference_part(result: Exploration) -> dict[str, Any] | None:
    """Differences of two sources in the labels of the same point."""
    arrows = arrow_image(result)
    if arrows is None:
        return None
    largest = max(result.differences, key=lambda d: float(np.hypot(d.dx, d.dy)))
    vertical = abs(largest.dy) >= abs(largest.dx)
    direction = ("lower" if largest.dy > 0 else "higher") if vertical else ("right" if largest.dx > 0 else "left")
    rows = [
        [d.name, f"{d.dx:+.2f} ± {d.dx_error:.2f}", f"{d.dy:+.2f} ± {d.dy_error:.2f}", f"{np.hypot(d.dx, d.dy):.2f}"]
        for d in result.differences
    ]
    means = [
        {
            "face": stretched(face.astype(np.float64)),
            "caption": f"mean face and mean points, source {source_name(number)}",
            "points": result.shapes[number].points + np.array(EYES_AT),
        }
        for number, face in mean_faces(result).items()
    ]
    first, second = (source.name for source in result.sources.found)
    return {
        "arrows": arrows,
        "largest": largest.name.replace("_", " "),
        "direction": f"{abs(largest.dy if vertical else largest.dx):.1f} px {direction}",
        "first": first,
        "second": second,
        "rows": rows,
        "means": means,
    }


def offsets_part(result: Exploration) -> dict[str, Any] | None:
    """Constant label offsets."""
    offsets = result.offsets
    if offsets is None:
        return None
    rows = [
        [f"source {source_name(s)}", f"{o.faces:,}", interval(o.x), interval(o.y)] for s, o in offsets.by_source.items()
    ]
    if offsets.difference:
        first, second = (source_name(s) for s in offsets.by_source)
        rows.append([f"{second} minus {first}, at the eyes", "", *map(interval, offsets.difference)])
    by_point = [
        [f"source {source_name(s)}", name.replace("_", " "), f"{x:+.2f}", f"{y:+.2f}"]
        for s, o in offsets.by_source.items()
        for name, (x, y) in o.by_point.items()
    ]
    return {"rows": rows, "by_point": by_point, "eyes": eye_images(result)}


def interval(found: Interval) -> str:
    """+0.82 (+0.66 to +0.98)."""
    return f"{found.value:+.2f} ({found.low:+.2f} to {found.high:+.2f})"


def percent(share: float, digits: int = 1) -> str:
    """0.6955 -> 69.6 %."""
    return f"{100 * share:.{digits}f} %"
