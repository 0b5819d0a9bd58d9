// Live view of the camera, and taking a photo with it.

import { Camera } from "./camera.js";
import { facesLocally } from "./face-results.js";
import { aim, withdraw } from "./framing.js";
import { predictLocally } from "./local-networks.js";
import { facesOnServer, predictOnServer, modelInfo } from "./server-api.js";
import { magnify, element, showLive } from "./view.js";

let camera = null;

/**
 * Start or restart the camera.
 *
 * page: {showStatus, showError, onDevice, runtime, faceDetector, ended}: onDevice(): no image may leave the browser;
 * runtime(): networks run in this browser; faceDetector(): its metadata if it runs here; ended(): the camera stopped.
 */
export async function startCamera(page) {
  await stopCamera(page);
  page.showError("");
  withdraw();
  page.showStatus("Starting the camera …");
  try {
    if (!navigator.mediaDevices) throw new Error("browsers allow it only for https and localhost");
    const predict = page.runtime() ? predictLocally : predictOnServer;
    const onFrame = (frame) => showFrame(frame, page);
    camera = new Camera(element("video"), { info: await modelInfo(), predict, detect: detection(page), onFrame });
    await camera.start();
  } catch (error) {
    camera = null;
    page.showError(`The camera cannot be used: ${error.message}. You may have to allow it in your browser.`);
    return;
  }
  liveView(true);
  page.showStatus(waiting());
  camera.run().catch(async (error) => {
    await stopCamera(page);
    page.showError(error.message);
  });
}

/** Face detection in this browser if available, else by the server if allowed, else null. */
function detection(page) {
  const faceDetector = page.faceDetector();
  if (faceDetector) return (picture) => facesLocally(picture, faceDetector);
  return page.onDevice() ? null : async (_, still) => facesOnServer(await still(), false);
}

function waiting() {
  return camera.options.detect ? "Detecting your face …" : "Hold your face in the frame.";
}

function showFrame({ face, perSecond, width, height }, page) {
  showLive(face, width, height);
  if (!camera.options.detect && !face) aim(width, height);
  else withdraw();
  const status = face ? "Tracking your face." : waiting();
  if (element("status").textContent !== status) page.showStatus(status);
  element("frame-rate").textContent = `${perSecond.toFixed(0)} frames/s`;
}

function liveView(on) {
  if (on) element("result").hidden = false;
  element("photo").hidden = on;
  element("video").hidden = element("live").hidden = !on;
  element("saving").hidden = element("editing").hidden = on;
  element("measures").disabled = on;
  element("listed").hidden = element("measured").hidden = true;
  element("faces").replaceChildren();
  if (on) element("title").textContent = "Your camera";
  magnify(0);
}

export async function stopCamera(page) {
  if (!camera) return;
  camera.stop();
  camera = null;
  withdraw();
  liveView(false);
  page.showStatus("");
  page.ended();
}

/** True while the camera is on. */
export function filming() {
  return camera !== null;
}

/** The current frame as a file. */
export async function currentFrame(name) {
  return new File([await camera.still()], name, { type: "image/png" });
}
