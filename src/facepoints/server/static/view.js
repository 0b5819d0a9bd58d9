// The view of a photo: the picture with its points, the tables beside it, the tooltip at a point.

import { drawIn, plain } from "./overlay.js";

export const element = (id) => document.getElementById(id);
const MAX_ZOOM = 8;

const MEASURES = {
  roll: ["Roll", "°", "clockwise in the image"],
  yaw: ["Yaw", "°", "to the right of the photo"],
  pitch: ["Pitch", "°", "downwards"],
  eye_distance: ["Eye distance", " px", "between the eye centers"],
  mouth_opening: ["Mouth opening", "", "eye distances, between the lip centers"],
  mouth_width: ["Mouth width", "", "eye distances, corner to corner"],
  brow_height: ["Brow height", "", "eye distances above the eyes"],
  asymmetry: ["Asymmetry", "", "eye distances, between left and right half"],
};

/** The selected face, and which layers are shown. */
export const selected = { names: false, rings: false, measures: false, face: 0 };
let zoom = 1;
let shown = null;
let mirrored = false;
let onSelected = () => {};

/** Show a photo {name, image, width, height, faces} with one face selected; faces null: not detected yet. */
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

/** Show a camera frame, mirrored. */
export function showLive(face, width, height) {
  mirrored = true;
  selected.face = 0;
  shown = { name: "camera", width, height, faces: face ? [face] : [] };
  element("sheet").style.setProperty("--ratio", width / height);
  drawMarks();
}

/** Redraw points and tables. */
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
  const result = document.createElement("table");
  result.createCaption().textContent = caption;
  const head = result.createTHead().insertRow();
  header.forEach((text, i) => {
    const cell = head.appendChild(document.createElement("th"));
    cell.scope = "col";
    cell.textContent = text;
    if (i) cell.className = "number";
  });
  const body = result.createTBody();
  for (const cells of rows) {
    const row = body.insertRow();
    cells.forEach((content, i) => {
      const cell = row.insertCell();
      cell.append(content);
      if (i) cell.className = "number";
    });
  }
  return result;
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
  const result = table("In pixels, from the top left corner", ["Point", "x", "y", "expected error"], rows);
  Object.keys(face.points).forEach((name, i) => {
    const row = result.tBodies[0].rows[i];
    row.dataset.name = name;
    row.onpointerenter = () => point(name);
    row.onpointerleave = hideTip;
  });
  return result;
}

function measureTable(measures) {
  const rows = Object.entries(MEASURES).map(([name, [title, unit, what]]) => {
    const value = measures[name];
    const label = document.createElement("span");
    label.innerHTML = "<span></span><br><span class=muted></span>";
    label.firstChild.textContent = title;
    label.lastChild.textContent = what;
    const places = unit === "°" || unit === " px" ? 1 : 2;
    const text = value === null || value === undefined ? "undefined" : value.toFixed(places) + unit;
    const error = measures[`${name}_error`];
    return [label, text, error === null || error === undefined ? "" : `± ${error.toFixed(places)}`];
  });
  return table("Lengths are in distances between the eye centers", ["Measure", "value", "standard error"], rows);
}

/** Show the tooltip of a point. */
export function point(name, number = selected.face) {
  const face = shown?.faces?.[number];
  if (!face?.points[name]) return;
  const [x, y] = mirrored ? reflected(face, shown.width).points[name] : face.points[name];
  const tip = element("tip");
  tip.textContent = `${plain(name)}, expected error ${face.expected_error[name].toFixed(1)} px`;
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

/** Zoom around the center of the visible area; factor 0: fit. */
export function magnify(factor) {
  const stage = element("stage");
  const center = [
    (stage.scrollLeft + stage.clientWidth / 2) / stage.scrollWidth,
    (stage.scrollTop + stage.clientHeight / 2) / stage.scrollHeight,
  ];
  zoom = factor ? Math.min(Math.max(zoom * factor, 1), MAX_ZOOM) : 1;
  element("sheet").style.setProperty("--zoom", zoom);
  stage.scrollLeft = center[0] * stage.scrollWidth - stage.clientWidth / 2;
  stage.scrollTop = center[1] * stage.scrollHeight - stage.clientHeight / 2;
  element("smaller").disabled = zoom <= 1;
  element("larger").disabled = zoom >= MAX_ZOOM;
  drawMarks();
  hideTip();
}

/** Connect pointer, zoom and layer controls; whenSelected is called when another face is selected. */
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
    selected[name] = element(name).checked; // browsers may restore it
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
