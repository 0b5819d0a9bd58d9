// What the person does about faces: frames one that nobody looked for or found, removes one that is none.

import { faceFramed, positionOf } from "./face-results.js";
import { initFraming, framed, offer, withdraw } from "./framing.js";
import { selected, counted, element } from "./view.js";

let page = null;
let photo = null;

/**
 * Let the buttons and keys work.
 *
 * given: {say, showError, predict, gray, present}: two ways to tell something; who gives points of crops now; a photo as a
 * Picture; how to show a photo with one of its faces selected.
 */
export function initEditing(given) {
  page = given;
  initFraming(predictInFrame);
  element("predict").onclick = predictInFrame;
  element("another").onclick = () => {
    frame();
    element("frame").focus();
  };
  element("cancel").onclick = leave;
  element("remove").onclick = remove;
  element("result").addEventListener("keydown", (event) => {
    if (event.key === "Delete" && !element("editing").hidden && photo.faces.length) remove();
    else if (event.key === "Escape" && framing() && photo.faces) leave();
    else return;
    event.preventDefault();
  });
}

/** Offer what can be done about this photo; byHand: nobody else looks for its faces, so a frame comes at once. */
export function updateEditing(shown, byHand) {
  photo = shown;
  withdraw();
  element("editing").hidden = !photo.faces;
  element("remove").hidden = !photo.faces?.length;
  labelRemoveButton();
  if (byHand && !photo.faces?.length) frame();
}

/** Name the face that `remove` takes away. */
export function labelRemoveButton() {
  element("remove").textContent = photo?.faces?.length > 1 ? `Remove face ${selected.face + 1}` : "Remove this face";
}

const framing = () => !element("framing").hidden;

function frame() {
  offer(photo.width, photo.height);
  element("editing").hidden = true;
  element("cancel").hidden = !photo.faces?.length;
  page.showStatus("Draw a frame around a face, from the forehead to the chin, and ask for its points.");
}

function leave() {
  page.present(photo, selected.face);
  element("another").focus();
}

/** Add the face in the frame; one that is there already is seen anew. */
async function predictInFrame() {
  if (element("predict").disabled) return;
  const asked = photo;
  element("predict").disabled = true;
  page.showError("");
  page.showStatus("Looking …");
  try {
    const face = await faceFramed(page.gray(asked), framed(), page.predict());
    asked.faces ??= [];
    const known = positionOf(face, asked.faces);
    const number = known < 0 ? asked.faces.length : known;
    asked.faces[number] = face;
    if (asked !== photo) return;
    const { activeElement } = document;
    page.present(asked, number);
    if ([element("frame"), element("predict")].includes(activeElement)) element("another").focus(); // the frame is gone
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
  else element(framing() ? "frame" : "another").focus();
}
