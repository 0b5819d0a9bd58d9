// Live points: the face is found once, then followed from frame to frame and smoothed.

import { asFace } from "./face-results.js";
import { Picture, regionOfPoints } from "./geometry.js";
import { MIN_SCORE, faceInBox, refine } from "./verify.js";
import { Smoother } from "./one-euro.js";

const HOLDS = 0.4; // the least score of a followed face, as inference/video/tracking.py
const VIEWS = 2; // the fewest that can disagree
const PAUSE = 0.4; // seconds between two searches for a face

/** The middle of a picture, where a person before a camera usually is: a box [x, y, w, h]. */
export function middleBox(width, height) {
  const side = 0.6 * Math.min(width, height);
  return [(width - side) / 2, (height - side) / 2, side, side];
}

/**
 * Follows the largest face in a video element.
 *
 * how: {facts, predict, find, shown}: the model's facts; who gives points; who finds faces in a frame, given it as a Picture
 * and as a function that makes a file of it, or null where the person holds the face in the middle; what to do with each
 * frame's {face, perSecond, width, height}.
 */
export class Camera {
  constructor(video, how) {
    this.video = video;
    this.how = how;
    this.running = false;
    this.canvas = document.createElement("canvas");
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
  }

  /** Ask for the camera and begin; throws where there is none or the person says no. */
  async start() {
    const size = { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" };
    this.stream = await navigator.mediaDevices.getUserMedia({ video: size, audio: false });
    this.video.srcObject = this.stream;
    await this.video.play();
    this.canvas.width = this.video.videoWidth;
    this.canvas.height = this.video.videoHeight;
    this.running = true;
  }

  stop() {
    this.running = false;
    this.stream?.getTracks().forEach((track) => track.stop());
    this.video.srcObject = null;
  }

  /** The present frame as a file. */
  still() {
    this.context.drawImage(this.video, 0, 0);
    return new Promise((done) => this.canvas.toBlob(done, "image/png"));
  }

  /** Frame after frame until stopped. */
  async run() {
    const times = [];
    while (this.running) {
      await this.#nextFrame();
      if (!this.running) return;
      this.context.drawImage(this.video, 0, 0);
      const { width, height } = this.canvas;
      const picture = Picture.of(this.context.getImageData(0, 0, width, height));
      const face = await this.#faceIn(picture);
      times.push(performance.now() / 1000);
      if (times.length > 30) times.shift();
      const perSecond = times.length > 1 ? (times.length - 1) / (times.at(-1) - times[0]) : 0;
      if (this.running) this.how.shown({ face, perSecond, width, height });
    }
  }

  async #faceIn(picture) {
    const { facts, predict } = this.how;
    const found = this.region ? (await refine(picture, [this.region], predict, VIEWS))[0] : await this.#search(picture);
    if (!found || found.score < (this.region ? HOLDS : MIN_SCORE)) {
      this.region = this.smoother = null;
      return null;
    }
    this.region = regionOfPoints(found.points, facts.mean_shape[0]);
    this.smoother ??= new Smoother();
    const points = this.smoother.next(found.points, found.errors, performance.now() / 1000);
    return asFace({ ...found, points }, facts.keypoints);
  }

  async #search(picture) {
    const { facts, predict, find } = this.how;
    const now = performance.now() / 1000;
    if (now - (this.searched ?? -PAUSE) < PAUSE) return null;
    this.searched = now;
    if (!find) return faceInBox(picture, middleBox(picture.width, picture.height), facts.mean_shape[0], predict);
    const [face] = await find(picture, () => this.still());
    if (!face) return null;
    const points = facts.keypoints.map((name) => face.points[name]);
    return { points, errors: facts.keypoints.map((name) => face.expected_error[name]), score: face.score, region: asRegion(face) };
  }

  #nextFrame() {
    const { video } = this;
    return new Promise((done) => {
      if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(done);
      else requestAnimationFrame(done);
    });
  }
}

function asRegion({ box: [x, y, side] }) {
  return { x: x + side / 2 - 0.5, y: y + side / 2 - 0.5, side, roll: 0 };
}
