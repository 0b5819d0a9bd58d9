// The camera's part of the page: points live, a picture to keep.

import { Camera } from "./camera.js";
import { facesLocally } from "./face-results.js";
import { aim, withdraw } from "./framing.js";
import { predictLocally } from "./local-networks.js";
import { facesOnServer, predictOnServer, modelInfo } from "./server-api.js";
import { magnify, element, showLive } from "./view.js";

let camera = null;

/**
 * Start, or start again.
 *
 * page: {say, showError, onDevice, runtime, faceDetector, ended}: two ways to tell something; whether no picture may leave the
 * browser; whether networks run here; the faceDetector's facts where it runs here; what to show when the camera stops.
 */
export async function startCamera(page) {
  await stopCamera(page);
  page.showError("");
  withdraw();
  page.showStatus("Starting the camera …");
  try {
    if (!navigator.mediaDevices) throw new Error("browsers give it only to https and localhost");
    const predict = page.runtime() ? predictLocally : predictOnServer;
    const shown = (frame) => live(frame, page);
    camera = new Camera(element("video"), { facts: await modelInfo(), predict, find: wayToFind(page), shown });
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

/** This browser where it can, else the server where it may, else nobody: null. */
function wayToFind(page) {
  const faceDetector = page.faceDetector();
  if (faceDetector) return (picture) => facesLocally(picture, faceDetector);
  return page.onDevice() ? null : async (_, still) => facesOnServer(await still(), false);
}

function waiting() {
  return camera.how.find ? "Looking for your face …" : "Hold your face in the frame.";
}

function live({ face, perSecond, width, height }, page) {
  showLive(face, width, height);
  if (!camera.how.find && !face) aim(width, height);
  else withdraw();
  const words = face ? "Following your face." : waiting();
  if (element("status").textContent !== words) page.showStatus(words);
  element("pace").textContent = `${perSecond.toFixed(0)} pictures a second`;
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

/** Is the camera on? */
export function filming() {
  return camera !== null;
}

/** The present frame as a file. */
export async function keptFrame(name) {
  return new File([await camera.still()], name, { type: "image/png" });
}
