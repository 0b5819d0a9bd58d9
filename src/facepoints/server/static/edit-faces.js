// Manual corrections: add a missed face by drawing a frame, remove a false detection.

import { faceFramed, positionOf } from "./face-results.js";
import { framed, initFraming, offer, withdraw } from "./framing.js";
import { counted, element, selected } from "./view.js";

let page = null;
let photo = null;

/**
 * Connect buttons and keys.
 *
 * context: {showStatus, showError, predict, gray, present}: predict() returns the current function that predicts points
 * of crops; gray(photo) is a Picture; present(photo, i) shows a photo with its i-th face selected.
 */
export function initEditing(context) {
  page = context;
  initFraming(predictInFrame);
  element("predict").onclick = predictInFrame;
  element("add-face").onclick = () => {
    startFraming();
    element("frame").focus();
  };
  element("cancel").onclick = cancel;
  element("remove").onclick = remove;
  element("result").addEventListener("keydown", (event) => {
    if (event.key === "Delete" && !element("editing").hidden && photo.faces.length) remove();
    else if (event.key === "Escape" && framing() && photo.faces) cancel();
    else return;
    event.preventDefault();
  });
}

/** Show the controls for this photo; manual: no face detector is available, so a frame is shown at once. */
export function updateEditing(shown, manual) {
  photo = shown;
  withdraw();
  element("editing").hidden = !photo.faces;
  element("remove").hidden = !photo.faces?.length;
  labelRemoveButton();
  if (manual && !photo.faces?.length) startFraming();
}

/** Show on the button which face it removes. */
export function labelRemoveButton() {
  element("remove").textContent = photo?.faces?.length > 1 ? `Remove face ${selected.face + 1}` : "Remove this face";
}

const framing = () => !element("framing").hidden;

function startFraming() {
  offer(photo.width, photo.height);
  element("editing").hidden = true;
  element("cancel").hidden = !photo.faces?.length;
  page.showStatus("Draw a frame around a face, from the forehead to the chin, then detect its points.");
}

function cancel() {
  page.present(photo, selected.face);
  element("add-face").focus();
}

/** Add the face in the frame, or replace it where it was detected before. */
async function predictInFrame() {
  if (element("predict").disabled) return;
  const target = photo;
  element("predict").disabled = true;
  page.showError("");
  page.showStatus("Detecting points …");
  try {
    const face = await faceFramed(page.gray(target), framed(), page.predict());
    target.faces ??= [];
    const known = positionOf(face, target.faces);
    const number = known < 0 ? target.faces.length : known;
    target.faces[number] = face;
    if (target !== photo) return;
    const { activeElement } = document;
    page.present(target, number);
    if ([element("frame"), element("predict")].includes(activeElement)) element("add-face").focus(); // both are hidden now
  } catch (error) {
    page.showError(error.message);
  } finally {
    element("predict").disabled = false;
  }
}

function remove() {
  const number = selected.face;
  photo.faces.splice(number, 1);
  const left = photo.faces.length;
  page.present(photo, Math.max(0, Math.min(number, left - 1)));
  page.showStatus(`Removed face ${number + 1}; ${counted(left)} left.${framing() ? " Draw a frame around another." : ""}`);
  if (left) element("remove").focus();
  else element(framing() ? "frame" : "add-face").focus();
}
