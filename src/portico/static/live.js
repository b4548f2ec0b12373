// Keeps a part of a page up to date: <div data-live="address of its events">. Without script one reloads.

const region = document.querySelector("[data-live]");
let source = null;
let waiting = 0;
let stale = false;

function listen() {
  if (source || document.hidden) return;
  source = new EventSource(region.dataset.live);
  source.addEventListener("step", () => {
    clearTimeout(waiting);
    waiting = setTimeout(renew, 150);
  });
}

function rest() {
  source?.close();
  source = null;
}

// What has the focus is never taken away: then the part is renewed when the focus leaves it.
async function renew() {
  stale = region.contains(document.activeElement);
  if (stale) return;
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const news = page.querySelector("[data-live]");
  if (!news || news.innerHTML === region.innerHTML) return;
  region.replaceChildren(...news.childNodes);
  const words = news.dataset.words;
  if (words && words !== region.dataset.words) {
    region.dataset.words = words;
    document.dispatchEvent(new CustomEvent("announce", { detail: words }));
  }
}

if (region) {
  document.addEventListener("visibilitychange", () => (document.hidden ? rest() : listen()));
  window.addEventListener("pagehide", rest);
  window.addEventListener("pageshow", listen);
  region.addEventListener("focusout", () => { if (stale) setTimeout(renew, 0); });
  listen();
}
