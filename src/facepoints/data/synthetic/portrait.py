"""One synthetic face: a random person, shaded, posed, and photographed."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from facepoints.data.synthetic.paint import FINE, arch, finer, hair_layers, paint_face, smooth_step
from facepoints.data.synthetic.person import Person, head, random_person
from facepoints.data.synthetic.relief import CORNER, FLOOR, HORIZON, Array, Path, Pose, axes, heights, lit
from facepoints.keypoints import FACE_SIZE

LARGER = 1.5
"""Cells per pixel before the image is resized to 96 pixels."""
LARGE = int(FACE_SIZE * LARGER)
"""Its width and height."""


def random_pose(rng: Generator, anchor: NDArray[np.float64]) -> Pose:
    """A random pose, mostly frontal; framed by the eyes, like the competition's faces."""
    yaw = rng.normal(0, 9 if rng.random() < 0.7 else 19)
    pitch, roll = rng.normal(0, [6, 4.5])
    yaw, pitch, roll = (np.radians(np.clip(a, -m, m)) for a, m in ((yaw, 35), (pitch, 16), (roll, 12)))
    # a face detector's box shrinks less with yaw than the eye distance does
    scale = np.clip(rng.normal(1, 0.05), 0.86, 1.14) / np.cos(yaw) ** 0.6
    place = np.array([48.0, 37.4]) + rng.normal(0, [1.6, 1.9])
    return Pose(float(yaw), float(pitch), float(roll), float(scale), anchor, place)


def random_light(rng: Generator) -> NDArray[np.float64]:
    """Direction (3,) of the main light in the camera's frame, roughly from the front and above."""
    azimuth, height = np.radians(rng.normal(0, 35)), np.radians(rng.uniform(5, 55))
    return np.array([np.sin(azimuth) * np.cos(height), -np.sin(height), np.cos(azimuth) * np.cos(height)])


def backdrop(rng: Generator) -> Array:
    """A blurred background, (144, 144), 0 to 1."""
    cells = int(rng.integers(2, 7))
    small = 48
    scene = rng.uniform(0.1, 0.75) + rng.uniform(0.02, 0.2) * rng.standard_normal((cells, cells))
    blobs = cv2.resize(scene.astype(np.float32), (small, small), interpolation=cv2.INTER_CUBIC)
    for _ in range(int(rng.integers(0, 5))):
        a, b = rng.integers(-6, small + 6, (2, 2)).tolist()
        cv2.rectangle(blobs, a, b, float(rng.uniform(0.05, 0.9)), -1)
    blurred = cv2.GaussianBlur(blobs, (0, 0), rng.uniform(0.6, 2))
    return np.clip(cv2.resize(blurred, (LARGE, LARGE), interpolation=cv2.INTER_CUBIC), 0.02, 1)


def add_glasses(image: Array, person: Person, pose: Pose, relief: Array, rng: Generator) -> None:
    """Draw glasses, their shadow and reflections into the image (144, 144), in place."""
    tone, thick = rng.uniform(0.03, 0.35), int(rng.choice([1, 2, 3], p=[0.6, 0.3, 0.1]))
    half, box = rng.uniform([10.5, 7.0], [13, 9.5]), rng.uniform(2.2, 4.5)
    angle = np.arange(32) * (np.pi / 16)
    cos, sin = np.cos(angle), np.sin(angle)
    rim = np.column_stack([np.sign(cos) * np.abs(cos) ** (2 / box), np.sign(sin) * np.abs(sin) ** (2 / box)]) * half
    front = float(relief[54:58, 44:84].max()) + 1
    frames, lenses = np.zeros(image.shape, np.uint8), np.zeros(image.shape, np.uint8)

    def outline_of(path: Path, w: NDArray[np.float64] | float) -> NDArray[np.int32]:
        where = pose.project(np.column_stack([path, np.broadcast_to(w, len(path))]))
        return np.round(((where + 0.5) * LARGER - 0.5) * 16).astype(np.int32)

    for s in (-1, 1):
        lens = rim + [s * 18.2, 1.2]
        outline = outline_of(lens, front - 0.006 * lens[:, 0] ** 2)
        cv2.polylines(frames, [outline], True, 255, thick, cv2.LINE_AA, 4)
        cv2.fillPoly(lenses, [outline], 255, cv2.LINE_AA, 4)
        if s * pose.yaw < 0.12:  # the far temple is hidden by the face
            arm = np.array([[s * (18 + half[0]), -2.0], [s * (person.width - 1), -1.0], [s * (person.width + 1), 0.0]])
            cv2.polylines(
                frames, [outline_of(arm, np.array([front - 6, 12.0, 2.0]))], False, 255, thick, cv2.LINE_AA, 4
            )
    bridge = arch(np.array([-18.2 + half[0], 0.0]), np.array([18.2 - half[0], 0.0]), -1.5)
    cv2.polylines(frames, [outline_of(bridge, front)], False, 255, thick, cv2.LINE_AA, 4)
    image *= 1 - cv2.blur(np.roll(frames, 2, axis=0), (5, 5)) * np.float32(0.3 / 255)
    image *= 1 - lenses * np.float32((0.75 if rng.random() < 0.1 else 0.06) / 255)
    if rng.random() < 0.4:
        across = np.arange(LARGE, dtype=np.float32)
        slant = across + 0.6 * across[:, None] - np.float32(rng.uniform(70, 160))
        glare = np.exp(-((slant / np.float32(rng.uniform(4, 11))) ** 2)) * np.float32(rng.uniform(0.1, 0.6) / 255)
        image += (np.float32(0.9) - image) * glare * lenses
    image += (np.float32(tone) - image) * frames * np.float32(0.92 / 255)


def photograph(image: Array, rng: Generator, softness: float) -> NDArray[np.uint8]:
    """Expose, blur, add noise and compress: (144, 144) tones to uint8 (96, 96); softness is px of blur."""
    small = cv2.resize(image, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA)
    blur = softness * rng.gamma(4, 0.25)
    if blur > 0.25:
        small = cv2.GaussianBlur(small, (0, 0), blur)
    middle = small[24:84, 24:72]
    mean, deviation = float(middle.mean()), max(float(middle.std()), 0.08)
    # a camera partly corrects for dark or flat scenes
    contrast = np.exp(rng.normal(0.0, 0.2)) * (0.17 / deviation) ** 0.4
    level = 0.7 * np.clip(rng.normal(0.48, 0.1), 0.22, 0.7) + 0.3 * mean
    noise = min(rng.gamma(1.5, 0.006) * (0.7 + softness), 0.035)
    small = (small - mean) * float(contrast) + float(level)
    small += noise * rng.standard_normal(small.shape, dtype=np.float32)
    # tone curve with a soft shoulder: highlights flatten before they clip
    small = np.where(small > 0.75, 0.75 + 0.25 * np.tanh((small - 0.75) * 4), small)
    face: NDArray[np.uint8] = np.clip(small * 255 + 0.5, 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        code = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(60, 95))])[1]
        face = np.asarray(cv2.imdecode(code, cv2.IMREAD_GRAYSCALE), np.uint8)
    return face


def render(relief: Array, paint: Array, solid: Array, pose: Pose) -> tuple[Array, Array]:
    """Tones in the camera, and coverage by head and body, each (144, 144).

    relief is (128, 128); paint and solid (256, 256) cover it, solid from 0 (background) to 1.
    """
    sight = pose.surface(relief, LARGE, LARGER)
    cells = (sight - (CORNER + 0.5 / FINE).astype(np.float32)) * np.float32(FINE)
    layers = cv2.merge([paint * solid, solid])
    seen_layers = np.empty((LARGE, LARGE, 2), np.float32)
    cv2.remap(layers, cells[..., 0], cells[..., 1], cv2.INTER_LINEAR, seen_layers, cv2.BORDER_REPLICATE)
    return seen_layers[..., 0], seen_layers[..., 1]


def draw_portrait(rng: Generator, softness: float = 0.45) -> tuple[NDArray[np.uint8], Path]:
    """A face uint8 (96, 96) and its points (17, 2) px: the fifteen, UNDER_NOSE and MID_MOUTH."""
    person = random_person(rng)
    cover, tones, stands, thick = hair_layers(person, rng)
    u, v = axes()
    side = np.abs(u)
    # hair is on the skull, and hangs beside the ears
    hanging = np.where(stands > 0.5, 4 - 0.02 * np.clip(side - 30, 0, 99) ** 2 + thick, FLOOR)
    # blurred: otherwise the outline shows the cells as steps
    bumpy = np.maximum(head(person) + stands * thick, hanging)
    relief = np.asarray(cv2.blur(bumpy, (3, 3)), np.float32)
    points = np.column_stack([person.points, heights(relief, person.points)])
    pose = random_pose(rng, points[:2].mean(axis=0))
    while (np.abs(pose.project(points) - 47.5) > 46).any():
        pose = replace(pose, scale=0.96 * pose.scale)

    paint = paint_face(person, rng)
    cloth = smooth_step((v - 67 - 0.1 * side + rng.uniform(0, 8)) / 1.5)
    tones = tones + (rng.uniform(0.05, 0.9) - tones) * cloth * (1 - cover)
    paint += (finer(tones) - paint) * finer(np.maximum(cover, cloth))
    light, gloss = lit(relief, pose.rotation.T @ random_light(rng), rng.uniform(0.3, 0.7), rng.uniform(0.2, 0.8))
    # tones are gamma-encoded: about the square root of the reflected light
    paint *= finer(np.sqrt(np.maximum(light, 0.01)) * 1.15)
    paint += finer(gloss * (1 + cover) * rng.uniform(0.03, 0.13))
    tone, covered = render(relief, paint, finer(np.clip((relief - HORIZON) / 20, 0, 1)), pose)
    image = tone + backdrop(rng) * (1 - covered)
    if person.glasses:
        add_glasses(image, person, pose, relief, rng)
    return photograph(image, rng, softness), pose.project(points)
