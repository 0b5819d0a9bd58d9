// Which candidates are faces, and which of them are the same face: as inference/verification.py and detector.py do it. A
// network that was trained on faces gives points wherever it looks; on a face they stay where they are when the crop gets
// a little larger or smaller.

import { SIZE, mean, onPicture, regionOfBox, regionOfPoints } from "./geometry.js";

const VIEWS = [1.0, 0.85, 1.15]; // sizes of the crops that are compared, in sides of the region
const EVEN = 2.28; // px of a crop: such a disagreement is as often a face as not
const STEEPNESS = 5.52;
const SAME = 0.2; // mean distance of points, in sides of the region, below which two faces are one

const LOST = 5; // times the meanShape error that the network may expect at the first look

/** The score from which a candidate is a face. */
export const MIN_SCORE = 0.8;

/**
 * The faces in these regions, {region, points, errors, score} each, px of the picture; all views of all in one look.
 *
 * predict: gives {points, errors} of crops. A single view agrees with itself: its score is 1.
 */
export async function refine(picture, regions, predict, views = VIEWS.length) {
  if (!regions.length) return [];
  const seen = VIEWS.slice(0, views).map((size) => regions.map((region) => ({ ...region, side: region.side * size })));
  const found = await predict(seen.flat().map((view) => picture.crop(view)));
  return regions.map((region, i) => {
    const each = seen.map((view, v) => onPicture(view[i], found.points[v * regions.length + i]));
    const error = (k) => seen.reduce((sum, view, v) => sum + (found.errors[v * regions.length + i][k] * view[i].side) / SIZE, 0);
    const apart = Math.max(0, ...each.slice(1).map((view) => distance(view, each[0])));
    return {
      region,
      points: each[0].map((_, k) => mean(each.map((view) => view[k]))),
      errors: each[0].map((_, k) => error(k) / views),
      score: likeness((apart * SIZE) / region.side),
    };
  });
}

/** How likely a crop shows a face, 0 to 1, whose points differ so much between the views; px of a crop. */
export function likeness(disagreement) {
  const odds = (EVEN / Math.max(disagreement, 1e-3)) ** STEEPNESS;
  return odds / (1 + odds);
}

/**
 * Those candidates that are faces, each face once, the largest first. Views and faceDetector are two witnesses: their odds
 * multiply. facts: {mean_shape, mean_error} of the keypoint network.
 */
export async function verified(picture, candidates, { mean_shape, mean_error }, predict) {
  const most = LOST * average(mean_error[0]);
  const wanted = (face) => ({ ...face, region: { ...regionOfPoints(face.points, mean_shape[0]), odds: face.region.odds } });
  const likely = (await refine(picture, candidates, predict, 1)).filter(
    ({ region, errors }) => region.odds >= 1 || (average(errors) * SIZE) / region.side <= most,
  );
  const found = (await refine(picture, regionsOf(distinct(likely.map(wanted))), predict)).map(weighed);
  const unsure = found.filter(({ score }) => score < MIN_SCORE).map(wanted);
  const again = (await refine(picture, regionsOf(unsure), predict)).map(weighed); // a crop that was far off gets one more chance
  const faces = [...found, ...again].filter(({ score }) => score >= MIN_SCORE);
  return distinct(faces.sort((a, b) => b.score - a.score)).sort((a, b) => b.region.side - a.region.side);
}

function weighed(face) {
  const odds = face.score * face.region.odds;
  return { ...face, score: odds / (odds + 1 - face.score) };
}

/** The face that a person has framed: a first look, then two at where it turned out to be. */
export async function faceInBox(picture, box, meanShape, predict) {
  let [face] = await refine(picture, [regionOfBox(box)], predict, 1);
  for (let times = 0; times < 2; times++) [face] = await refine(picture, [regionOfPoints(face.points, meanShape)], predict);
  return face;
}

/** Are these two, {points, region} each, one face? */
export function same(one, other) {
  return distance(one.points, other.points) < SAME * Math.max(one.region.side, other.region.side);
}

/** The first of each that are one face. */
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
