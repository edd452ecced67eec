// Charts over labelled slots, drawn by uPlot in the colours of the page, each with its figures as a table.

import { h, number } from "/admin/dom.js";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const drawn = new Set();

/** Forget the charts of the page before. */
export function clear() {
  drawn.forEach((chart) => chart.plot && chart.plot.destroy());
  drawn.clear();
}

/** A bar chart (one series) or a line chart. `series` holds {label, values, colour, bars, show}. */
export function chart(heading, slots, series, say = number) {
  const place = h("div", { class: "plot", role: "img", "aria-label": summary(heading, slots, series, say) });
  const legend = series.length > 1 && h("p", { class: "legend" }, series.map((one) => h("span", { class: one.colour.slice(2) }, one.label)));
  const figure = h("figure", { class: "card" }, h("figcaption", {}, heading, legend || ""), place, table(slots, series, say));
  const entry = { plot: null, place, draw: () => draw(entry, slots, series, say) };
  drawn.add(entry);
  requestAnimationFrame(entry.draw);
  return figure;
}

function draw(entry, slots, series, say) {
  if (entry.plot) entry.plot.destroy();
  const width = entry.place.clientWidth;
  if (!width || !window.uPlot) return;
  const axis = { stroke: colour("--soft"), font: "12px system-ui, sans-serif", ticks: { show: false } };
  const every = Math.ceil(slots.length / Math.max(2, Math.floor(width / 56)));
  entry.plot = new window.uPlot(
    {
      width,
      height: 200,
      padding: [10, 10, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      scales: { x: { time: false, range: [-0.6, slots.length - 0.4] }, y: { range: (_, low, high) => [0, Math.max(high * 1.1, 1)] } },
      axes: [
        { ...axis, grid: { show: false }, size: 28, splits: () => slots.map((_, at) => at).filter((at) => at % every === 0), values: (_, places) => places.map((at) => slots[at]) },
        { ...axis, size: 54, space: 36, incrs: say === number ? [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000] : undefined, grid: { stroke: colour("--line"), width: 1 }, values: (_, values) => values.map((value) => say(value)) },
      ],
      series: [
        {},
        ...series.map((one) => ({
          stroke: colour(one.colour),
          fill: one.bars ? colour(one.colour) : undefined,
          width: one.bars ? 0 : 2,
          paths: one.bars ? window.uPlot.paths.bars({ size: [0.7, 40], radius: 0.2 }) : undefined,
          points: { show: !one.bars, size: 6, fill: colour(one.colour) },
          spanGaps: true,
        })),
      ],
      hooks: { setCursor: [(plot) => point(entry.place, plot, slots, series, say)] },
    },
    [slots.map((_, at) => at), ...series.map((one) => one.values)],
    entry.place,
  );
}

function point(place, plot, slots, series, say) {
  const at = plot.cursor.idx;
  let tip = place.querySelector(".tip");
  if (at == null || plot.cursor.left < 0) return tip && tip.remove();
  if (!tip) tip = place.appendChild(h("div", { class: "tip", "aria-hidden": "true" }));
  const values = series.filter((one) => one.values[at] != null).map((one) => `${one.label} : ${say(one.values[at])}`);
  tip.textContent = [slots[at], ...values].join(" · ");
}

function summary(heading, slots, series, say) {
  const parts = series.map((one) => {
    const values = one.values.filter((value) => value != null);
    return `${one.label} : au plus ${say(Math.max(0, ...values))}`;
  });
  return `${heading}. ${slots.length} points. ${parts.join(" ; ")}.`;
}

function table(slots, series, say) {
  const rows = slots.map((slot, at) =>
    h("tr", {}, h("th", { scope: "row" }, slot), series.map((one) => h("td", {}, one.values[at] == null ? "" : say(one.values[at])))),
  );
  return h(
    "details",
    {},
    h("summary", {}, "Voir les chiffres"),
    h(
      "div",
      { class: "table" },
      h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Période"), series.map((one) => h("th", { scope: "col" }, one.label)))), h("tbody", {}, rows)),
    ),
  );
}

/** Shares as horizontal bars. `counts` maps a name to how often. */
export function shares(heading, counts, name = (key) => key, long = false) {
  const ranked = Object.entries(counts).sort((one, other) => other[1] - one[1]);
  const most = Math.max(1, ...ranked.map(([, count]) => count));
  const lines = ranked.map(([key, count]) => {
    const bar = h("span", { class: "bar" });
    bar.style.width = `${Math.max(2, (100 * count) / most)}%`;
    return h("li", {}, h("span", { class: "what" }, name(key)), h("span", { class: "track", "aria-hidden": "true" }, bar), h("span", { class: "count" }, number(count)));
  });
  return h("figure", { class: "card" }, h("figcaption", {}, heading), lines.length ? h("ul", { class: long ? "shares long" : "shares" }, lines) : h("p", { class: "empty" }, "Rien encore."));
}

let resizing = 0;
const redraw = () => {
  clearTimeout(resizing);
  resizing = setTimeout(() => drawn.forEach((entry) => entry.draw()), 120);
};
addEventListener("resize", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
