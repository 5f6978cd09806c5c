// Block Kit as DOM. A redraw replaces only the blocks that differ, and leaves the keyboard and typed text where they are.
import { h, keyed, stops } from "./dom.js";
import { chart, dataTable, table } from "./data.js";
import { controlOf, element, image, unsupported, values } from "./elements.js";
import { text } from "./mrkdwn.js";
import { markdown, rich } from "./rich.js";

// `place`: {user, people, channels, app, container, key, state}. `state` is what the app's view says its fields hold.
export function blocks(list, place) {
  const root = h("div", { class: "blocks" });
  root.append(...(list || []).map((block) => draw(block, root, place, place.state || {})));
  return root;
}

// An app gives its blocks new ids whenever it draws them; only for inputs a new id means a new field.
const printOf = (block) => JSON.stringify(block.type === "input" ? block : { ...block, block_id: null });

function draw(block, root, place, state) {
  const elsewhere = Object.assign({}, ...Object.values(state));
  const at = Object.assign(Object.create(place), {
    block, root, dispatches: block.type !== "input" ? "action" : block.dispatch_action && "input",
    prior: (action_id) => (block.type === "input" ? state[block.block_id]?.[action_id] : elsewhere[action_id]),
    label: /^\*([^*\n]+)\*/.exec(block.text?.text || "")?.[1],
  });
  const node = Object.hasOwn(DRAW, block.type) ? DRAW[block.type](block, at) : unsupported(`block “${block.type}”`);
  return Object.assign(node, { at, print: printOf(block) });
}

export function patch(root, list, place) {
  const old = [...root.children], prints = list.map(printOf), state = values(root), focused = document.activeElement;
  const most = Math.min(old.length, list.length);
  let head = 0, tail = 0;
  while (head < most && old[head].print === prints[head]) head += 1;
  while (tail < most - head && old.at(-1 - tail).print === prints.at(-1 - tail)) tail += 1;
  const at = old.findIndex((node) => node.contains(focused)), same = old.length === list.length;
  const after = old[old.length - tail] || null;
  for (let index = head; index < list.length - tail; index += 1) {
    if (same && old[index].print === prints[index]) continue;
    const fresh = draw(list[index], root, place, state);
    if (same) old[index].replaceWith(fresh);
    else root.insertBefore(fresh, after);
  }
  if (!same) old.slice(head, old.length - tail).forEach((node) => node.remove());
  [...root.children].forEach((node, index) => { node.at.block = list[index]; });
  if (at >= 0 && !focused.isConnected) restore(root, focused, same ? root.children[at] : null);
}

// The same control if there is one; else what stands in its row now, or the row: never a control of another row.
function restore(root, before, row) {
  const node = (before.dataset.key && keyed(root, before.dataset.key)) || (row && stops(row)[0]) || row || root;
  if (node === row || node === root) node.tabIndex = -1;
  node.focus({ preventScroll: true });
  if (before.selectionStart !== null && node.setSelectionRange && node.localName === before.localName) {
    try { node.setSelectionRange(before.selectionStart, before.selectionEnd); } catch { /* dates and numbers have no caret */ }
  }
}

// Says at their fields what is wrong, goes to the first, and answers the complaints that have no field.
export function complain(root, errors) {
  root.querySelectorAll(".error").forEach((node) => node.forget());
  const lost = { ...errors };
  for (const node of root.querySelectorAll(".input")) {
    const said = errors[node.at.block.block_id];
    if (!said) continue;
    delete lost[node.at.block.block_id];
    const field = node.querySelector("[data-field]"), control = controlOf(field), id = `${control.id}-error`;
    const note = h("p", { class: "error", id }, said), before = control.getAttribute("aria-describedby");
    note.forget = () => {
      note.remove();
      node.classList.remove("wrong");
      control.removeAttribute("aria-invalid");
      if (before) control.setAttribute("aria-describedby", before);
      else control.removeAttribute("aria-describedby");
    };
    node.append(note);
    node.classList.add("wrong");
    control.setAttribute("aria-invalid", "true");
    control.setAttribute("aria-describedby", [id, before].filter(Boolean).join(" "));
    node.addEventListener("input", note.forget, { once: true });
  }
  const first = root.querySelector("[aria-invalid]");
  first?.focus();
  first?.closest(".input").scrollIntoView({ block: "nearest" });
  return Object.values(lost);
}

function section(block, at) {
  return h("div", { class: "section" },
    h("div", { class: "words", dir: "auto" }, text(block.text),
      block.fields ? h("div", { class: "fields" }, block.fields.map((one) => h("div", { dir: "auto" }, text(one)))) : null),
    block.accessory ? h("div", { class: "accessory" }, element(block.accessory, at)) : null);
}

function input(block, at) {
  const node = element(block.element, at), control = controlOf(node), group = node.matches(".choices");
  const id = `${at.key}-${block.block_id}`.replace(/[^\w-]/g, "_");
  control.id = id;
  if (group) node.setAttribute("aria-labelledby", `${id}-label`);
  else control.removeAttribute("aria-label");
  if (block.hint) control.setAttribute("aria-describedby", `${id}-hint`);
  if (!block.optional && !group) control.setAttribute("aria-required", "true");
  return h("div", { class: "input" },
    h(group ? "span" : "label", { class: "label", id: `${id}-label`, for: group ? null : id },
      text(block.label), block.optional ? h("span", { class: "optional" }, " (optional)") : null),
    node, block.hint ? h("small", { id: `${id}-hint` }, text(block.hint)) : null);
}

function card(block, at) {
  return h("div", { class: "card" },
    block.hero_image ? image(block.hero_image) : null,
    h("div", { class: "words", dir: "auto" },
      block.title ? h("strong", {}, text(block.title)) : null,
      [block.subtitle, block.body, block.subtext].filter(Boolean).map((one) => h("div", {}, text(one)))),
    block.actions ? h("div", { class: "actions" }, block.actions.map((one) => element(one, at))) : null);
}

function container(block, at) {
  const inner = block.child_blocks.map((child) => draw(child, at.root, Object.getPrototypeOf(at), {}));
  const title = [h("strong", {}, text(block.title)), block.subtitle ? h("small", {}, text(block.subtitle)) : null];
  if (!block.is_collapsible) return h("div", { class: "card" }, h("div", {}, title), inner);
  return h("details", { class: "card", open: !block.default_collapsed }, h("summary", {}, title), inner);
}

const SIGNS = { info: "ℹ️", warning: "⚠️", error: "⛔", success: "✅" };

const DRAW = {
  section, input, card, container, table, data_table: dataTable, data_visualization: chart, rich_text: rich,
  header: (block) => h(`h${(block.level || 1) + 2}`, { class: "header", dir: "auto" }, text(block.text)),
  divider: () => h("hr"),
  context: (block) => h("div", { class: "context" },
    block.elements.map((one) => (one.type === "image" ? image(one) : h("span", { dir: "auto" }, text(one))))),
  actions: (block, at) => h("div", { class: "actions" }, block.elements.map((one) => element(one, at))),
  image: (block) => h("figure", {}, block.title ? h("figcaption", {}, text(block.title)) : null, image(block)),
  markdown: (block) => markdown(block.text),
  carousel: (block, at) => h("div", { class: "carousel", tabindex: "0", role: "group", "aria-label": "Cards" },
    block.elements.map((one) => card(one, at))),
  alert: (block) => h("div", { class: `alert ${block.level || "default"}`, role: "note" },
    SIGNS[block.level] ? h("span", { "aria-hidden": "true" }, SIGNS[block.level]) : null,
    h("span", { class: "words", dir: "auto" }, text(block.text))),
};
