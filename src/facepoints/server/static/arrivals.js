// The ways in: choose, drop, paste, drawn examples; and the key, where the server asks for one.

import { ask } from "./model.js";
import { part } from "./view.js";

/** take: what to do with files; complain: with trouble; examples: names of drawn pictures. */
export function beginArrivals(take, complain, examples) {
  const dropped = part("drop");
  part("choose").onclick = () => part("files").click();
  part("files").onchange = () => take([...part("files").files]).finally(() => (part("files").value = ""));
  document.addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files];
    if (files.length) take(files);
    else if (event.target === document.body) complain("There is no picture on the clipboard.");
  });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      dropped.classList.toggle("over", kind === "dragover");
      if (kind === "drop") take([...event.dataTransfer.files]);
    });
  }
  part("examples").replaceChildren(...examples.map((name, i) => exampleButton(name, i + 1, take, complain)));
}

function exampleButton(name, number, take, complain) {
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-label", `Try drawn picture ${number}`);
  const image = new Image();
  image.src = `page/examples/${name}.png`;
  image.alt = "";
  button.append(image);
  button.onclick = async () => {
    try {
      const content = await (await ask(image.src)).blob();
      await take([new File([content], `drawn ${number}.png`, { type: "image/png" })]);
    } catch (error) {
      complain(error.message);
    }
  };
  return button;
}

/** Ask the person for the key; again: the last one was wrong. */
export function wantKey(again) {
  part("key-wrong").hidden = !again;
  part("key-text").value = "";
  return new Promise((done) => {
    part("key").onclose = () => done(part("key-text").value);
    part("key").showModal();
  });
}
