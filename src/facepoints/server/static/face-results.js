// Faces computed in this browser, in the server's format: {box, score, points, expected_error, measures}.

import { measurable, measure } from "./face-measures.js";
import { boxOf } from "./geometry.js";
import { candidatesLocally, predictLocally } from "./local-networks.js";
import { modelInfo } from "./server-api.js";
import { faceInBox, same, verified } from "./verify.js";

/** All faces of a picture, largest first; faceDetector: metadata of the face detector's file. */
export async function facesLocally(picture, faceDetector) {
  const info = await modelInfo();
  const faces = await verified(picture, await candidatesLocally(picture, faceDetector), info, predictLocally);
  return faces.map((face) => withMeasures(face, info.keypoints));
}

/** The face in a box that the user has drawn. */
export async function faceFramed(picture, box, predict) {
  const { keypoints, mean_shape } = await modelInfo();
  return withMeasures(await faceInBox(picture, box, mean_shape[0], predict), keypoints);
}

/** Index in faces of the same face, -1 if it is new. */
export function positionOf(face, faces) {
  const unnamed = ({ points, box }) => ({ points: Object.values(points), region: { side: box[2] } });
  return faces.findIndex((other) => same(unnamed(face), unnamed(other)));
}

/** A face with its points by name, rounded. */
export function asFace({ region, points, errors, score }, keypoints) {
  const round = (value) => Math.round(value * 100) / 100;
  return {
    box: boxOf(region).map(round),
    score: Math.round(score * 1000) / 1000,
    points: byName(points.map((point) => point.map(round)), keypoints),
    expected_error: byName(errors.map(round), keypoints),
  };
}

function withMeasures(face, keypoints) {
  if (!measurable(keypoints)) return asFace(face, keypoints);
  const values = Object.entries(measure(byName(face.points, keypoints), byName(face.errors, keypoints)));
  const rounded = values.map(([name, value]) => [name, Number.isFinite(value) ? Number(value.toPrecision(4)) : null]);
  return { ...asFace(face, keypoints), measures: Object.fromEntries(rounded) };
}

function byName(values, keypoints) {
  return Object.fromEntries(keypoints.map((name, i) => [name, values[i]]));
}
