// Points over time without the jitter, as inference/video/smoothing.py does it: a One Euro filter (Casiez, Roussel and
// Vogel, CHI 2012) whose speed counts in expected errors.

const RESTING = 0.4; // Hz
const OPENING = 0.1; // Hz for each expected error per second
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
    const agility = share(SPEED_CUTOFF, step);
    this.points = points.map((now, i) => {
      const before = this.points[i];
      this.speed[i] = [0, 1].map((a) => this.speed[i][a] + agility * ((now[a] - before[a]) / step - this.speed[i][a]));
      const part = share(RESTING + (OPENING * Math.hypot(...this.speed[i])) / Math.max(errors[i], 1e-6), step);
      return [0, 1].map((a) => before[a] + part * (now[a] - before[a]));
    });
    this.time = time;
    return this.points;
  }
}

function share(cutoff, step) {
  const turn = 2 * Math.PI * cutoff * step;
  return turn / (turn + 1);
}
