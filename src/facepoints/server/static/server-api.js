// What the server does: it finds faces, gives points of crops, and tells of its model.

import { SIZE } from "./geometry.js";

let key = "";
let keyPrompt = async () => "";

/** Tell how to get the server's key from the person, where the server asks for one. */
export function setKeyPrompt(ask) {
  keyPrompt = ask;
}

/** fetch that throws the server's own words. */
export async function request(path, options = {}) {
  const headers = { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Is it still running?");
  }
  if (response.status === 401) {
    key = await keyPrompt(Boolean(key));
    if (key) return request(path, options);
  }
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    throw new Error(problem.detail || problem.title || `The server answered ${response.status}.`);
  }
  return response;
}

let facts = null;

/** {keypoints, mean_shape, mean_error}: what the model says of itself. */
export async function modelInfo() {
  facts ??= request("/v1/model").then((response) => response.json());
  facts.catch(() => {
    facts = null; // asked again next time
  });
  return facts;
}

/** The faces of a photo, found by the server: {box, score, points, expected_error, measures}. */
export async function facesOnServer(file, measures, signal) {
  const form = new FormData();
  form.append("image", file, file.name || "photo.png");
  const response = await request(`/v1/faces${measures ? "?measures" : ""}`, { method: "POST", body: form, signal });
  return (await response.json()).faces;
}

/** Points and expected errors, px of the crops, of crops (each Uint8Array of 96 x 96), by the server. */
export async function predictOnServer(crops) {
  const headers = { "Content-Type": "application/x-npy" };
  const response = await request("/v1/points", { method: "POST", body: npy(crops), headers });
  const answer = await response.json();
  return { points: answer.points, errors: answer.expected_error };
}

/** The crops as a file of NumPy: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
function npy(crops) {
  const words = `{'descr': '|u1', 'fortran_order': False, 'shape': (${crops.length}, ${SIZE}, ${SIZE}), }`;
  const padded = `${words.padEnd(117)}\n`; // with the 10 bytes before it a multiple of 64
  const head = new Uint8Array([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, padded.length, 0]);
  return new Blob([head, padded, ...crops]);
}
