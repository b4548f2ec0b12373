// Upgrades of pages that work without it: focus, no double submits, copy buttons, announcements.
// Other modules have words read out with: document.dispatchEvent(new CustomEvent("announce", { detail: words })).

const live = document.getElementById("live");

// Emptied first, so that the same words said twice are read twice.
function announce(words) {
  if (!live) return;
  live.textContent = "";
  setTimeout(() => { live.textContent = words; }, 150);
}

function focusWhatMatters() {
  const said = document.querySelector("[data-announce]");
  if (!said || document.querySelector("[autofocus]")) return;
  document.querySelector("main h1")?.focus();
  announce(said.textContent.trim());
}

// The button keeps its words and its focus; only a second submit is stopped.
function refuseSecondSubmit(event) {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "yes";
  form.setAttribute("aria-busy", "true");
}

function allowSubmitAgain() {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    form.removeAttribute("aria-busy");
  }
}

function offerCopying() {
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  const words = button.querySelector("span");
  await navigator.clipboard.writeText(source.textContent.trim());
  const before = words.textContent;
  words.textContent = button.dataset.copied;
  announce(button.dataset.copied);
  setTimeout(() => { words.textContent = before; }, 2000);
}

function closeMenus(event) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    const isEscape = event.type === "keydown" && event.key === "Escape";
    const isOutside = event.type === "click" && !menu.contains(event.target);
    if (isEscape) menu.querySelector("summary").focus();
    if (isEscape || isOutside) menu.open = false;
  }
}

document.addEventListener("announce", (event) => announce(event.detail));
document.addEventListener("submit", refuseSecondSubmit);
document.addEventListener("keydown", closeMenus);
document.addEventListener("click", (event) => {
  closeMenus(event);
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});
// A page that comes back out of the browser's memory may submit again.
window.addEventListener("pageshow", (event) => { if (event.persisted) allowSubmitAgain(); });

focusWhatMatters();
offerCopying();
