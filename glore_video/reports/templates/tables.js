"use strict";
// Tables of class "sortable" sort by the column whose head is pressed; a search field with
// data-filter="<id of the table>" leaves the rows that hold all its words.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const numeric = head.classList.contains("n");
      const first = numeric ? "descending" : "ascending";
      const second = numeric ? "ascending" : "descending";
      const order = head.getAttribute("aria-sort") === first ? second : first;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const key = (row) => {
        const cell = row.cells[column];
        const text = cell.dataset.v ?? cell.textContent.trim();
        return numeric ? (text === "" ? NaN : Number(text)) : text;
      };
      const rows = [...body.rows].map((row, place) => ({ row, place, key: key(row) }));
      rows.sort((a, b) => {
        if (numeric) {
          const noA = Number.isNaN(a.key), noB = Number.isNaN(b.key);
          if (noA || noB) return noA - noB || a.place - b.place;
          return sign * (a.key - b.key) || a.place - b.place;
        }
        return sign * a.key.localeCompare(b.key) || a.place - b.place;
      });
      body.append(...rows.map((entry) => entry.row));
    });
  });
}
for (const field of document.querySelectorAll("input[data-filter]")) {
  const table = document.getElementById(field.dataset.filter);
  const count = document.getElementById(`${field.dataset.filter}-count`);
  const filter = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of table.tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    if (count) count.textContent = words.length ? `${shown} of ${table.tBodies[0].rows.length}` : "";
  };
  field.addEventListener("input", filter);
  filter();
}
