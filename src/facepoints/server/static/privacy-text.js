// Where pictures go, said to the person: by the server, or in this browser, with a faceDetector or without.

function server() {
  const here = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  return here ? "the program on this computer" : `the server ${location.host}`;
}

/** Beside the switch. onDevice: it is on; runtime, faceDetector: networks, and one that finds faces, run in this browser. */
export function privacyNote(onDevice, runtime, faceDetector) {
  if (onDevice && faceDetector) return "No picture leaves your browser: it finds the faces and their points itself.";
  if (onDevice) {
    return "No picture leaves your browser. It cannot look for faces itself, so you put a frame around each.";
  }
  const way = `Photos go to ${server()}, which finds the faces, answers and forgets them.`;
  return runtime ? way : `${way} What it takes to do without is not installed there.`;
}

/** The long answer. */
export function privacyDetails(runtime, faceDetector) {
  const camera = faceDetector
    ? "A picture of the camera leaves this browser only if you keep it while that is off."
    : runtime
      ? "The camera: without it, a picture goes there only to find your face; it is followed in this browser."
      : "The camera: a picture goes there to find your face, then small crops of it.";
  const frames = runtime ? "" : " So does what you put a frame around.";
  return (
    `Unless “Stay on my device” is on, photos go to ${server()}.${frames} It reads them, answers and forgets them: nothing ` +
    "is stored or written to a log. With it on, the networks run in this browser and no picture leaves it. " +
    camera
  );
}
