"""Keypoint sets: the names of the points, their order and their left-right pairs.

Points are `float32 (n, k, 2)`, order (x, y), in pixels of the face. Pixel centers are whole numbers, so an image
of 96 pixels spans -0.5 to 95.5 and a horizontal flip maps x to 95 - x. "Left" is the subject's left: image right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facepoints.errors import BadChoice, unknown

FACE_SIZE = 96
"""Width and height of a face in pixels."""

SOURCES = ("A", "B")
"""Names of the competition's two annotation sources; the index is the number in a `source` array."""


@dataclass(frozen=True)
class KeypointSet:
    """The names of k points, in order. Points named left_... and right_... form mirror pairs."""

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names) or not self.names:
            raise BadChoice(f"keypoint names must be given and be unique, got {', '.join(self.names) or 'none'}")

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The 2k CSV column names, x before y: left_eye_center_x, left_eye_center_y, ..."""
        return tuple(f"{name}_{axis}" for name in self.names for axis in "xy")

    @cached_property
    def mirror(self) -> NDArray[np.intp]:
        """Index of each point's partner under a horizontal flip, int (k,); a middle point is its own partner."""
        at = {name: i for i, name in enumerate(self.names)}
        return np.array([at.get(_other_side(name), i) for name, i in at.items()], np.intp)

    def index(self, name: str) -> int:
        """The position of a point; raises BadChoice with the closest name if it does not exist."""
        if name not in self.names:
            raise unknown("keypoint", name, self.names)
        return self.names.index(name)

    def only(self, names: Sequence[str]) -> KeypointSet:
        """The smaller set with just these points, in this set's order."""
        wanted = {self.index(name) for name in names}
        return KeypointSet(tuple(n for i, n in enumerate(self.names) if i in wanted))

    def lone_sides(self) -> tuple[str, ...]:
        """Names of left or right points without their partner: a set that has any cannot be flipped."""
        return tuple(n for n in self.names if _other_side(n) != n and _other_side(n) not in self.names)


def _other_side(name: str) -> str:
    swap = {"left": "right", "right": "left"}
    return "_".join(swap.get(part, part) for part in name.split("_"))


FIFTEEN = KeypointSet(
    (
        "left_eye_center",
        "right_eye_center",
        "left_eye_inner_corner",
        "left_eye_outer_corner",
        "right_eye_inner_corner",
        "right_eye_outer_corner",
        "left_eyebrow_inner_end",
        "left_eyebrow_outer_end",
        "right_eyebrow_inner_end",
        "right_eyebrow_outer_end",
        "nose_tip",
        "mouth_left_corner",
        "mouth_right_corner",
        "mouth_center_top_lip",
        "mouth_center_bottom_lip",
    )
)
"""The competition's fifteen points, in the order of its columns."""

FOUR = ("left_eye_center", "right_eye_center", "nose_tip", "mouth_center_bottom_lip")
"""The points that source B labels."""

SIXTY_EIGHT = KeypointSet(
    (
        *(f"jaw_right_{i}" for i in range(1, 9)),  # from the ear down
        "chin",
        *(f"jaw_left_{i}" for i in range(8, 0, -1)),
        "right_eyebrow_outer_end",
        "right_eyebrow_outer_middle",
        "right_eyebrow_middle",
        "right_eyebrow_inner_middle",
        "right_eyebrow_inner_end",
        "left_eyebrow_inner_end",
        "left_eyebrow_inner_middle",
        "left_eyebrow_middle",
        "left_eyebrow_outer_middle",
        "left_eyebrow_outer_end",
        "nose_bridge_1",  # between the eyes
        "nose_bridge_2",
        "nose_bridge_3",
        "nose_tip",
        "nose_right_wing",
        "nose_right_base",
        "nose_base",
        "nose_left_base",
        "nose_left_wing",
        "right_eye_outer_corner",
        "right_eye_upper_outer_lid",
        "right_eye_upper_inner_lid",
        "right_eye_inner_corner",
        "right_eye_lower_inner_lid",
        "right_eye_lower_outer_lid",
        "left_eye_inner_corner",
        "left_eye_upper_inner_lid",
        "left_eye_upper_outer_lid",
        "left_eye_outer_corner",
        "left_eye_lower_outer_lid",
        "left_eye_lower_inner_lid",
        "mouth_right_corner",
        "mouth_right_top_lip_outer",
        "mouth_right_top_lip_inner",
        "mouth_center_top_lip",
        "mouth_left_top_lip_inner",
        "mouth_left_top_lip_outer",
        "mouth_left_corner",
        "mouth_left_bottom_lip_outer",
        "mouth_left_bottom_lip_inner",
        "mouth_center_bottom_lip",
        "mouth_right_bottom_lip_inner",
        "mouth_right_bottom_lip_outer",
        "mouth_right_inside_corner",  # from here on: inner edge of the lips
        "mouth_right_inside_top",
        "mouth_center_inside_top",
        "mouth_left_inside_top",
        "mouth_left_inside_corner",
        "mouth_left_inside_bottom",
        "mouth_center_inside_bottom",
        "mouth_right_inside_bottom",
    )
)
"""The 68 points of the 300-W markup, in its order: jaw 1-17, eyebrows 18-27, nose 28-36, eyes 37-48, mouth 49-68.

After Sagonas et al., "300 Faces in-the-Wild Challenge", ICCV Workshops 2013; numbered in the figure of
https://ibug.doc.ic.ac.uk/resources/300-W/. Point 1 is at the subject's right ear: image left. Where a point is one
of the fifteen, it has that name.
"""
