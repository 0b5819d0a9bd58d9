// The page: photos come in, somebody finds the points, the person looks at them and takes them away.

import { beginArrivals, wantKey } from "./arrivals.js";
import { beginCorrections, offerCorrections, tellChosen } from "./corrections.js";
import { asCsv, asJson, asPng, save } from "./downloads.js";
import { facesHere } from "./faces.js";
import { Picture } from "./geometry.js";
import { lookHere } from "./here.js";
import { ENOUGH } from "./judgment.js";
import { filming, keptFrame, startCamera, stopCamera } from "./live.js";
import { ask, facesByServer, lookByServer, modelFacts, onKeyWanted } from "./model.js";
import { beginView, chosen, counted, magnify, part, refresh, show } from "./view.js";
import { promise, whereTo } from "./words.js";

const photos = []; // {name, file, image, width, height, faces}
let current = null;
let about = { runtime: false, finder: null, measures: false, examples: [] };

const staying = () => part("stay").checked;
const finderHere = () => (about.runtime ? about.finder : null);
const byHand = () => staying() && !finderHere();

/** What the parts for the camera and for corrections need of this one. */
const page = {
  say,
  complain,
  staying,
  present,
  runtime: () => about.runtime,
  finder: finderHere,
  look: () => (about.runtime ? lookHere : lookByServer),
  gray: grayOf,
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
    if (!byHand()) await findFaces(photo).catch((error) => problems.push(`${file.name}: ${error.message}`));
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
  if (staying()) {
    await new Promise((done) => setTimeout(done, 30)); // the networks keep this page busy: let it show first what it does
    photo.faces = await facesHere(grayOf(photo), finderHere());
  } else photo.faces = await facesByServer(photo.file, about.measures);
}

/** Turn to a photo; where its points are not known yet, offer the way to them. */
function choose(photo) {
  current = photo;
  magnify(0);
  present(photo);
  listShots();
}

/** Show what is known of a photo, with one of its faces chosen. */
function present(photo, face = 0) {
  part("result").hidden = false;
  part("title").textContent = photo.name;
  show(photo, face);
  part("saving").hidden = !photo.faces;
  part("measures").disabled = !about.measures || (photo.faces !== null && !photo.faces.some((face) => face.measures));
  if (photo.faces) say(report(photo));
  offerCorrections(photo, byHand());
}

function report({ faces, name }) {
  if (!faces.length) return `No face was found in ${name}. You can put a frame around one, or try a larger or brighter photo.`;
  const unsure = faces.flatMap(({ score }, i) => (score < ENOUGH ? [i + 1] : []));
  const which = faces.length > 1 ? `Face ${unsure.join(" and ")}` : "This";
  const doubt = unsure.length ? ` ${which} may be no face: remove it, or frame it again.` : "";
  return `Found ${counted(faces.length)} in ${name}.${doubt}`;
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
      if (!photo.faces && !byHand()) await again(photo);
      part("shots").children[i].focus();
    };
    return button;
  });
  part("shots").replaceChildren(...(photos.length > 1 ? buttons : []));
}

/** Look for the faces of a photo that has no points yet. */
async function again(photo) {
  complain("");
  try {
    await findFaces(photo);
  } catch (error) {
    complain(`${photo.name}: ${error.message}`);
  }
  if (photo === current) choose(photo);
}

/** What the networks see of a photo. */
function grayOf(photo) {
  if (photo.gray) return photo.gray;
  const canvas = document.createElement("canvas");
  canvas.width = photo.width;
  canvas.height = photo.height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white"; // what is see-through lies on white paper, as for the server
  context.fillRect(0, 0, photo.width, photo.height);
  context.drawImage(photo.image, 0, 0);
  photo.gray = Picture.of(context.getImageData(0, 0, photo.width, photo.height));
  return photo.gray;
}

function tellWhere() {
  part("stay").disabled = !about.runtime;
  part("where").textContent = whereTo(staying(), about.runtime, finderHere());
  part("promise").textContent = promise(about.runtime, finderHere());
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
  beginView(tellChosen);
  beginSaving();
  beginCorrections(page);
  part("camera").onclick = () => startCamera(page);
  part("stop").onclick = () => stopCamera(page);
  part("snap").onclick = async () => take([await keptFrame(`camera ${photos.length + 1}.png`)]);
  about = await (await ask("page/about.json")).json();
  beginArrivals(take, complain, about.examples);
  part("stay").onchange = async () => {
    tellWhere();
    if (filming()) return startCamera(page);
    if (current) choose(current);
    if (current && !current.faces && !byHand()) await again(current);
  };
  tellWhere();
  refresh();
}

begin().catch((error) => complain(error.message));
