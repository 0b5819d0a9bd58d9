"use strict";
const content = JSON.parse(document.getElementById("content").textContent);
const store = `facepoints-audit-${content.data}`;
const SIZE = 96;
const svgName = "http://www.w3.org/2000/svg";
const cards = content.cards;
const id = card => `${card.row}|${card.kind}|${card.keypoint}`;
const plain = name => name.replaceAll("_", " ");

// marks of the user: id -> {mark: "wrong" | "fine", points: {name: [x, y]}}
let marks = {};
try { marks = JSON.parse(localStorage.getItem(store)) || {}; } catch { /* the browser may forbid storage for local files */ }
let kind = "all";
const elements = [];

function keep() {
  try { localStorage.setItem(store, JSON.stringify(marks)); } catch { /* without storage the download is the only copy */ }
  const number = Object.keys(marks).length;
  document.getElementById("progress").textContent = `${number} of ${cards.length} marked`;
}

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function draw(tag, attributes = {}) {
  const element = document.createElementNS(svgName, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function picture(row, label) {
  // pixel centers are whole numbers: the picture spans -0.5 to 95.5
  const svg = draw("svg", { viewBox: `-0.5 -0.5 ${SIZE} ${SIZE}`, role: "group", "aria-label": label });
  svg.append(draw("image", { x: -0.5, y: -0.5, width: SIZE, height: SIZE,
    href: `data:image/png;base64,${content.faces[row]}` }));
  return svg;
}

const at = ([x, y]) => `translate(${x} ${y})`;
const shape = (name, place) => draw("use", { href: `#${name}`, transform: at(place) });

function build(card) {
  const title = `${card.kind}${card.keypoint ? ` · ${plain(card.keypoint)}` : ""}`;
  const svg = picture(card.row, `Row ${card.row}`);
  const links = draw("g"), layer = draw("g"), top = draw("g");
  svg.append(links, layer, top);
  const name = make("span", { class: "name" });
  const own = make("figure", {}, svg,
    make("figcaption", {}, `row ${card.row} · source ${"AB"[card.source] ?? card.source}`, name));
  const pictures = make("div", { class: "pictures" }, own);
  if (card.other !== undefined) {
    pictures.classList.add("two");
    const otherPicture = picture(card.other, `Row ${card.other}`);
    for (const place of card.other_points) if (place) otherPicture.append(shape("square", place));
    pictures.append(make("figure", {}, otherPicture, make("figcaption", {}, `row ${card.other} and its labels`)));
  }
  const button = (label, css, act) => {
    const made = make("button", { type: "button", class: css }, label);
    made.addEventListener("click", act);
    return made;
  };
  const wrong = button("Wrong", "wrong", () => mark(card, "wrong"));
  const fine = button("Fine", "fine", () => mark(card, "fine"));
  const suggested = button(suggestion(card), "suggest", () => correct(card));
  const undo = button("Undo", "undo", () => mark(card, null));
  const article = make("article", { tabindex: "0", "aria-label": `Row ${card.row}, ${title}` },
    make("div", { class: "head" }, make("b", {}, title),
      make("span", { class: "score", title: "probability, 0 to 1" }, card.score.toFixed(3))),
    pictures, make("p", { class: "reason" }, card.reason),
    make("div", { class: "mark" }, wrong, fine, suggested, undo));
  Object.assign(article.dataset, { id: id(card), kind: card.kind, row: card.row });

  const points = content.keypoints.map((keypoint, k) => {
    if (!card.given[k]) return null;
    const reported = keypoint === card.keypoint;
    const group = draw("g", { class: `point${reported ? " reported" : ""}`, tabindex: "0", role: "button" });
    group.dataset.keypoint = keypoint;
    group.append(draw("circle", { r: 3.6, class: "hold" }), draw("use"));
    const link = draw("line", { class: "link" });
    links.append(link);
    if (card.expected[k]) layer.append(shape("dot", card.expected[k]));
    if (card.duplicate && card.duplicate[k]) layer.append(shape("square", card.duplicate[k]));
    top.append(group);
    drag(svg, group, place => put(card, keypoint, place), () => placeOf(card, k));
    group.addEventListener("pointerenter", () => { name.textContent = plain(keypoint); });
    group.addEventListener("pointerleave", () => { name.textContent = ""; });
    group.addEventListener("focus", () => { name.textContent = plain(keypoint); });
    return { group, link, k };
  });

  function show() {
    const state = marks[id(card)];
    article.dataset.mark = state ? state.mark : "";
    wrong.setAttribute("aria-pressed", String(state?.mark === "wrong"));
    fine.setAttribute("aria-pressed", String(state?.mark === "fine"));
    undo.disabled = !state;
    for (const point of points) {
      if (!point) continue;
      const place = placeOf(card, point.k), keypoint = content.keypoints[point.k];
      const moved = state?.points && keypoint in state.points;
      point.group.setAttribute("transform", at(place));
      point.group.lastChild.setAttribute("href", moved ? "#moved" : "#ring");
      point.group.setAttribute("aria-label",
        `${plain(keypoint)} at ${place[0].toFixed(1)}, ${place[1].toFixed(1)}${moved ? ", corrected" : ""}; arrows move it`);
      const goal = card.expected[point.k];
      for (const [end, where] of [[1, place], [2, goal || place]])
        for (const [axis, value] of [["x", where[0]], ["y", where[1]]]) point.link.setAttribute(`${axis}${end}`, value);
    }
  }
  show();
  return { card, article, show };
}

function placeOf(card, k) {
  return marks[id(card)]?.points?.[content.keypoints[k]] || card.given[k];
}

function suggestion(card) {
  if (card.kind === "swapped") return "Exchange left and right";
  if (card.kind === "duplicate") return "Copy from duplicate";
  return card.keypoint ? "Move to expected" : "Move all to expected";
}

function correct(card) {
  const points = {};
  content.keypoints.forEach((name, k) => {
    let place = null;
    if (card.kind === "swapped") place = card.given[content.keypoints.indexOf(otherSide(name))];
    else if (card.kind === "duplicate") place = card.duplicate?.[k];
    else if (!card.keypoint || card.keypoint === name) place = card.expected[k];
    if (place && card.given[k]) points[name] = place.map(inside);
  });
  marks[id(card)] = { mark: "wrong", points };
  refresh(card);
}

function otherSide(name) {
  const swap = { left: "right", right: "left" };
  const other = name.split("_").map(part => swap[part] || part).join("_");
  return content.keypoints.includes(other) ? other : name;
}

const inside = value => Math.round(100 * Math.min(SIZE - 0.5, Math.max(-0.5, value))) / 100;

function put(card, keypoint, place) {
  const state = marks[id(card)] || { points: {} };
  marks[id(card)] = { mark: "wrong", points: { ...state.points, [keypoint]: place.map(inside) } };
  refresh(card);
}

function mark(card, how) {
  const state = marks[id(card)];
  if (how === null || (state?.mark === how && !Object.keys(state.points || {}).length)) delete marks[id(card)];
  else marks[id(card)] = { mark: how, points: how === "wrong" ? state?.points || {} : {} };
  refresh(card);
}

function refresh(card) {
  elements.find(element => element.card === card).show();
  keep();
}

function drag(svg, group, moveTo, now) {
  let offset = null;
  const place = event => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    return [point.x, point.y];
  };
  group.addEventListener("pointerdown", event => {
    const [x, y] = place(event), [px, py] = now();
    offset = [px - x, py - y];
    group.setPointerCapture(event.pointerId);
    event.preventDefault();
    group.focus({ preventScroll: true });
  });
  group.addEventListener("pointermove", event => {
    if (!offset) return;
    const [x, y] = place(event);
    moveTo([x + offset[0], y + offset[1]]);
  });
  for (const end of ["pointerup", "pointercancel"]) group.addEventListener(end, () => { offset = null; });
  group.addEventListener("keydown", event => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return;
    const far = event.shiftKey ? 3 : 0.5, [x, y] = now();
    moveTo([x + far * step[0], y + far * step[1]]);
    event.preventDefault();
    event.stopPropagation();
  });
}

function filter() {
  const onlyUnmarked = document.getElementById("unmarked").checked;
  let shown = 0;
  for (const { card, article } of elements) {
    article.hidden = !((kind === "all" || card.kind === kind) && !(onlyUnmarked && marks[id(card)]));
    shown += !article.hidden;
  }
  document.getElementById("none").hidden = shown > 0;
  for (const button of document.querySelectorAll("#filters button"))
    button.setAttribute("aria-pressed", String(button.dataset.kind === kind));
}

function step(by) {
  const shown = elements.filter(({ article }) => !article.hidden).map(({ article }) => article);
  const here = shown.indexOf(document.activeElement.closest?.("article"));
  const next = shown[Math.min(shown.length - 1, Math.max(0, here + by))];
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
}

function download() {
  const corrections = cards.filter(card => marks[id(card)]).map(card => ({
    row: card.row, kind: card.kind, keypoint: card.keypoint,
    mark: marks[id(card)].mark, points: marks[id(card)].points || {},
  }));
  const text = JSON.stringify({ format: content.format, corrections }, null, 1);
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "application/json" })),
    download: "corrections.json" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

for (const name of ["all", ...content.kinds]) {
  const number = name === "all" ? cards.length : cards.filter(card => card.kind === name).length;
  const button = make("button", { type: "button", "data-kind": name }, `${name} ${number}`);
  button.addEventListener("click", () => { kind = name; filter(); });
  document.getElementById("filters").append(button);
}
const main = document.getElementById("cards");
for (const card of cards) elements.push(build(card));
main.append(...elements.map(({ article }) => article));
document.getElementById("unmarked").addEventListener("change", filter);
document.getElementById("download").addEventListener("click", download);
document.getElementById("reset").addEventListener("click", () => {
  if (!Object.keys(marks).length || !confirm("Delete all marks?")) return;
  marks = {};
  for (const { show } of elements) show();
  keep();
  filter();
});
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea")) return;
  const article = document.activeElement.closest?.("article");
  const card = article && elements.find(element => element.article === article).card;
  const acts = {
    j: () => step(1), ArrowRight: () => step(1), k: () => step(-1), ArrowLeft: () => step(-1),
    d: download,
    w: () => card && mark(card, "wrong"), f: () => card && mark(card, "fine"),
    u: () => card && mark(card, null), c: () => card && correct(card),
  };
  const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (act) { event.preventDefault(); act(); }
});
keep();
filter();
