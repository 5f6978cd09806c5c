// What stands around a conversation: the list of channels, the title, who is looking, and whether the app is there.
import { avatar, h, icon, press, refill } from "./dom.js";
import { menu } from "./popup.js";

const $ = (id) => document.getElementById(id);
const bot = (state) => state.people.find((one) => one.id === state.bot.id) || { real_name: state.bot.name, is_bot: true };

export function frame(state, here, go) {
  document.title = `${state.team.name} · stand-in workspace`;
  $("team").textContent = state.team.name;
  tiles(state);
  const away = `${state.bot.name} is not connected. Its buttons and commands get no answer until it is back.`;
  $("trouble").textContent = state.connected ? "" : away;
  side(state, here, go);
  title(state, here, go);
}

// One tile for each workspace that the app may be in; the first letter of this one alone where there is no other.
function tiles(state) {
  const letter = (one) => [...one.name][0], others = state.teams.filter((one) => one.id !== state.team.id && one.as);
  $("tile").textContent = letter(state.team);
  refill($("teams"), others.map((one) => h("a", {
    class: "tile other", href: `?${new URLSearchParams({ team: one.id, as: one.as })}`, "data-key": `team:${one.id}`, "aria-label": `Workspace ${one.name}`,
  }, letter(one))));
}

function side(state, here, go) {
  const count = (unread) => h("span", { class: "count" }, String(unread), h("span", { class: "hidden" }, " unread"));
  const item = (id, label, sign, unread = 0) => press(() => go(id), {
    class: `item${id === here ? " here" : ""}${unread ? " unread" : ""}`, "aria-current": id === here ? "page" : null, "data-key": `go:${id}`,
  }, sign, h("bdi", { class: "label" }, label), unread ? count(unread) : null);
  const sign = (one) => h("span", { class: "sign", "aria-hidden": "true" }, one.kind === "private" ? icon("lock") : "#");
  const named = (one) => one.name + (one.is_archived ? " (archived)" : "");
  const face = (one) => avatar(state.people.find((who) => who.id === one.peer) || { real_name: one.name });
  refill($("channels"),
    h("h2", {}, "Channels"),
    state.channels.filter((one) => one.kind !== "im").map((one) => item(one.id, named(one), sign(one), one.unread)),
    h("h2", {}, "Direct messages"),
    state.channels.filter((one) => one.kind === "im").map((one) => item(one.id, one.name, face(one), one.unread)),
    h("h2", {}, "Apps"), item("home", `${state.bot.name} · Home`, avatar(bot(state))));
  const unread = state.channels.reduce((sum, one) => sum + (one.id === here ? 0 : one.unread), 0);
  $("menu").setAttribute("aria-label", `Channels and people${unread ? `, ${unread} unread` : ""}`);
  $("menu").classList.toggle("unread", unread > 0);
}

// The app's two pages, Home and Messages, stand side by side, as apps do.
function title(state, here, go) {
  const channel = state.channels.find((one) => one.id === here), direct = state.channels.find((one) => one.peer === state.bot.id);
  const home = here === "home", ofApp = home || channel?.peer === state.bot.id;
  const sign = ofApp ? avatar(bot(state)) : channel.kind === "private" ? icon("lock") : channel.kind === "im" ? "" : "#";
  const name = home ? `${state.bot.name} · Home` : channel.name;
  $("title").replaceChildren(ofApp ? sign : h("span", { class: "sign" }, sign), h("bdi", {}, name));
  $("topic").textContent = home ? "What concerns you, and nobody else" : ofApp ? "Between you and the app" : channel.topic || "";
  const tab = (id, label) => press(() => go(id), { class: "tab", "aria-current": id === here ? "page" : null, "data-key": `tab:${id}` }, label);
  refill($("tabs"), ofApp && direct ? [tab("home", "Home"), tab(direct.id, "Messages")] : []);
}

// The switch between people. Drawn once; what it shows comes from `now()`: {state, user}.
export function viewAs(now, look) {
  const opener = press(null, { class: "who", "aria-label": "View as" });
  const box = menu(opener, () => now().state.people.filter((one) => !one.is_bot).map((one) => ({
    checked: one.id === now().user, go: () => look(one.id),
    nodes: [avatar(one), h("span", {}, h("bdi", {}, one.real_name), one.title ? h("small", {}, one.title) : null)],
  })));
  $("viewas").append(box);
  return () => {
    const me = now().state.me;
    if (opener.dataset.me === JSON.stringify(me)) return;
    opener.dataset.me = JSON.stringify(me);
    opener.setAttribute("aria-label", `View as: ${me.real_name}`);
    opener.replaceChildren(h("span", { class: "small" }, "View as"), avatar(me), h("bdi", { class: "label" }, me.real_name), icon("down"));
  };
}
