// Draws the charts of a page and moves its tiles. The page's numbers are JSON in #data; see
// page.go. A served page asks for tiles of other steps and frames, and for itself when a run
// has gone on.
(() => {
"use strict";
const one = (q, at = document) => at.querySelector(q);
const all = (q, at = document) => [...at.querySelectorAll(q)];
const served = "served" in document.body.dataset;
let data = JSON.parse(one("#data").textContent);

// Numbers as people write them.
const raised = n => String(n).replace(/./g, c => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] ?? "⁻");
function written(v, digits = 4, least = 1e-3) {
  if (v == null) return "–";
  const size = Math.abs(v);
  if (size !== 0 && (size < least || size >= 1e6)) {
    const [m, e] = v.toExponential(digits - 1).split("e"), number = String(Number(m));
    return (number === "1" ? "" : number === "-1" ? "−" : number.replace("-", "−") + "×") + "10" + raised(Number(e));
  }
  return String(Number(v.toPrecision(digits))).replace("-", "−");
}

// decades returns the ticks of a logarithmic axis: powers of ten, and between them as many
// round numbers as have room.
function decades(low, high, pixels) {
  const span = Math.log10(high / low), room = 24 * span / pixels; // decades that a label takes
  const factors = [[1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 5, 7], [1, 2, 5], [1]].find(f => [...f.slice(1), 10].every((v, i) => Math.log10(v / f[i]) > room)) ?? [1];
  const every = Math.max(1, Math.ceil(room)), ticks = [];
  for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++) {
    if (e % every === 0) factors.forEach(f => { const v = Number(`${f}e${e}`); v >= low && v <= high && ticks.push(v); });
  }
  return ticks;
}

const color = name => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

// smoothed is the exponential moving average of y, without the bias of its beginning.
function smoothed(y, weight) {
  let sum = 0, norm = 0;
  return y.map(v => {
    if (v == null) return null;
    sum = weight * sum + (1 - weight) * v;
    norm = weight * norm + (1 - weight);
    return sum / norm;
  });
}

// What the reader has chosen.
const chosen = {smoothing: 0, logX: false, logY: false, hidden: new Map()};
const hiddenIn = section => chosen.hidden.get(section) ?? chosen.hidden.set(section, new Set()).get(section);

class Chart {
  constructor(at) {
    this.at = at;
    this.section = at.closest("section").id;
    this.tip = document.createElement("div");
    this.tip.className = "tip";
    this.tip.hidden = true;
  }
  get about() { return data.charts[this.at.dataset.chart]; }
  get curves() { return this.section === "curves"; }

  // columns returns uPlot's data, and for each column its series and how it is drawn.
  columns() {
    const tables = [], columns = [];
    this.about.series.forEach((s, i) => {
      const x = data.axes[s.x], y = s.y, weight = this.about.smooth ? chosen.smoothing : 0;
      const ys = weight > 0 && y.length > 2 ? [y, smoothed(y, weight)] : [y];
      ys.forEach((_, j) => columns.push({s, faint: ys.length > 1 && j === 0, main: j === ys.length - 1}));
      if (s.low) {
        ys.push(s.low, s.high);
        columns.push({s, edge: true}, {s, edge: true});
      }
      tables.push([x, ...ys]);
    });
    const same = this.about.series.every(s => s.x === this.about.series[0].x);
    const joined = same ? [tables[0][0], ...tables.flatMap(t => t.slice(1))] : uPlot.join(tables);
    const [logX, logY] = this.logs();
    const positive = list => list.map(v => v > 0 ? v : null);
    if (logX) {
      const from = joined[0].findIndex(v => v > 0);
      for (let i = 0; i < joined.length; i++) joined[i] = joined[i].slice(from);
    }
    return [[joined[0], ...joined.slice(1).map(y => logY ? positive(y) : y)], columns];
  }
  logs() {
    const a = this.about;
    return [a.logx || this.curves && chosen.logX, a.logy || this.curves && chosen.logY];
  }

  // xRange ends behind the shaded band, as figures do: beyond it are the corners of the modes' square.
  xRange(low, high, log) {
    const band = this.about.shade;
    if (low == null) return [1, 10];
    if (band && band[1] > low) high = Math.min(high, band[1] * 1.06);
    return low < high ? [low, high] : log ? [low / 2, high * 2] : [low - 1, high + 1];
  }

  // yRange leaves out decades that say nothing.
  yRange(low, high) {
    const a = this.about, log = this.logs()[1];
    if (low == null) return log ? [0.1, 1] : [0, 1];
    if (a.right != null && log) [low, high] = [Math.max(Math.min(low, 0.5), 0.01), Math.min(Math.max(high, 2), 10)];
    if (log) {
      low = Math.min(Math.max(low, a.floor ?? 0), high);
      const pad = Math.max((high / low) ** 0.05, 1.1);
      return [low / pad, high * pad];
    }
    const pad = (high - low || Math.abs(high) || 1) * 0.06;
    return [low >= 0 && low - pad < 0 ? 0 : low - pad, high + pad];
  }

  options(columns) {
    const a = this.about, [logX, logY] = this.logs(), ink = color("ink"), quiet = color("quiet"), line = color("line");
    const axis = (label, log, pixels) => ({
      stroke: quiet, label, labelSize: 17, labelGap: 0, labelFont: "12px system-ui, sans-serif", font: "12px system-ui, sans-serif", gap: 3,
      grid: {stroke: line, width: 0.5}, ticks: {stroke: line, width: 1, size: 4}, values: (u, splits) => splits.map(v => v == null ? "" : written(v, 4, log ? 1e-2 : 1e-3)),
      ...(log ? {splits: (u, i, low, high) => decades(low, high, pixels), filter: (u, splits) => splits} : {}),
    });
    const y = axis(a.y, logY, this.at.clientHeight), hidden = hiddenIn(this.section);
    y.size = (u, values) => 10 + 6.6 * Math.max(this.curves ? 3 : 5, ...(values ?? []).map(v => v ? v.length : 0));
    const x = {...axis(a.x, logX, this.at.clientWidth), size: 22};
    return {
      width: Math.max(this.at.clientWidth, 120), height: this.at.clientHeight, legend: {show: false}, pxAlign: false,
      padding: [8, 12, 0, 0],
      scales: {x: {time: false, distr: logX ? 3 : 1, range: (u, low, high) => this.xRange(low, high, logX)}, y: {distr: logY ? 3 : 1, range: (u, low, high) => this.yRange(low, high)}},
      axes: [x, y],
      series: [{}, ...columns.map(c => ({
        label: c.s.label, show: !hidden.has(c.s.label), stroke: color("c-" + c.s.color), width: c.edge ? 0 : c.s.thick ? 3 : 1.8, dash: c.s.dash ? [6, 4] : undefined,
        alpha: c.faint ? 0.3 : 1, spanGaps: true, points: {show: c.main && this.curves ? (u, i) => u.data[i].reduce((n, v) => n + (v != null), 0) < 25 : false, size: 5, fill: color("c-" + c.s.color)},
      }))],
      bands: columns.flatMap((c, i) => c.edge && columns[i - 1]?.edge && columns[i - 1].s === c.s ? [{series: [i + 1, i], fill: color("c-" + c.s.color) + "33"}] : []),
      cursor: {drag: {x: true, y: false}, points: {size: 7}, sync: this.curves ? {key: "curves", setSeries: false} : undefined},
      hooks: {drawClear: [u => this.ground(u, ink)], setCursor: [u => this.read(u, columns)]},
    };
  }

  // ground draws the shaded band and the line of the right value.
  ground(u, ink) {
    const a = this.about, {left, top, width, height} = u.bbox, c = u.ctx;
    c.save();
    c.beginPath();
    c.rect(left, top, width, height);
    c.clip();
    if (a.shade) {
      const from = u.valToPos(a.shade[0], "x", true), to = u.valToPos(a.shade[1], "x", true);
      c.fillStyle = color("shade");
      c.fillRect(from, top, to - from, height);
    }
    if (a.right != null) {
      const y = u.valToPos(a.right, "y", true);
      c.strokeStyle = ink;
      c.lineWidth = devicePixelRatio;
      c.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
      c.beginPath();
      c.moveTo(left, y);
      c.lineTo(left + width, y);
      c.stroke();
    }
    c.restore();
  }

  // read shows the values under the cursor.
  read(u, columns) {
    const i = u.cursor.idx;
    if (i == null || u.cursor.left < 0) {
      this.tip.hidden = true;
      return;
    }
    const rows = [];
    columns.forEach((c, n) => {
      if (!c.main || !u.series[n + 1].show) return;
      let at = i; // the nearest value, of a series that has none here
      for (let d = 0; u.data[n + 1][at] == null && d < 400; d++) at = [i - d, i + d].find(j => u.data[n + 1][j] != null) ?? i;
      if (u.data[n + 1][at] != null) rows.push([u.data[n + 1][at], c.s]);
    });
    rows.sort((a, b) => b[0] - a[0]);
    this.tip.replaceChildren(this.line(this.about.x, written(u.data[0][i], 7)), ...rows.slice(0, 12).map(([v, s]) => this.line(s.label, written(v), s.color)));
    this.tip.hidden = false;
    const left = u.cursor.left + u.over.offsetLeft, right = left > this.at.clientWidth / 2;
    this.tip.style.left = right ? "auto" : left + 14 + "px";
    this.tip.style.right = right ? this.at.clientWidth - left + 14 + "px" : "auto";
    this.tip.style.top = u.over.offsetTop + 4 + "px";
  }
  line(name, value, swatch) {
    const row = document.createElement("div"), label = document.createElement("span"), number = document.createElement("span");
    if (swatch) {
      const mark = document.createElement("span");
      mark.className = "swatch bg-" + swatch;
      label.append(mark);
    }
    label.append(name);
    number.append(value);
    row.append(label, number);
    return row;
  }

  draw() {
    this.plot?.destroy();
    one(".drawing", this.at)?.remove();
    const [columns, how] = this.columns();
    this.plot = new uPlot(this.options(how), columns, this.at);
    this.plot.root.setAttribute("role", "img");
    this.plot.root.setAttribute("aria-label", `${this.about.title}: ${this.about.series.map(s => s.label).join(", ")}`);
    this.at.append(this.tip);
    this.width = this.at.clientWidth;
  }
  fit() {
    if (this.plot && this.at.clientWidth > 0 && this.at.clientWidth !== this.width) this.draw();
  }
}

// Charts are drawn when they come near the screen.
let charts = [];
const near = new IntersectionObserver(seen => seen.forEach(s => s.isIntersecting && s.target.chart && !s.target.chart.plot && s.target.chart.draw()), {rootMargin: "400px"});
const sized = new ResizeObserver(seen => seen.forEach(s => s.target.chart?.fit()));
const drawn = () => charts.filter(c => c.plot);
const redraw = () => drawn().forEach(c => c.draw());
function setUp() {
  charts = all(".chart").map(at => at.chart ??= new Chart(at));
  charts.forEach(c => { near.observe(c.at); sized.observe(c.at); });
  all("section").forEach(legend);
}
addEventListener("beforeprint", () => charts.forEach(c => c.plot || c.draw()));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

// legend has a button for each label of a section's charts.
function legend(section) {
  const at = one(".legend", section);
  if (!at) return;
  const labels = new Map(), hidden = hiddenIn(section.id);
  charts.filter(c => c.section === section.id && c.about.series.length > 1).forEach(c => c.about.series.forEach(s => labels.has(s.label) || labels.set(s.label, s.color)));
  at.replaceChildren(...[...labels].map(([label, swatch]) => {
    const button = document.createElement("button"), mark = document.createElement("span");
    button.type = "button";
    mark.className = "swatch bg-" + swatch;
    button.append(mark, label);
    button.setAttribute("aria-pressed", String(!hidden.has(label)));
    button.addEventListener("click", () => {
      hidden.delete(label) || hidden.add(label);
      button.setAttribute("aria-pressed", String(!hidden.has(label)));
      drawn().filter(c => c.section === section.id).forEach(c => c.draw());
    });
    return button;
  }));
}

// Controls of the curves.
function control(id, event, act) {
  one(id)?.addEventListener(event, e => { act(e.target); drawn().filter(c => c.curves).forEach(c => c.draw()); });
}
control("#smoothing", "input", at => { chosen.smoothing = Number(at.value); one("#smoothing-value").value = at.value; });
control("#log-x", "change", at => chosen.logX = at.checked);
control("#log-y", "change", at => chosen.logY = at.checked);
one("details.more")?.addEventListener("toggle", () => charts.forEach(c => c.plot || c.at.offsetParent && c.draw()));

// tile returns the address of an img's tile of another frame and, if it is given, step.
function tile(img, frame, step) {
  const to = new URL(img.src);
  to.searchParams.set("frame", frame);
  if (step) to.searchParams.set("step", step);
  return to.href;
}

// Samples: the field, frame and step that are shown, and two of its pictures over each other.
class Viewer {
  static all = [];
  constructor(at) {
    this.at = at;
    Viewer.all.push(this);
    this.wipe = one(".wipe", at);
    this.left = one(".left", at);
    this.right = one(".right", at);
    this.position = one(".position", at);
    this.sides = {};
    one(".field", at)?.addEventListener("change", () => this.show());
    one(".frame", at)?.addEventListener("change", () => this.load());
    one(".steps", at)?.addEventListener("input", () => this.load());
    this.left.addEventListener("change", () => this.lay(true));
    this.right.addEventListener("change", () => this.lay(true));
    this.position.addEventListener("input", () => this.slide());
    const stage = one(".stage", at);
    const drag = e => {
      const box = stage.getBoundingClientRect();
      this.position.value = 100 * (e.clientX - box.left) / box.width;
      this.slide();
    };
    stage.addEventListener("pointerdown", e => { stage.setPointerCapture(e.pointerId); drag(e); });
    stage.addEventListener("pointermove", e => e.buttons && drag(e));
    this.wipe.hidden = false;
  }
  get panel() { return one(`.panel[data-field="${one(".field", this.at)?.value ?? 0}"]`, this.at); }
  show() {
    all(".panel", this.at).forEach(p => p.hidden = p !== this.panel);
    const labels = this.pictures.map(p => p.label);
    for (const [select, usual] of [[this.left, 0], [this.right, labels.includes("generated") ? labels.indexOf("generated") : labels.length - 1]]) {
      const before = this.sides[select.className] ?? labels[usual];
      select.replaceChildren(...labels.map(l => new Option(l, l, false, l === before)));
    }
    this.load();
  }
  get step() {
    const slider = one(".steps", this.at);
    return slider ? slider.dataset.steps.split(" ")[slider.value] : null;
  }
  load() {
    const step = this.step, output = one(".step", this.at);
    if (output) output.value = step;
    const frame = one(".frame", this.at)?.value ?? 0;
    if (served) all("img", this.panel).forEach(img => {
      const to = tile(img, frame, "changes" in img.dataset && step);
      if (to !== img.src) img.src = to;
    });
    Viewer.all.forEach(v => v.lay());
  }
  // pictures are the field's: this run's, and what the models of runs with the same frames make of it.
  get pictures() {
    const pictures = all("img", this.panel).map(img => ({label: img.dataset.label, src: img.src, alt: img.alt}));
    const {frames} = this.at.dataset, {name} = this.panel.dataset, frame = one(".frame", this.at)?.value ?? 0;
    Viewer.all.filter(v => v !== this && v.at.dataset.frames === frames).forEach(v => {
      const panel = all(".panel", v.at).find(p => p.dataset.name === name);
      all(":scope > .tiles img[data-changes]", panel ?? document.createElement("div")).forEach(img => {
        const run = v.at.dataset.name + ": ";
        pictures.push({label: run + img.dataset.label, src: served ? tile(img, frame, v.step) : img.src, alt: run + img.alt});
      });
    });
    return pictures;
  }
  lay(asked) {
    if (asked) this.sides = {left: this.left.value, right: this.right.value};
    const pictures = this.pictures, of = label => pictures.find(p => p.label === label) ?? pictures[0];
    for (const [layer, select] of [["under", this.left], ["over", this.right]]) {
      const from = of(select.value), img = one("." + layer, this.at);
      img.src = from.src;
      img.alt = from.alt;
    }
    this.slide();
  }
  slide() {
    const at = Number(this.position.value);
    one(".over", this.at).style.clipPath = `inset(0 0 0 ${at}%)`;
    one(".edge", this.at).style.left = at + "%";
    this.position.setAttribute("aria-valuetext", `${this.left.value} left of ${Math.round(at)}%, ${this.right.value} right`);
  }
  // follow takes the steps of a newer page; a slider at the end stays there.
  follow(steps) {
    const slider = one(".steps", this.at), last = slider.value === slider.max;
    slider.dataset.steps = steps;
    slider.max = steps.split(" ").length - 1;
    if (last) slider.value = slider.max;
    this.load();
  }
}

setUp();
const viewers = all(".viewer").map(at => new Viewer(at));
viewers.forEach(v => v.show());
if (!served) return;

// A served page asks every two seconds whether its runs have gone on.
all(".picker input").forEach(i => i.addEventListener("change", () => i.form.requestSubmit()));
const address = "/changes" + location.search;
let known = null;
async function look() {
  if (document.hidden) return;
  const now = await (await fetch(address)).text();
  if (known !== null && now !== known) await renew();
  known = now;
}
async function renew() {
  const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
  const shape = at => all(".chart, .viewer, .panel", at).map(e => e.className + (e.dataset.chart ?? "")).join();
  if (shape(page) !== shape(document) || all(".steps", page).length !== all(".steps").length) {
    location.reload();
    return;
  }
  all("[data-live]").forEach(at => at.replaceChildren(...one("#" + at.id, page).childNodes));
  all(".picker input").forEach(i => i.addEventListener("change", () => i.form.requestSubmit()));
  data = JSON.parse(one("#data", page).textContent);
  redraw();
  all(".steps", page).forEach((s, i) => viewers.filter(v => one(".steps", v.at))[i].follow(s.dataset.steps));
}
setInterval(() => look().catch(() => {}), 2000);
look().catch(() => {});
})();
