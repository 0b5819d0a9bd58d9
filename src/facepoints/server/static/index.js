// The page: photos come in, somebody finds the points, the person looks at them and takes them away.

import { initFileInput, promptForKey } from "./file-input.js";
import { initEditing, updateEditing, labelRemoveButton } from "./edit-faces.js";
import { asCsv, asJson, asPng, save } from "./save-files.js";
import { facesLocally } from "./face-results.js";
import { Picture } from "./geometry.js";
import { predictLocally } from "./local-networks.js";
import { MIN_SCORE } from "./verify.js";
import { filming, keptFrame, startCamera, stopCamera } from "./camera-view.js";
import { request, facesOnServer, predictOnServer, modelInfo, setKeyPrompt } from "./server-api.js";
import { initView, selected, counted, magnify, element, refresh, show } from "./view.js";
import { privacyDetails, privacyNote } from "./privacy-text.js";

const photos = []; // {name, file, image, width, height, faces}
let current = null;
let about = { runtime: false, face_detector: null, measures: false, examples: [] };

const onDevice = () => element("stay").checked;
const localFaceDetector = () => (about.runtime ? about.face_detector : null);
const byHand = () => onDevice() && !localFaceDetector();

/** What the parts for the camera and for corrections need of this one. */
const page = {
  showStatus,
  showError,
  onDevice,
  present,
  runtime: () => about.runtime,
  faceDetector: localFaceDetector,
  predict: () => (about.runtime ? predictLocally : predictOnServer),
  gray: grayOf,
  ended: () => {
    element("result").hidden = !photos.length;
    if (current) choose(current);
  },
};

function showStatus(text) {
  element("status").textContent = text;
}

function showError(text) {
  element("trouble").textContent = text;
  if (text && !current?.faces) showStatus("");
}

/** Take files in, one after the other; the first of them is shown. */
async function addFiles(files) {
  if (!files.length) return;
  await stopCamera(page);
  showError("");
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
  if (problems.length) showError(problems.join(" "));
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
  showStatus(`Looking for faces in ${photo.name} …`);
  if (onDevice()) {
    await new Promise((done) => setTimeout(done, 30)); // the networks keep this page busy: let it show first what it does
    photo.faces = await facesLocally(grayOf(photo), localFaceDetector());
  } else photo.faces = await facesOnServer(photo.file, about.measures);
}

/** Turn to a photo; where its points are not known yet, offer the way to them. */
function choose(photo) {
  current = photo;
  magnify(0);
  present(photo);
  listShots();
}

/** Show what is known of a photo, with one of its faces selected. */
function present(photo, face = 0) {
  element("result").hidden = false;
  element("title").textContent = photo.name;
  show(photo, face);
  element("saving").hidden = !photo.faces;
  element("measures").disabled = !about.measures || (photo.faces !== null && !photo.faces.some((face) => face.measures));
  if (photo.faces) showStatus(report(photo));
  updateEditing(photo, byHand());
}

function report({ faces, name }) {
  if (!faces.length) return `No face was found in ${name}. You can put a frame around one, or try a larger or brighter photo.`;
  const unsure = faces.flatMap(({ score }, i) => (score < MIN_SCORE ? [i + 1] : []));
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
      element("shots").children[i].focus();
    };
    return button;
  });
  element("shots").replaceChildren(...(photos.length > 1 ? buttons : []));
}

/** Look for the faces of a photo that has no points yet. */
async function again(photo) {
  showError("");
  try {
    await findFaces(photo);
  } catch (error) {
    showError(`${photo.name}: ${error.message}`);
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

function showPrivacy() {
  element("stay").disabled = !about.runtime;
  element("where").textContent = privacyNote(onDevice(), about.runtime, localFaceDetector());
  element("promise").textContent = privacyDetails(about.runtime, localFaceDetector());
}

function initSaving() {
  const known = () => photos.filter((photo) => photo.faces);
  element("csv").onclick = async () => save("points.csv", asCsv(known(), (await modelInfo()).keypoints), "text/csv");
  element("json").onclick = () => save("points.json", asJson(known()), "application/json");
  element("png").onclick = async () => {
    save(`${current.name.replace(/\.[^.]*$/, "")} points.png`, await asPng(current, selected), "image/png");
  };
}

async function init() {
  setKeyPrompt(promptForKey);
  initView(labelRemoveButton);
  initSaving();
  initEditing(page);
  element("camera").onclick = () => startCamera(page);
  element("stop").onclick = () => stopCamera(page);
  element("snap").onclick = async () => addFiles([await keptFrame(`camera ${photos.length + 1}.png`)]);
  about = await (await request("page/about.json")).json();
  initFileInput(addFiles, showError, about.examples);
  element("stay").onchange = async () => {
    showPrivacy();
    if (filming()) return startCamera(page);
    if (current) choose(current);
    if (current && !current.faces && !byHand()) await again(current);
  };
  showPrivacy();
  refresh();
}

init().catch((error) => showError(error.message));
