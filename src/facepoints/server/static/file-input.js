// The ways in: choose, drop, paste, drawn examples; and the key, where the server asks for one.

import { request } from "./server-api.js";
import { element } from "./view.js";

/** take: what to do with files; showError: with trouble; examples: names of drawn pictures. */
export function initFileInput(addFiles, showError, examples) {
  const dropped = element("drop");
  element("choose").onclick = () => element("files").click();
  element("files").onchange = () => addFiles([...element("files").files]).finally(() => (element("files").value = ""));
  document.addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files];
    if (files.length) addFiles(files);
    else if (event.target === document.body) showError("There is no picture on the clipboard.");
  });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      dropped.classList.toggle("over", kind === "dragover");
      if (kind === "drop") addFiles([...event.dataTransfer.files]);
    });
  }
  element("examples").replaceChildren(...examples.map((name, i) => exampleButton(name, i + 1, addFiles, showError)));
}

function exampleButton(name, number, addFiles, showError) {
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-label", `Try drawn picture ${number}`);
  const image = new Image();
  image.src = `page/examples/${name}.png`;
  image.alt = "";
  button.append(image);
  button.onclick = async () => {
    try {
      const content = await (await request(image.src)).blob();
      await addFiles([new File([content], `drawn ${number}.png`, { type: "image/png" })]);
    } catch (error) {
      showError(error.message);
    }
  };
  return button;
}

/** Ask the person for the key; again: the last one was wrong. */
export function promptForKey(again) {
  element("key-wrong").hidden = !again;
  element("key-text").value = "";
  return new Promise((done) => {
    element("key").onclose = () => done(element("key-text").value);
    element("key").showModal();
  });
}
