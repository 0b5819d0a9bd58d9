// Fills in this server's address and keypoint names.

for (const place of document.querySelectorAll(".server")) place.textContent = location.origin;

const { keypoints } = await (await fetch("/health")).json();
const entries = keypoints.map((name) => {
  const entry = document.createElement("li");
  entry.append(document.createElement("code"));
  entry.firstChild.textContent = name;
  return entry;
});
document.getElementById("keypoints").replaceChildren(...entries);
