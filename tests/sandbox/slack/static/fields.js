// The things people press and fill in. Each keeps its value in `node.read()`, in the shape of Slack's state.
import { post, spoken } from "./api.js";
import { h, toast, trap } from "./dom.js";
import { text } from "./mrkdwn.js";

const plain = (object) => object?.text ?? "";
let numbers = 0;

// `at` says where it stands: {user, people, container, block, prior(action_id), key, send(element, action, node)}
export function field(element, at, { waits = false } = {}) {
  const make = MAKERS[element.type];
  if (!make) return h("span", { class: "unsupported" }, `unsupported element: ${element.type}`);
  const node = make(element, at, waits ? () => {} : (action) => at.send(element, action, node));
  node.dataset.action = element.action_id ?? "";
  node.dataset.block = at.block.block_id ?? "";
  const control = node.matches("button, input, select, textarea") ? node : node.querySelector("button, input, select, textarea");
  if (control) {
    control.dataset.key = `${at.key}:${element.action_id}`;
    if (element.focus_on_load) control.setAttribute("data-first", "");
  }
  return node;
}

function ask(element, go) {
  if (!element.confirm) return go();
  const box = element.confirm, before = document.activeElement;
  const close = () => { veil.remove(); before?.focus(); };
  const dialog = h("div", { class: "dialog small", role: "alertdialog", "aria-modal": "true", "aria-label": plain(box.title) },
    h("h2", {}, plain(box.title)), h("p", {}, text(box.text)),
    h("div", { class: "dialog-foot" },
      h("button", { type: "button", onclick: close }, plain(box.deny) || "Cancel"),
      h("button", { type: "button", class: box.style === "danger" ? "danger" : "primary", onclick: () => { close(); go(); } }, plain(box.confirm) || "Yes")));
  const veil = h("div", { class: "veil" }, dialog);
  trap(dialog, close);
  document.body.append(veil);
  dialog.querySelector("button:last-child").focus();
}

function button(element, at, send) {
  const props = { type: "button", class: element.style || "", "aria-label": element.accessibility_label };
  if (element.url) props.title = element.url;
  const node = h("button", props, text(element.text));
  node.addEventListener("click", () => ask(element, () => {
    if (element.url) window.open(element.url, "_blank", "noopener");
    send({ type: "button", value: element.value });
  }));
  return node;
}

function overflow(element, at, send) {
  const opener = h("button", { type: "button", class: "more", "aria-haspopup": "menu", "aria-expanded": "false", "aria-label": "More actions" }, "⋯");
  const menu = h("div", { class: "popup", role: "menu", hidden: true }, element.options.map((option) =>
    h("button", { type: "button", role: "menuitem", onclick: () => { show(false); ask(element, () => send({ type: "overflow", selected_option: option })); } }, text(option.text))));
  const box = h("span", { class: "overflow" }, opener, menu);
  const outside = (event) => { if (!box.contains(event.target)) show(false); };
  function show(open) {
    menu.hidden = !open;
    opener.setAttribute("aria-expanded", String(open));
    document[open ? "addEventListener" : "removeEventListener"]("click", outside);
    if (open) menu.querySelector("button").focus();
  }
  opener.addEventListener("click", () => show(menu.hidden));
  menu.addEventListener("keydown", (event) => {
    const items = [...menu.children], here = items.indexOf(document.activeElement);
    if (event.key === "ArrowDown") items[(here + 1) % items.length].focus();
    else if (event.key === "ArrowUp") items[(here - 1 + items.length) % items.length].focus();
    else if (event.key === "Escape") { event.stopPropagation(); show(false); opener.focus(); }
    else return;
    event.preventDefault();
  });
  return box;
}

const optionsOf = (element) => element.options || (element.option_groups || []).flatMap((group) => group.options);
const labelled = (option) => h("option", { value: option.value }, plain(option.text));

function choices(element) {
  if (element.options) return element.options.map(labelled);
  return (element.option_groups || []).map((group) => h("optgroup", { label: plain(group.label) }, group.options.map(labelled)));
}

function select(element, at, send) {
  const prior = at.prior(element.action_id)?.selected_option ?? element.initial_option;
  const node = h("select", { "aria-label": plain(element.placeholder) || "Choose" },
    h("option", { value: "" }, plain(element.placeholder) || "Choose"), choices(element));
  node.value = prior?.value ?? "";
  node.read = () => ({ type: element.type, selected_option: optionsOf(element).find((one) => one.value === node.value) ?? null });
  node.addEventListener("change", () => { if (node.value) send(node.read()); });
  return node;
}

function several(element, at, send) {
  const prior = at.prior(element.action_id)?.selected_options ?? element.initial_options ?? [];
  const chosen = new Set(prior.map((one) => one.value));
  return boxes(element, optionsOf(element), "checkbox", chosen, send, (picked) => ({ type: element.type, selected_options: picked }));
}

function radios(element, at, send) {
  const prior = at.prior(element.action_id)?.selected_option ?? element.initial_option;
  return boxes(element, element.options, "radio", new Set(prior ? [prior.value] : []), send,
    (picked) => ({ type: element.type, selected_option: picked[0] ?? null }));
}

function boxes(element, options, kind, chosen, send, shape) {
  const name = `group-${numbers += 1}`;
  const node = h("div", { class: "choices", role: kind === "radio" ? "radiogroup" : "group" }, options.map((option) => {
    const input = h("input", { type: kind, name, value: option.value });
    input.checked = chosen.has(option.value);
    input.addEventListener("change", () => send(node.read()));
    return h("label", {}, input, h("span", {}, text(option.text), option.description ? h("small", {}, text(option.description)) : null));
  }));
  node.read = () => shape(options.filter((one) => [...node.querySelectorAll("input:checked")].some((input) => input.value === one.value)));
  return node;
}

function people(element, at, send) {
  const prior = at.prior(element.action_id)?.selected_user ?? element.initial_user;
  const node = h("select", { "aria-label": plain(element.placeholder) || "Choose a person" },
    h("option", { value: "" }, plain(element.placeholder) || "Choose a person"),
    at.people.filter((one) => !one.is_bot).map((one) => h("option", { value: one.id }, one.real_name)));
  node.value = prior ?? "";
  node.read = () => ({ type: element.type, selected_user: node.value || null });
  node.addEventListener("change", () => { if (node.value) send(node.read()); });
  return node;
}

function external(element, at, send) {
  let chosen = at.prior(element.action_id)?.selected_option ?? element.initial_option ?? null, found = [], timer;
  const id = `list-${numbers += 1}`;
  const input = h("input", { role: "combobox", "aria-expanded": "false", "aria-controls": id, autocomplete: "off", placeholder: plain(element.placeholder) || "Type to search", value: plain(chosen?.text) });
  const list = h("div", { id, class: "popup wide", role: "listbox", hidden: true });
  const node = h("span", { class: "external" }, input, list);
  const hide = () => { list.hidden = true; input.setAttribute("aria-expanded", "false"); };
  const pick = (option) => { chosen = option; input.value = plain(option.text); hide(); input.focus(); send(node.read()); };
  async function search() {
    const answer = await post("/ui/options", { user: at.user, container: at.container, block_id: at.block.block_id, action_id: element.action_id, value: input.value });
    found = answer?.options || (answer?.option_groups || []).flatMap((group) => group.options);
    list.replaceChildren(...(found.length ? found.map((one) => h("button", { type: "button", role: "option", onclick: () => pick(one) }, plain(one.text))) : [h("em", {}, "Nobody of that name")]));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
  }
  input.addEventListener("input", () => {
    chosen = null;
    clearTimeout(timer);
    if (input.value.length >= (element.min_query_length ?? 3)) timer = setTimeout(search, 200);
  });
  input.addEventListener("focus", () => { if (!chosen && (element.min_query_length ?? 3) === 0) search(); });
  node.addEventListener("keydown", (event) => {
    const stops = [input, ...list.querySelectorAll("button")], here = stops.indexOf(document.activeElement);
    if (event.key === "ArrowDown" && here < stops.length - 1) stops[here + 1].focus();
    else if (event.key === "ArrowUp" && here > 0) stops[here - 1].focus();
    else if (event.key === "Escape" && !list.hidden) { event.stopPropagation(); hide(); input.focus(); }
    else if (event.key === "Enter" && here === 0 && !list.hidden && found.length) pick(found[0]);
    else return;
    event.preventDefault();
  });
  node.addEventListener("focusout", (event) => { if (!node.contains(event.relatedTarget)) hide(); });
  node.read = () => ({ type: element.type, selected_option: chosen });
  return node;
}

function typed(element, at, send, tag, kind, key) {
  const initial = { value: element.initial_value, selected_date: element.initial_date, selected_time: element.initial_time }[key];
  const prior = at.prior(element.action_id)?.[key] ?? initial ?? "";
  const node = h(tag, { type: tag === "input" ? kind : null, placeholder: plain(element.placeholder) || null, maxlength: element.max_length ?? null, rows: tag === "textarea" ? 4 : null });
  node.value = prior;
  node.read = () => ({ type: element.type, [key]: node.value || null });
  node.addEventListener("change", () => send(node.read()));
  return node;
}

const MAKERS = {
  button, overflow, radio_buttons: radios, checkboxes: several, static_select: select, multi_static_select: several,
  users_select: people, external_select: external,
  plain_text_input: (e, at, send) => typed(e, at, send, e.multiline ? "textarea" : "input", "text", "value"),
  number_input: (e, at, send) => typed(e, at, send, "input", "number", "value"),
  email_text_input: (e, at, send) => typed(e, at, send, "input", "email", "value"),
  url_text_input: (e, at, send) => typed(e, at, send, "input", "url", "value"),
  datepicker: (e, at, send) => typed(e, at, send, "input", "date", "selected_date"),
  timepicker: (e, at, send) => typed(e, at, send, "input", "time", "selected_time"),
  image: (e) => h("img", { src: e.image_url, alt: e.alt_text }),
};

// Everything filled in below a node, in the shape of view.state.values.
export function values(root) {
  const state = {};
  for (const node of root.querySelectorAll("[data-block][data-action]")) {
    if (node.read) (state[node.dataset.block] ??= {})[node.dataset.action] = node.read();
  }
  return state;
}

// Sends one interaction and shows that it is under way.
export async function interact(at, element, action, node, root) {
  const control = node.matches("button") ? node : null;
  control?.setAttribute("aria-busy", "true");
  try {
    const answer = await post("/ui/action", {
      user: at.user, container: at.container, block_id: at.block.block_id, action_id: element.action_id, action, state: { values: values(root) },
    });
    if (answer && !answer.ok) toast(spoken(answer.error));
  } catch (error) { toast(String(error.message || error)); } finally { control?.removeAttribute("aria-busy"); }
}

