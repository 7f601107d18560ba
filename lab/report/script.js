// Tables sort and can be searched, links open what is folded away.

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
