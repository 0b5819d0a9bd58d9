"""What `explore` found, as a page: its order, and the parts about files, labels, sources and test images."""

from __future__ import annotations

import numpy as np

from facepoints.exploration.findings import Exploration
from facepoints.exploration.statistics import Column, pixel_head
from facepoints.keypoints import FOUR
from facepoints.reports.charts import bars, histogram
from facepoints.reports.exploration.faces import extremes_section, faces_section
from facepoints.reports.exploration.pictures import missing_strips
from facepoints.reports.exploration.sources import difference_section, offset_section
from facepoints.reports.exploration.training import augmentation_section, filling_section
from facepoints.reports.html import (
    Content,
    Html,
    Section,
    bold,
    code,
    details,
    face_card,
    facts,
    grid,
    heading,
    joined,
    note,
    page,
    row,
    strips,
    table,
    text,
)

HEAD_ROWS = 5
_PATTERNS_SHOWN = 12
_NEAR_DUPLICATES_SHOWN = 6


def explore_page(found: Exploration) -> str:
    """The whole page."""
    sections = [
        files_section(found),
        coordinates_section(found),
        missing_section(found),
        sources_section(found),
        faces_section(found),
        extremes_section(found),
        difference_section(found),
        offset_section(found),
        filling_section(found),
        augmentation_section(found),
        test_section(found),
    ]
    return page("What is in these files?", _lead(found), [s for s in sections if s is not None])


def _lead(found: Exploration) -> Html:
    data = found.data
    complete = int(data.observed.all(axis=1).sum())
    values: list[tuple[Content, Content]] = [
        (f"{len(data):,}", "labeled faces"),
        (f"{len(data.keypoints)}", "points on a face"),
        (percent(1 - data.observed.mean()), "of all labels are missing"),
        (f"{complete:,}", f"complete rows, {percent(complete / len(data))}"),
        (f"{len(found.sources.found)}", "source" if len(found.sources.found) == 1 else "sources of labels"),
    ]
    if found.unit is not None:
        values.append((f"{found.unit:.0f} px", "between the eyes"))
    if found.test is not None:
        values.append((f"{found.test.images:,}", "test images"))
    return facts(values)


def files_section(found: Exploration) -> Section:
    """Sizes, and the first rows as they stand in the file."""
    data = found.data
    rows: list[tuple[Content, Content]] = [(file.name, megabytes(file.bytes)) for file in found.files]
    rows.append((bold("labeled faces in memory"), megabytes(found.memory)))
    if found.asked is not None:
        rows.append((bold("test images in memory"), megabytes(found.asked.faces.nbytes)))
    shape = " × ".join(map(str, data.faces.shape[1:]))
    head = table(
        ["row", *data.keypoints.columns, "Image"],
        [
            [
                str(data.row[i]),
                *(
                    f"{value:.2f}" if known else ""
                    for point, known in zip(data.points[i], data.observed[i], strict=True)
                    for value in point.tolist()
                ),
                code(pixel_head(data.faces[i], 6)),
            ]
            for i in range(min(HEAD_ROWS, len(data)))
        ],
        caption="The first rows. An empty cell is a point that nobody labeled.",
    )
    pixels = data.faces[0].size
    odd = text(
        "The odd column is ",
        code("Image"),
        f": each picture is one string, the grey values of {shape} pixels ({pixels:,} numbers from 0, black, to 255, "
        "white) with a space between, row by row from the top left. The first face's string is ",
        code(pixel_head(data.faces[0], 14)),
        ", and it is this picture:",
    )
    first = face_card(
        data.faces[0], f"row {data.row[0]}", alt="the first face", points=found.shown_points(np.array([0]))[0]
    )
    return Section("Files", table(["", "size"], rows) + head + odd + grid([first], least=190))


def coordinates_section(found: Exploration) -> Section:
    """Describe, for each coordinate."""

    def line(c: Column) -> list[Content]:
        values = (c.mean, c.std, c.minimum, c.quarter, c.median, c.three_quarters, c.maximum)
        return [c.name, f"{c.count:,}", *("–" if v is None else f"{v:.2f}" for v in values)]

    header = ["px", "count", "mean", "std", "min", "25 %", "50 %", "75 %", "max"]
    words = text(
        "Of the labels that there are. x runs from 0 at the left to 95 at the right, y from 0 at the top to 95 at the "
        "bottom; left means the person’s left, which is on the right of the picture.",
    )
    return Section("Coordinates", words + table(header, [line(c) for c in found.columns]))


def missing_section(found: Exploration) -> Section:
    """How many labels are missing, and which are missing together."""
    data = found.data
    some = [m for m in found.missing if m.rows]
    if not some:
        return Section("Missing labels", text("No label is missing: every row has every point."))
    chart = bars([(m.name, 100 * m.share) for m in found.missing], unit=" %", most=100, digits=1)
    counts = details("as a table", table(["point", "rows without it", "share"], missing_rows(found)))
    names = [source.name for source in found.sources.found]
    colors = " and ".join(f"{color} for source {n}" for color, n in zip(("blue", "vermillion"), names, strict=False))
    matrix = strips(
        (name, line, f"which rows have {name} labeled")
        for name, line in zip(data.keypoints.names, missing_strips(data), strict=True)
    )
    rows = [
        [
            _pattern_words(p.missing, data.keypoints.names),
            f"{p.rows:,}",
            percent(p.share),
            *_by_source(p.by_source, names),
        ]
        for p in found.patterns
    ]
    header = ["missing together", "rows", "share", *(f"source {n}" for n in names)]
    body = chart + counts + heading("In the order of the rows")
    body += text(f"From the first row at the left to the last at the right: {colors}, grey where a label is missing.")
    body += matrix + heading("Which points are missing together")
    body += text(
        f"{len(found.patterns)} pattern{'s' * (len(found.patterns) > 1)}; the commonest covers "
        f"{percent(found.patterns[0].share)} of the rows, the {min(2, len(rows))} commonest "
        f"{percent(sum(p.share for p in found.patterns[:2]))}."
    )
    body += table(header, rows[:_PATTERNS_SHOWN])
    if len(rows) > _PATTERNS_SHOWN:
        body += details(f"the other {len(rows) - _PATTERNS_SHOWN} patterns", table(header, rows[_PATTERNS_SHOWN:]))
    return Section("Missing labels", body)


def sources_section(found: Exploration) -> Section:
    """Who labeled what, and how sure that is."""
    sources = found.sources
    rows = [
        [
            s.name,
            f"{s.rows:,}",
            percent(s.rows / len(found.data)),
            f"{s.complete:,}",
            str(s.labels_of_a_row[0]) if len(set(s.labels_of_a_row)) == 1 else "–".join(map(str, s.labels_of_a_row)),
            f"{s.first_row:,}–{s.last_row:,}",
        ]
        for s in sources.found
    ]
    body = table(["source", "rows", "share", "complete", "points labeled in a row", "rows of the file"], rows)
    if len(rows) == 1:
        body = text("Nothing in the labels tells more than one annotator: all rows count as one source.") + body
        return Section("Sources", body)
    counts = bars([(f"{c} points", n) for c, n in sorted(sources.rows_by_labels.items())], unit=" rows")
    return Section(
        "Sources",
        text(
            "The files have no column for who labeled a row. What a row has labeled tells it: source B labels at most "
            "four points, source A all or nearly all."
        )
        + body
        + note(bold("How sure is that? "), certainty(found))
        + counts,
    )


def certainty(found: Exploration) -> str:
    """What speaks for and against the sources found, in words."""
    sources = found.sources
    between = sum(n for count, n in sources.rows_by_labels.items() if len(FOUR) < count <= 10)
    if between <= 0.02 * len(found.data):
        some = f"Only {between:,} of {len(found.data):,} rows lie" if between else "No row lies"
        words = [f"{some} between the two kinds, with 5 to 10 points."]
    else:
        words = [f"{between:,} rows have 5 to 10 points: there is no clear gap between the two kinds."]
    times = "once" if sources.switches == 1 else f"{sources.switches:,} times"
    if sources.switches <= 3:
        words.append(
            f"And the source changes only {times} from the first row to the last: rows of one kind stand together, "
            "which chance does not do. The split is as good as certain."
        )
    else:
        mixed = sources.switches / max(len(found.data) - 1, 1)
        words.append(
            f"The source changes {times} along the file ({percent(mixed)} of all steps), so the order of the rows does "
            "not confirm it: take the sources as a good guess."
        )
    return " ".join(words)


def missing_rows(found: Exploration) -> list[list[Content]]:
    """Point, rows without it, share; most first."""
    return [[m.name, f"{m.rows:,}", percent(m.share, 2)] for m in found.missing]


def test_section(found: Exploration) -> Section | None:
    """The test images beside the training images."""
    test, asked, theirs = found.test, found.asked, found.test_quality
    if test is None or asked is None or theirs is None:
        return None
    split = ", ".join(f"{n:,} for source {name}’s points" for name, n in test.by_source.items())
    body = text(f"{test.images:,} images, {split}; {test.asked_values:,} values are asked for.")
    if test.near_duplicates:
        images = len({image for image, _, _ in test.near_duplicates})
        body += note(
            bold(f"{images:,} test image{'s' * (images > 1)} "),
            "can be found in the training file, too, or one so like it that it hardly matters.",
        )
        position = {int(number): i for i, number in enumerate(asked.image_id)}
        line = {int(number): i for i, number in enumerate(found.data.row)}
        pairs = [
            row(
                [
                    face_card(asked.faces[position[image]], f"test image {image}", alt=f"test image {image}"),
                    face_card(found.data.faces[line[train]], f"training row {train}", alt=f"training row {train}"),
                ]
            )
            for image, train, _ in sorted(test.near_duplicates, key=lambda t: -t[2])[:_NEAR_DUPLICATES_SHOWN]
        ]
        body += grid(pairs, least=220)
    else:
        body += text("None of them is in the training file: a score on them is a score on strangers.")
    ours = found.quality
    charts = []
    for name, a, b in (
        ("brightness", ours.brightness, theirs.brightness),
        ("contrast", ours.contrast, theirs.contrast),
        ("sharpness", ours.sharpness, theirs.sharpness),
    ):
        charts.append(histogram({"training": a, "test": b}, label=name, alt=f"{name} of training and test images"))
    rows = [
        [name, *(f"{np.median(v):.{d}f}" for v in (a, b)), f"{(b.mean() - a.mean()) / max(float(a.std()), 1e-9):+.2f}"]
        for name, a, b, d in (
            ("brightness", ours.brightness, theirs.brightness, 0),
            ("contrast", ours.contrast, theirs.contrast, 0),
            ("sharpness", ours.sharpness, theirs.sharpness, 2),
        )
    ]
    header = ["", "training, median", "test, median", "difference of the means, in standard deviations"]
    return Section("Test images", body + grid(charts, least=300) + table(header, rows))


def _by_source(counts: dict[str, int], names: list[str]) -> list[str]:
    return [f"{counts[name]:,}" if name in counts else "" for name in names]


def _pattern_words(missing: tuple[str, ...], names: tuple[str, ...]) -> Content:
    """The points by name where they are few, or all but those that are there."""
    if not missing:
        return bold("nothing: complete rows")
    present = [name for name in names if name not in missing]
    if not present:
        return "everything: rows without a label"
    if len(missing) <= len(present):
        return joined((name.replace("_", " ") for name in missing), ", ")
    return bold("all but ") + joined((name.replace("_", " ") for name in present), ", ")


def percent(share: float, digits: int = 1) -> str:
    """0.6955 -> 69.6 %."""
    return f"{100 * share:.{digits}f} %"


def megabytes(count: int) -> str:
    """233,000,000 -> 233.0 MB; small files in kB."""
    return f"{count / 1e6:,.1f} MB" if count >= 1e5 else f"{count / 1e3:,.1f} kB"
