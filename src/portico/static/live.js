// Keeps parts of a page up to date: <main data-live="address of its events"> holds parts with data-live-part="name".
// Without script one reloads.

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

async function renew() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!answer.ok) return;
  const news = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-live]");
  if (!news) return;
  stale = false;
  for (const part of region.querySelectorAll("[data-live-part]")) {
    renewPart(part, news.querySelector(`[data-live-part="${part.dataset.livePart}"]`));
  }
  if (news.dataset.words !== region.dataset.words) {
    region.dataset.words = news.dataset.words;
    document.dispatchEvent(new CustomEvent("announce", { detail: news.dataset.words }));
  }
}

// What has the focus is never taken away: such a part is renewed when the focus leaves it.
function renewPart(part, news) {
  if (!news || news.innerHTML === part.innerHTML) return;
  if (part.contains(document.activeElement)) stale = true;
  else part.replaceChildren(...news.childNodes);
}

if (region) {
  document.addEventListener("visibilitychange", () => (document.hidden ? rest() : listen()));
  window.addEventListener("pagehide", rest);
  window.addEventListener("pageshow", listen);
  region.addEventListener("focusout", () => { if (stale) setTimeout(renew, 0); });
  listen();
}
