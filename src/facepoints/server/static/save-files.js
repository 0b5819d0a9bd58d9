// points.csv and points.json in the format of `facepoints predict`, and the annotated image.

import { drawOn } from "./overlay.js";

const COLUMNS = ["file", "frame", "time", "face", "box_x", "box_y", "box_w", "box_h", "score"];

/** One table of all photos, one line per face. */
export function asCsv(photos, keypoints) {
  const measures = Object.keys(photos.flatMap((photo) => photo.faces).find((face) => face.measures)?.measures ?? {});
  const names = keypoints.flatMap((name) => [`${name}_x`, `${name}_y`, `${name}_error`]);
  const lines = photos.flatMap((photo) =>
    photo.faces.map((face, number) => [
      quoted(photo.name),
      "",
      "",
      number,
      ...face.box.map((v) => v.toFixed(2)),
      face.score.toFixed(3),
      ...keypoints.flatMap((name) => [...face.points[name], face.expected_error[name]].map((v) => v.toFixed(2))),
      ...measures.map((name) => face.measures?.[name] ?? ""),
    ]),
  );
  return [[...COLUMNS, ...names, ...measures], ...lines].map((line) => `${line.join(",")}\n`).join("");
}

/** All photos as a list of {file, faces}. */
export function asJson(photos) {
  return `${JSON.stringify(photos.map((photo) => ({ file: photo.name, faces: photo.faces })), null, 1)}\n`;
}

/** The annotated image as PNG, with the selected layers. */
export async function asPng(photo, selected) {
  const canvas = document.createElement("canvas");
  canvas.width = photo.width;
  canvas.height = photo.height;
  const context = canvas.getContext("2d");
  context.drawImage(photo.image, 0, 0, photo.width, photo.height);
  drawOn(context, photo, selected);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

/** Download a file. */
export function save(name, content, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000); // some browsers read the URL late
}

function quoted(text) {
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
