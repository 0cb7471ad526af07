(() => {
  const { names, samples, cells } = JSON.parse(document.getElementById("matrix-data").textContent);
  const size = names.length;
  const canvas = document.getElementById("matrix");
  const box = document.getElementById("matrix-box");
  const says = document.getElementById("matrix-says");
  const zoom = document.getElementById("matrix-zoom");
  const find = document.getElementById("matrix-find");
  const counts = new Map();
  const totals = new Array(size).fill(0);
  for (let i = 0; i < cells.length; i += 3) {
    counts.set(cells[i] * size + cells[i + 1], cells[i + 2]);
    totals[cells[i]] += cells[i + 2];
  }
  const faintest = size > 60 ? 0.45 : 0.15; // a single pixel has to be seen
  const context = canvas.getContext("2d", { willReadFrequently: true });
  let picture = null, cell = 1, row = -1, column = -1;

  function draw() {
    const colours = getComputedStyle(document.documentElement);
    const colour = (name) => colours.getPropertyValue(name).trim();
    context.globalAlpha = 1;
    context.fillStyle = colour("--panel");
    context.fillRect(0, 0, size, size);
    const right = colour("--accent"), wrong = colour("--second");
    for (const [place, count] of counts) {
      const label = Math.floor(place / size), said = place % size;
      context.globalAlpha = faintest + (1 - faintest) * Math.sqrt(count / totals[label]);
      context.fillStyle = label === said ? right : wrong;
      context.fillRect(said, label, 1, 1);
    }
    context.globalAlpha = 1;
    picture = context.getImageData(0, 0, size, size);
    mark();
  }

  function mark() {
    context.putImageData(picture, 0, 0);
    if (row < 0) return;
    const colours = getComputedStyle(document.documentElement);
    context.globalAlpha = 0.18;
    context.fillStyle = colours.getPropertyValue("--text").trim();
    context.fillRect(0, row, size, 1);
    context.fillRect(column, 0, 1, size);
    context.globalAlpha = 1;
  }

  function line(strong, text) {
    const div = document.createElement("div");
    const b = document.createElement("b");
    b.textContent = strong;
    div.append(b, text);
    return div;
  }

  function choose(newRow, newColumn) {
    const clip = (value) => Math.max(0, Math.min(size - 1, value));
    newRow = clip(newRow);
    newColumn = clip(newColumn);
    if (newRow === row && newColumn === column) return;
    row = newRow;
    column = newColumn;
    const count = counts.get(row * size + column) ?? 0;
    const share = totals[row] ? ` (${(100 * count / totals[row]).toFixed(1)}%)` : "";
    const others = [];
    for (let other = 0; other < size; other++) {
      const many = counts.get(row * size + other);
      if (many && other !== row) others.push([many, other]);
    }
    others.sort((a, b) => b[0] - a[0] || a[1] - b[1]);
    const list = others.slice(0, 4).map(([many, other]) => `${names[other]} (${many})`);
    says.replaceChildren(
      line(names[row], ` taken for ${names[column]}: ${count} of ${totals[row]} ${samples}${share}`),
      line("", list.length ? `its wrong ones: ${list.join(", ")}` : ""),
    );
    mark();
  }

  function fit() {
    const room = Math.min(840, box.parentElement.clientWidth - 2);
    cell = Math.max(1, Math.min(60, Math.floor(room / size))) * Number(zoom.value);
    canvas.style.width = canvas.style.height = `${size * cell}px`;
  }

  function pointed(event) {
    const edge = canvas.getBoundingClientRect();
    choose(Math.floor((event.clientY - edge.top) / cell), Math.floor((event.clientX - edge.left) / cell));
  }

  canvas.width = canvas.height = size;
  canvas.addEventListener("pointermove", pointed);
  canvas.addEventListener("pointerdown", pointed);
  canvas.addEventListener("keydown", (event) => {
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    choose(Math.max(row, 0) + step[0], Math.max(column, 0) + step[1]);
  });
  zoom.addEventListener("change", fit);
  window.addEventListener("resize", fit);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  document.getElementById("matrix-names").append(...names.map((name) => new Option(name)));
  find.addEventListener("input", () => {
    const place = names.indexOf(find.value);
    if (place < 0) return;
    choose(place, place);
    box.scrollTo((place + 0.5) * cell - box.clientWidth / 2, (place + 0.5) * cell - box.clientHeight / 2);
  });
  says.append(line("", "Point at a cell."));
  fit();
  draw();
})();
