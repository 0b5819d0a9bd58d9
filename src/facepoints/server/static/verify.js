// Verification of face candidates, as inference/verification.py and detector.py do it. The keypoint network predicts
// points for any crop; on a face they stay in place when the crop gets a little larger or smaller.

import { SIZE, mean, onPicture, regionOfBox, regionOfPoints } from "./geometry.js";

const VIEWS = [1.0, 0.85, 1.15]; // sizes of the compared crops, in sides of the region
const EVEN = 2.28; // px of a crop: disagreement at which face and non-face are equally likely
const STEEPNESS = 5.52;
const SAME = 0.2; // mean distance of points, in sides of the region, below which two faces are the same
const MOST_ERROR = 5; // times the mean error: candidates with a larger expected error are dropped

/** The score from which a candidate is a face. */
export const MIN_SCORE = 0.8;

/**
 * {region, points, errors, score} of each region, px of the picture. All views of all regions go into one prediction.
 *
 * predict: gives {points, errors} of crops. With one view the score is 1.
 */
export async function refine(picture, regions, predict, views = VIEWS.length) {
  if (!regions.length) return [];
  const scaled = VIEWS.slice(0, views).map((size) => regions.map((region) => ({ ...region, side: region.side * size })));
  const found = await predict(scaled.flat().map((view) => picture.crop(view)));
  return regions.map((region, i) => {
    const each = scaled.map((view, v) => onPicture(view[i], found.points[v * regions.length + i]));
    const error = (k) => scaled.reduce((sum, view, v) => sum + (found.errors[v * regions.length + i][k] * view[i].side) / SIZE, 0);
    const disagreement = Math.max(0, ...each.slice(1).map((view) => distance(view, each[0])));
    return {
      region,
      points: each[0].map((_, k) => mean(each.map((view) => view[k]))),
      errors: each[0].map((_, k) => error(k) / views),
      score: faceProbability((disagreement * SIZE) / region.side),
    };
  });
}

/** Probability, 0 to 1, that a crop shows a face, from the disagreement of its views, px of a crop. */
export function faceProbability(disagreement) {
  const odds = (EVEN / Math.max(disagreement, 1e-3)) ** STEEPNESS;
  return odds / (1 + odds);
}

/**
 * The candidates that are faces, without duplicates, largest first. The face detector's odds are multiplied with those
 * from the views. info: {mean_shape, mean_error} of the keypoint network.
 */
export async function verified(picture, candidates, { mean_shape, mean_error }, predict) {
  const most = MOST_ERROR * average(mean_error[0]);
  const realigned = (face) => ({ ...face, region: { ...regionOfPoints(face.points, mean_shape[0]), odds: face.region.odds } });
  const likely = (await refine(picture, candidates, predict, 1)).filter(
    ({ region, errors }) => region.odds >= 1 || (average(errors) * SIZE) / region.side <= most,
  );
  const first = (await refine(picture, regionsOf(distinct(likely.map(realigned))), predict)).map(withDetectorOdds);
  const unsure = first.filter(({ score }) => score < MIN_SCORE).map(realigned);
  const second = (await refine(picture, regionsOf(unsure), predict)).map(withDetectorOdds); // from a better aligned crop
  const faces = [...first, ...second].filter(({ score }) => score >= MIN_SCORE);
  return distinct(faces.sort((a, b) => b.score - a.score)).sort((a, b) => b.region.side - a.region.side);
}

function withDetectorOdds(face) {
  const odds = face.score * face.region.odds;
  return { ...face, score: odds / (odds + 1 - face.score) };
}

/** The face in a box that the user has drawn: predicted once, then twice more with the crop realigned to the points. */
export async function faceInBox(picture, box, meanShape, predict) {
  let [face] = await refine(picture, [regionOfBox(box)], predict, 1);
  for (let round = 0; round < 2; round++) [face] = await refine(picture, [regionOfPoints(face.points, meanShape)], predict);
  return face;
}

/** True if two detections {points, region} show the same face. */
export function same(one, other) {
  return distance(one.points, other.points) < SAME * Math.max(one.region.side, other.region.side);
}

/** Without later duplicates of a face. */
export function distinct(faces) {
  const kept = [];
  for (const face of faces) if (!kept.some((other) => same(face, other))) kept.push(face);
  return kept;
}

const average = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const regionsOf = (faces) => faces.map(({ region }) => region);

function distance(one, other) {
  return one.reduce((sum, [x, y], i) => sum + Math.hypot(x - other[i][0], y - other[i][1]), 0) / one.length;
}
