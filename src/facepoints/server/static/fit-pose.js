// Head pose from the points of a face, by fitting a 3D mean face. docs/measures.md has formulas, sources and limits;
// data/head_pose.py is the same in Python, and a test compares both.
//
// The head's own frame, in eye distances: x to the picture's right, y down, z towards the viewer, origin between the eyes.

import { clip } from "./geometry.js";

/** The competition's fifteen points, in the order of the formulas. */
export const FIFTEEN = [
  "left_eye_center", "right_eye_center", "left_eye_inner_corner", "left_eye_outer_corner", "right_eye_inner_corner",
  "right_eye_outer_corner", "left_eyebrow_inner_end", "left_eyebrow_outer_end", "right_eyebrow_inner_end",
  "right_eyebrow_outer_end", "nose_tip", "mouth_left_corner", "mouth_right_corner", "mouth_center_top_lip",
  "mouth_center_bottom_lip",
];

// vertices of the canonical face model of MediaPipe (Apache-2.0), cm: x to the subject's left, y up, z forwards
const EYE = [3.177186, (2.964136 + 2.294265) / 2, (3.876973 + 3.775704) / 2];
const VERTICES = {
  eye_center: EYE,
  eye_inner_corner: [1.856432, 2.585245, 3.757904],
  eye_outer_corner: [4.445859, 2.663991, 3.173422],
  eyebrow_inner_end: [1.220941, 4.142165, 5.106035],
  eyebrow_outer_end: [5.253307, 3.881582, 3.363159],
  nose_tip: [0, -1.126865, 7.475604],
  mouth_corner: [2.456206, -4.342621, 4.283884],
  mouth_center_top_lip: [0, -3.706811, 5.864924],
  mouth_center_bottom_lip: [0, -5.365123, 5.535441],
};

/** The fifteen points [x, y, z] of a mean face, eye distances, in the head's own frame. */
export const MEAN_FACE = FIFTEEN.map((name) => {
  const [x, y, z] = VERTICES[name.replace(/left_|right_/, "")];
  const side = name.includes("right_") ? -1 : 1;
  return [side * x, EYE[1] - y, z - EYE[2]].map((value) => value / (2 * EYE[0]));
});

// points that facial expressions move little
const RIGID = FIFTEEN.flatMap((name, i) => (name.includes("brow") || name.includes("lip") ? [] : [i]));
const SPREAD = 0.04; // eye distances: spread of rigid points between people
const ROUNDS = 12;
const DAMPING = 1e-6;
const CONVERGED = 1e-5;
const MAX_TILT = (85 * Math.PI) / 180;

/**
 * [roll, yaw, pitch, size, x, y]: angles in radians, px per eye distance, the middle of the eyes in px.
 *
 * Weak perspective, weighted least squares over the rigid points; the variance of a point is that of its error (sigma, px)
 * plus that between people. Gauss-Newton from an upright, frontal head, or one step from `start`, enough after a small
 * change of a point.
 */
export function fitPose(points, sigma, start = null) {
  let pose = start ? [...start] : upright(points);
  const size = pose[3];
  const weight = RIGID.map((i) => 1 / (sigma[i] ** 2 + (SPREAD * size) ** 2));
  for (let round = 0; round < (start ? 1 : ROUNDS); round++) {
    const step = gaussNewton(pose, points, weight);
    for (let angle = 0; angle < 3; angle++) step[angle] = clip(step[angle], -0.5, 0.5); // limits the step far from the solution
    pose = pose.map((value, i) => value + step[i]);
    pose[1] = clip(pose[1], -MAX_TILT, MAX_TILT);
    pose[2] = clip(pose[2], -MAX_TILT, MAX_TILT);
    pose[3] = Math.max(pose[3], 0.2 * size);
    if (Math.max(...step.slice(0, 3).map(Math.abs)) < CONVERGED) break;
  }
  pose[0] -= 2 * Math.PI * Math.floor((pose[0] + Math.PI) / (2 * Math.PI));
  return pose;
}

/** Initial pose from the eyes: upright and frontal. */
function upright(points) {
  const [left, right] = points;
  const across = [left[0] - right[0], left[1] - right[1]];
  const reach = [0, 1].map((axis) => {
    const values = RIGID.map((i) => points[i][axis]);
    return Math.max(...values) - Math.min(...values);
  });
  // in profile the eyes almost coincide: the extent of the face then gives the size
  const size = Math.max(Math.hypot(...across), Math.hypot(...reach) / 2, 1e-6);
  return [Math.atan2(across[1], across[0]), 0, 0, size, (left[0] + right[0]) / 2, (left[1] + right[1]) / 2];
}

/** The Gauss-Newton step of the pose towards the points. */
function gaussNewton(pose, points, weight) {
  const normal = Array.from({ length: 6 }, () => new Array(6).fill(0));
  const right = new Array(6).fill(0);
  RIGID.forEach((i, k) => {
    const { at, slope } = projected(pose, MEAN_FACE[i]);
    for (let axis = 0; axis < 2; axis++) {
      const away = points[i][axis] - at[axis];
      for (let a = 0; a < 6; a++) {
        right[a] += weight[k] * slope[axis][a] * away;
        for (let b = 0; b < 6; b++) normal[a][b] += weight[k] * slope[axis][a] * slope[axis][b];
      }
    }
  });
  for (let a = 0; a < 6; a++) normal[a][a] *= 1 + DAMPING;
  return solved(normal, right);
}

/** The projection of a point of the mean face, px, and the derivatives of x and y by the pose. */
function projected([roll, yaw, pitch, size, left, top], [x, y, z]) {
  const [sr, sy, sp] = [roll, yaw, pitch].map(Math.sin);
  const [cr, cy, cp] = [roll, yaw, pitch].map(Math.cos);
  const deep = cp * z - sp * y;
  const low = cp * y + sp * z; // after the pitch
  const side = cy * x + sy * deep; // after the yaw
  const flat = [cr * side - sr * low, sr * side + cr * low];
  const byYaw = cy * deep - sy * x;
  const slope = [
    [-size * flat[1], size * cr * byYaw, size * (cr * -sy * low - sr * deep), flat[0], 1, 0],
    [size * flat[0], size * sr * byYaw, size * (sr * -sy * low + cr * deep), flat[1], 0, 1],
  ];
  return { at: [size * flat[0] + left, size * flat[1] + top], slope };
}

/** x of matrix · x = right, by Gaussian elimination with partial pivoting; overwrites both. */
function solved(matrix, right) {
  const n = right.length;
  for (let column = 0; column < n; column++) {
    let pivot = column;
    for (let row = column + 1; row < n; row++) {
      if (Math.abs(matrix[row][column]) > Math.abs(matrix[pivot][column])) pivot = row;
    }
    [matrix[column], matrix[pivot]] = [matrix[pivot], matrix[column]];
    [right[column], right[pivot]] = [right[pivot], right[column]];
    for (let row = column + 1; row < n; row++) {
      const factor = matrix[row][column] / matrix[column][column];
      for (let k = column; k < n; k++) matrix[row][k] -= factor * matrix[column][k];
      right[row] -= factor * right[column];
    }
  }
  for (let row = n - 1; row >= 0; row--) {
    for (let k = row + 1; k < n; k++) right[row] -= matrix[row][k] * right[k];
    right[row] /= matrix[row][row];
  }
  return right;
}
