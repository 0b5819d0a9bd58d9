// The networks in this browser, run by ONNX Runtime Web. No image leaves the browser.

import { candidates } from "./detect-faces.js";
import { SIZE } from "./geometry.js";
import { request, modelInfo } from "./server-api.js";

const BATCH = 64; // most crops in one call: a larger batch takes memory and is not faster
const KEYPOINT_NETWORK = "/v1/model.onnx";
const FACE_DETECTOR = new URL("./face_detector.onnx", import.meta.url).href;

const sessions = new Map(); // URL -> promise of a session

async function session(url) {
  if (!sessions.has(url)) {
    sessions.set(url, loaded(url));
    sessions.get(url).catch(() => sessions.delete(url)); // the next call tries again
  }
  return sessions.get(url);
}

async function runtime() {
  const ort = await import("./runtime/ort.wasm.min.mjs");
  ort.env.wasm.wasmPaths = new URL("./runtime/", import.meta.url).href;
  ort.env.wasm.numThreads = 1; // networks this small gain little from a second thread
  return ort;
}

async function loaded(url) {
  const ort = await runtime();
  const content = await (await request(url)).arrayBuffer();
  return ort.InferenceSession.create(new Uint8Array(content), { executionProviders: ["wasm"] });
}

let last = Promise.resolve();

/** The outputs of a network. Calls run one after the other: a session cannot run two at once. */
async function run(url, feeds) {
  const network = await session(url);
  const outputs = last.then(() => network.run(feeds));
  last = outputs.catch(() => {});
  return outputs;
}

/** {points, errors} of crops (each Uint8Array of 96 x 96), px of the crops, as from predictOnServer. */
export async function predictLocally(crops) {
  const points = [];
  const errors = [];
  for (let start = 0; start < crops.length; start += BATCH) {
    const batch = await predictBatch(crops.slice(start, start + BATCH));
    points.push(...batch.points);
    errors.push(...batch.errors);
  }
  return { points, errors };
}

async function predictBatch(crops) {
  const { Tensor } = await runtime();
  const { keypoints, mean_error } = await modelInfo();
  const n = crops.length;
  const pixels = new Uint8Array(n * SIZE * SIZE);
  crops.forEach((crop, i) => pixels.set(crop, i * SIZE * SIZE));
  const outputs = await run(KEYPOINT_NETWORK, {
    faces: new Tensor("uint8", pixels, [n, SIZE, SIZE]),
    source: new Tensor("int64", new BigInt64Array(n), [n]),
  });
  const k = keypoints.length;
  const xy = outputs.points.data;
  const error = outputs.expected_error?.data;
  return {
    points: crops.map((_, i) => keypoints.map((_, j) => [xy[2 * (i * k + j)], xy[2 * (i * k + j) + 1]])),
    errors: crops.map((_, i) => (error ? [...error.slice(i * k, (i + 1) * k)] : mean_error[0])),
  };
}

/** Candidate regions of faces in a picture; metadata: of the face detector's file. */
export async function candidatesLocally(picture, metadata) {
  const { Tensor } = await runtime();
  const maps = async (pixels, height, width) => {
    const outputs = await run(FACE_DETECTOR, { picture: new Tensor("uint8", pixels, [1, 1, height, width]) });
    return outputs.maps.data;
  };
  return candidates(picture, metadata, maps);
}
