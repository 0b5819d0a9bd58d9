// What the page shows of a photo: the picture with its marks, the tables beside it, the little label at a point.

import { drawIn, plain } from "./overlay.js";

export const element = (id) => document.getElementById(id);
const FARTHEST = 8;

const MEASURES = {
  roll: ["Head tilted", "°", "clockwise as you see it"],
  yaw: ["Head turned", "°", "to the right of the photo"],
  pitch: ["Head nodded", "°", "downwards"],
  eye_distance: ["Between the eyes", " px", "middle to middle"],
  mouth_opening: ["Mouth open", "", "eye distances, between the lips' middles"],
  mouth_width: ["Mouth wide", "", "eye distances, corner to corner"],
  brow_height: ["Brows high", "", "eye distances above the eyes"],
  asymmetry: ["Halves differ", "", "eye distances, left half from right half"],
};

/** What is selected to be shown. */
export const selected = { names: false, rings: false, measures: false, face: 0 };
let zoom = 1;
let shown = null;
let mirrored = false;
let onSelected = () => {};

/** Show a photo {name, image, width, height, faces}, one of its faces selected; faces null: not known yet. */
export function show(photo, face = 0) {
  selected.face = face;
  shown = photo;
  mirrored = false;
  const image = element("photo");
  if (photo.image.src !== image.src) image.src = photo.image.src;
  image.alt = photo.faces ? `${photo.name}, with ${counted(photo.faces.length)} marked` : photo.name;
  element("sheet").style.setProperty("--ratio", photo.width / photo.height);
  refresh();
}

/** Show a frame of the camera, as a mirror does. */
export function showLive(face, width, height) {
  mirrored = true;
  selected.face = 0;
  shown = { name: "camera", width, height, faces: face ? [face] : [] };
  element("sheet").style.setProperty("--ratio", width / height);
  drawMarks();
  // numbers that run are of no use to anybody: the table comes with a picture that is kept
}

/** Draw marks and tables again. */
export function refresh() {
  drawMarks();
  hideTip();
  if (!shown?.faces) return clearTables();
  element("faces").replaceChildren(...(shown.faces.length > 1 ? shown.faces.map((_, i) => faceButton(i)) : []));
  const face = shown.faces[selected.face];
  if (!face) return clearTables();
  element("listed").hidden = false;
  element("point-table").replaceChildren(pointTable(face));
  element("measured").hidden = !(selected.measures && face.measures);
  if (face.measures) element("measure-table").replaceChildren(measureTable(face.measures));
}

function drawMarks() {
  if (!shown) return;
  const photo = { ...shown, faces: (shown.faces ?? []).map((face) => (mirrored ? reflected(face, shown.width) : face)) };
  const unit = photo.width / Math.max(element("sheet").clientWidth, 1);
  drawIn(element("marks"), photo, selected, unit);
  element("legend").hidden = !(selected.rings && photo.faces.length);
}

function reflected(face, width) {
  const [x, y, w, h] = face.box;
  const points = Object.entries(face.points).map(([name, [a, b]]) => [name, [width - 1 - a, b]]);
  return { ...face, box: [width - x - w, y, w, h], points: Object.fromEntries(points) };
}

function clearTables() {
  element("faces").replaceChildren();
  element("listed").hidden = element("measured").hidden = true;
}

/** 1 face, 2 faces. */
export function counted(number, word = "face") {
  return `${number === 0 ? "no" : number} ${word}${number === 1 ? "" : "s"}`;
}

function faceButton(i) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = `Face ${i + 1}`;
  button.setAttribute("aria-pressed", String(i === selected.face));
  button.onclick = () => {
    choose(i);
    element("faces").children[i].focus();
  };
  return button;
}

function choose(face) {
  selected.face = face;
  refresh();
  onSelected();
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

/** Say at a point of the selected face, or of another, which it is. */
export function point(name, number = selected.face) {
  const face = shown?.faces?.[number];
  if (!face?.points[name]) return;
  const [x, y] = mirrored ? reflected(face, shown.width).points[name] : face.points[name];
  const tip = element("tip");
  tip.textContent = `${plain(name)}, may be off by ${face.expected_error[name].toFixed(1)} px`;
  tip.hidden = false;
  const sheet = element("sheet");
  const half = tip.offsetWidth / 2 + 4;
  const at = ((x + 0.5) / shown.width) * sheet.clientWidth;
  tip.style.left = `${Math.min(Math.max(at, half), Math.max(half, sheet.clientWidth - half))}px`;
  tip.style.top = `${((y + 0.5) / shown.height) * 100}%`;
  tip.classList.toggle("below", ((y + 0.5) / shown.height) * sheet.clientHeight < 50);
  for (const dot of element("marks").querySelectorAll(".dot")) {
    dot.classList.toggle("selected", dot.dataset.name === name && Number(dot.dataset.face) === number);
  }
  for (const row of document.querySelectorAll("#point-table tbody tr")) {
    row.classList.toggle("selected", row.dataset.name === name && number === selected.face);
  }
}

export function hideTip() {
  element("tip").hidden = true;
  for (const marked of document.querySelectorAll("#marks .selected, #point-table .selected")) marked.classList.remove("selected");
}

/** Larger or smaller around the middle of what is seen; factor 0: as it fits. */
export function magnify(factor) {
  const stage = element("stage");
  const seen = [
    (stage.scrollLeft + stage.clientWidth / 2) / stage.scrollWidth,
    (stage.scrollTop + stage.clientHeight / 2) / stage.scrollHeight,
  ];
  zoom = factor ? Math.min(Math.max(zoom * factor, 1), FARTHEST) : 1;
  element("sheet").style.setProperty("--zoom", zoom);
  stage.scrollLeft = seen[0] * stage.scrollWidth - stage.clientWidth / 2;
  stage.scrollTop = seen[1] * stage.scrollHeight - stage.clientHeight / 2;
  element("smaller").disabled = zoom <= 1;
  element("larger").disabled = zoom >= FARTHEST;
  drawMarks();
  hideTip();
}

/** Let hovering, touching, zooming and toggles work; whenSelected: what else to do when another face is selected. */
export function initView(whenSelected) {
  onSelected = whenSelected;
  const marks = element("marks");
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
    selected[name] = element(name).checked; // a browser may remember it
    element(name).onchange = () => {
      selected[name] = element(name).checked;
      refresh();
    };
  }
  element("smaller").onclick = () => magnify(1 / 1.5);
  element("larger").onclick = () => magnify(1.5);
  element("fit").onclick = () => magnify(0);
  element("stage").addEventListener("keydown", (event) => {
    if (event.target !== element("stage") || event.ctrlKey || event.metaKey) return;
    if (event.key === "+" || event.key === "=") magnify(1.5);
    else if (event.key === "-") magnify(1 / 1.5);
    else if (event.key === "0") magnify(0);
  });
  new ResizeObserver(drawMarks).observe(element("sheet"));
  magnify(0);
}
