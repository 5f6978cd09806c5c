// What people press or pick in a block, and the interaction that follows.
import { fileAt, post, spoken } from "./api.js";
import { ask } from "./dialog.js";
import { busy, h, icon, press, toast } from "./dom.js";
import { field } from "./fields.js";
import { text } from "./mrkdwn.js";
import { menu } from "./popup.js";

export const unsupported = (what) => h("div", { class: "unsupported", role: "note" }, `Unsupported ${what}: this page cannot show it.`);

// `at` says where an element stands: {user, people, channels, app, container, key, root, block, dispatches, label} and
// prior(action_id), what a field held before.
export function element(one, at) {
  if (PRESSED[one.type]) return PRESSED[one.type](one, at);
  const changed = (node) => {
    if (at.dispatches) ask(one.confirm, () => send(one, at, { type: one.type, ...node.read() }, node));
  };
  const mine = Object.create(at, { prior: { value: at.prior?.(one.action_id) }, changed: { value: changed } });
  const node = field(one, mine);
  if (!node) return unsupported(`element “${one.type}”`);
  node.dataset.field = one.action_id ?? "";
  Object.assign(node, { at, element: one });
  const control = controlOf(node);
  control.dataset.key = `${at.key}:${one.action_id}`;
  if (one.focus_on_load) control.dataset.first = "";
  if (at.block.type !== "input") {
    const name = one.accessibility_label || one.placeholder?.text || at.block.text?.text;
    (node.matches(".choices") ? node : control).setAttribute("aria-label", name || "Choose");
  }
  return node;
}

const CONTROL = "input, select, textarea, button";

export const controlOf = (node) => (node.matches(CONTROL) ? node : node.querySelector(CONTROL) || node);

// Everything filled in below a node, in the shape of Slack's state.values.
export function values(root) {
  const state = {};
  for (const node of root.querySelectorAll("[data-field]")) {
    const inBlock = (state[node.at.block.block_id] ??= {});
    inBlock[node.element.action_id] = { type: node.element.type, ...node.read() };
  }
  return state;
}

function send(one, at, action, node) {
  const control = node.matches("button") ? node : node.querySelector("button");
  return busy(control, async () => {
    const ids = { block_id: at.block.block_id, action_id: one.action_id };
    const answer = await post("/ui/action", { user: at.user, container: at.container, ...ids, action, state: { values: values(at.root) } });
    if (!answer?.ok) toast(spoken(answer?.error));
  }, `Waiting for ${at.app} …`);
}

function visit(url) {
  if (/^https?:/.test(url || "")) window.open(url, "_blank", "noopener");
}

function button(one, at) {
  const go = () => {
    visit(one.url);
    send(one, at, { type: one.type, value: one.value }, node);
  };
  const props = { class: one.style || null, "aria-label": one.accessibility_label, "data-key": `${at.key}:${one.action_id}` };
  const node = press(() => ask(one.confirm, go), props, text(one.text), one.url ? h("span", { "aria-hidden": "true" }, " ↗") : null);
  return node;
}

function overflow(one, at) {
  const about = at.label ? `More for ${at.label}` : "More actions";
  const opener = press(null, { class: "dots", "aria-label": about, "data-key": `${at.key}:${one.action_id}` }, icon("more"));
  return menu(opener, () => one.options.map((option) => ({
    nodes: [h("span", {}, text(option.text)), option.description ? h("small", {}, text(option.description)) : null],
    go: () => ask(one.confirm, () => {
      visit(option.url);
      send(one, at, { type: "overflow", selected_option: option }, opener);
    }),
  })));
}

export const image = (one) =>
  (one.image_url || one.slack_file?.id
    ? h("img", { src: one.image_url || fileAt(one.slack_file.id), alt: one.alt_text || "", loading: "lazy" }) : unsupported("image"));

const PRESSED = { button, workflow_button: button, overflow, image };
