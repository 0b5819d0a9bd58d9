// The networks in this browser, by ONNX Runtime: no picture leaves it.

import { candidates } from "./detect-faces.js";
import { SIZE } from "./geometry.js";
import { request, modelInfo } from "./server-api.js";

const BATCH = 64; // crops in one call of the network at most: more gain no speed and take memory
const KEYPOINTS = "/v1/model.onnx";
const FINDER = new URL("./face_detector.onnx", import.meta.url).href;

const networks = new Map(); // address -> promise of a session

async function network(address) {
  if (!networks.has(address)) {
    networks.set(address, begun(address));
    networks.get(address).catch(() => networks.delete(address)); // asked again next time
  }
  return networks.get(address);
}

async function runtime() {
  const ort = await import("./runtime/ort.wasm.min.mjs");
  ort.env.wasm.wasmPaths = new URL("./runtime/", import.meta.url).href;
  ort.env.wasm.numThreads = 1; // networks this small gain little from a second
  return ort;
}

async function begun(address) {
  const ort = await runtime();
  const content = await (await request(address)).arrayBuffer();
  return ort.InferenceSession.create(new Uint8Array(content), { executionProviders: ["wasm"] });
}

let last = Promise.resolve();

/** What a network answers; one after the other, as a session cannot answer two at once. */
async function run(address, feeds) {
  const session = await network(address);
  const answer = last.then(() => session.run(feeds));
  last = answer.catch(() => {});
  return answer;
}

/** Points and expected errors, px of the crops, of crops (each Uint8Array of 96 x 96): what predictOnServer gives. */
export async function predictLocally(crops) {
  const points = [];
  const errors = [];
  for (let start = 0; start < crops.length; start += BATCH) {
    const part = await predictBatch(crops.slice(start, start + BATCH));
    points.push(...part.points);
    errors.push(...part.errors);
  }
  return { points, errors };
}

async function predictBatch(crops) {
  const { Tensor } = await runtime();
  const { keypoints, mean_error } = await modelInfo();
  const n = crops.length;
  const pixels = new Uint8Array(n * SIZE * SIZE);
  crops.forEach((crop, i) => pixels.set(crop, i * SIZE * SIZE));
  const answer = await run(KEYPOINTS, {
    faces: new Tensor("uint8", pixels, [n, SIZE, SIZE]),
    source: new Tensor("int64", new BigInt64Array(n), [n]),
  });
  const k = keypoints.length;
  const at = answer.points.data;
  const error = answer.expected_error?.data;
  return {
    points: crops.map((_, i) => keypoints.map((_, j) => [at[2 * (i * k + j)], at[2 * (i * k + j) + 1]])),
    errors: crops.map((_, i) => (error ? [...error.slice(i * k, (i + 1) * k)] : mean_error[0])),
  };
}

/** Regions of a picture that may be faces; facts: what the faceDetector's file says of itself. */
export async function candidatesLocally(picture, facts) {
  const { Tensor } = await runtime();
  const maps = async (pixels, height, width) => {
    const answer = await run(FINDER, { picture: new Tensor("uint8", pixels, [1, 1, height, width]) });
    return answer.maps.data;
  };
  return candidates(picture, facts, maps);
}
