// Says how much of a limited text is used. The limit itself is the server's: without script the form says it all the same.

const encoder = new TextEncoder();

function count(area, place) {
  const words = area.value.replaceAll("\r\n", "\n").trim();
  const used = encoder.encode(words).length;
  const most = Number(area.dataset.mostBytes);
  const form = new Intl.NumberFormat(document.documentElement.lang);
  const over = area.dataset.over.replace("{over}", form.format(used - most));
  const counted = area.dataset.counted.replace("{used}", form.format(used)).replace("{most}", form.format(most));
  const wasOver = place.classList.contains("fault");
  place.textContent = used > most ? over : counted;
  place.classList.toggle("fault", used > most);
  place.classList.toggle("hint", used <= most);
  if (used > most && !wasOver) document.dispatchEvent(new CustomEvent("announce", { detail: over }));
}

for (const area of document.querySelectorAll("textarea[data-most-bytes]")) {
  const place = document.createElement("p");
  area.after(place);
  area.addEventListener("input", () => count(area, place));
  count(area, place);
}
