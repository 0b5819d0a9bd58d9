// The camera's part of the page: points live, a picture to keep.

import { Camera } from "./camera.js";
import { facesHere } from "./faces.js";
import { aim, withdraw } from "./framing.js";
import { lookHere } from "./here.js";
import { facesByServer, lookByServer, modelFacts } from "./model.js";
import { magnify, part, showLive } from "./view.js";

let camera = null;

/**
 * Start, or start again.
 *
 * page: {say, complain, staying, runtime, finder, ended}: two ways to tell something; whether no picture may leave the
 * browser; whether networks run here; the finder's facts where it runs here; what to show when the camera stops.
 */
export async function startCamera(page) {
  await stopCamera(page);
  page.complain("");
  withdraw();
  page.say("Starting the camera …");
  try {
    if (!navigator.mediaDevices) throw new Error("browsers give it only to https and localhost");
    const look = page.runtime() ? lookHere : lookByServer;
    const shown = (frame) => live(frame, page);
    camera = new Camera(part("video"), { facts: await modelFacts(), look, find: wayToFind(page), shown });
    await camera.start();
  } catch (error) {
    camera = null;
    page.complain(`The camera cannot be used: ${error.message}. You may have to allow it in your browser.`);
    return;
  }
  liveView(true);
  page.say(waiting());
  camera.run().catch(async (error) => {
    await stopCamera(page);
    page.complain(error.message);
  });
}

/** This browser where it can, else the server where it may, else nobody: null. */
function wayToFind(page) {
  const finder = page.finder();
  if (finder) return (picture) => facesHere(picture, finder);
  return page.staying() ? null : async (_, still) => facesByServer(await still(), false);
}

function waiting() {
  return camera.how.find ? "Looking for your face …" : "Hold your face in the frame.";
}

function live({ face, perSecond, width, height }, page) {
  showLive(face, width, height);
  if (!camera.how.find && !face) aim(width, height);
  else withdraw();
  const words = face ? "Following your face." : waiting();
  if (part("status").textContent !== words) page.say(words);
  part("pace").textContent = `${perSecond.toFixed(0)} pictures a second`;
}

function liveView(on) {
  if (on) part("result").hidden = false;
  part("photo").hidden = on;
  part("video").hidden = part("live").hidden = !on;
  part("saving").hidden = part("editing").hidden = on;
  part("measures").disabled = on;
  part("listed").hidden = part("measured").hidden = true;
  part("faces").replaceChildren();
  if (on) part("title").textContent = "Your camera";
  magnify(0);
}

export async function stopCamera(page) {
  if (!camera) return;
  camera.stop();
  camera = null;
  withdraw();
  liveView(false);
  page.say("");
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
