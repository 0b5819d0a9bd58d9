// What the person does about faces: frames one that nobody looked for or found, removes one that is none.

import { faceFramed, positionOf } from "./faces.js";
import { beginFraming, framed, offer, withdraw } from "./framing.js";
import { chosen, counted, part } from "./view.js";

let page = null;
let photo = null;

/**
 * Let the buttons and keys work.
 *
 * given: {say, complain, look, gray, present}: two ways to tell something; who gives points of crops now; a photo as a
 * Picture; how to show a photo with one of its faces chosen.
 */
export function beginCorrections(given) {
  page = given;
  beginFraming(lookInFrame);
  part("look").onclick = lookInFrame;
  part("another").onclick = () => {
    frame();
    part("frame").focus();
  };
  part("cancel").onclick = leave;
  part("remove").onclick = remove;
  part("result").addEventListener("keydown", (event) => {
    if (event.key === "Delete" && !part("editing").hidden && photo.faces.length) remove();
    else if (event.key === "Escape" && framing() && photo.faces) leave();
    else return;
    event.preventDefault();
  });
}

/** Offer what can be done about this photo; byHand: nobody else looks for its faces, so a frame comes at once. */
export function offerCorrections(shown, byHand) {
  photo = shown;
  withdraw();
  part("editing").hidden = !photo.faces;
  part("remove").hidden = !photo.faces?.length;
  tellChosen();
  if (byHand && !photo.faces?.length) frame();
}

/** Name the face that `remove` takes away. */
export function tellChosen() {
  part("remove").textContent = photo?.faces?.length > 1 ? `Remove face ${chosen.face + 1}` : "Remove this face";
}

const framing = () => !part("framing").hidden;

function frame() {
  offer(photo.width, photo.height);
  part("editing").hidden = true;
  part("cancel").hidden = !photo.faces?.length;
  page.say("Draw a frame around a face, from the forehead to the chin, and ask for its points.");
}

function leave() {
  page.present(photo, chosen.face);
  part("another").focus();
}

/** Add the face in the frame; one that is there already is seen anew. */
async function lookInFrame() {
  if (part("look").disabled) return;
  const asked = photo;
  part("look").disabled = true;
  page.complain("");
  page.say("Looking …");
  try {
    const face = await faceFramed(page.gray(asked), framed(), page.look());
    asked.faces ??= [];
    const known = positionOf(face, asked.faces);
    const number = known < 0 ? asked.faces.length : known;
    asked.faces[number] = face;
    if (asked !== photo) return;
    const { activeElement } = document;
    page.present(asked, number);
    if ([part("frame"), part("look")].includes(activeElement)) part("another").focus(); // the frame is gone
  } catch (error) {
    page.complain(error.message);
  } finally {
    part("look").disabled = false;
  }
}

function remove() {
  const number = chosen.face;
  photo.faces.splice(number, 1);
  const left = photo.faces.length;
  page.present(photo, Math.max(0, Math.min(number, left - 1)));
  page.say(`Removed face ${number + 1}; ${counted(left)} left.${framing() ? " Draw a frame around another." : ""}`);
  if (left) part("remove").focus();
  else part(framing() ? "frame" : "another").focus();
}
