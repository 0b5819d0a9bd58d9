// Texts that say where photos are processed: on the server, or in this browser.

function server() {
  const local = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  return local ? "the facepoints server on this computer" : `the server ${location.host}`;
}

/** The note below the switch. onDevice: it is on; runtime, faceDetector: available in this browser. */
export function privacyNote(onDevice, runtime, faceDetector) {
  if (onDevice && faceDetector) return "No image leaves your browser. It detects the faces and their points itself.";
  if (onDevice) return "No image leaves your browser. It has no face detector: draw a frame around each face.";
  const note = `Photos are sent to ${server()}, which does not store them.`;
  return runtime ? note : `${note} On-device mode is not installed there.`;
}

/** The longer answer in the help section. */
export function privacyDetails(runtime, faceDetector) {
  const camera = faceDetector
    ? "A camera image is sent only if you take a photo while the switch is off."
    : runtime
      ? "While the switch is off, camera images are sent to detect your face; it is tracked in this browser."
      : "Camera images are sent to detect your face, then 96 x 96 crops of it to track it.";
  const frames = runtime ? "" : " The content of each frame that you draw is sent, too.";
  return (
    `Unless “Process on this device” is on, photos are sent to ${server()}.${frames} Nothing is stored or logged. ` +
    `With the switch on, the networks run in this browser and no image leaves it. ${camera}`
  );
}
