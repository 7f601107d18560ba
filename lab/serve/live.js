// Parts of a page are asked for again when what they show moved; the rest of it stays as it is.
"use strict";

const on = (document.body.dataset.on || "").split(" ").filter(Boolean);
const state = document.getElementById("link");
let seen = {};
let busy = false;
const again = new Set(); // parts to ask for once more, "" for all
let etag = null;

// -- Parts -------------------------------------------------------------------

const served = new WeakMap(); // how an element came, before anybody unfolded or filled it

function remember(root) {
  for (const one of root.querySelectorAll("main > [id], [data-each] > [id]")) {
    served.set(one, one.outerHTML);
  }
}

function inUse(one) {
  const at = document.activeElement;
  return one.contains(at) && /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName);
}

function keepOpen(old, fresh) {
  for (const one of old.querySelectorAll("details[id]")) {
    const other = fresh.querySelector(`#${CSS.escape(one.id)}`);
    if (other) other.open = one.open;
  }
}

function swap(old, fresh) {
  const html = fresh.outerHTML;
  if (served.get(old) === html) return;
  const each = old.querySelector("[data-each]");
  const other = fresh.querySelector("[data-each]");
  if (each && other) {
    sync(each, other);
    served.set(old, html);
    return;
  }
  if (inUse(old)) {
    const results = old.querySelector("[data-results]");
    const others = fresh.querySelector("[data-results]");
    if (results && others && !results.contains(document.activeElement)) results.replaceWith(others);
    return;
  }
  keepOpen(old, fresh);
  served.set(fresh, html);
  old.replaceWith(fresh);
}

// The children of `old` become those of `fresh`, each by its id; one that is the same stays.
function sync(old, fresh) {
  const known = new Map([...old.children].map((one) => [one.id, one]));
  const wanted = [...fresh.children];
  const ids = new Set(wanted.map((one) => one.id));
  for (const [id, one] of known) if (!ids.has(id)) one.remove();
  wanted.forEach((one, place) => {
    const there = known.get(one.id);
    if (there) swap(there, one);
    else {
      served.set(one, one.outerHTML);
      old.insertBefore(one, old.children[place] ?? null);
    }
  });
}

async function refresh(parts) {
  if (busy) {
    again.add(parts ?? "");
    return;
  }
  busy = true;
  try {
    const address = new URL(location.href);
    if (parts) address.searchParams.set("parts", parts);
    const answer = await fetch(address, { cache: "no-cache", headers: { Accept: "text/html" } });
    if (answer.ok && (parts || answer.headers.get("ETag") !== etag)) take(await answer.text(), parts);
    if (answer.ok && !parts) etag = answer.headers.get("ETag");
  } catch {
    // The server is gone for now; the stream tells when it is back, and all is asked for again.
  } finally {
    busy = false;
    const next = again.has("") ? "" : [...again].join(",");
    if (again.size) {
      again.clear();
      refresh(next);
    }
  }
}

function take(text, parts) {
  const fresh = new DOMParser().parseFromString(text, "text/html");
  const main = document.getElementById("parts");
  const other = fresh.getElementById("parts");
  if (!main || !other) return;
  if (parts) {
    for (const one of [...other.children]) {
      const there = document.getElementById(one.id);
      if (there) swap(there, document.adoptNode(one));
    }
  } else {
    sync(main, document.adoptNode(other));
  }
  news();
}

// -- Sorting, filtering, searching: a part by another address -------------------

function go(address, parts) {
  history.replaceState(null, "", address);
  refresh(parts);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-part]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  go(link.href, link.dataset.part);
});

function ask(form) {
  const address = new URL(location.href);
  for (const [name, value] of new FormData(form)) {
    if (value) address.searchParams.set(name, value);
    else address.searchParams.delete(name);
  }
  address.searchParams.delete("page");
  go(address, form.dataset.part);
}

let typing = 0;
document.addEventListener("input", (event) => {
  const form = event.target.closest?.("form[data-part]");
  if (!form) return;
  clearTimeout(typing);
  typing = setTimeout(() => ask(form), event.target.type === "search" ? 120 : 0);
});
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.part) {
    event.preventDefault();
    ask(form);
  } else if (form.method === "post") {
    event.preventDefault();
    act(form);
  }
});

// An act stays on its page; what it moved comes as everything else does.
async function act(form) {
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const body = new URLSearchParams(new FormData(form));
    const answer = await fetch(form.action, { method: "POST", body, redirect: "manual" });
    if (answer.type !== "opaqueredirect") {
      say(await answer.text());
      return;
    }
    form.reset();
    document.activeElement?.blur();
    say("done");
    refresh();
  } catch {
    say("The server is not there; nothing was done.");
  } finally {
    button.disabled = false;
  }
}

function say(words) {
  const told = document.getElementById("said");
  told.textContent = words;
  told.hidden = !words;
  setTimeout(() => { if (told.textContent === words) told.hidden = true; }, 6000);
}

// -- The stream --------------------------------------------------------------

function hear(message) {
  document.body.classList.toggle("lost", !message.open);
  state.textContent = message.open ? "live" : "connection lost, trying again";
  if (!message.open) return;
  const moved = on.some((kind) => message.versions[kind] !== seen[kind]);
  seen = message.versions;
  if (moved) refresh();
}

function listen(port) {
  port.onmessage = (event) => hear(event.data);
  const say = () => port.postMessage(document.hidden ? "hidden" : "seen");
  document.addEventListener("visibilitychange", say);
  addEventListener("pagehide", () => port.postMessage("gone"));
  addEventListener("pageshow", say);
  say();
}

if (window.SharedWorker) {
  listen(new SharedWorker(document.body.dataset.stream).port);
} else {
  const script = document.createElement("script");
  script.src = document.body.dataset.stream;
  script.onload = () => listen(self.ownStream);
  document.head.append(script);
}

// -- What was kept since one looked last --------------------------------------

const LOOKED = "lab-looked";
const looked = Number(localStorage.getItem(LOOKED) ?? -1);

function news() {
  const rows = [...document.querySelectorAll("[data-result]")];
  const fresh = rows.filter((one) => looked >= 0 && Number(one.dataset.result) > looked);
  for (const one of fresh) one.classList.add("fresh");
  const told = document.querySelector(".news");
  if (told && looked >= 0) told.textContent = ` ${fresh.length} since you looked last`;
}

addEventListener("pagehide", () => {
  const numbers = [...document.querySelectorAll("[data-result]")].map((one) => Number(one.dataset.result));
  if (numbers.length) localStorage.setItem(LOOKED, String(Math.max(looked, ...numbers)));
});

remember(document);
news();
