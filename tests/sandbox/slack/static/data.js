// Tables and charts. A chart always has its numbers as a table for those who cannot see it.
import { h, press, svg } from "./dom.js";
import { rich } from "./rich.js";

const cell = (one) => (one.type === "rich_text" ? rich(one) : String(one.text ?? one.value ?? ""));

function grid(head, rows, { caption, settings = [], rowHeader = -1 }) {
  const look = (one, at) => {
    const align = settings[at]?.align || (one.type === "raw_number" ? "right" : null);
    return { class: [align, settings[at]?.is_wrapped ? "wrapped" : ""].filter(Boolean).join(" ") || null, dir: "auto" };
  };
  const line = (one, at) => h(at === rowHeader ? "th" : "td", { ...look(one, at), scope: at === rowHeader ? "row" : null }, cell(one));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption || "Table" },
    h("table", {}, caption ? h("caption", {}, caption) : null,
      h("thead", {}, h("tr", {}, head.map((one, at) => h("th", { ...look(one, at), scope: "col" }, cell(one))))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map(line))))));
}

export function table(block) {
  const [head = [], ...rows] = block.rows || [];
  return grid(head, rows, { settings: block.column_settings || [] });
}

export function dataTable(block) {
  const [head = [], ...rows] = block.rows || [], size = block.page_size || 5, last = Math.ceil(rows.length / size) - 1;
  const box = h("div", { class: "data-table" });
  const draw = (page) => {
    const turn = (label, to) => press(() => draw(to), { disabled: to < 0 || to > last }, label);
    const shown = rows.slice(page * size, (page + 1) * size);
    box.replaceChildren(grid(head, shown, { caption: block.caption, rowHeader: block.row_header_column_index ?? 0 }));
    if (last > 0) {
      const where = `Rows ${page * size + 1} to ${page * size + shown.length} of ${rows.length}`;
      box.append(h("div", { class: "pages" },
        turn("Previous rows", page - 1), h("span", { role: "status" }, where), turn("Next rows", page + 1)));
    }
  };
  draw(0);
  return box;
}

const WIDE = 560, HIGH = 200, LEFT = 44, BOTTOM = 26, TOP = 10;
const short = (label) => (label.length > 12 ? `${label.slice(0, 11)}…` : label);

function plot(kind, series, labels) {
  const numbers = series.flatMap((one) => one.data.map((point) => Number(point.value)));
  const most = Math.max(0, ...numbers) || 1, least = Math.min(0, ...numbers);
  const y = (value) => TOP + (HIGH - TOP - BOTTOM) * (1 - (value - least) / (most - least));
  const slot = (WIDE - LEFT - 8) / labels.length, x = (at) => LEFT + slot * (at + 0.5);
  const nodes = [least, (least + most) / 2, most].flatMap((value) => [
    svg("line", { class: "grid", x1: LEFT, x2: WIDE - 8, y1: y(value), y2: y(value) }),
    svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, Number(value.toPrecision(3)).toLocaleString("en-GB")),
  ]);
  const every = Math.ceil(labels.length / 8);
  labels.forEach((label, at) => {
    if (at % every === 0) nodes.push(svg("text", { x: x(at), y: HIGH - 8, "text-anchor": "middle" }, short(label)));
  });
  series.forEach((one, index) => {
    const points = one.data.map((point, at) => [x(at), y(Number(point.value))]);
    if (kind === "bar") {
      const wide = (slot * 0.7) / series.length;
      points.forEach(([centre, top]) => nodes.push(svg("rect", {
        class: `fill s${index % 6}`, x: centre - slot * 0.35 + wide * index, width: Math.max(1, wide - 2),
        y: Math.min(top, y(0)), height: Math.abs(y(0) - top),
      })));
      return;
    }
    const path = points.map((point) => point.join(",")).join(" ");
    if (kind === "area") {
      const ground = `${x(0)},${y(0)} ${path} ${x(points.length - 1)},${y(0)}`;
      nodes.push(svg("polygon", { class: `area s${index % 6}`, points: ground }));
    }
    nodes.push(svg("polyline", { class: `line s${index % 6}`, points: path }));
    points.forEach(([at, top]) => nodes.push(svg("circle", { class: `fill s${index % 6}`, cx: at, cy: top, r: 3 })));
  });
  return nodes;
}

export function chart(block) {
  const { type: kind = "line", axis_config: axis = {} } = block.chart || {};
  const series = kind === "pie" ? [{ name: "Share", data: block.chart.segments || [] }] : block.chart?.series || [];
  const labels = axis.categories || (series[0]?.data || []).map((point) => point.label);
  const title = block.title?.text || block.title || "Chart";
  const spoken = `${title}: ${kind} chart; its numbers follow as a table`;
  const drawn = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": spoken });
  if (labels.length) drawn.append(...plot(kind === "pie" ? "bar" : kind, series, labels));
  const raw = (text) => ({ type: "raw_text", text: String(text) });
  const rows = labels.map((label, at) => [raw(label), ...series.map((one) => ({ type: "raw_number", value: one.data[at]?.value }))]);
  const head = [raw(axis.x_label || ""), ...series.map((one) => raw(one.name))];
  return h("figure", { class: "chart" },
    h("figcaption", {}, title),
    drawn,
    h("ul", { class: "legend" }, series.map((one, index) => h("li", { class: `s${index % 6}` }, one.name))),
    h("details", {}, h("summary", {}, "Show the numbers"), grid(head, rows, { caption: title, rowHeader: 0 })));
}
