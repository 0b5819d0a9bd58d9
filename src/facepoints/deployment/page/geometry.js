// Regions of a picture and their way to the network's 96 x 96 pixels and back; as deployment/regions.py and
// deployment/judgment.py do it. Pixel centers are whole numbers; angles are radians, clockwise as seen.

export const SIZE = 96;
const MIDDLE = (SIZE - 1) / 2;
const FINER = 2; // larger regions are sampled at twice the size and averaged: linear sampling alone would alias
export const VIEWS = [1.0, 0.85, 1.15];
const EVEN = 2.28;
const STEEPNESS = 5.52;

/** A grey picture, and smaller copies of it where they were needed. */
export class Picture {
  constructor(gray, width, height) {
    this.levels = new Map([[1, { gray, width, height }]]);
    this.width = width;
    this.height = height;
  }

  /** From RGBA pixels, weighted as OpenCV does (Rec. 601). */
  static of(imageData) {
    const { data, width, height } = imageData;
    const gray = new Uint8Array(width * height);
    for (let i = 0, j = 0; i < gray.length; i++, j += 4) {
      gray[i] = (data[j] * 4899 + data[j + 1] * 9617 + data[j + 2] * 1868 + 8192) >> 14;
    }
    return new Picture(gray, width, height);
  }

  /** The picture with blocks of factor x factor pixels averaged; a block at the edge averages what there is. */
  reduced(factor) {
    if (!this.levels.has(factor)) this.levels.set(factor, shrunk(this.levels.get(1), factor));
    return this.levels.get(factor);
  }

  /** What the network sees of a region {x, y, side, roll}: Uint8Array of 96 x 96. Beyond the edge its pixels repeat. */
  crop({ x, y, side, roll }) {
    const fine = side > SIZE ? SIZE * FINER : SIZE;
    const factor = Math.max(1, Math.floor(side / fine));
    const { gray, width, height } = this.reduced(factor);
    const step = side / fine / factor;
    const cos = step * Math.cos(roll);
    const sin = step * Math.sin(roll);
    const startX = (x + 0.5) / factor - 0.5 - ((fine - 1) / 2) * (cos - sin);
    const startY = (y + 0.5) / factor - 0.5 - ((fine - 1) / 2) * (sin + cos);
    const times = fine / SIZE;
    const sums = new Float32Array(SIZE * SIZE);
    for (let row = 0; row < fine; row++) {
      for (let column = 0; column < fine; column++) {
        const value = sampled(gray, width, height, startX + cos * column - sin * row, startY + sin * column + cos * row);
        sums[Math.floor(row / times) * SIZE + Math.floor(column / times)] += value;
      }
    }
    return Uint8Array.from(sums, (sum) => Math.round(sum / (times * times)));
  }
}

function shrunk({ gray, width, height }, factor) {
  const w = Math.ceil(width / factor);
  const h = Math.ceil(height / factor);
  const small = new Uint8Array(w * h);
  for (let row = 0; row < h; row++) {
    for (let column = 0; column < w; column++) {
      let sum = 0;
      let count = 0;
      for (let y = row * factor; y < Math.min(height, (row + 1) * factor); y++) {
        for (let x = column * factor; x < Math.min(width, (column + 1) * factor); x++, count++) sum += gray[y * width + x];
      }
      small[row * w + column] = Math.round(sum / count);
    }
  }
  return { gray: small, width: w, height: h };
}

function sampled(gray, width, height, x, y) {
  const left = Math.floor(x);
  const top = Math.floor(y);
  const right = x - left;
  const down = y - top;
  const x0 = Math.min(Math.max(left, 0), width - 1);
  const x1 = Math.min(Math.max(left + 1, 0), width - 1);
  const y0 = Math.min(Math.max(top, 0), height - 1) * width;
  const y1 = Math.min(Math.max(top + 1, 0), height - 1) * width;
  const upper = gray[y0 + x0] * (1 - right) + gray[y0 + x1] * right;
  const lower = gray[y1 + x0] * (1 - right) + gray[y1 + x1] * right;
  return upper * (1 - down) + lower * down;
}

/** The upright square with the middle and the longer side of a box [x, y, w, h]. */
export function regionOfBox([x, y, w, h]) {
  return { x: x + w / 2 - 0.5, y: y + h / 2 - 0.5, side: Math.max(w, h), roll: 0 };
}

/** The box [x, y, w, h] of a region, as if it were upright. */
export function boxOf({ x, y, side }) {
  return [x + 0.5 - side / 2, y + 0.5 - side / 2, side, side];
}

/** The region in whose crop points come nearest to the typical ones (Umeyama 1991, in a plane). */
export function regionOfPoints(points, typical) {
  const [px, py] = mean(points);
  const [tx, ty] = mean(typical);
  let real = 0;
  let imaginary = 0;
  let norm = 0;
  points.forEach(([x, y], i) => {
    const ax = typical[i][0] - tx;
    const ay = typical[i][1] - ty;
    real += (x - px) * ax + (y - py) * ay;
    imaginary += (y - py) * ax - (x - px) * ay;
    norm += ax * ax + ay * ay;
  });
  real /= norm;
  imaginary /= norm;
  const x = px + real * (MIDDLE - tx) - imaginary * (MIDDLE - ty);
  const y = py + imaginary * (MIDDLE - tx) + real * (MIDDLE - ty);
  return { x, y, side: SIZE * Math.hypot(real, imaginary), roll: Math.atan2(imaginary, real) };
}

function onPicture({ x, y, side, roll }, points) {
  const cos = (side / SIZE) * Math.cos(roll);
  const sin = (side / SIZE) * Math.sin(roll);
  return points.map(([a, b]) => [
    x + cos * (a - MIDDLE) - sin * (b - MIDDLE),
    y + sin * (a - MIDDLE) + cos * (b - MIDDLE),
  ]);
}

function mean(points) {
  return [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);
}

/** The points of the face in a region, from so many views of it: {region, points, errors, score}, px of the picture. */
export async function refine(picture, region, views, look) {
  const seen = VIEWS.slice(0, views).map((size) => ({ ...region, side: region.side * size }));
  const found = await look(seen.map((view) => picture.crop(view)));
  const each = seen.map((view, i) => onPicture(view, found.points[i]));
  const points = each[0].map((_, k) => mean(each.map((view) => view[k])));
  const errors = points.map(
    (_, k) => seen.reduce((sum, view, i) => sum + (found.errors[i][k] * view.side) / SIZE, 0) / views,
  );
  const apart = each.slice(1).map((view) => meanDistance(view, each[0]));
  const disagreement = (Math.max(0, ...apart) * SIZE) / region.side;
  const odds = (EVEN / Math.max(disagreement, 1e-3)) ** STEEPNESS;
  return { region, points, errors, score: odds / (1 + odds) };
}

/** The face that a person has framed: a first look, then one at where it turned out to be. */
export async function faceInBox(picture, box, typical, look) {
  const first = await refine(picture, regionOfBox(box), 1, look);
  const second = await refine(picture, regionOfPoints(first.points, typical), VIEWS.length, look);
  return refine(picture, regionOfPoints(second.points, typical), VIEWS.length, look);
}

function meanDistance(one, other) {
  return one.reduce((sum, [x, y], i) => sum + Math.hypot(x - other[i][0], y - other[i][1]), 0) / one.length;
}
