// Small charts as SVG. Data come from the page; nothing is fetched.
"use strict";
const SVG = "http://www.w3.org/2000/svg";
const PALETTE = ["#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756", "#72b7b2", "#9d755d", "#eeca3b", "#ff9da6", "#6b6ecf", "#8ca252", "#bd9e39"];
const CAUSE_COLOURS = {
  ADVANCE: "#2f6fb3", STALL_IN: "#8fb8e0", STALL_OUT: "#c0a6d8", GAP: "#7f8c99", SET_UP: "#a3795b",
  INPUT: "#f0932b", SCRATCHPAD: "#d35f8d", CONTEXT: "#8e5bb5", FETCH: "#eccd4a", OUTPUT: "#5aa469", IDLE: "#e6eaee",
};
const count = (value) => Math.round(value).toLocaleString("en-US");
const share = (value) => (100 * value).toFixed(value < 0.0995 ? 1 : 0) + "%";
const colour = (index) => PALETTE[index % PALETTE.length];

function node(name, attributes, parent, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  if (parent) parent.appendChild(made);
  return made;
}

// Text that appears at the pointer.
const tip = {
  show(event, text) {
    const box = document.getElementById("tip");
    box.textContent = text;
    box.style.display = "block";
    const left = Math.min(event.clientX + 12, innerWidth - box.offsetWidth - 4);
    const top = event.clientY + 14 + box.offsetHeight > innerHeight ? event.clientY - box.offsetHeight - 8 : event.clientY + 14;
    box.style.left = Math.max(2, left) + "px";
    box.style.top = top + "px";
  },
  hide() { document.getElementById("tip").style.display = "none"; },
};
function tells(element, text) {
  element.addEventListener("mousemove", (event) => tip.show(event, text));
  element.addEventListener("mouseleave", tip.hide);
  return element;
}

function canvasOf(place, height) {
  place.textContent = "";
  const width = Math.max(260, place.clientWidth);
  return [node("svg", { width, height, viewBox: `0 0 ${width} ${height}` }, place), width];
}

function legend(place, entries) {
  place.textContent = "";
  for (const [name, shade] of entries) {
    const item = document.createElement("span"), mark = document.createElement("i");
    mark.style.background = shade;
    item.append(mark, name);
    place.append(item);
  }
}

// A label that fits: cut with an ellipsis, the whole in the tooltip.
function label(svg, text, x, y, room) {
  const made = node("text", { x, y, "text-anchor": "end", "dominant-baseline": "central" }, svg, text);
  for (let length = text.length; length > 3 && made.getComputedTextLength() > room; ) made.textContent = text.slice(0, --length) + "…";
  node("title", {}, made, text);
}

// Bars of parts: rows are [name, {part: value}], all to the same scale (`total`, or each its own sum).
function stackedBars(place, rows, colours, total, unit) {
  const left = Math.min(150, Math.max(70, 7 * Math.max(...rows.map(([name]) => name.length)))), step = rows.length > 40 ? 12 : 22;
  const [svg, width] = canvasOf(place, step * rows.length + 4);
  const room = width - left - 8;
  rows.forEach(([name, parts], row) => {
    const sum = Object.values(parts).reduce((a, b) => a + b, 0), whole = total || sum || 1, y = 2 + row * step;
    if (step > 12 || row % 4 === 0) label(svg, name, left - 6, y + step / 2, left - 8);
    let x = left;
    for (const [part, value] of Object.entries(parts)) {
      if (!value) continue;
      const wide = (room * value) / whole;
      tells(node("rect", { x, y: y + 1, width: Math.max(wide, 0.3), height: step - 3, fill: colours[part] || "#999" }, svg),
        `${name}: ${part}\n${count(value)} ${unit}, ${share(value / (sum || 1))}`);
      if (step > 12 && wide > 42) node("text", { x: x + wide / 2, y: y + step / 2, "text-anchor": "middle", "dominant-baseline": "central", style: "pointer-events:none" }, svg, share(value / (sum || 1)));
      x += wide;
    }
  });
}

function ticks(most, wanted) {
  const rough = most / wanted || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((value) => value >= rough);
  const found = [];
  for (let value = 0; value <= most * 1.0001; value += step) found.push(value);
  return found;
}

function axes(svg, box, xs, ys, title) {
  for (const value of ticks(ys, 4)) {
    const y = box.bottom - ((box.bottom - box.top) * value) / (ys || 1);
    node("line", { x1: box.left, x2: box.right, y1: y, y2: y, stroke: "#e8ecef" }, svg);
    node("text", { x: box.left - 5, y, "text-anchor": "end", "dominant-baseline": "central" }, svg, ys < 5 ? +value.toFixed(2) : count(value));
  }
  for (const value of ticks(xs[1] - xs[0], Math.max(2, (box.right - box.left) / 110))) {
    const x = box.left + ((box.right - box.left) * value) / (xs[1] - xs[0] || 1);
    node("text", { x, y: box.bottom + 14, "text-anchor": x > box.right - 16 ? "end" : "middle" }, svg, count(xs[0] + value));
  }
  node("text", { x: (box.left + box.right) / 2, y: box.bottom + 30, "text-anchor": "middle", fill: "#5b6673" }, svg, title);
}

// Stacked steps over time: series are [name, values]; an edge more than values.
function areas(place, edges, series, colours, height = 190) {
  const [svg, width] = canvasOf(place, height), box = { left: 44, right: width - 8, top: 8, bottom: height - 36 };
  const sums = edges.slice(1).map((_, i) => series.reduce((sum, [, values]) => sum + values[i], 0));
  const most = Math.max(...sums) || 1, span = edges[edges.length - 1] - edges[0] || 1;
  axes(svg, box, [edges[0], edges[edges.length - 1]], most, "clock cycle of the run");
  const x = (cycle) => box.left + ((box.right - box.left) * (cycle - edges[0])) / span;
  const y = (value) => box.bottom - ((box.bottom - box.top) * value) / most;
  const below = sums.map(() => 0);
  series.forEach(([, values], place) => {
    let path = `M${x(edges[0])},${y(below[0])}`;
    values.forEach((value, i) => { path += `V${y(below[i] + value).toFixed(2)}H${x(edges[i + 1]).toFixed(2)}`; });
    for (let i = values.length - 1; i >= 0; i--) path += `V${y(below[i]).toFixed(2)}H${x(edges[i]).toFixed(2)}`;
    node("path", { d: path + "Z", fill: colours[place] }, svg);
    values.forEach((value, i) => { below[i] += value; });
  });
  const cover = node("rect", { x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top, fill: "transparent" }, svg);
  cover.addEventListener("mouseleave", tip.hide);
  cover.addEventListener("mousemove", (event) => {
    const at = edges[0] + ((event.clientX - svg.getBoundingClientRect().left - box.left) / (box.right - box.left)) * span;
    const i = Math.min(sums.length - 1, Math.max(0, edges.findIndex((edge) => edge > at) - 1));
    const lines = series.filter(([, values]) => values[i]).map(([name, values]) => `${name} ${values[i].toFixed(2)}`);
    tip.show(event, `cycles ${count(edges[i])} to ${count(edges[i + 1])}\n${lines.join("\n") || "none"}`);
  });
}

function histogram(place, edges, counts, marks, title, height = 190) {
  const [svg, width] = canvasOf(place, height), box = { left: 44, right: width - 12, top: 18, bottom: height - 36 };
  box.top += 12;
  const most = Math.max(...counts, 1), low = Math.min(0, edges[0]), span = edges[edges.length - 1] - low || 1;
  axes(svg, box, [low, edges[edges.length - 1]], most, title);
  const x = (value) => box.left + ((box.right - box.left) * (value - low)) / span;
  counts.forEach((value, i) => {
    const tall = ((box.bottom - box.top) * value) / most;
    tells(node("rect", { x: x(edges[i]), y: box.bottom - tall, width: Math.max(3, x(edges[i + 1]) - x(edges[i]) - 1), height: tall, fill: "#4c78a8" }, svg),
      `${count(edges[i])} to ${count(edges[i + 1])} cycles: ${value}`);
  });
  let last = -Infinity;
  for (const [name, value] of marks) {
    const above = x(value) - last < 110 ? 20 : 8; // beside the mark before there is no room
    last = x(value);
    const side = x(value) > (box.left + box.right) / 2 ? "end" : "start";
    node("line", { x1: x(value), x2: x(value), y1: box.top - 6, y2: box.bottom, stroke: "#b42318", "stroke-dasharray": "3 3" }, svg);
    node("text", { x: x(value) + (side === "end" ? -4 : 4), y: box.top - above, "text-anchor": side }, svg, `${name} ${count(value)}`);
  }
}

// From pale to dark; 1 is the capacity, whatever the busiest reaches.
function heat(value) {
  const stops = [[247, 250, 252], [253, 208, 120], [228, 89, 59], [90, 20, 50]];
  const at = Math.min(0.9999, Math.max(0, Math.sqrt(value))) * 3, low = Math.floor(at), part = at - low;
  return `rgb(${stops[low].map((from, i) => Math.round(from + part * (stops[low + 1][i] - from))).join(",")})`;
}
const onHeat = (value) => (Math.sqrt(value) > 0.6 ? "#fff" : "#1b2733");
