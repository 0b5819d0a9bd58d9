// Points, rings, boxes and names over a picture: as SVG on the page, on a canvas in a saved image.

import { clip } from "./geometry.js";

const SVG = "http://www.w3.org/2000/svg";
const UNSURE = 0.04; // expected error, in sides of the box, from which a point is hollow, as in inference/annotate.py
const TWO_OF_THREE = Math.sqrt(2 * Math.log(3)); // radius, in expected errors, of a probability of 2/3
const COLORS = { point: "#3cebaa", dark: "#12181c", ring: "#ffb43c", box: "#ffffff" };

/** left_eye_center -> left eye center */
export function plain(name) {
  return name.replaceAll("_", " ");
}

/** Everything to draw, in px of the picture; unit: px of the picture per px of the screen. */
function shapes(photo, selected, unit) {
  return photo.faces.flatMap((face, number) => {
    const own = number === selected.face;
    const named = Object.entries(face.points);
    const dot = clip(0.03 * face.box[2], 1.2 * unit, 4 * unit); // small faces need small dots
    const rings = named.map(([name, at]) => ({
      kind: "ring", at, radius: TWO_OF_THREE * face.expected_error[name], number, name,
    }));
    const dots = named.map(([name, at]) => ({
      kind: "dot", at, radius: dot, hollow: face.expected_error[name] > UNSURE * face.box[2], number, name,
    }));
    return [
      ...(photo.faces.length > 1 ? [{ kind: "box", box: face.box, own, number }] : []),
      ...(selected.rings ? rings : []),
      ...(selected.names && own ? labels(face, photo.width, photo.height, unit) : []),
      ...dots,
    ];
  });
}

/** Names in two columns beside the face, each with a line to its point; the table's numbers where names do not fit. */
function labels(face, width, height, unit) {
  const size = 12 * unit;
  const line = 1.25 * size;
  const [left, , side] = face.box;
  const middle = left + side / 2;
  const sides = { start: [], end: [] };
  const longest = Math.max(...Object.keys(face.points).map((name) => name.length));
  const roomy = (text) => text * 0.55 * size + size;
  const short = Math.min(left, width - left - side) + 0.25 * side < roomy(longest); // labels may cover cheeks, not eyes
  const texts = Object.fromEntries(Object.keys(face.points).map((name, i) => [name, short ? `${i + 1}` : plain(name)]));
  const sorted = Object.entries(face.points).sort((a, b) => a[1][1] - b[1][1]);
  for (const [name, at] of sorted) {
    const centered = Math.abs(at[0] - middle) < 0.08 * side;
    const fewer = sides.start.length < sides.end.length ? "start" : "end";
    sides[centered ? fewer : at[0] > middle ? "start" : "end"].push([name, at]);
  }
  return Object.entries(sides).flatMap(([anchor, entries]) => {
    const wide = roomy(Math.max(0, ...entries.map(([name]) => texts[name].length)));
    const x = anchor === "start" ? Math.min(left + side, width - wide) : Math.max(left, wide);
    let y = entries.length ? entries[0][1][1] - line : 0;
    const places = entries.map(([, at]) => (y = Math.max(y + line, at[1])));
    const over = Math.max(0, y + line - height);
    return entries.map(([name, at], i) => ({
      kind: "label", at, text: texts[name], x, y: Math.max(places[i] - over, (i + 1) * line), anchor, size,
    }));
  });
}

/** Replace the content of an SVG whose unit is a px of the picture. */
export function drawIn(svg, photo, selected, unit) {
  svg.setAttribute("viewBox", `-0.5 -0.5 ${photo.width} ${photo.height}`);
  svg.replaceChildren(...shapes(photo, selected, unit).flatMap((shape) => elements(shape, unit)));
}

function elements(shape, unit) {
  if (shape.kind === "label") {
    const { at, x, y, anchor, size } = shape;
    const line = made("line", { x1: at[0], y1: at[1], x2: x, y2: y, class: "leader", "stroke-width": unit });
    const to = x + (anchor === "start" ? 0.3 : -0.3) * size;
    const attributes = { x: to, y: y + 0.35 * size, "font-size": size, "text-anchor": anchor, class: "label" };
    const text = made("text", { ...attributes, "stroke-width": 3 * unit });
    text.textContent = shape.text;
    return [line, text];
  }
  if (shape.kind === "box") {
    const [x, y, width, height] = shape.box;
    const css = shape.own ? "box own" : "box";
    const place = { x: x - 0.5, y: y - 0.5, width, height, "stroke-width": 2 * unit };
    return [made("rect", { ...place, class: css, "data-face": shape.number })];
  }
  const { at, radius, name, number } = shape;
  const circle = { cx: at[0].toFixed(2), cy: at[1].toFixed(2), "data-name": name, "data-face": number };
  if (shape.kind === "ring") return [made("circle", { ...circle, r: radius, class: "ring", "stroke-width": 1.5 * unit })];
  const css = shape.hollow ? "dot hollow" : "dot";
  return [
    made("circle", { ...circle, r: radius, class: css, "stroke-width": (shape.hollow ? 0.6 : 0.3) * radius }),
    made("circle", { ...circle, r: 12 * unit, class: "hold" }),
  ];
}

function made(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** Draw the same on a canvas of the picture's size. */
export function drawOn(context, photo, selected) {
  const unit = Math.max(photo.width, photo.height) / 900;
  context.translate(0.5, 0.5); // a pixel's center is a whole number here, its corner on a canvas
  for (const shape of shapes(photo, selected, unit)) paint[shape.kind](context, shape, unit);
  context.setTransform(1, 0, 0, 1, 0, 0);
}

const paint = {
  box(context, { box, own }, unit) {
    context.lineWidth = (own ? 3 : 2) * unit;
    context.strokeStyle = COLORS.box;
    context.strokeRect(box[0] - 0.5, box[1] - 0.5, box[2], box[3]);
  },
  ring(context, { at, radius }, unit) {
    circle(context, at, radius);
    context.lineWidth = 1.5 * unit;
    context.strokeStyle = COLORS.ring;
    context.stroke();
  },
  dot(context, { at, radius, hollow }) {
    circle(context, at, radius);
    context.lineWidth = (hollow ? 0.6 : 0.3) * radius;
    context.strokeStyle = hollow ? COLORS.point : COLORS.dark;
    context.fillStyle = COLORS.point;
    if (!hollow) context.fill();
    context.stroke();
  },
  label(context, { at, text, x, y, anchor, size }, unit) {
    context.beginPath();
    context.moveTo(...at);
    context.lineTo(x, y);
    context.lineWidth = unit;
    context.strokeStyle = COLORS.box;
    context.stroke();
    context.font = `${size}px system-ui, sans-serif`;
    context.textAlign = anchor;
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.lineWidth = 3 * unit;
    context.strokeStyle = COLORS.dark;
    const to = x + (anchor === "start" ? 0.3 : -0.3) * size;
    context.strokeText(text, to, y);
    context.fillStyle = COLORS.box;
    context.fillText(text, to, y);
  },
};

function circle(context, [x, y], radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
}
