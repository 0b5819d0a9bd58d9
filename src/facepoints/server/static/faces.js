// Faces as the server gives them, {box, score, points, expected_error, measures}, from what was found in this browser.

import { boxOf } from "./geometry.js";
import { lookHere, searchHere } from "./here.js";
import { faceInBox, judged, same } from "./judgment.js";
import { measurable, measure } from "./measures.js";
import { modelFacts } from "./model.js";

/** Every face of a picture, the largest first, found here; finder: what its network's file says of itself. */
export async function facesHere(picture, finder) {
  const facts = await modelFacts();
  const found = await judged(picture, await searchHere(picture, finder), facts, lookHere);
  return found.map((face) => measured(face, facts.keypoints));
}

/** The face in a box that a person has drawn. */
export async function faceFramed(picture, box, look) {
  const { keypoints, typical } = await modelFacts();
  return measured(await faceInBox(picture, box, typical[0], look), keypoints);
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
