"""The part of the page about sources: what they mean by one name, and by how much their labels lie beside it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepoints.data.head_pose import eye_indices, upright
from facepoints.exploration.findings import Exploration
from facepoints.exploration.label_offset import Interval
from facepoints.exploration.source_difference import aligned_mean_face
from facepoints.metrics import source_name
from facepoints.reports.exploration.pictures import arrows, mean_surroundings, stretched
from facepoints.reports.html import (
    Html,
    Section,
    bold,
    details,
    face_card,
    figure,
    grid,
    heading,
    note,
    picture,
    table,
    text,
)

_EYES_AT = (47.5, 36.0)
"""px where the eyes' middle lies in mean faces whose eyes are laid upon each other"""


def arrow_picture(found: Exploration) -> NDArray[np.uint8] | None:
    """Arrows from the first source's mean points to the second's, on the first's mean face, eyes upon eyes."""
    if not found.differences or found.pose is None or found.unit is None:
        return None
    numbers = list(found.shapes)
    background = aligned_mean_face(found.data, found.pose, numbers[0], found.unit, _EYES_AT)
    if background is None:
        return None
    names = [d.name for d in found.differences]
    at = [found.data.keypoints.index(name) for name in names]
    start, end = (found.shapes[s].points[at] + np.array(_EYES_AT) for s in numbers)
    # what lies around the points: the rest of the head would only make the arrows small
    all_points = np.concatenate([shape.points for shape in found.shapes.values()]) + np.array(_EYES_AT)
    (left, top), (right, below) = np.nanmin(all_points, axis=0) - 11, np.nanmax(all_points, axis=0) + 11
    x, y = max(0, int(left)), max(0, int(top))
    seen = np.ascontiguousarray(background[y : int(below) + 1, x : int(right) + 1])
    return arrows(seen, start - [x, y], end - [x, y], names)


def difference_section(found: Exploration) -> Section | None:
    """What the sources call by one name."""
    if len(found.sources.found) != 2:
        return None
    title = "How the sources differ"
    shown = arrow_picture(found)
    if shown is None or found.unit is None:
        return Section(title, text("Left out: comparing sources takes eye centers and labels that both give."))
    first, second = (s.name for s in found.sources.found)
    largest = found.differences[0]
    side, height = ("right" if largest.dx > 0 else "left"), ("lower" if largest.dy > 0 else "higher")
    way = (
        f"{abs(largest.dy):.1f} px {height}"
        if abs(largest.dy) >= abs(largest.dx)
        else f"{abs(largest.dx):.1f} px {side}"
    )
    sentence = note(
        bold(f"The {largest.name.replace('_', ' ')} of source {second} lies {way} than that of source {first}. "),
        "A model that does not know the source can only answer something in between, wrong for both.",
    )
    rows = [
        [d.name, f"{d.dx:+.2f} ± {d.dx_error:.2f}", f"{d.dy:+.2f} ± {d.dy_error:.2f}", f"{np.hypot(d.dx, d.dy):.2f}"]
        for d in found.differences
    ]
    header = ["point", "to the right, px", "down, px", "distance, px"]
    caption = (
        f"Rings: source {first}; dots: source {second}; on the mean face of source {first}. "
        f"All faces are turned level with their eyes {found.unit:.0f} px apart."
    )
    return Section(
        title,
        text(
            "Two annotators can mean two things by one name. Here all faces are laid upon each other by their labeled "
            "eyes, so that neither pose nor place in the picture counts; the eyes themselves cannot differ, then."
        )
        + sentence
        + figure(picture(shown, caption, width=600), caption)
        + table(header, rows, caption=f"Source {second} less source {first}, with 95 % intervals.")
        + _mean_faces(found),
    )


def _mean_faces(found: Exploration) -> Html:
    shown = []
    for number in found.shapes:
        if found.pose is None or found.unit is None:
            continue
        face = aligned_mean_face(found.data, found.pose, number, found.unit, _EYES_AT)
        if face is not None:
            places = found.shapes[number].points + np.array(_EYES_AT)
            name = f"source {source_name(number)}"
            shown.append(
                face_card(
                    stretched(face), f"mean face and mean points, {name}", alt=f"mean face of {name}", points=places
                )
            )
    return heading("The mean faces, eyes laid upon each other") + grid(shown, least=250)


def mean_eyes(found: Exploration) -> dict[str, NDArray[np.uint8]]:
    """For each source and eye the mean of what lies around the label."""
    eyes = eye_indices(found.data.keypoints)
    if eyes is None or found.pose is None:
        return {}
    good, shown = upright(found.pose), {}
    for number, rows in found.source_rows().items():
        rows = rows[good[rows]][:1500]
        if len(rows):
            for k, side in zip(eyes[::-1], ("right", "left"), strict=True):
                name = f"source {source_name(number)}, {side} eye"
                shown[name] = mean_surroundings(found.data.faces[rows], found.data.points[rows, k])
    return shown


def offset_section(found: Exploration) -> Section:
    """Each source's constant label offset."""
    title = "Constant label offsets"
    if found.offsets is None:
        return Section(title, text("Left out: it takes eye centers and at least 150 faces of a source."))
    offsets = found.offsets
    rows = [
        [f"source {source_name(s)}", f"{o.faces:,}", within(o.x), within(o.y)] for s, o in offsets.by_source.items()
    ]
    if offsets.difference:
        names = [source_name(s) for s in offsets.by_source]
        rows.append([f"{names[1]} less {names[0]}, at the eyes", "", *(within(i) for i in offsets.difference)])
    by_point = [
        [f"source {source_name(s)}", name.replace("_", " "), f"{x:+.2f}", f"{y:+.2f}"]
        for s, o in offsets.by_source.items()
        for name, (x, y) in o.by_point.items()
    ]
    eyes = [
        figure(picture(image, f"mean surroundings of the label: {name}", width=220), name)
        for name, image in mean_eyes(found).items()
    ]
    body = text(
        "Do labels lie beside what they name, all by the same few tenths of a pixel? In the face itself nobody sees "
        "it, and a model learns the offset with the rest. But a mirrored face carries it to the wrong side and a "
        "turned face turns it, so augmentation works against it until it is taken out first and put back after."
    )
    body += table(["", "faces", "to the right, px", "down, px"], rows, caption="With 95 % intervals.")
    body += text(
        bold("Sideways "),
        "every mirrored face bears witness: this number can be trusted. ",
        bold("Up and down "),
        "a mirror shows nothing. Only heads that are tilted tell it, once turned upright, and light that falls from "
        "above looks the same as an offset: the wide interval says so, take it as a direction. The difference between "
        "the sources is better known, because an eye is an eye for both. On built-in drawn faces, whose true offsets "
        "are known, the sideways numbers came out within 0.2 px and the others within 0.6 px.",
    )
    body += details(
        "what each point says alone: they should agree",
        table(["", "point", "right, px", "down, px"], by_point, words=2),
    )
    if eyes:
        body += heading("To check with the naked eye: the mean eye around its label")
        body += text(
            "The cross is the label, 18 px of the picture are shown. Lids, lashes and brows darken the upper half."
        )
        body += grid(eyes, least=150)
    return Section(title, body)


def within(interval: Interval) -> str:
    """+0.82 (+0.66 to +0.98)."""
    return f"{interval.value:+.2f} ({interval.low:+.2f} to {interval.high:+.2f})"
