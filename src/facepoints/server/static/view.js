// What the page shows of a photo: the picture with its marks, the tables beside it, the little label at a point.

import { drawIn, plain } from "./overlay.js";

export const part = (id) => document.getElementById(id);
const FARTHEST = 8;

const MEASURES = {
  roll: ["Head tilted", "°", "clockwise as you see it"],
  turn: ["Head turned", "°", "to the right of the photo"],
  nod: ["Head nodded", "°", "downwards"],
  eye_distance: ["Between the eyes", " px", "middle to middle"],
  mouth_opening: ["Mouth open", "", "eye distances, between the lips' middles"],
  mouth_width: ["Mouth wide", "", "eye distances, corner to corner"],
  brow_height: ["Brows high", "", "eye distances above the eyes"],
  asymmetry: ["Halves differ", "", "eye distances, left half from right half"],
};

/** What is chosen to be shown. */
export const chosen = { names: false, rings: false, measures: false, face: 0 };
let zoom = 1;
let shown = null;
let mirrored = false;
let onChosen = () => {};

/** Show a photo {name, image, width, height, faces}, one of its faces chosen; faces null: not known yet. */
export function show(photo, face = 0) {
  chosen.face = face;
  shown = photo;
  mirrored = false;
  const image = part("photo");
  if (photo.image.src !== image.src) image.src = photo.image.src;
  image.alt = photo.faces ? `${photo.name}, with ${counted(photo.faces.length)} marked` : photo.name;
  part("sheet").style.setProperty("--ratio", photo.width / photo.height);
  refresh();
}

/** Show a frame of the camera, as a mirror does. */
export function showLive(face, width, height) {
  mirrored = true;
  chosen.face = 0;
  shown = { name: "camera", width, height, faces: face ? [face] : [] };
  part("sheet").style.setProperty("--ratio", width / height);
  drawMarks();
  // numbers that run are of no use to anybody: the table comes with a picture that is kept
}

/** Draw marks and tables again. */
export function refresh() {
  drawMarks();
  hideTip();
  if (!shown?.faces) return clearTables();
  part("faces").replaceChildren(...(shown.faces.length > 1 ? shown.faces.map((_, i) => faceButton(i)) : []));
  const face = shown.faces[chosen.face];
  if (!face) return clearTables();
  part("listed").hidden = false;
  part("point-table").replaceChildren(pointTable(face));
  part("measured").hidden = !(chosen.measures && face.measures);
  if (face.measures) part("measure-table").replaceChildren(measureTable(face.measures));
}

function drawMarks() {
  if (!shown) return;
  const photo = { ...shown, faces: (shown.faces ?? []).map((face) => (mirrored ? reflected(face, shown.width) : face)) };
  const unit = photo.width / Math.max(part("sheet").clientWidth, 1);
  drawIn(part("marks"), photo, chosen, unit);
  part("legend").hidden = !(chosen.rings && photo.faces.length);
}

function reflected(face, width) {
  const [x, y, w, h] = face.box;
  const points = Object.entries(face.points).map(([name, [a, b]]) => [name, [width - 1 - a, b]]);
  return { ...face, box: [width - x - w, y, w, h], points: Object.fromEntries(points) };
}

function clearTables() {
  part("faces").replaceChildren();
  part("listed").hidden = part("measured").hidden = true;
}

/** 1 face, 2 faces. */
export function counted(number, word = "face") {
  return `${number === 0 ? "no" : number} ${word}${number === 1 ? "" : "s"}`;
}

function faceButton(i) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = `Face ${i + 1}`;
  button.setAttribute("aria-pressed", String(i === chosen.face));
  button.onclick = () => {
    choose(i);
    part("faces").children[i].focus();
  };
  return button;
}

function choose(face) {
  chosen.face = face;
  refresh();
  onChosen();
}

function table(caption, header, rows) {
  const made = document.createElement("table");
  made.createCaption().textContent = caption;
  const head = made.createTHead().insertRow();
  header.forEach((text, i) => {
    const cell = head.appendChild(document.createElement("th"));
    cell.scope = "col";
    cell.textContent = text;
    if (i) cell.className = "number";
  });
  const body = made.createTBody();
  for (const cells of rows) {
    const row = body.insertRow();
    cells.forEach((content, i) => {
      const cell = row.insertCell();
      cell.append(content);
      if (i) cell.className = "number";
    });
  }
  return made;
}

function pointTable(face) {
  const rows = Object.entries(face.points).map(([name, [x, y]], i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `${i + 1}. ${plain(name)}`;
    button.onfocus = () => point(name);
    button.onblur = hideTip;
    return [button, x.toFixed(1), y.toFixed(1), `± ${face.expected_error[name].toFixed(1)}`];
  });
  const made = table("In pixels of the photo, from its top left corner", ["Point", "across", "down", "may be off"], rows);
  Object.keys(face.points).forEach((name, i) => {
    const row = made.tBodies[0].rows[i];
    row.dataset.name = name;
    row.onpointerenter = () => point(name);
    row.onpointerleave = hideTip;
  });
  return made;
}

function measureTable(measures) {
  const rows = Object.entries(MEASURES).map(([name, [title, unit, what]]) => {
    const value = measures[name];
    const words = document.createElement("span");
    words.innerHTML = "<span></span><br><span class=muted></span>";
    words.firstChild.textContent = title;
    words.lastChild.textContent = what;
    const places = unit === "°" || unit === " px" ? 1 : 2;
    const told = value === null || value === undefined ? "cannot be told" : value.toFixed(places) + unit;
    const error = measures[`${name}_error`];
    return [words, told, error === null || error === undefined ? "" : `± ${error.toFixed(places)}`];
  });
  return table("An eye distance: from the middle of one eye to the other", ["Measure", "value", "may be off"], rows);
}

/** Say at a point of the chosen face, or of another, which it is. */
export function point(name, number = chosen.face) {
  const face = shown?.faces?.[number];
  if (!face?.points[name]) return;
  const [x, y] = mirrored ? reflected(face, shown.width).points[name] : face.points[name];
  const tip = part("tip");
  tip.textContent = `${plain(name)}, may be off by ${face.expected_error[name].toFixed(1)} px`;
  tip.hidden = false;
  const sheet = part("sheet");
  const half = tip.offsetWidth / 2 + 4;
  const at = ((x + 0.5) / shown.width) * sheet.clientWidth;
  tip.style.left = `${Math.min(Math.max(at, half), Math.max(half, sheet.clientWidth - half))}px`;
  tip.style.top = `${((y + 0.5) / shown.height) * 100}%`;
  tip.classList.toggle("below", ((y + 0.5) / shown.height) * sheet.clientHeight < 50);
  for (const dot of part("marks").querySelectorAll(".dot")) {
    dot.classList.toggle("chosen", dot.dataset.name === name && Number(dot.dataset.face) === number);
  }
  for (const row of document.querySelectorAll("#point-table tbody tr")) {
    row.classList.toggle("chosen", row.dataset.name === name && number === chosen.face);
  }
}

export function hideTip() {
  part("tip").hidden = true;
  for (const marked of document.querySelectorAll("#marks .chosen, #point-table .chosen")) marked.classList.remove("chosen");
}

/** Larger or smaller around the middle of what is seen; factor 0: as it fits. */
export function magnify(factor) {
  const stage = part("stage");
  const seen = [
    (stage.scrollLeft + stage.clientWidth / 2) / stage.scrollWidth,
    (stage.scrollTop + stage.clientHeight / 2) / stage.scrollHeight,
  ];
  zoom = factor ? Math.min(Math.max(zoom * factor, 1), FARTHEST) : 1;
  part("sheet").style.setProperty("--zoom", zoom);
  stage.scrollLeft = seen[0] * stage.scrollWidth - stage.clientWidth / 2;
  stage.scrollTop = seen[1] * stage.scrollHeight - stage.clientHeight / 2;
  part("smaller").disabled = zoom <= 1;
  part("larger").disabled = zoom >= FARTHEST;
  drawMarks();
  hideTip();
}

/** Let hovering, touching, zooming and toggles work; whenChosen: what else to do when another face is chosen. */
export function beginView(whenChosen) {
  onChosen = whenChosen;
  const marks = part("marks");
  marks.addEventListener("pointerover", ({ target }) => {
    if (target.dataset.name) point(target.dataset.name, Number(target.dataset.face));
    else hideTip();
  });
  marks.addEventListener("pointerleave", hideTip);
  marks.addEventListener("click", ({ target }) => {
    if (target.dataset.face === undefined || mirrored) return;
    choose(Number(target.dataset.face));
  });
  for (const name of ["names", "rings", "measures"]) {
    chosen[name] = part(name).checked; // a browser may remember it
    part(name).onchange = () => {
      chosen[name] = part(name).checked;
      refresh();
    };
  }
  part("smaller").onclick = () => magnify(1 / 1.5);
  part("larger").onclick = () => magnify(1.5);
  part("fit").onclick = () => magnify(0);
  part("stage").addEventListener("keydown", (event) => {
    if (event.target !== part("stage") || event.ctrlKey || event.metaKey) return;
    if (event.key === "+" || event.key === "=") magnify(1.5);
    else if (event.key === "-") magnify(1 / 1.5);
    else if (event.key === "0") magnify(0);
  });
  new ResizeObserver(drawMarks).observe(part("sheet"));
  magnify(0);
}
