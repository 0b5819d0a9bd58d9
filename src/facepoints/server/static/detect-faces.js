// Where faces may be in a picture: our own network is shown it at half its size, a quarter and so on, and what it says is
// read as inference/face_network.py reads it.

import { clip } from "./geometry.js";

const LEAST = 0.2; // likeness from which a place is a candidate; the keypoint network decides
const TILE = 1024; // side of the largest square, px, that the network is shown at once
const OVERLAP = 64; // px of its surroundings that a tile shows on each side
const SMALLEST_LEVEL = 24; // px of the longer side
const GRAY = 128; // what lies beyond the edge, as in training
const CLOSE = 0.5; // distance of middles, in sides of the larger, under which two candidates are one
const ALIKE = 1.8; // times larger: beyond, they are two

/**
 * Candidates {x, y, side, roll, odds} in a grey level {gray, width, height}, px of it, the likeliest first; odds: how many
 * times likelier a face than none.
 *
 * facts: {stride, sides, unit} of the network's file; maps: gives its maps, Float32Array (6, h / stride, w / stride), of
 * pixels, Uint8Array (h, w), with h and w.
 */
export async function candidates(level, facts, maps) {
  const every = [];
  let factor = 2;
  for (let small = half(level); small; small = half(small), factor *= 2) {
    for (const { x, y, side, ...rest } of await onLevel(small, facts, maps)) {
      every.push({ x: (x + 0.5) * factor - 0.5, y: (y + 0.5) * factor - 0.5, side: side * factor, ...rest });
    }
    if (Math.max(small.width, small.height) < 2 * SMALLEST_LEVEL) break;
  }
  return distinct(every.sort((a, b) => b.odds - a.odds));
}

/** A picture half as large: means of 2 x 2 pixels; an odd last row or column is left out. null: nothing is left. */
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

/** Candidates of one level; tile by tile where it is large, each tile those in its own part. */
async function onLevel(level, facts, maps) {
  const { width, height } = level;
  if (Math.max(width, height) <= TILE) return inTile(level, [0, 0, width, height], facts, maps);
  const step = TILE - 2 * OVERLAP;
  const found = [];
  for (let top = 0; top < height; top += step) {
    for (let left = 0; left < width; left += step) {
      const [x0, y0] = [Math.max(0, left - OVERLAP), Math.max(0, top - OVERLAP)];
      const ends = [Math.min(left + step + OVERLAP, width), Math.min(top + step + OVERLAP, height)];
      const owned = (at, start, whole) => (at >= start - 0.5 && at < start + step - 0.5) || at < -0.5 || at > whole - 0.5;
      for (const one of await inTile(level, [x0, y0, ...ends], facts, maps)) {
        const [x, y] = [one.x + x0, one.y + y0];
        if (owned(x, left, width) && owned(y, top, height)) found.push({ ...one, x, y });
      }
    }
  }
  return found;
}

/** Candidates in the part [x0, y0, x1, y1] of a level, px of the part. */
async function inTile({ gray, width }, [x0, y0, x1, y1], { stride, sides, unit }, maps) {
  const columns = Math.ceil((x1 - x0) / stride);
  const rows = Math.ceil((y1 - y0) / stride);
  const part = new Uint8Array(columns * rows * stride * stride).fill(GRAY);
  for (let y = y0; y < y1; y++) part.set(gray.subarray(y * width + x0, y * width + x1), (y - y0) * columns * stride);
  const told = await maps(part, rows * stride, columns * stride);
  const map = (number, cell) => told[number * rows * columns + cell];
  const least = Math.log(LEAST / (1 - LEAST));
  const middle = (stride - 1) / 2;
  const found = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const cell = row * columns + column;
      if (map(0, cell) < least || !isPeak(told, row, column, rows, columns)) continue;
      found.push({
        x: stride * (column + map(1, cell)) + middle,
        y: stride * (row + map(2, cell)) + middle,
        side: clip(unit * Math.exp(clip(map(3, cell), -5, 5)), sides[0] / 2, 2 * sides[1]), // beyond it guesses
        roll: Math.atan2(map(5, cell), map(4, cell)),
        odds: Math.exp(clip(map(0, cell), -20, 20)),
      });
    }
  }
  return found;
}

/** Is no neighbor of a cell of the first map likelier? */
function isPeak(map, row, column, rows, columns) {
  for (let y = Math.max(0, row - 1); y <= Math.min(rows - 1, row + 1); y++) {
    for (let x = Math.max(0, column - 1); x <= Math.min(columns - 1, column + 1); x++) {
      if (map[y * columns + x] > map[row * columns + column]) return false;
    }
  }
  return true;
}

/** Without those that are another one found again. */
function distinct(every) {
  const kept = [];
  for (const one of every) {
    const again = kept.some((other) => {
      const [smaller, larger] = [Math.min(other.side, one.side), Math.max(other.side, one.side)];
      return Math.hypot(other.x - one.x, other.y - one.y) < CLOSE * larger && larger < ALIKE * smaller;
    });
    if (!again) kept.push(one);
  }
  return kept;
}
