// Face candidates from the face detection network, which is applied to the picture at 1/2, 1/4, ... of its size. Decodes
// its output as inference/face_network.py does.

import { clip } from "./geometry.js";

const LEAST = 0.2; // probability from which a cell is a candidate; the keypoint network verifies it
const TILE = 1024; // side of the largest input, px
const OVERLAP = 64; // px that a tile overlaps its surroundings on each side
const SMALLEST_LEVEL = 24; // px of the longer side
const GRAY = 128; // padding, as in training
const CLOSE = 0.5; // distance of centers, in sides of the larger, below which two candidates are duplicates
const ALIKE = 1.8; // ratio of sides from which two candidates are different faces

/**
 * Candidates {x, y, side, roll, odds} in a gray picture {gray, width, height}, px, most likely first; odds: likelihood
 * ratio of face to non-face.
 *
 * metadata: {stride, sides, unit} of the network's file; maps(pixels, h, w): the network's output, Float32Array
 * (6, h / stride, w / stride), for pixels, Uint8Array (h, w).
 */
export async function candidates(picture, metadata, maps) {
  const all = [];
  let factor = 2;
  for (let small = half(picture); small; small = half(small), factor *= 2) {
    for (const { x, y, side, ...rest } of await onLevel(small, metadata, maps)) {
      all.push({ x: (x + 0.5) * factor - 0.5, y: (y + 0.5) * factor - 0.5, side: side * factor, ...rest });
    }
    if (Math.max(small.width, small.height) < 2 * SMALLEST_LEVEL) break;
  }
  return distinct(all.sort((a, b) => b.odds - a.odds));
}

/** A picture of half the size: means of 2 x 2 pixels, without an odd last row or column; null if it is empty. */
export function half({ gray, width, height }) {
  const [w, h] = [width >> 1, height >> 1];
  if (!w || !h) return null;
  const small = new Uint8Array(w * h);
  for (let row = 0; row < h; row++) {
    for (let column = 0; column < w; column++) {
      const i = 2 * row * width + 2 * column;
      small[row * w + column] = (gray[i] + gray[i + 1] + gray[i + width] + gray[i + width + 1] + 2) >> 2;
    }
  }
  return { gray: small, width: w, height: h };
}

/** Candidates of one pyramid level. A large level is tiled; each tile contributes those in its own area. */
async function onLevel(level, metadata, maps) {
  const { width, height } = level;
  if (Math.max(width, height) <= TILE) return inTile(level, [0, 0, width, height], metadata, maps);
  const step = TILE - 2 * OVERLAP;
  const found = [];
  for (let top = 0; top < height; top += step) {
    for (let left = 0; left < width; left += step) {
      const [x0, y0] = [Math.max(0, left - OVERLAP), Math.max(0, top - OVERLAP)];
      const ends = [Math.min(left + step + OVERLAP, width), Math.min(top + step + OVERLAP, height)];
      const owned = (at, start, whole) => (at >= start - 0.5 && at < start + step - 0.5) || at < -0.5 || at > whole - 0.5;
      for (const one of await inTile(level, [x0, y0, ...ends], metadata, maps)) {
        const [x, y] = [one.x + x0, one.y + y0];
        if (owned(x, left, width) && owned(y, top, height)) found.push({ ...one, x, y });
      }
    }
  }
  return found;
}

/** Candidates in the part [x0, y0, x1, y1] of a level, px relative to the part. */
async function inTile({ gray, width }, [x0, y0, x1, y1], { stride, sides, unit }, maps) {
  const columns = Math.ceil((x1 - x0) / stride);
  const rows = Math.ceil((y1 - y0) / stride);
  const part = new Uint8Array(columns * rows * stride * stride).fill(GRAY);
  for (let y = y0; y < y1; y++) part.set(gray.subarray(y * width + x0, y * width + x1), (y - y0) * columns * stride);
  const output = await maps(part, rows * stride, columns * stride);
  const map = (number, cell) => output[number * rows * columns + cell];
  const least = Math.log(LEAST / (1 - LEAST));
  const middle = (stride - 1) / 2;
  const found = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const cell = row * columns + column;
      if (map(0, cell) < least || !isPeak(output, row, column, rows, columns)) continue;
      found.push({
        x: stride * (column + map(1, cell)) + middle,
        y: stride * (row + map(2, cell)) + middle,
        side: clip(unit * Math.exp(clip(map(3, cell), -5, 5)), sides[0] / 2, 2 * sides[1]), // twice the range seen in training
        roll: Math.atan2(map(5, cell), map(4, cell)),
        odds: Math.exp(clip(map(0, cell), -20, 20)),
      });
    }
  }
  return found;
}

/** True if no neighbor of the cell has a larger value in the first map. */
function isPeak(map, row, column, rows, columns) {
  for (let y = Math.max(0, row - 1); y <= Math.min(rows - 1, row + 1); y++) {
    for (let x = Math.max(0, column - 1); x <= Math.min(columns - 1, column + 1); x++) {
      if (map[y * columns + x] > map[row * columns + column]) return false;
    }
  }
  return true;
}

/** Without duplicates. */
function distinct(candidates) {
  const kept = [];
  for (const one of candidates) {
    const duplicate = kept.some((other) => {
      const [smaller, larger] = [Math.min(other.side, one.side), Math.max(other.side, one.side)];
      return Math.hypot(other.x - one.x, other.y - one.y) < CLOSE * larger && larger < ALIKE * smaller;
    });
    if (!duplicate) kept.push(one);
  }
  return kept;
}
