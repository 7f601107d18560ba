// Tables sort and can be searched, figures tell their values, links open what is folded away.
"use strict";

// -- Tables ------------------------------------------------------------------

function worth(row, column) {
  const cell = row.cells[column];
  const text = cell.dataset.v ?? cell.textContent.trim();
  const number = parseFloat(text.replace(/,/g, ""));
  return cell.classList.contains("n") ? (Number.isNaN(number) ? null : number) : text;
}

function sort(header) {
  const table = header.closest("table");
  const body = table.tBodies[0];
  const was = header.getAttribute("aria-sort");
  const first = header.classList.contains("n") ? "descending" : "ascending";
  const other = first === "ascending" ? "descending" : "ascending";
  const order = was === first ? other : first;
  for (const th of table.querySelectorAll("th")) th.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  const keyed = [...body.rows].map((row) => [worth(row, header.cellIndex), row]);
  keyed.sort(([a], [b]) => {
    if (a === null || b === null || a === "" || b === "") {
      return (a === null || a === "" ? 1 : 0) - (b === null || b === "" ? 1 : 0);
    }
    return sign * (typeof a === "number" ? a - b : a.localeCompare(b));
  });
  body.append(...keyed.map(([, row]) => row));
}

for (const button of document.querySelectorAll("table.sort th button")) {
  button.addEventListener("click", () => sort(button.closest("th")));
}

for (const table of document.querySelectorAll("table.every")) {
  const rows = [...table.tBodies[0].rows];
  if (rows.length < 10) continue;
  const box = document.createElement("input");
  box.type = "search";
  box.className = "find";
  box.placeholder = "only rows with these words";
  box.setAttribute("aria-label", box.placeholder);
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
  });
  table.before(box);
}

// -- Figures -----------------------------------------------------------------

function nearest(points, x) {
  let low = 0;
  let high = points.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < x) low = middle;
    else high = middle;
  }
  return Math.abs(points[low][0] - x) <= Math.abs(points[high][0] - x) ? low : high;
}

function told(values, x) {
  if (values.points) {
    const point = values.points[nearest(values.points, x)];
    return { x: point[0], y: point[1], lines: [point[2], point[3]] };
  }
  const found = values.lines.map((line) => [line.name, line.points[nearest(line.points, x)]]);
  const [, first] = found[0];
  const lines = [`step ${first[2]}`, ...found.map(([name, point]) => `${name}: ${point[3]}`)];
  return { x: first[0], y: first[1], lines };
}

function show(area, values, x) {
  const tip = area.querySelector(".tip");
  const spot = area.querySelector(".spot");
  const found = told(values, x);
  const [head, ...rest] = found.lines.filter(Boolean);
  const title = document.createElement("b");
  title.textContent = head;
  tip.replaceChildren(title, ...rest.map((line) => {
    const part = document.createElement("div");
    part.dir = "auto";
    part.textContent = line;
    return part;
  }));
  tip.hidden = spot.hidden = false;
  const left = (found.x / 1000) * area.clientWidth;
  const top = (found.y / 1000) * area.clientHeight;
  spot.style.left = `${left}px`;
  spot.style.top = `${top}px`;
  const room = area.clientWidth - tip.offsetWidth;
  tip.style.left = `${Math.max(-40, Math.min(room, left - tip.offsetWidth / 2))}px`;
  const above = top - tip.offsetHeight - 12;
  tip.style.top = `${above < -20 ? top + 14 : above}px`;
}

for (const figure of document.querySelectorAll("figure.plot")) {
  const area = figure.querySelector(".area");
  const values = JSON.parse(figure.querySelector("script").textContent);
  const hide = () => {
    for (const one of area.querySelectorAll(".tip, .spot")) one.hidden = true;
  };
  const at = (event) => {
    const box = area.getBoundingClientRect();
    show(area, values, ((event.clientX - box.left) / box.width) * 1000);
  };
  area.addEventListener("pointermove", at);
  area.addEventListener("pointerdown", at);
  area.addEventListener("pointerleave", hide);
}

// -- What is folded away -------------------------------------------------------

function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  target.hidden = false;
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  target.scrollIntoView();
}

addEventListener("hashchange", reveal);
if (location.hash) reveal();
addEventListener("beforeprint", () => {
  for (const one of document.querySelectorAll("details")) one.open = true;
});

// A page that is written again every so often reads itself again, but not under somebody's hands.
const every = Number(document.documentElement.dataset.every);
if (every) {
  let touched = Date.now();
  for (const name of ["pointermove", "scroll", "keydown"]) {
    addEventListener(name, () => { touched = Date.now(); }, { passive: true });
  }
  setInterval(() => { if (Date.now() - touched > 5000) location.reload(); }, every * 1000);
}
