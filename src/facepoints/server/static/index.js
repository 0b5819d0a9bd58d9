// The page: loads photos, detects points on the server or in this browser, shows and saves them.

import { initFileInput, promptForKey } from "./file-input.js";
import { initEditing, updateEditing, labelRemoveButton } from "./edit-faces.js";
import { asCsv, asJson, asPng, save } from "./save-files.js";
import { facesLocally } from "./face-results.js";
import { Picture } from "./geometry.js";
import { predictLocally } from "./local-networks.js";
import { MIN_SCORE } from "./verify.js";
import { currentFrame, filming, startCamera, stopCamera } from "./camera-view.js";
import { request, facesOnServer, predictOnServer, modelInfo, setKeyPrompt } from "./server-api.js";
import { initView, selected, counted, magnify, element, refresh, show } from "./view.js";
import { privacyDetails, privacyNote } from "./privacy-text.js";

const photos = []; // {name, file, image, width, height, faces}
let current = null;
let about = { runtime: false, face_detector: null, measures: false };

const onDevice = () => element("on-device").checked;
const localFaceDetector = () => (about.runtime ? about.face_detector : null);
const manual = () => onDevice() && !localFaceDetector();

/** Context for the camera and for manual corrections. */
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
  element("error").textContent = text;
  if (text && !current?.faces) showStatus("");
}

/** Add files one after the other, and show the first. */
async function addFiles(files) {
  if (!files.length) return;
  await stopCamera(page);
  showError("");
  const problems = [];
  let first = null;
  for (const file of files) {
    const photo = await opened(file);
    if (!photo) {
      problems.push(`${file.name}: your browser cannot read this file as an image. Try a JPEG or PNG.`);
      continue;
    }
    photos.push(photo);
    listThumbnails();
    if (!first) choose((first = photo));
    if (!manual()) await findFaces(photo).catch((error) => problems.push(`${file.name}: ${error.message}`));
    if (photo === current) choose(photo);
  }
  if (problems.length) showError(problems.join(" "));
}

/** A photo from a file, null where the browser cannot decode it. */
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
  showStatus(`Detecting faces in ${photo.name} …`);
  if (onDevice()) {
    await new Promise((done) => setTimeout(done, 30)); // show the status first: the networks block this page
    photo.faces = await facesLocally(grayOf(photo), localFaceDetector());
  } else photo.faces = await facesOnServer(photo.file, about.measures);
}

/** Make a photo the current one. */
function choose(photo) {
  current = photo;
  magnify(0);
  present(photo);
  listThumbnails();
}

/** Show a photo with one of its faces selected, and the controls for it. */
function present(photo, face = 0) {
  element("result").hidden = false;
  element("title").textContent = photo.name;
  show(photo, face);
  element("saving").hidden = !photo.faces;
  element("measures").disabled = !about.measures || (photo.faces !== null && !photo.faces.some((face) => face.measures));
  if (photo.faces) showStatus(report(photo));
  updateEditing(photo, manual());
}

function report({ faces, name }) {
  if (!faces.length) return `No face found in ${name}. Draw a frame around a face, or try a larger or brighter photo.`;
  const unsure = faces.flatMap(({ score }, i) => (score < MIN_SCORE ? [i + 1] : []));
  const which = faces.length > 1 ? `Face ${unsure.join(" and ")}` : "This";
  const warning = unsure.length ? ` ${which} may not be a face: remove it, or draw its frame again.` : "";
  return `Found ${counted(faces.length)} in ${name}.${warning}`;
}

function listThumbnails() {
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
      if (!photo.faces && !manual()) await detectAgain(photo);
      element("thumbnails").children[i].focus();
    };
    return button;
  });
  element("thumbnails").replaceChildren(...(photos.length > 1 ? buttons : []));
}

/** Detect faces in a photo without results. */
async function detectAgain(photo) {
  showError("");
  try {
    await findFaces(photo);
  } catch (error) {
    showError(`${photo.name}: ${error.message}`);
  }
  if (photo === current) choose(photo);
}

/** The photo as a gray Picture, the networks' input. */
function grayOf(photo) {
  if (photo.gray) return photo.gray;
  const canvas = document.createElement("canvas");
  canvas.width = photo.width;
  canvas.height = photo.height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white"; // behind transparent pixels, as on the server
  context.fillRect(0, 0, photo.width, photo.height);
  context.drawImage(photo.image, 0, 0);
  photo.gray = Picture.of(context.getImageData(0, 0, photo.width, photo.height));
  return photo.gray;
}

function showPrivacy() {
  element("on-device").disabled = !about.runtime;
  element("privacy-note").textContent = privacyNote(onDevice(), about.runtime, localFaceDetector());
  element("privacy-details").textContent = privacyDetails(about.runtime, localFaceDetector());
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
  element("take-photo").onclick = async () => addFiles([await currentFrame(`camera ${photos.length + 1}.png`)]);
  about = await (await request("page/about.json")).json();
  initFileInput(addFiles, showError);
  element("on-device").onchange = async () => {
    showPrivacy();
    if (filming()) return startCamera(page);
    if (current) choose(current);
    if (current && !current.faces && !manual()) await detectAgain(current);
  };
  showPrivacy();
  refresh();
}

init().catch((error) => showError(error.message));
