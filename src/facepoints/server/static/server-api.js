// Requests to the server: faces of photos, points of crops, model metadata.

import { SIZE } from "./geometry.js";

let key = "";
let keyPrompt = async () => "";

/** Set the function that asks the user for the API key. */
export function setKeyPrompt(prompt) {
  keyPrompt = prompt;
}

/** fetch with the API key; throws an Error with the server's problem text. */
export async function request(path, options = {}) {
  const headers = { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server cannot be reached. Is it still running?");
  }
  if (response.status === 401) {
    key = await keyPrompt(Boolean(key));
    if (key) return request(path, options);
  }
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    throw new Error(problem.detail || problem.title || `The server responded with status ${response.status}.`);
  }
  return response;
}

let info = null;

/** {keypoints, mean_shape, mean_error}: metadata of the keypoint network. */
export async function modelInfo() {
  info ??= request("/v1/model").then((response) => response.json());
  info.catch(() => {
    info = null; // the next call tries again
  });
  return info;
}

/** Faces {box, score, points, expected_error, measures} of a photo, detected by the server. */
export async function facesOnServer(file, measures, signal) {
  const form = new FormData();
  form.append("image", file, file.name || "photo.png");
  const response = await request(`/v1/faces${measures ? "?measures" : ""}`, { method: "POST", body: form, signal });
  return (await response.json()).faces;
}

/** {points, errors} of crops (each Uint8Array of 96 x 96), px of the crops, predicted by the server. */
export async function predictOnServer(crops) {
  const headers = { "Content-Type": "application/x-npy" };
  const response = await request("/v1/points", { method: "POST", body: npy(crops), headers });
  const answer = await response.json();
  return { points: answer.points, errors: answer.expected_error };
}

/** The crops as a NumPy file: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
function npy(crops) {
  const header = `{'descr': '|u1', 'fortran_order': False, 'shape': (${crops.length}, ${SIZE}, ${SIZE}), }`;
  const padded = `${header.padEnd(117)}\n`; // a multiple of 64 with the 10 bytes before it
  const start = new Uint8Array([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, padded.length, 0]);
  return new Blob([start, padded, ...crops]);
}
