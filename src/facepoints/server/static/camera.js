// Live points: the face is detected once, then tracked from frame to frame and smoothed.

import { asFace } from "./face-results.js";
import { Picture, regionOfPoints } from "./geometry.js";
import { MIN_SCORE, faceInBox, refine } from "./verify.js";
import { Smoother } from "./one-euro.js";

const LEAST_TRACKED = 0.4; // least score of a tracked face, as in inference/video
const VIEWS = 2; // the minimum for a disagreement
const PAUSE = 0.4; // seconds between two detections

/** A box [x, y, w, h] in the middle of the picture, where the face usually is. */
export function middleBox(width, height) {
  const side = 0.6 * Math.min(width, height);
  return [(width - side) / 2, (height - side) / 2, side, side];
}

/**
 * Tracks the largest face in a video element.
 *
 * options: {info, predict, detect, onFrame}: model metadata; predict(crops) gives {points, errors}; detect(picture, still)
 * gives the faces of a frame, still() being the frame as a file, or is null if the user holds the face in the middle;
 * onFrame({face, perSecond, width, height}) is called for each frame.
 */
export class Camera {
  constructor(video, options) {
    this.video = video;
    this.options = options;
    this.running = false;
    this.canvas = document.createElement("canvas");
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
  }

  /** Request the camera and start; throws where there is none or access is denied. */
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

  /** The current frame as a file. */
  still() {
    this.context.drawImage(this.video, 0, 0);
    return new Promise((done) => this.canvas.toBlob(done, "image/png"));
  }

  /** Process frame after frame until stopped. */
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
      if (this.running) this.options.onFrame({ face, perSecond, width, height });
    }
  }

  async #faceIn(picture) {
    const { info, predict } = this.options;
    const found = this.region ? (await refine(picture, [this.region], predict, VIEWS))[0] : await this.#detect(picture);
    if (!found || found.score < (this.region ? LEAST_TRACKED : MIN_SCORE)) {
      this.region = this.smoother = null;
      return null;
    }
    this.region = regionOfPoints(found.points, info.mean_shape[0]);
    this.smoother ??= new Smoother();
    const points = this.smoother.next(found.points, found.errors, performance.now() / 1000);
    return asFace({ ...found, points }, info.keypoints);
  }

  async #detect(picture) {
    const { info, predict, detect } = this.options;
    const now = performance.now() / 1000;
    if (now - (this.detectedAt ?? -PAUSE) < PAUSE) return null;
    this.detectedAt = now;
    if (!detect) return faceInBox(picture, middleBox(picture.width, picture.height), info.mean_shape[0], predict);
    const [face] = await detect(picture, () => this.still());
    if (!face) return null;
    const points = info.keypoints.map((name) => face.points[name]);
    return { points, errors: info.keypoints.map((name) => face.expected_error[name]), score: face.score, region: asRegion(face) };
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
