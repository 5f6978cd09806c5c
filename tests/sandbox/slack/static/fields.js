// What people fill in. Each field answers `node.read()`: its entry in Slack's state.values, without the type.
import { post, spoken, upload } from "./api.js";
import { h, press } from "./dom.js";
import { text } from "./mrkdwn.js";
import { combobox } from "./popup.js";

const plain = (object) => object?.text ?? "";
let numbers = 0;

// A field changes by itself, and tells: `at.changed(node)`. `at.prior` is what it held before a redraw.
export function field(element, at) {
  return FIELDS[element.type]?.(element, at);
}

function reading(node, read, key) {
  node.read = () => ({ [key]: read() });
  return node;
}

// --- typing

function typed(kind, key = "value", initial = "initial_value") {
  return (element, at) => {
    const many = element.multiline;
    const node = h(many ? "textarea" : "input", {
      type: many ? null : kind, rows: many ? 4 : null, dir: kind === "text" ? "auto" : null,
      maxlength: element.max_length, placeholder: plain(element.placeholder) || null,
      min: element.min_value, max: element.max_value, step: element.is_decimal_allowed ? "any" : null,
    });
    node.value = at.prior?.[key] ?? element[initial] ?? "";
    const on = element.dispatch_action_config?.trigger_actions_on || ["on_enter_pressed"];
    let timer;
    if (key !== "value") node.addEventListener("change", () => at.changed(node));
    else if (on.includes("on_character_entered")) {
      node.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(() => at.changed(node), 400); });
    }
    node.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || many || !at.dispatches || !on.includes("on_enter_pressed")) return;
      event.preventDefault();
      at.changed(node);
    });
    return reading(node, () => node.value || null, key);
  };
}

function moment(element, at) {
  const node = h("input", { type: "datetime-local" }), initial = at.prior?.selected_date_time ?? element.initial_date_time;
  const local = (unix) => {
    const at = new Date(unix * 1000);
    return new Date(at - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  };
  if (initial) node.value = local(initial);
  node.addEventListener("change", () => at.changed(node));
  return reading(node, () => (node.value ? Math.floor(new Date(node.value).getTime() / 1000) : null), "selected_date_time");
}

// --- picking one or several of what the app, or the workspace, offers

const grouped = (element) => element.option_groups || [{ options: element.options || [] }];
const offered = (element) => grouped(element).flatMap((group) => group.options);
const asOption = (id, name) => ({ value: id, text: { type: "plain_text", text: name } });

function one(element, at, { groups, key, initial, shape }) {
  const line = (option) => h("option", { value: option.value }, plain(option.text));
  const prompt = plain(element.placeholder) || "Choose one";
  const node = h("select", { "aria-label": prompt }, h("option", { value: "" }, prompt), groups.map((group) => {
    const lines = group.options.map(line);
    return group.label ? h("optgroup", { label: plain(group.label) }, lines) : lines;
  }));
  node.value = initial ?? "";
  if (node.selectedIndex < 0) node.selectedIndex = 0;
  node.addEventListener("change", () => { if (node.value || at.dispatches === "input") at.changed(node); });
  return reading(node, () => shape(node.value), key);
}

function several(element, at, { options, key, chosen, shape, kind = "checkbox" }) {
  const name = `choice-${numbers += 1}`;
  const choice = (option) => {
    const input = h("input", { type: kind, name, value: option.value, onchange: () => at.changed(node) });
    input.checked = chosen.has(option.value);
    const about = option.description ? h("small", {}, text(option.description)) : null;
    return h("label", {}, input, h("span", {}, text(option.text), about));
  };
  const look = { class: `choices${options.length > 8 ? " long" : ""}`, role: kind === "radio" ? "radiogroup" : "group" };
  const node = h("div", look, options.map(choice));
  const picked = () => new Set([...node.querySelectorAll("input:checked")].map((input) => input.value));
  return reading(node, () => shape(options.filter((option) => picked().has(option.value))), key);
}

const held = (at, element, name) => at.prior?.[`selected_${name}`] ?? element[`initial_${name}`];
const values = (list) => new Set((list || []).map((option) => option.value));

function staticSelect(element, at) {
  const options = offered(element), shape = (value) => options.find((option) => option.value === value) ?? null;
  return one(element, at, { groups: grouped(element), key: "selected_option", initial: held(at, element, "option")?.value, shape });
}

const staticSelects = (element, at) => several(element, at, {
  options: offered(element), key: "selected_options", chosen: values(held(at, element, "options")), shape: (list) => list,
});

const radios = (element, at) => several(element, at, {
  options: element.options, key: "selected_option", kind: "radio",
  chosen: values([held(at, element, "option")].filter(Boolean)), shape: (list) => list[0] ?? null,
});

const SIGN = { public: "#", private: "🔒 " };

// Menus of people and conversations, whose options the workspace knows.
function ofWorkspace(name, list) {
  const options = (at, element) => list(at, element).map((entry) => asOption(entry.id, entry.real_name || `${SIGN[entry.kind] ?? ""}${entry.name}`));
  return {
    single: (element, at) => one(element, at, {
      groups: [{ options: options(at, element) }], key: `selected_${name}`, initial: held(at, element, name), shape: (value) => value || null,
    }),
    multi: (element, at) => several(element, at, {
      options: options(at, element), key: `selected_${name}s`, chosen: new Set(held(at, element, `${name}s`) || []),
      shape: (picked) => picked.map((option) => option.value),
    }),
  };
}

const users = ofWorkspace("user", (at) => at.people.filter((person) => !person.is_bot));
const channels = ofWorkspace("channel", (at) => at.conversations.filter((one) => one.kind === "public"));
const conversations = ofWorkspace("conversation", (at, { filter = {} }) => at.conversations.filter((one) =>
  (filter.include || [one.kind]).includes(one.kind)
  && !(filter.exclude_bot_users && one.kind === "im") && !(filter.exclude_external_shared_channels && one.is_ext_shared)));

// --- picking from what the app suggests while one types

async function suggestions(element, at, value) {
  const ids = { block_id: at.block.block_id, action_id: element.action_id };
  const answer = await post("/ui/options", { user: at.user, container: at.container, ...ids, value });
  if (!answer?.ok && answer?.error) throw new Error(spoken(answer.error));
  const options = answer?.options || (answer?.option_groups || []).flatMap((group) => group.options);
  return options.map((option) => ({ label: plain(option.text), note: plain(option.description), option }));
}

function external(element, at) {
  let chosen = held(at, element, "option") ?? null;
  const node = combobox({
    least: element.min_query_length ?? 3, wait: 200, placeholder: plain(element.placeholder) || "Type to search",
    value: plain(chosen?.text),
    find: (typed) => suggestions(element, at, chosen ? "" : typed),
    picked: (pick) => {
      const before = chosen?.value;
      chosen = pick?.option ?? null;
      if (chosen && chosen.value !== before) at.changed(node);
    },
  });
  return reading(node, () => chosen, "selected_option");
}

function externals(element, at) {
  let chosen = held(at, element, "options") || [];
  const chips = h("span", { class: "chips" });
  const box = combobox({
    least: element.min_query_length ?? 3, wait: 200, placeholder: plain(element.placeholder) || "Type to search",
    find: (typed) => suggestions(element, at, typed),
    picked: (pick) => {
      if (!pick) return;
      set([...chosen.filter((option) => option.value !== pick.option.value), pick.option]);
      box.input.value = "";
    },
  });
  const node = h("span", { class: "several" }, chips, box);
  const chip = (option) => press(() => set(chosen.filter((kept) => kept !== option)),
    { class: "chip", "aria-label": `Remove ${plain(option.text)}` }, plain(option.text), " ×");
  const draw = () => chips.replaceChildren(...chosen.map(chip));
  const set = (list) => { chosen = list; draw(); at.changed(node); };
  draw();
  return reading(node, () => chosen, "selected_options");
}

// --- files, which go to the workspace as soon as they are picked

function files(element, at) {
  let held = at.prior?.files || [];
  const most = element.max_files ?? 10, kinds = element.filetypes;
  const picker = h("input", { type: "file", class: "hidden-file", multiple: most > 1, accept: kinds?.map((one) => `.${one}`).join(",") || null });
  const list = h("ul", { class: "files-of" }), said = h("small", { role: "status" });
  const node = h("div", { class: "file-input" }, picker, list, said);
  const drop = (file) => press(() => { held = held.filter((one) => one !== file); draw(); at.changed(node); },
    { class: "plain", "aria-label": `Remove ${file.name}` }, "×");
  const draw = () => list.replaceChildren(...held.map((file) => h("li", {}, h("bdi", {}, file.name), drop(file))));
  picker.addEventListener("change", async () => {
    said.textContent = "Uploading …";
    try {
      const sent = await Promise.all([...picker.files].map((file) => upload("/ui/upload", { user: at.user, file })));
      const refused = sent.find((one) => !one?.ok);
      if (refused) throw new Error(spoken(refused?.error));
      held = [...held, ...sent.map((one) => one.file)].slice(-most);
      said.textContent = "";
    } catch (error) { said.textContent = error.message; }
    picker.value = "";
    draw();
    at.changed(node);
  });
  draw();
  return reading(node, () => held, "files");
}

const FIELDS = {
  file_input: files,
  plain_text_input: typed("text"), email_text_input: typed("email"), url_text_input: typed("url"), number_input: typed("number"),
  datepicker: typed("date", "selected_date", "initial_date"), timepicker: typed("time", "selected_time", "initial_time"),
  datetimepicker: moment,
  static_select: staticSelect, multi_static_select: staticSelects, radio_buttons: radios, checkboxes: staticSelects,
  external_select: external, multi_external_select: externals,
  users_select: users.single, multi_users_select: users.multi, channels_select: channels.single, multi_channels_select: channels.multi,
  conversations_select: conversations.single, multi_conversations_select: conversations.multi,
};
