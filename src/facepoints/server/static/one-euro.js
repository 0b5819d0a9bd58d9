// Smoothing of points over time, as in inference/video/smoothing.py: a One Euro filter (Casiez, Roussel and Vogel,
// CHI 2012) with the speed in expected errors.

const MIN_CUTOFF = 0.4; // Hz
const SLOPE = 0.1; // Hz per expected error per second
const SPEED_CUTOFF = 3.0; // Hz

export class Smoother {
  /** The smoothed points at a time in seconds. */
  next(points, errors, time) {
    if (!this.points) {
      this.points = points;
      this.speed = points.map(() => [0, 0]);
      this.time = time;
      return points;
    }
    const step = Math.max(time - this.time, 1e-3);
    const speedWeight = weight(SPEED_CUTOFF, step);
    this.points = points.map((now, i) => {
      const before = this.points[i];
      this.speed[i] = [0, 1].map((a) => this.speed[i][a] + speedWeight * ((now[a] - before[a]) / step - this.speed[i][a]));
      const alpha = weight(MIN_CUTOFF + (SLOPE * Math.hypot(...this.speed[i])) / Math.max(errors[i], 1e-6), step);
      return [0, 1].map((a) => before[a] + alpha * (now[a] - before[a]));
    });
    this.time = time;
    return this.points;
  }
}

function weight(cutoff, step) {
  const r = 2 * Math.PI * cutoff * step;
  return r / (r + 1);
}
