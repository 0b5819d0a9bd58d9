// Measures of a face from its points: head pose, mouth, brows, asymmetry. The same formulas as inference/measures.py, for
// faces detected in this browser.

import { FIFTEEN, MEAN_FACE, fitPose } from "./fit-pose.js";

/** Names of the measures, in the order of the table's columns. */
export const MEASURES = [
  "roll", "yaw", "pitch", "eye_distance", "mouth_opening", "mouth_width", "brow_height", "asymmetry",
];

const at = (name) => FIFTEEN.indexOf(name);
const SWAPPED = { left: "right", right: "left" };
const MIRROR = FIFTEEN.map((name) => at(name.replace(/left|right/, (side) => SWAPPED[side])));
const BROWS = FIFTEEN.flatMap((name, i) => (name.includes("brow") ? [i] : []));

/** True if these keypoints contain the fifteen that the measures need. */
export function measurable(keypoints) {
  return FIFTEEN.every((name) => keypoints.includes(name));
}

/**
 * {roll, roll_error, yaw, ...}: the measures of a face and their standard errors, points and expected errors by name, px.
 *
 * The standard errors are those of the points carried through the formulas (GUM, JCGM 100:2008, equation 10): each
 * coordinate is moved by its error, ahead and back; the squares of both changes count half each.
 */
export function measure(points, expectedError) {
  const places = FIFTEEN.map((name) => points[name]);
  const sigma = FIFTEEN.map((name) => expectedError[name]);
  const pose = fitPose(places, sigma);
  const values = measured(places, pose);
  const squares = values.map(() => 0);
  for (let i = 0; i < FIFTEEN.length; i++) {
    for (const [right, down] of [[1, 0], [0, 1], [-1, 0], [0, -1]]) {
      const moved = [...places];
      moved[i] = [places[i][0] + right * sigma[i], places[i][1] + down * sigma[i]];
      measured(moved, fitPose(moved, sigma, pose)).forEach((value, m) => {
        const change = value - values[m];
        squares[m] += (m === 0 ? change - 360 * Math.floor((change + 180) / 360) : change) ** 2; // roll, which wraps around
      });
    }
  }
  const errors = squares.map((sum) => Math.sqrt(sum / 2));
  return Object.fromEntries(MEASURES.flatMap((name, m) => [[name, values[m]], [`${name}_error`, errors[m]]]));
}

/** The measures of points [x, y], px, on a head of this pose. */
function measured(points, pose) {
  const own = inHead(points, pose);
  const [left, right] = [at("left_eye_center"), at("right_eye_center")];
  const eyeLine = (own[left][1] + own[right][1]) / 2;
  const brows = BROWS.reduce((sum, i) => sum + own[i][1], 0) / BROWS.length;
  return [
    ...pose.slice(0, 3).map((angle) => (angle * 180) / Math.PI),
    distance(points[left], points[right]),
    distance(own[at("mouth_center_bottom_lip")], own[at("mouth_center_top_lip")]),
    distance(own[at("mouth_left_corner")], own[at("mouth_right_corner")]),
    eyeLine - brows,
    asymmetry(own),
  ];
}

/** RMS distance of the points from mirror symmetry. */
function asymmetry(own) {
  const apart = own.map(([x, y], i) => [(x + own[MIRROR[i]][0]) / 2, (y - own[MIRROR[i]][1]) / 2]);
  // without the position of the symmetry axis, which belongs to the pose
  const [x, y] = [0, 1].map((axis) => apart.reduce((sum, one) => sum + one[axis], 0) / apart.length);
  return Math.sqrt(apart.reduce((sum, one) => sum + (one[0] - x) ** 2 + (one[1] - y) ** 2, 0) / apart.length);
}

/** Points in the head's frame, eye distances, each at the mean face's depth there. */
function inHead(points, [roll, yaw, pitch, size, left, top]) {
  const [sr, sy, sp] = [roll, yaw, pitch].map(Math.sin);
  const [cr, cy, cp] = [roll, yaw, pitch].map(Math.cos);
  const [a, b, c] = [cr * cy, -cr * sy * sp - sr * cp, cr * sy * cp - sr * sp]; // upper row of the rotation
  const [d, e, f] = [sr * cy, -sr * sy * sp + cr * cp, sr * sy * cp + cr * sp];
  const area = a * e - b * d;
  return points.map(([x, y], i) => {
    const depth = MEAN_FACE[i][2];
    const [u, v] = [(x - left) / size - depth * c, (y - top) / size - depth * f];
    return [(e * u - b * v) / area, (a * v - d * u) / area];
  });
}

function distance([a, b], [x, y]) {
  return Math.hypot(a - x, b - y);
}
