"use strict";

// Tables: a heading sorts by its column; once more turns the order round.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const key = (row, column) => {
    const cell = row.cells[column];
    return "sort" in cell.dataset ? pythonFloat(cell.dataset.sort) : cell.textContent.trim();
  };
  heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
    const direction = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    heads.forEach((other) => other.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
    const rows = [...body.rows].map((row) => [key(row, column), row]);
    rows.sort(([a], [b]) => direction * compare(a, b));
    body.append(...rows.map(([, row]) => row));
  }));
}

function pythonFloat(text) {
  return text === "inf" ? Infinity : text === "-inf" ? -Infinity : Number(text);
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a < b ? -1 : Number(a > b);
  return String(a).localeCompare(String(b), "en", { numeric: true });
}

// Pictures: the slider chooses a frame, the list a cell; a slider that is left on a frame stays there.
const data = document.getElementById("clips");
if (data) {
  const clips = JSON.parse(data.textContent);
  const [clip, frame, said, which] = ["clip", "frame", "said", "which"].map((id) => document.getElementById(id));
  const figures = [...document.querySelectorAll("#pictures figure")];

  const show = () => {
    const { cell, stills } = clips[clip.value];
    const still = stills[frame.value];
    still.pictures.forEach(({ uri, value, alt }, place) => {
      const image = figures[place].querySelector("img");
      image.src = uri;
      image.alt = alt;
      figures[place].querySelector(".value").textContent = value;
    });
    said.textContent = `frame ${still.frame}, ${still.lost}`;
    frame.setAttribute("aria-valuetext", said.textContent);
    which.href = `#cell-${cell}`;
    which.firstElementChild.textContent = cell;
  };

  const change = () => {
    const before = shown.stills[frame.value].frame;
    shown = clips[clip.value];
    const distance = shown.stills.map((still) => Math.abs(still.frame - before));
    frame.max = shown.stills.length - 1;
    frame.value = distance.indexOf(Math.min(...distance));
    show();
  };

  let shown = clips[clip.value];
  frame.addEventListener("input", show);
  clip.addEventListener("change", change);
  show();
}
