// The Gantt chart on a canvas: by TBU, by block or by instance; wheel zooms, drag moves, double click shows all.
"use strict";
const HEAD = 20; // the axis, above the rows
class Gantt {
  constructor(place, data) {
    this.data = data;
    this.place = place;
    this.mode = "tbu";
    this.span = [0, data.cycles || 1];
    this.canvas = document.createElement("canvas");
    place.append(this.canvas);
    this.canvas.addEventListener("wheel", (event) => this.zoom(event), { passive: false });
    this.canvas.addEventListener("pointerdown", (event) => { this.drag = [event.clientX, ...this.span]; this.canvas.setPointerCapture(event.pointerId); });
    this.canvas.addEventListener("pointerup", () => { this.drag = null; });
    this.canvas.addEventListener("pointermove", (event) => this.move(event));
    this.canvas.addEventListener("pointerleave", tip.hide);
    this.canvas.addEventListener("dblclick", () => this.show([0, data.cycles || 1]));
    this.choose("tbu");
  }
  // Which row each task is on, and the rows' names.
  choose(mode) {
    const { tasks, units, blocks, instances } = this.data;
    this.mode = mode;
    this.lanes = tasks.map(() => 0);
    this.places = tasks.map(() => 1);
    if (mode === "tbu") {
      this.names = units;
      this.row = tasks.map((task) => task.unit);
    } else if (mode === "instance") {
      this.names = Array.from({ length: instances }, (_, i) => `instance ${i}`);
      this.row = tasks.map((task) => task.number);
    } else {
      this.names = blocks;
      this.row = tasks.map((task) => task.block);
      const lanes = blocks.map((_, block) => [...new Set(tasks.filter((task) => task.block === block).map((task) => task.unit))].sort((a, b) => a - b));
      this.lanes = tasks.map((task) => (task.block < 0 ? 0 : lanes[task.block].indexOf(task.unit)));
      this.places = tasks.map((task) => (task.block < 0 ? 1 : lanes[task.block].length));
    }
    this.height = mode === "instance" ? 9 : mode === "block" ? 46 : 24;
    this.draw();
  }
  show(span) {
    const all = this.data.cycles || 1, wide = Math.min(all, Math.max(20, span[1] - span[0]));
    const first = Math.min(Math.max(0, span[0]), all - wide);
    this.span = [first, first + wide];
    this.draw();
  }
  cycle(event) {
    const x = event.clientX - this.canvas.getBoundingClientRect().left;
    return this.span[0] + ((x - this.left) / this.room) * (this.span[1] - this.span[0]);
  }
  zoom(event) {
    if (!event.ctrlKey && !event.metaKey && Math.abs(event.deltaX) < Math.abs(event.deltaY) && this.mode === "instance" && !event.shiftKey) return; // scrolls the rows
    event.preventDefault();
    const at = this.cycle(event), factor = Math.exp(0.0015 * (event.deltaY || event.deltaX));
    this.show([at - (at - this.span[0]) * factor, at + (this.span[1] - at) * factor]);
  }
  move(event) {
    if (this.drag) {
      const shift = ((event.clientX - this.drag[0]) / this.room) * (this.drag[2] - this.drag[1]);
      this.show([this.drag[1] - shift, this.drag[2] - shift]);
      return;
    }
    const task = this.find(event);
    if (!task) { tip.hide(); return; }
    const lines = [`${this.data.blocks[task.block] ?? "?"}, instance ${task.number < 0 ? "?" : task.number}`, this.data.units[task.unit]];
    const piece = (name, from, to) => { if (from >= 0 && to > from) lines.push(`${name}: ${count(from)} to ${count(to)} (${count(to - from)})`); };
    piece("waits for a TBU", task.ready, task.dispatched);
    piece("descriptor, kernel, room", task.taken, task.placed);
    piece("operands", task.placed, task.filled);
    piece("array", task.started, task.left);
    piece("results", task.left, task.completed);
    if (task.dropped) lines.push("prepared in vain");
    tip.show(event, lines.join("\n"));
  }
  find(event) {
    const box = this.canvas.getBoundingClientRect(), y = event.clientY - box.top, cycle = this.cycle(event);
    const row = Math.floor((y - HEAD) / this.height), slack = (2 * (this.span[1] - this.span[0])) / this.room;
    let found = null, best = Infinity;
    this.data.tasks.forEach((task, i) => {
      if (this.row[i] !== row) return;
      if (this.places[i] > 1 && Math.floor(((y - HEAD - row * this.height - 1) * this.places[i]) / (this.height - 2)) !== this.lanes[i]) return;
      const from = this.mode === "instance" && task.ready >= 0 ? task.ready : task.taken, to = task.completed >= 0 ? task.completed : task.dropped ? Math.max(task.left, task.filled, task.placed, task.taken) : this.data.cycles;
      if (cycle < from - slack || cycle > to + slack) return;
      // Where several are in the unit, the one in the array comes first, then the one that gets its operands.
      const rank = cycle >= task.started && cycle < task.left ? 0 : cycle >= task.placed && cycle < task.filled ? 1 : 2;
      if (rank < best) { best = rank; found = task; }
    });
    return found;
  }
  draw() {
    const width = Math.max(260, this.place.clientWidth - 2), tall = this.height * this.names.length + HEAD + 2, scale = Math.min(2, devicePixelRatio || 1);
    this.left = width < 600 ? 78 : 124;
    this.room = width - this.left - 6;
    Object.assign(this.canvas, { width: width * scale, height: tall * scale });
    Object.assign(this.canvas.style, { width: width + "px", height: tall + "px" });
    const pen = this.canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "middle";
    const [first, last] = this.span, x = (cycle) => this.left + (this.room * (cycle - first)) / (last - first);
    const every = Math.ceil(11 / this.height);
    this.names.forEach((name, row) => {
      if (row % 2) { pen.fillStyle = "#f8fafb"; pen.fillRect(this.left, HEAD + row * this.height, this.room, this.height); }
      pen.fillStyle = "#1b2733";
      if (row % every === 0) pen.fillText(name, 4, HEAD + (row + 0.5) * this.height, this.left - 8);
    });
    pen.save();
    pen.beginPath();
    pen.rect(this.left, 0, this.room, tall);
    pen.clip();
    const bar = (from, to, row, top, part, shade) => {
      if (from < 0 || to <= from || to < first || from > last) return;
      pen.fillStyle = shade;
      pen.fillRect(x(from), HEAD + row * this.height + 1 + top * (this.height - 2), Math.max(0.6, x(to) - x(from)), part * (this.height - 2));
    };
    this.data.tasks.forEach((task, i) => {
      const row = this.row[i], shade = colour(Math.max(0, task.block)), place = this.places[i], top = this.lanes[i] / place;
      if (row < 0) return;
      // What has not ended when the run does lasts until then.
      const until = (cycle) => (cycle >= 0 ? cycle : this.data.cycles), end = until(task.completed);
      if (this.mode === "instance") {
        bar(task.ready, end, row, 0, 1, "#dfe4e9");
        if (task.placed >= 0) bar(Math.max(task.placed, task.ready), until(task.filled), row, 0.2, 0.6, shade + "70");
        bar(task.started, until(task.left), row, 0, 1, shade);
        return;
      }
      // Beside the array's runs, a narrow strip: what the unit prepares meanwhile.
      bar(task.taken, until(task.placed), row, top, 0.16 / place, task.dropped ? "#b42318" : "#9aa5b1");
      bar(task.placed, until(task.filled), row, top + 0.17 / place, 0.25 / place, shade + "80");
      bar(task.started, until(task.left), row, top + 0.44 / place, 0.56 / place, task.dropped ? "#b42318" : shade);
    });
    pen.restore();
    pen.fillStyle = "#5b6673";
    pen.textAlign = "center";
    const marks = ticks(last - first, Math.max(2, this.room / 120)), step = marks[1] || 1;
    for (const value of marks) {
      const cycle = Math.ceil(first / step) * step + value;
      if (cycle > last) continue;
      pen.fillRect(x(cycle), HEAD - 4, 1, 4);
      pen.fillText(count(cycle), Math.min(Math.max(x(cycle), this.left + 22), this.left + this.room - 22), HEAD - 11);
    }
    pen.textAlign = "left";
  }
}
