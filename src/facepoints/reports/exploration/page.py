"""explore.html: the rows, images and charts of its template, part by part."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from facepoints.data.imputation import STRATEGIES, fill
from facepoints.exploration.explore import Exploration
from facepoints.exploration.imputation_error import HIDDEN, NO_IMPUTATION
from facepoints.exploration.label_offset import FEWEST
from facepoints.exploration.statistics import pixel_head
from facepoints.metrics import source_name
from facepoints.reports.charts import bars, histogram
from facepoints.reports.exploration.faces import extremes, random_rows
from facepoints.reports.exploration.pictures import density, mean_face, missing_strips
from facepoints.reports.exploration.sources import difference_part, offsets_part, percent, sources_part
from facepoints.reports.html import render

HEAD_ROWS = 5
IMPUTED_FACES = 4
_NEAR_DUPLICATES = 6
_QUALITIES = ("brightness", "contrast", "sharpness")

Context = dict[str, Any]


def explore_page(result: Exploration) -> str:
    """The page as HTML."""
    return render(
        "explore.html",
        result=result,
        facts=_facts(result),
        files=_files(result),
        missing=_missing(result),
        sources=sources_part(result),
        faces=_faces(result),
        extremes={
            name: cards(result, rows, [text.format(v) for v in values[rows]])
            for name, (rows, values, text) in extremes(result).items()
        },
        difference=difference_part(result),
        offsets=offsets_part(result),
        fewest=FEWEST,
        imputation=_imputation(result),
        augmented=_augmented(result),
        test=_test(result),
    )


def cards(result: Exploration, rows: NDArray[np.int64], remarks: list[str] | None = None) -> list[Context]:
    """Faces with their points, row number, source and a remark each."""
    captions = [f"row {result.data.row[i]} · {source_name(int(result.data.source[i]))}" for i in rows]
    if remarks:
        captions = [f"{caption} · {remark}" for caption, remark in zip(captions, remarks, strict=True)]
    shown = zip(result.data.faces[rows], captions, result.labels(rows), strict=True)
    return [{"face": face, "caption": caption, "points": points} for face, caption, points in shown]


def _facts(result: Exploration) -> list[tuple[str, str]]:
    data, sources = result.data, len(result.sources.found)
    complete = int(data.observed.all(axis=1).sum())
    facts = [
        (f"{len(data):,}", "labeled faces"),
        (f"{len(data.keypoints)}", "keypoints"),
        (percent(1 - data.observed.mean()), "of all labels are missing"),
        (f"{complete:,}", f"complete rows, {percent(complete / len(data))}"),
        (f"{sources}", "source" if sources == 1 else "sources of labels"),
    ]
    if result.eye_distance is not None:
        facts.append((f"{result.eye_distance:.0f} px", "median eye distance"))
    if result.test is not None:
        facts.append((f"{result.test.images:,}", "test images"))
    return facts


def _files(result: Exploration) -> Context:
    data = result.data
    sizes = [(file.name, megabytes(file.bytes)) for file in result.files]
    sizes.append(("labeled faces in memory", megabytes(result.memory)))
    if result.submission is not None:
        sizes.append(("test images in memory", megabytes(result.submission.faces.nbytes)))
    first = np.arange(min(HEAD_ROWS, len(data)))
    head = [
        [
            str(data.row[i]),
            *("" if np.isnan(v) else f"{v:.2f}" for v in points.flat),
            _code(pixel_head(data.faces[i], 6)),
        ]
        for i, points in zip(first, result.labels(first), strict=True)
    ]
    columns = [
        [
            c.name,
            f"{c.count:,}",
            *(
                "–" if v is None else f"{v:.2f}"
                for v in (c.mean, c.std, c.minimum, c.quarter, c.median, c.three_quarters, c.maximum)
            ),
        ]
        for c in result.columns
    ]
    pixels = pixel_head(data.faces[0], 14)
    return {
        "sizes": sizes,
        "head": head,
        "header": ["row", *data.keypoints.columns, "Image"],
        "pixels": pixels,
        "first": cards(result, first[:1]),
        "columns": columns,
    }


def _missing(result: Exploration) -> Context | None:
    data = result.data
    if data.observed.all():
        return None
    names = [source.name for source in result.sources.found]
    rows = [
        [
            _pattern(p.missing, data.keypoints.names),
            f"{p.rows:,}",
            percent(p.share),
            *(f"{p.by_source[name]:,}" if name in p.by_source else "" for name in names),
        ]
        for p in result.patterns
    ]
    strips = zip(data.keypoints.names, missing_strips(data), strict=True)
    return {
        "bars": bars([(m.name, 100 * m.share) for m in result.missing], unit=" %", most=100, digits=1),
        "counts": [[m.name, f"{m.rows:,}", percent(m.share, 2)] for m in result.missing],
        "colors": " and ".join(f"{c} for source {n}" for c, n in zip(("blue", "vermillion"), names, strict=False)),
        "strips": [(name, line, f"which rows have {name} labeled") for name, line in strips],
        "header": ["missing together", "rows", "share", *(f"source {name}" for name in names)],
        "patterns": rows,
    }


def _pattern(missing: tuple[str, ...], names: tuple[str, ...]) -> str:
    """The missing points by name, or the present ones if they are fewer."""
    if not missing:
        return "nothing (complete rows)"
    present = [name for name in names if name not in missing]
    if not present:
        return "everything (rows without labels)"
    few = missing if len(missing) <= len(present) else present
    return ("" if few is missing else "all but ") + ", ".join(name.replace("_", " ") for name in few)


def _faces(result: Exploration) -> Context:
    data, background = result.data, mean_face(result.data.faces)
    means, densities = [], []
    for number, rows in result.source_rows().items():
        name, mean = f"source {source_name(number)}", mean_face(data.faces[rows])
        means.append((f"mean face, {name}", mean))
        caption = f"density of each point, {name}, {len(rows):,} faces"
        densities.append((caption, density(mean, data.points[rows], data.observed[rows])))
    points = [
        (name, np.ascontiguousarray(density(background, data.points[:, [k]], data.observed[:, [k]])[::3, ::3]))
        for k, name in enumerate(data.keypoints.names)
        if data.observed[:, k].any()
    ]
    measured: dict[str, NDArray[np.floating[Any]]] = {}
    if result.pose is not None:
        measured["eye distance, px"] = result.pose.eye_distance
        measured["roll, degrees (clockwise is positive)"] = result.pose.roll
        measured["yaw, degrees (to the image’s right is positive)"] = result.pose.yaw
        measured["pitch, degrees (downwards is positive)"] = result.pose.pitch
    measured["brightness, mean grey value"] = result.quality.brightness
    measured["contrast, standard deviation of grey values"] = result.quality.contrast
    measured["sharpness, edges relative to contrast"] = result.quality.sharpness
    charts = []
    for label, values in measured.items():
        series = {f"source {source_name(s)}": values[rows] for s, rows in result.source_rows().items()}
        charts.append(histogram(series, label=label, alt=f"histogram of {label}, by source"))
    random = cards(result, random_rows(result))
    return {"random": random, "means": means, "densities": densities, "points": points, "charts": charts}


def _imputation(result: Exploration) -> Context:
    data = result.data
    rows = [
        [
            _code(e.strategy),
            (STRATEGIES[e.strategy].__doc__ or "").strip().split("\n")[0],
            f"{e.rows_kept:,}",
            f"{e.labels:,}",
            f"{e.imputed:,}",
            "–" if e.rmse is None else f"{e.rmse:.2f}",
            "–" if e.unfilled is None else percent(e.unfilled),
        ]
        for e in result.imputation
    ]
    incomplete = np.flatnonzero(~data.observed.all(axis=1) & data.observed.any(axis=1))
    chosen = np.sort(np.random.default_rng(result.seed).permutation(incomplete)[:IMPUTED_FACES])
    strategies = [name for name in STRATEGIES if name not in NO_IMPUTATION] if len(chosen) else []
    filled = {name: fill(data.points, data.observed, name, result.seed) for name in strategies}
    examples: list[list[Context]] = []
    for card in cards(result, chosen):
        i = int(chosen[len(examples)])
        row = [{**card, "caption": f"row {data.row[i]}, labels"}]
        for name, full in filled.items():
            gap = full.observed[i] & ~data.observed[i]
            imputed = np.where(gap[:, None], full.points[i], np.nan)
            row.append({**card, "caption": name, "alt": f"row {data.row[i]}, {name}", "predicted": imputed})
        examples.append(row)
    best = next((e for e in result.imputation if e.rmse is not None), None)
    return {"rows": rows, "hidden": f"{100 * HIDDEN:.0f} %", "best": best, "examples": examples}


def _augmented(result: Exploration) -> list[tuple[str, str, list[Context]]] | None:
    if result.augmented is None:
        return None
    faces, kinds = result.augmented
    before = np.where(faces.observed[:, :, None], faces.points, np.nan)
    rows: list[tuple[str, dict[str, object], Any, Any]] = [("original", {}, faces.faces, before)]
    rows += [(a.kind, a.fields, a.faces, a.points) for a in kinds]
    return [
        (
            kind,
            " ".join(f"--set {name}={_setting(value)}" for name, value in fields.items()),
            [
                {"face": face, "alt": f"face {i + 1} {kind}", "points": own}
                for i, (face, own) in enumerate(zip(images, points, strict=True))
            ],
        )
        for kind, fields, images, points in rows
    ]


def _test(result: Exploration) -> Context | None:
    test, submission, theirs = result.test, result.submission, result.test_quality
    if test is None or submission is None or theirs is None:
        return None
    position = {int(number): i for i, number in enumerate(submission.image_id)}
    line = {int(number): i for i, number in enumerate(result.data.row)}
    pairs = [
        (
            {"face": submission.faces[position[image]], "caption": f"test image {image}"},
            {"face": result.data.faces[line[row]], "caption": f"training row {row}"},
        )
        for image, row, _ in sorted(test.near_duplicates, key=lambda t: -t[2])[:_NEAR_DUPLICATES]
    ]
    charts, rows = [], []
    for name in _QUALITIES:
        a, b = getattr(result.quality, name), getattr(theirs, name)
        charts.append(histogram({"training": a, "test": b}, label=name, alt=f"{name} of training and test images"))
        digits = 2 if name == "sharpness" else 0
        medians = [f"{np.median(v):.{digits}f}" for v in (a, b)]
        rows.append([name, *medians, f"{(b.mean() - a.mean()) / max(float(a.std()), 1e-9):+.2f}"])
    return {
        "split": ", ".join(f"{n:,} of source {name}" for name, n in test.by_source.items()),
        "duplicates": len({image for image, _, _ in test.near_duplicates}),
        "pairs": pairs,
        "charts": charts,
        "rows": rows,
    }


def _code(text: str) -> Markup:
    return Markup("<code>{}</code>").format(text)


def _setting(value: object) -> str:
    return ",".join(f"{v:g}" for v in value) if isinstance(value, tuple) else f"{value:g}"


def megabytes(count: int) -> str:
    """233,000,000 -> 233.0 MB; small files in kB."""
    return f"{count / 1e6:,.1f} MB" if count >= 1e5 else f"{count / 1e3:,.1f} kB"
