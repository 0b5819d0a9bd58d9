// The page: photos come in, somebody finds the points, the person looks at them and takes them away.

import { beginArrivals, wantKey } from "./arrivals.js";
import { asFace } from "./camera.js";
import { asCsv, asJson, asPng, save } from "./downloads.js";
import { beginFraming, framed, offer, withdraw } from "./framing.js";
import { Picture, faceInBox } from "./geometry.js";
import { filming, keptFrame, startCamera, stopCamera } from "./live.js";
import { ask, facesByServer, lookHere, modelFacts, onKeyWanted } from "./model.js";
import { beginView, chosen, counted, magnify, part, refresh, show } from "./view.js";

const photos = []; // {name, file, image, width, height, faces}
let current = null;
let about = { runtime: false, measures: false, examples: [] };

const staying = () => part("stay").checked;

/** What the camera's part needs of this one. */
const page = {
  say,
  complain,
  staying,
  runtime: () => about.runtime,
  ended: () => {
    part("result").hidden = !photos.length;
    if (current) choose(current);
  },
};

function say(text) {
  part("status").textContent = text;
}

function complain(text) {
  part("trouble").textContent = text;
  if (text && !current?.faces) say("");
}

/** Take files in, one after the other; the first of them is shown. */
async function take(files) {
  if (!files.length) return;
  await stopCamera(page);
  complain("");
  const problems = [];
  let first = null;
  for (const file of files) {
    const photo = await opened(file);
    if (!photo) {
      problems.push(`${file.name}: this is no picture that your browser can show. Try a JPEG or PNG.`);
      continue;
    }
    photos.push(photo);
    listShots();
    if (!first) choose((first = photo));
    if (!staying()) await findFaces(photo).catch((error) => problems.push(`${file.name}: ${error.message}`));
    if (photo === current) choose(photo);
  }
  if (problems.length) complain(problems.join(" "));
}

/** A photo from a file, null where the browser cannot show it. */
async function opened(file) {
  const image = new Image();
  image.src = URL.createObjectURL(file);
  try {
    await image.decode();
  } catch {
    URL.revokeObjectURL(image.src);
    return null;
  }
  return { name: file.name || "pasted.png", file, image, width: image.naturalWidth, height: image.naturalHeight, faces: null };
}

async function findFaces(photo) {
  say(`Looking for faces in ${photo.name} …`);
  photo.faces = await facesByServer(photo.file, about.measures);
}

/** Show a photo; where its points are not known yet, offer the way to them. */
function choose(photo) {
  current = photo;
  withdraw();
  magnify(0);
  part("result").hidden = false;
  part("title").textContent = photo.name;
  show(photo);
  listShots();
  part("saving").hidden = !photo.faces;
  part("measures").disabled = !about.measures || (photo.faces !== null && !photo.faces.some((face) => face.measures));
  if (photo.faces) say(report(photo));
  if (staying()) photo.faces ? offerAnother(photo) : frame(photo);
}

function frame(photo) {
  offer(photo.width, photo.height);
  part("look").textContent = "Mark the face in the frame";
  part("look").onclick = lookInFrame;
  say("Draw a frame around a face, from the forehead to the chin, and ask for its points.");
}

function report({ faces, name }) {
  if (!faces.length) return `No face was found in ${name}. A larger or brighter photo, seen more from the front, may help.`;
  const unsure = faces.some((face) => face.score < 0.8);
  return `Found ${counted(faces.length)} in ${name}.${unsure ? " This may be no face: move the frame and try again." : ""}`;
}

function listShots() {
  const buttons = photos.map((photo, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", String(photo === current));
    button.setAttribute("aria-label", `Photo ${i + 1}: ${photo.name}`);
    const small = new Image();
    small.src = photo.image.src;
    small.alt = "";
    button.append(small);
    button.onclick = async () => {
      await stopCamera(page);
      choose(photo);
      if (!photo.faces && !staying()) await again(photo);
      part("shots").children[i].focus();
    };
    return button;
  });
  part("shots").replaceChildren(...(photos.length > 1 ? buttons : []));
}

/** Ask the server for a photo that has no points yet. */
async function again(photo) {
  complain("");
  try {
    await findFaces(photo);
  } catch (error) {
    complain(`${photo.name}: ${error.message}`);
  }
  if (photo === current) choose(photo);
}

/** The face in the frame, without the picture leaving the browser. */
async function lookInFrame() {
  const photo = current;
  const box = framed();
  part("look").disabled = true;
  complain("");
  say("Looking …");
  try {
    const { keypoints, typical } = await modelFacts();
    photo.gray ??= grayOf(photo);
    const found = await faceInBox(photo.gray, box, typical[0], lookHere);
    photo.faces = [asFace(found, keypoints)];
    if (photo !== current) return;
    const { activeElement } = document;
    choose(photo);
    if (activeElement === part("frame")) part("look").focus(); // the frame is gone
  } catch (error) {
    complain(error.message);
  } finally {
    part("look").disabled = false;
  }
}

function offerAnother(photo) {
  part("framing").hidden = false;
  part("look").textContent = "Frame another face";
  part("look").onclick = () => {
    photo.faces = null;
    choose(photo);
  };
}

function grayOf(photo) {
  const canvas = document.createElement("canvas");
  canvas.width = photo.width;
  canvas.height = photo.height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(photo.image, 0, 0);
  return Picture.of(context.getImageData(0, 0, photo.width, photo.height));
}

function tellWhere() {
  const here = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  const server = here ? "the program on this computer" : `the server ${location.host}`;
  part("stay").disabled = !about.runtime;
  part("where").textContent = staying()
    ? "No picture leaves your browser. It cannot look for faces itself, so you put a frame around a face. Measures are left out."
    : about.runtime
      ? `Photos go to ${server}, which answers and forgets them.`
      : `Photos go to ${server}, which answers and forgets them. What it takes to do without is not installed there.`;
  part("promise").textContent =
    `Unless “Stay on my device” is on, photos go to ${server}. It reads them, answers and forgets them: nothing is ` +
    "stored or written to a log. With it on, the network runs in this browser and no picture leaves it. The camera: " +
    (about.runtime ? "without it, a picture goes there only to find your face; it is followed in this browser." : "small crops of your face go there.");
}

function beginSaving() {
  const known = () => photos.filter((photo) => photo.faces);
  part("csv").onclick = async () => save("points.csv", asCsv(known(), (await modelFacts()).keypoints), "text/csv");
  part("json").onclick = () => save("points.json", asJson(known()), "application/json");
  part("png").onclick = async () => {
    save(`${current.name.replace(/\.[^.]*$/, "")} points.png`, await asPng(current, chosen), "image/png");
  };
}

async function begin() {
  onKeyWanted(wantKey);
  beginView();
  beginSaving();
  beginFraming(lookInFrame);
  part("camera").onclick = () => startCamera(page);
  part("stop").onclick = () => stopCamera(page);
  part("snap").onclick = async () => take([await keptFrame(`camera ${photos.length + 1}.png`)]);
  about = await (await ask("page/about.json")).json();
  beginArrivals(take, complain, about.examples);
  part("stay").onchange = async () => {
    tellWhere();
    if (filming()) return startCamera(page);
    if (current) choose(current);
    if (current && !current.faces && !staying()) await again(current);
  };
  tellWhere();
  refresh();
}

begin().catch((error) => complain(error.message));
