// A frame that the user draws around a face, with the pointer or the keyboard.

import { middleBox } from "./camera.js";
import { element } from "./view.js";

let box = [0, 0, 1, 1]; // x, y, w, h, px of the picture
let size = [1, 1];

/** Show an editable frame over a picture of this width and height. */
export function offer(width, height) {
  size = [width, height];
  box = middleBox(width, height);
  element("frame").hidden = element("framing").hidden = false;
  element("sheet").classList.add("framing");
  place();
}

/** Show where the user of the camera should hold the face; the frame is not editable. */
export function aim(width, height) {
  size = [width, height];
  box = middleBox(width, height);
  element("frame").hidden = false;
  element("sheet").classList.add("aiming");
  place();
}

export function withdraw() {
  element("frame").hidden = element("framing").hidden = true;
  element("sheet").classList.remove("framing", "aiming");
}

/** The frame [x, y, w, h], px of the picture. */
export function framed() {
  return [...box];
}

function place() {
  const percent = (value, whole) => `${(100 * value) / whole}%`;
  const { style } = element("frame");
  style.left = percent(box[0], size[0]);
  style.top = percent(box[1], size[1]);
  style.width = percent(box[2], size[0]);
  style.height = percent(box[3], size[1]);
}

function move(right, down, larger) {
  const least = 16;
  const most = Math.min(...size);
  const side = Math.min(Math.max(box[2] + larger, least), most);
  const x = box[0] + (box[2] - side) / 2 + right;
  const y = box[1] + (box[3] - side) / 2 + down;
  box = [Math.min(Math.max(x, 0), size[0] - side), Math.min(Math.max(y, 0), size[1] - side), side, side];
  place();
}

/** Connect pointer and keys; Enter calls predict. */
export function initFraming(predict) {
  const sheet = element("sheet");
  const position = (event) => {
    const { left, top, width, height } = sheet.getBoundingClientRect();
    const xy = [((event.clientX - left) / width) * size[0], ((event.clientY - top) / height) * size[1]];
    return xy.map((value, axis) => Math.min(Math.max(value, 0), size[axis]));
  };
  let first = null;
  sheet.addEventListener("pointerdown", (event) => {
    if (!sheet.classList.contains("framing") || event.button) return;
    first = position(event);
    sheet.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  sheet.addEventListener("pointermove", (event) => {
    if (!first) return;
    const [x, y] = position(event);
    const dragged = [Math.min(x, first[0]), Math.min(y, first[1]), Math.abs(x - first[0]), Math.abs(y - first[1])];
    if (Math.max(dragged[2], dragged[3]) < 8) return; // a click
    box = dragged;
    place();
  });
  for (const kind of ["pointerup", "pointercancel"]) sheet.addEventListener(kind, () => (first = null));
  element("frame").addEventListener("keydown", (event) => {
    const step = Math.max(...size) / (event.shiftKey ? 200 : 40);
    const moves = {
      ArrowLeft: [-step, 0, 0], ArrowRight: [step, 0, 0], ArrowUp: [0, -step, 0], ArrowDown: [0, step, 0],
      "+": [0, 0, step], "=": [0, 0, step], "-": [0, 0, -step],
    };
    if (event.key === "Enter") predict();
    else if (moves[event.key]) move(...moves[event.key]);
    else return;
    event.preventDefault();
  });
}
