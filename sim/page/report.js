// Puts the page's data into its charts.
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const at = (name) => document.getElementById(name);
const blockColours = data.block_names.map((_, i) => colour(i));

function choices(place, options, chosen) {
  const buttons = options.map(([name, title]) => {
    const button = document.createElement("button");
    button.textContent = title;
    button.addEventListener("click", () => {
      buttons.forEach((other) => other.classList.toggle("on", other === button));
      chosen(name);
    });
    place.append(button);
    return button;
  });
  buttons[0].classList.add("on");
}

let causeRows = "chip";
function drawCauses() {
  const { causes } = data, rows = {
    chip: [["chip", causes.chip]],
    cluster: causes.cluster.map((row, i) => [data.cluster_names[i], row]),
    tbu: causes.tbu.map((row, i) => [data.unit_names[i], row]),
    block: Object.entries(causes.block),
  }[causeRows];
  stackedBars(at("causes"), rows, CAUSE_COLOURS, causeRows === "block" ? Math.max(...rows.map(([, row]) => Object.values(row).reduce((a, b) => a + b, 0)), 1) : 0, "cycles");
}

function drawPaths() {
  for (const [name, path] of Object.entries(data.critical_paths)) {
    const place = at("path_" + name), [svg, width] = canvasOf(place, 62), room = width - 4;
    for (const step of path.steps) {
      const x = 2 + (room * (step.start - path.steps[0].start)) / path.latency, wide = (room * step.cycles) / path.latency;
      const index = data.block_names.indexOf(step.block), shade = index < 0 ? "#9aa5b1" : colour(index), waits = step.what.startsWith("waits");
      tells(node("rect", { x, y: 4, width: Math.max(0.5, wide), height: 24, fill: waits ? "#fff" : shade, stroke: shade, "stroke-width": waits ? 1.5 : 0.3, "fill-opacity": step.what === "array" ? 1 : 0.55 }, svg),
        `${step.block || "between tasks"}: ${step.what}\n${count(step.cycles)} cycles from ${count(step.start)} on`);
    }
    let begun = null;
    const spans = [];
    for (const step of path.steps) {
      if (!step.block) { begun = null; continue; }
      if (!begun || begun.name !== step.block) spans.push((begun = { name: step.block, start: step.start, end: 0 }));
      begun.end = step.start + step.cycles;
    }
    const taken = []; // the longest are named first; one that has no room goes without
    for (const span of spans.sort((a, b) => b.end - b.start - (a.end - a.start))) {
      const left = 2 + (room * (span.start - path.steps[0].start)) / path.latency;
      const text = node("text", { x: left, y: 42 }, svg, span.name), right = left + text.getComputedTextLength() + 6;
      if (right > width || taken.some(([from, to]) => left < to && right > from)) text.remove();
      else taken.push([left, right]);
    }
  }
}

function drawElements() {
  const place = at("elements"), rates = data.processing_elements, { columns, rows, units } = data.mesh;
  const high = rates[0].length, wide = rates[0][0].length, across = Math.ceil(Math.sqrt(units)), down = Math.ceil(units / across);
  const [, width] = canvasOf(place, 10), cell = Math.max(2, Math.min(16, (width - 20) / (columns * (across * wide + 1.5))));
  const size = [columns * (across * wide + 1.5) * cell, rows * ((down * high + 1.5) * cell + 14)];
  place.textContent = "";
  const svg = node("svg", { width: size[0] + 10, height: size[1] + 8, viewBox: `0 0 ${size[0] + 10} ${size[1] + 8}` }, place);
  rates.forEach((array, unit) => {
    const cluster = Math.floor(unit / units), number = unit % units, cx = cluster % columns, cy = Math.floor(cluster / columns);
    const left = 4 + cx * (across * wide + 1.5) * cell + (number % across) * (wide * cell + 2);
    const top = 14 + cy * ((down * high + 1.5) * cell + 14) + Math.floor(number / across) * (high * cell + 2);
    if (number === 0) node("text", { x: left, y: top - 3 }, svg, data.cluster_names[cluster]);
    array.forEach((line, y) => line.forEach((rate, x) => tells(
      node("rect", { x: left + x * cell, y: top + y * cell, width: cell - 0.4, height: cell - 0.4, fill: heat(rate), stroke: "#dde3e8", "stroke-width": 0.4 }, svg),
      `${data.unit_names[unit]}, PE row ${y}, column ${x}\ninstructions in ${share(rate)} of the cycles`)));
  });
}

function drawNetwork() {
  const { columns, rows } = data.mesh, half = 0.27, steps = { north: [0, -1], east: [1, 0], south: [0, 1], west: [-1, 0] };
  for (const network of ["control", "data"]) {
    const place = at("network_" + network), [, room] = canvasOf(place, 10), unit = Math.min(150, (room - 10) / (columns + 0.6));
    place.textContent = "";
    const svg = node("svg", { width: unit * (columns + 0.6), height: unit * (rows + 0.1), viewBox: `-1.05 -0.55 ${columns + 0.6} ${rows + 0.1}` }, place);
    data.cluster_names.forEach((name, i) => {
      const x = i % columns, y = Math.floor(i / columns);
      node("rect", { x: x - half, y: y - half, width: 2 * half, height: 2 * half, fill: "#fff", stroke: "#5b6673", "stroke-width": 0.012 }, svg);
      node("text", { x, y, "text-anchor": "middle", "dominant-baseline": "central", style: "font-size:.11px" }, svg, name);
    });
    node("text", { x: -0.85, y: 0, "text-anchor": "middle", "dominant-baseline": "central", style: "font-size:.11px" }, svg, "host");
    for (const link of data.links.filter((item) => item.network === network)) {
      const [across, down] = steps[link.side], left = link.x - 0.1 * down, up = link.y + 0.1 * across;
      const from = [left + half * across, up + half * down], to = [left + (1 - half) * across, up + (1 - half) * down];
      const points = [[0, -0.035], [0.36, -0.035], [0.36, -0.075], [0.46, 0], [0.36, 0.075], [0.36, 0.035], [0, 0.035]].map(([a, b]) => `${from[0] + a * across - b * down},${from[1] + a * down + b * across}`);
      tells(node("polygon", { points: points.join(" "), fill: heat(link.load), stroke: "#8b95a1", "stroke-width": 0.008 }, svg),
        `${network}, (${link.x}, ${link.y}) to the ${link.side}\n${count(link.flits)} flits, ${share(link.load)} of the link's capacity`);
      if (columns * rows <= 36) node("text", { x: (from[0] + to[0]) / 2 - 0.17 * down, y: (from[1] + to[1]) / 2 + 0.11 * across, "text-anchor": "middle", "dominant-baseline": "central", style: "font-size:.075px" }, svg, share(link.load));
    }
  }
}

function drawWorkflow() {
  const { nodes, flows, layers, width: places } = data.graph, place = at("workflow");
  const stepX = 150, stepY = 54, [, room] = canvasOf(place, 10), wide = stepX * layers, tall = stepY * places + 20;
  place.textContent = "";
  const svg = node("svg", { width: Math.min(Math.max(room, wide * 0.8), wide + 20), viewBox: `0 0 ${wide + 20} ${tall}` }, place);
  svg.style.maxWidth = "none";
  const marker = node("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, node("defs", {}, svg));
  node("path", { d: "M0,0L8,4L0,8Z", fill: "#8b95a1" }, marker);
  const by = Object.fromEntries(nodes.map((item) => [item.name, item])), x = (item) => 12 + item.layer * stepX, y = (item) => 10 + item.place * stepY + 17;
  for (const [origin, target] of flows) {
    const a = by[origin], b = by[target], x1 = x(a) + 118, x2 = x(b), forward = b.layer > a.layer, bend = forward ? (x2 - x1) / 2 : 60;
    node("path", { d: forward ? `M${x1},${y(a)}C${x1 + bend},${y(a)} ${x2 - bend},${y(b)} ${x2 - 1},${y(b)}` : `M${x1 - 59},${y(a) + 17}C${x1 - 59},${y(a) + 50} ${x2 + 59},${y(b) + 50} ${x2 + 59},${y(b) + 18}`, fill: "none", stroke: "#8b95a1", "marker-end": "url(#arrow)" }, svg);
  }
  for (const item of nodes) {
    const task = item.kind === "task";
    const box = node("rect", { x: x(item), y: y(item) - 17, width: 118, height: 34, rx: task ? 3 : 16, fill: task ? heat(item.share) : "#f5f7f9", stroke: "#5b6673" }, svg);
    const lines = task ? `${count(item.cycles)} cycles, ${share(item.share)} of all that TBUs worked` : item.kind;
    tells(box, `${item.name}\n${lines}`);
    const ink = task ? onHeat(item.share) : "#1b2733", text = node("text", { x: x(item) + 59, y: y(item) - 4, "text-anchor": "middle", style: `fill:${ink};pointer-events:none` }, svg, item.name);
    for (let n = item.name.length; n > 3 && text.getComputedTextLength() > 112; ) text.textContent = item.name.slice(0, --n) + "…";
    node("text", { x: x(item) + 59, y: y(item) + 10, "text-anchor": "middle", style: `fill:${ink};pointer-events:none;font-size:10px` }, svg, task ? share(item.share) : item.kind);
  }
}

const series = (table) => data.block_names.map((name) => [name, table[name]]);
const WORD_COLOURS = { activations: "#4c78a8", constants: "#f0932b", dropped: "#b42318", descriptors: "#eccd4a", contexts: "#8e5bb5", results: "#5aa469" };
function drawAll() {
  drawCauses();
  drawPaths();
  const { time } = data;
  areas(at("waiting"), time.edges, series(time.waiting), blockColours);
  areas(at("in_units"), time.edges, series(time.in_units), blockColours);
  areas(at("running"), time.edges, series(time.running), blockColours);
  areas(at("under_way"), time.edges, [["instances", time.instances]], ["#72b7b2"]);
  stackedBars(at("words"), [["words", data.words]], WORD_COLOURS, 0, "words");
  if (data.latency.count) histogram(at("latency"), data.latency.edges, data.latency.counts, [["median", data.latency.median], ["99th", data.latency.percentile_99]], "latency, cycles");
  drawElements();
  drawNetwork();
  drawWorkflow();
}
choices(at("cause_choice"), [["chip", "chip"], ["cluster", "clusters"], ["tbu", "TBUs"], ["block", "blocks"]], (name) => { causeRows = name; drawCauses(); });
legend(at("cause_legend"), Object.entries(CAUSE_COLOURS).map(([name, shade]) => [`${name}: ${data.cause_texts[name]}`, shade]));
legend(at("word_legend"), Object.entries(WORD_COLOURS));
for (const place of document.querySelectorAll(".blocks_legend")) legend(place, data.block_names.map((name, i) => [name, colour(i)]));
const gantt = new Gantt(at("gantt"), { cycles: data.cycles, tasks: data.tasks.rows.map((row) => Object.fromEntries(data.tasks.columns.map((name, i) => [name, row[i]]))), units: data.unit_names, blocks: data.block_names, instances: data.instances });
choices(at("gantt_choice"), [["tbu", "by TBU"], ["block", "by block"], ["instance", "by instance"]], (mode) => gantt.choose(mode));
choices(at("zoom_choice"), [["all", "whole run"], ["middle", "a stretch from its middle"]], (what) => gantt.show(what === "all" ? [0, data.cycles] : [data.cycles / 2 - 1500, data.cycles / 2 + 1500]));
drawAll();
let waiting = null;
addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(() => { drawAll(); gantt.draw(); }, 100); });
document.body.dataset.ready = "yes";
