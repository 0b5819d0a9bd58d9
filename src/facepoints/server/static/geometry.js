// Maps regions of a picture to the network's 96 x 96 pixels and back, as inference/regions.py does. Pixel centers are
// whole numbers; angles are radians, clockwise as displayed.

export const SIZE = 96;
const MIDDLE = (SIZE - 1) / 2;
const FINER = 2; // larger regions are sampled at twice the size and averaged, against aliasing

export const clip = (value, least, most) => Math.min(Math.max(value, least), most);

/** A gray picture: gray is a Uint8Array, row by row. */
export class Picture {
  constructor(gray, width, height) {
    this.gray = gray;
    this.width = width;
    this.height = height;
  }

  /** From RGBA pixels, with the weights of Rec. 601, as OpenCV. */
  static of(imageData) {
    const { data, width, height } = imageData;
    const gray = new Uint8Array(width * height);
    for (let i = 0, j = 0; i < gray.length; i++, j += 4) {
      gray[i] = (data[j] * 4899 + data[j + 1] * 9617 + data[j + 2] * 1868 + 8192) >> 14;
    }
    return new Picture(gray, width, height);
  }

  /** The network's input for a region {x, y, side, roll}: Uint8Array of 96 x 96. Edge pixels are repeated outside. */
  crop({ x, y, side, roll }) {
    const fine = side > SIZE ? SIZE * FINER : SIZE;
    const factor = Math.max(1, Math.floor(side / fine));
    const { part, left, top } = this.#reduced(x, y, (side / 2) * (Math.abs(Math.cos(roll)) + Math.abs(Math.sin(roll))), factor);
    const step = side / fine / factor;
    const cos = step * Math.cos(roll);
    const sin = step * Math.sin(roll);
    const startX = (x - left + 0.5) / factor - 0.5 - ((fine - 1) / 2) * (cos - sin);
    const startY = (y - top + 0.5) / factor - 0.5 - ((fine - 1) / 2) * (sin + cos);
    const times = fine / SIZE;
    const sums = new Uint16Array(SIZE * SIZE);
    for (let row = 0; row < fine; row++) {
      for (let column = 0; column < fine; column++) {
        const value = sampled(part, startX + cos * column - sin * row, startY + sin * column + cos * row);
        sums[Math.floor(row / times) * SIZE + Math.floor(column / times)] += Math.round(value);
      }
    }
    return Uint8Array.from(sums, (sum) => Math.round(sum / (times * times)));
  }

  /** The upright part within `reach` of (x, y), with a margin, and blocks of factor x factor pixels averaged. */
  #reduced(x, y, reach, factor) {
    if (factor === 1) return { part: this, left: 0, top: 0 };
    const begin = (at, limit) => clip(Math.floor(at - reach - 2 * factor), 0, limit - 1);
    const end = (at, first, limit) => clip(Math.ceil(at + reach + 2 * factor) + 1, first + 1, limit);
    const [left, top] = [begin(x, this.width), begin(y, this.height)];
    const [right, bottom] = [end(x, left, this.width) - 1, end(y, top, this.height) - 1];
    const width = Math.ceil((right + 1 - left) / factor);
    const height = Math.ceil((bottom + 1 - top) / factor);
    const sums = new Uint32Array(width * height);
    for (let row = 0; row < height * factor; row++) {
      const line = Math.min(top + row, bottom) * this.width; // whole blocks: the last pixels are repeated
      const to = Math.floor(row / factor) * width;
      for (let column = 0; column < width * factor; column++) {
        sums[to + Math.floor(column / factor)] += this.gray[line + Math.min(left + column, right)];
      }
    }
    const gray = Uint8Array.from(sums, (sum) => Math.round(sum / (factor * factor)));
    return { part: { gray, width, height }, left, top };
  }
}

/** Bilinear interpolation; positions are rounded to 1/32 px, as in OpenCV. */
function sampled({ gray, width, height }, exactX, exactY) {
  const [x, y] = [Math.round(32 * exactX) / 32, Math.round(32 * exactY) / 32];
  const left = Math.floor(x);
  const top = Math.floor(y);
  const right = x - left;
  const down = y - top;
  const x0 = clip(left, 0, width - 1);
  const x1 = clip(left + 1, 0, width - 1);
  const y0 = clip(top, 0, height - 1) * width;
  const y1 = clip(top + 1, 0, height - 1) * width;
  const upper = gray[y0 + x0] * (1 - right) + gray[y0 + x1] * right;
  const lower = gray[y1 + x0] * (1 - right) + gray[y1 + x1] * right;
  return upper * (1 - down) + lower * down;
}

/** The upright square with the center and the longer side of a box [x, y, w, h]. */
export function regionOfBox([x, y, w, h]) {
  return { x: x + w / 2 - 0.5, y: y + h / 2 - 0.5, side: Math.max(w, h), roll: 0 };
}

/** The box [x, y, w, h] of a region, ignoring its roll. */
export function boxOf({ x, y, side }) {
  return [x + 0.5 - side / 2, y + 0.5 - side / 2, side, side];
}

/** The region whose crop aligns the points with the mean shape by least squares (Umeyama 1991, in 2D). */
export function regionOfPoints(points, meanShape) {
  const [px, py] = mean(points);
  const [tx, ty] = mean(meanShape);
  let real = 0;
  let imaginary = 0;
  let norm = 0;
  points.forEach(([x, y], i) => {
    const ax = meanShape[i][0] - tx;
    const ay = meanShape[i][1] - ty;
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

/** Converts points from px of a region's crop to px of the picture. */
export function onPicture({ x, y, side, roll }, points) {
  const cos = (side / SIZE) * Math.cos(roll);
  const sin = (side / SIZE) * Math.sin(roll);
  return points.map(([a, b]) => [
    x + cos * (a - MIDDLE) - sin * (b - MIDDLE),
    y + sin * (a - MIDDLE) + cos * (b - MIDDLE),
  ]);
}

/** The mean [x, y] of points. */
export function mean(points) {
  return [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);
}
