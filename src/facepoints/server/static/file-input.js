// Photo input: file dialog, drag and drop, clipboard, synthetic examples; and the dialog for the API key.

import { request } from "./server-api.js";
import { element } from "./view.js";

const EXAMPLES = ["one", "other", "both"]; // files of examples/: generated faces of facepoints.data.synthetic

/** Connect the page's inputs: addFiles(files) shows files, showError(text) reports an error. */
export function initFileInput(addFiles, showError) {
  const dropArea = element("drop");
  element("choose").onclick = () => element("files").click();
  element("files").onchange = () => addFiles([...element("files").files]).finally(() => (element("files").value = ""));
  document.addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files];
    if (files.length) addFiles(files);
    else if (event.target === document.body) showError("The clipboard contains no image.");
  });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      dropArea.classList.toggle("over", kind === "dragover");
      if (kind === "drop") addFiles([...event.dataTransfer.files]);
    });
  }
  element("examples").replaceChildren(...EXAMPLES.map((name, i) => exampleButton(name, i + 1, addFiles, showError)));
}

function exampleButton(name, number, addFiles, showError) {
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-label", `Open example ${number}`);
  const image = new Image();
  image.src = `page/examples/${name}.jpg`;
  image.alt = "";
  button.append(image);
  button.onclick = async () => {
    try {
      const content = await (await request(image.src)).blob();
      await addFiles([new File([content], `example ${number}.jpg`, { type: "image/jpeg" })]);
    } catch (error) {
      showError(error.message);
    }
  };
  return button;
}

/** Ask the user for the API key; invalid: the previous key was refused. */
export function promptForKey(invalid) {
  element("key-wrong").hidden = !invalid;
  element("key-text").value = "";
  return new Promise((resolve) => {
    element("key").onclose = () => resolve(element("key-text").value);
    element("key").showModal();
  });
}
