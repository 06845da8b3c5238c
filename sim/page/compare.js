// The charts of the page that compares two runs: both to the same scale.
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const at = (name) => document.getElementById(name);
const sum = (parts) => Object.values(parts).reduce((a, b) => a + b, 0);
const WORD_COLOURS = { activations: "#4c78a8", constants: "#f0932b", dropped: "#b42318", descriptors: "#eccd4a", contexts: "#8e5bb5", results: "#5aa469" };
function drawAll() {
  for (const [name, colours, unit] of [["causes", CAUSE_COLOURS, "cycles"], ["words", WORD_COLOURS, "words"]]) {
    const rows = data[name].map((parts, i) => ["AB"[i], parts]);
    stackedBars(at(name), rows, colours, Math.max(...rows.map(([, parts]) => sum(parts)), 1), unit);
  }
  const rows = Object.entries(data.blocks).flatMap(([name, both]) => both.map((parts, i) => [`${name} ${"AB"[i]}`, parts]));
  stackedBars(at("block_bars"), rows, CAUSE_COLOURS, Math.max(...rows.map(([, parts]) => sum(parts)), 1), "cycles");
  ["a", "b"].forEach((name, i) => {
    const found = data.latency[i];
    if (found.count) histogram(at("latency_" + name), data.edges, found.counts, [["median", found.median], ["99th", found.percentile_99]], "latency, cycles");
  });
}
legend(at("cause_legend"), Object.entries(CAUSE_COLOURS));
legend(at("word_legend"), Object.entries(WORD_COLOURS));
drawAll();
let waiting = null;
addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(drawAll, 100); });
document.body.dataset.ready = "yes";
