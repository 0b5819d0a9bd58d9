// Faces as the server gives them, {box, score, points, expected_error, measures}, from what was found in this browser.

import { boxOf } from "./geometry.js";
import { predictLocally, candidatesLocally } from "./local-networks.js";
import { faceInBox, verified, same } from "./verify.js";
import { measurable, measure } from "./face-measures.js";
import { modelInfo } from "./server-api.js";

/** Every face of a picture, the largest first, found here; faceDetector: what its network's file says of itself. */
export async function facesLocally(picture, faceDetector) {
  const facts = await modelInfo();
  const found = await verified(picture, await candidatesLocally(picture, faceDetector), facts, predictLocally);
  return found.map((face) => measured(face, facts.keypoints));
}

/** The face in a box that a person has drawn. */
export async function faceFramed(picture, box, predict) {
  const { keypoints, mean_shape } = await modelInfo();
  return measured(await faceInBox(picture, box, mean_shape[0], predict), keypoints);
}

/** The position in faces of the one that this is, seen again; -1: it is another. */
export function positionOf(face, faces) {
  const plain = ({ points, box }) => ({ points: Object.values(points), region: { side: box[2] } });
  return faces.findIndex((other) => same(plain(face), plain(other)));
}

/** A face by the names of its points. */
export function asFace({ region, points, errors, score }, keypoints) {
  const to = (value) => Math.round(value * 100) / 100;
  return {
    box: boxOf(region).map(to),
    score: Math.round(score * 1000) / 1000,
    points: named(points.map((point) => point.map(to)), keypoints),
    expected_error: named(errors.map(to), keypoints),
  };
}

function measured(face, keypoints) {
  if (!measurable(keypoints)) return asFace(face, keypoints);
  const values = Object.entries(measure(named(face.points, keypoints), named(face.errors, keypoints)));
  const told = values.map(([name, value]) => [name, Number.isFinite(value) ? Number(value.toPrecision(4)) : null]);
  return { ...asFace(face, keypoints), measures: Object.fromEntries(told) };
}

function named(values, keypoints) {
  return Object.fromEntries(keypoints.map((name, i) => [name, values[i]]));
}
