// Block Kit as DOM. Draws what a message, a modal or the Home tab holds, and says so where it cannot.
import { h } from "./dom.js";
import { field, interact } from "./fields.js";
import { mrkdwn, text } from "./mrkdwn.js";

// `place`: {user, people, container, key, prior(block_id, action_id), errors}
export function blocks(list, place) {
  const root = h("div", { class: "blocks" });
  for (const [index, block] of (list || []).entries()) {
    const at = {
      ...place, block, key: `${place.key}:${block.block_id ? "" : index}`,
      prior: (action_id) => place.prior?.(block.block_id, action_id),
      send: (element, action, node) => interact(at, element, action, node, root),
    };
    root.append((DRAW[block.type] || unsupported)(block, at));
  }
  return root;
}

const unsupported = (block) => h("div", { class: "unsupported" }, `unsupported block: ${block.type}`);

function section(block, at) {
  const words = h("div", { class: "words", dir: "auto" }, text(block.text),
    block.fields ? h("div", { class: "fields" }, block.fields.map((one) => h("div", { dir: "auto" }, text(one)))) : null);
  return h("div", { class: "section" }, words, block.accessory ? h("div", { class: "accessory" }, field(block.accessory, at)) : null);
}

function input(block, at) {
  const node = field(block.element, at, { waits: !block.dispatch_action });
  const control = node.matches("input, select, textarea") ? node : node.querySelector("input, select, textarea") || node;
  const id = `in-${at.key}-${block.block_id}`.replace(/[^\w-]/g, "_");
  const wrong = at.errors?.[block.block_id];
  control.id = id;
  if (wrong) { control.setAttribute("aria-invalid", "true"); control.setAttribute("aria-describedby", `${id}-error`); }
  control.setAttribute("aria-label", block.label.text);
  return h("div", { class: `input${wrong ? " wrong" : ""}`, "data-input": block.block_id },
    h("label", { for: id }, text(block.label), block.optional ? h("span", { class: "optional" }, " (optional)") : null),
    node, block.hint ? h("small", {}, text(block.hint)) : null,
    wrong ? h("p", { class: "error", id: `${id}-error` }, wrong) : null);
}

const rich = (element) => {
  const parts = (list) => (list || []).map((one) => {
    if (one.type === "text") return one.style?.bold ? h("strong", {}, one.text) : one.style?.italic ? h("em", {}, one.text) : one.style?.code ? h("code", {}, one.text) : one.text;
    if (one.type === "link") return h("a", { href: /^https?:/.test(one.url) ? one.url : null, rel: "noopener" }, one.text || one.url);
    if (one.type === "user") return mrkdwn(`<@${one.user_id}>`);
    if (one.type === "emoji") return mrkdwn(`:${one.name}:`);
    return rich(one);
  });
  const tag = { rich_text_list: element.style === "ordered" ? "ol" : "ul", rich_text_quote: "blockquote", rich_text_preformatted: "pre" }[element.type] || "div";
  const inside = tag === "ol" || tag === "ul" ? element.elements.map((one) => h("li", {}, parts(one.elements))) : parts(element.elements);
  return h(tag, {}, inside);
};

const cell = (one) => (typeof one === "string" ? [one] : one?.type === "raw_text" || one?.type === "plain_text" ? [one.text] : one?.type === "mrkdwn" ? mrkdwn(one.text) : one?.elements ? [rich(one)] : [String(one?.text ?? one?.value ?? "")]);

function table(block) {
  const [head, ...rows] = block.rows || [];
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": block.caption?.text || block.caption || "Table" }, h("table", {},
    block.caption ? h("caption", {}, block.caption.text || block.caption) : null,
    h("thead", {}, h("tr", {}, (head || []).map((one) => h("th", { scope: "col" }, cell(one))))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((one) => h("td", {}, cell(one))))))));
}

function chart(block) {
  const series = block.chart?.series || block.series || [];
  const numbers = series.flatMap((one) => (one.data || one.values || []).map((point) => Number(point.value ?? point)));
  const most = Math.max(1, ...numbers), svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 320 120");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", block.title?.text || block.title || "Chart");
  for (const [index, one] of series.entries()) {
    const data = (one.data || one.values || []).map((point) => Number(point.value ?? point));
    const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
    line.setAttribute("points", data.map((value, at) => `${10 + (300 * at) / Math.max(1, data.length - 1)},${110 - (100 * value) / most}`).join(" "));
    line.setAttribute("class", `series s${index % 4}`);
    svg.append(line);
  }
  return h("figure", { class: "chart" }, svg, h("figcaption", {}, [block.title?.text || block.title || "", ...series.map((one) => one.name || one.label)].filter(Boolean).join(" · ")));
}

const image = (block) => h("figure", {}, h("img", { src: block.image_url, alt: block.alt_text }), block.title ? h("figcaption", {}, text(block.title)) : null);

const DRAW = {
  section, input, image, table, data_table: table, data_visualization: chart,
  header: (block) => h("h3", { class: "header", dir: "auto" }, text(block.text)),
  divider: () => h("hr"),
  context: (block) => h("div", { class: "context", dir: "auto" }, block.elements.map((one) => (one.type === "image" ? h("img", { src: one.image_url, alt: one.alt_text }) : h("span", {}, text(one))))),
  actions: (block, at) => h("div", { class: "actions" }, block.elements.map((one) => field(one, at))),
  rich_text: (block) => h("div", { class: "rich", dir: "auto" }, block.elements.map(rich)),
  markdown: (block) => h("div", { dir: "auto" }, mrkdwn(block.text.replace(/\*\*/g, "*"))),
  alert: (block) => h("div", { class: `alert ${block.level || ""}`, role: "note" }, text(block.text)),
};
