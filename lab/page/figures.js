// Figures tell their values under the pointer, also those that come later.
"use strict";

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
  const lines = [`${values.by} ${first[2]}`, ...found.map(([name, point]) => `${name}: ${point[3]}`)];
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

// What a figure knows stands beside its picture as JSON, and is read when somebody points at it.
function known(area) {
  area.told ??= JSON.parse(area.closest("figure").querySelector("script").textContent);
  return area.told;
}

function hide(area) {
  for (const one of area.querySelectorAll(".tip, .spot")) one.hidden = true;
}

let pointed = null;

function point(event) {
  const area = event.target.closest?.("figure.plot .area") ?? null;
  if (pointed && pointed !== area) hide(pointed);
  pointed = area;
  if (!area) return;
  const box = area.getBoundingClientRect();
  show(area, known(area), ((event.clientX - box.left) / box.width) * 1000);
}

addEventListener("pointermove", point);
addEventListener("pointerdown", point);
document.documentElement.addEventListener("pointerleave", () => pointed && hide(pointed));
