"""The part of the page to be looked at: faces by lot, mean faces, heads in numbers, the oddest faces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepoints.exploration.findings import Exploration
from facepoints.metrics import source_name
from facepoints.reports.charts import histogram
from facepoints.reports.exploration.pictures import density, mean_face
from facepoints.reports.html import (
    Html,
    Section,
    code,
    details,
    face_card,
    figure,
    grid,
    heading,
    picture,
    tabs,
    text,
)

RANDOM_FACES, EXTREMES = 24, 12


def faces_section(found: Exploration) -> Section:
    """Faces by lot, the mean face, where points lie, heads and pictures in numbers."""
    data = found.data
    lot = random_rows(found)
    body = text(f"{len(lot)} faces by lot, with the points that somebody labeled.") + cards(found, lot)
    means, glows = [], []
    for number, rows in found.source_rows().items():
        name = f"source {source_name(number)}"
        background = mean_face(data.faces[rows])
        means.append(figure(picture(background, f"mean face of {name}", width=288), f"mean face, {name}"))
        glow = density(background, data.points[rows], data.observed[rows])
        caption = f"where each point of {name} lies, {len(rows):,} faces"
        glows.append(figure(picture(glow, caption, width=430), caption))
    body += heading("The mean face, and where its points lie")
    body += text(
        "Pixel by pixel, as the files have them. Each point has its own color, brightest where most labels lie."
    )
    body += grid(means, least=200) + grid(glows, least=280)
    alone = []
    background = mean_face(data.faces)
    for k, name in enumerate(data.keypoints.names):
        if data.observed[:, k].any():
            glow = density(background, data.points[:, [k]], data.observed[:, [k]])[::3, ::3]
            alone.append(figure(picture(np.ascontiguousarray(glow), f"where {name} lies", width=192), name))
    body += details("each point alone, all sources", grid(alone, least=130))
    body += heading("Heads and pictures in numbers") + charts(found)
    return Section("Faces", body)


def random_rows(found: Exploration) -> NDArray[np.int64]:
    """The positions of the faces shown by lot."""
    return np.sort(np.random.default_rng(found.seed).permutation(len(found.data))[:RANDOM_FACES])


def charts(found: Exploration) -> Html:
    """Histograms of eye distance, roll, turn, brightness, contrast, sharpness, one line a source."""
    measured: dict[str, NDArray[np.float64]] = {}
    if found.pose is not None:
        measured["distance of the eyes, px"] = found.pose.eye_distance
        measured["roll, degrees (clockwise is positive)"] = found.pose.roll
        measured["yaw, degrees (to the image’s right is positive)"] = found.pose.yaw
        measured["pitch, degrees (downwards is positive)"] = found.pose.pitch
    measured["brightness, mean grey value"] = found.quality.brightness
    measured["contrast, deviation of grey values"] = found.quality.contrast
    measured["sharpness, edges to contrast"] = found.quality.sharpness
    shown = []
    for label, values in measured.items():
        series = {f"source {source_name(s)}": values[rows] for s, rows in found.source_rows().items()}
        shown.append(histogram(series, label=label, alt=f"histogram of {label}, by source"))
    left_out = text("Heads are left out: these keypoints have no eye centers.") if found.pose is None else Html("")
    return left_out + grid((c for c in shown if c), least=290)


def extremes(found: Exploration) -> dict[str, tuple[NDArray[np.int64], NDArray[np.float64], str]]:
    """For each kind of odd face the positions, the measure of all faces, and how to write it, the oddest first."""
    q = found.quality
    kinds: dict[str, tuple[NDArray[np.float64], int, str]] = {
        "darkest": (q.brightness, 1, "grey {:.0f}"),
        "brightest": (q.brightness, -1, "grey {:.0f}"),
        "blurriest": (q.sharpness, 1, "sharpness {:.2f}"),
        "flattest": (q.contrast, 1, "contrast {:.0f}"),
    }
    if found.pose is not None:
        kinds["largest yaw"] = (np.abs(found.pose.yaw), -1, "{:.0f}°")
        kinds["largest roll"] = (np.abs(found.pose.roll), -1, "{:.0f}°")
        kinds["eyes closest"] = (found.pose.eye_distance, 1, "{:.0f} px")
    chosen = {}
    for name, (values, sign, words) in kinds.items():
        order = np.argsort(sign * values, kind="stable")  # NaN comes last
        chosen[name] = (order[: int(min(EXTREMES, np.isfinite(values).sum()))], values, words)
    return chosen


def extremes_section(found: Exploration) -> Section:
    """The oddest faces of each kind: what a model finds hard, and where wrong labels hide."""
    panels = []
    for name, (rows, values, words) in extremes(found).items():
        panels.append((name, cards(found, rows, [words.format(v) for v in values[rows]])))
    lead = text(
        "The ends of each scale: what a model finds hard. A face tilted by 180° has its left and right labels "
        "exchanged, and eyes in one place are a slip of the hand: ",
        code("facepoints audit"),
        " looks for such labels.",
    )
    return Section("The oddest faces", lead + tabs("odd", panels))


def cards(found: Exploration, rows: NDArray[np.int64], remarks: list[str] | None = None) -> Html:
    """Faces with their points, row number, source and a remark each."""
    points = found.shown_points(rows)
    shown = []
    for i, at in enumerate(rows.tolist()):
        words = f"row {found.data.row[at]} · {source_name(int(found.data.source[at]))}"
        words += f" · {remarks[i]}" if remarks else ""
        shown.append(face_card(found.data.faces[at], words, alt=f"face of {words}", points=points[i]))
    return grid(shown, least=118)
