// Keeps the page at what the workspace says. One long poll tells that something changed; then what is shown is asked anew.
import { get, post } from "./api.js";
import { blocks } from "./blocks.js";
import { composer } from "./composer.js";
import { avatar, h, refill } from "./dom.js";
import { show } from "./messages.js";
import { modal } from "./modal.js";
import { know } from "./mrkdwn.js";
import { story } from "./story.js";

const $ = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search);
let user = asked.get("as") || asked.get("user"), here = decodeURIComponent(location.hash.slice(1).split("/")[0]), thread = null, state = null, revision = 0, jump = "end";

const place = () => ({ user, people: state.people, zone: state.me.tz || undefined, channel: here, jump, openThread });

async function refresh() {
  const fresh = await get("/ui/state", { user });
  if (!fresh?.me) throw new Error(fresh?.error || "nobody of that name is in this workspace");
  state = fresh;
  revision = Math.max(revision, state.revision || 0);
  know(state);
  if (here !== "home" && !state.channels.some((one) => one.id === here)) here = (state.channels.find((one) => one.kind === "channel") || state.channels[0])?.id || "home";
  drawFrame();
  await (here === "home" ? drawHome() : drawChannel());
  await drawThread();
  modal((await get("/ui/modals", { user })).views, { user, people: state.people, changed: refresh });
  await story(state.me);
}

function drawFrame() {
  document.title = `${state.team.name} · a stand-in workspace`;
  $("team").textContent = state.team.name;
  $("link").textContent = state.connected ? "" : "Cadence is not connected";
  if ($("viewas").dataset.print !== JSON.stringify(state.people)) {
    $("viewas").dataset.print = JSON.stringify(state.people);
    $("viewas").replaceChildren(...state.people.filter((one) => !one.is_bot).map((one) => h("option", { value: one.id }, `${one.real_name}${one.title ? ` · ${one.title}` : ""}`)));
  }
  $("viewas").value = user;
  const item = (id, label, mark, unread, extra = {}) => h("button", { type: "button", class: `item${id === here ? " here" : ""}${unread ? " unread" : ""}`, "aria-current": id === here ? "page" : null, "data-key": `go:${id}`, onclick: () => go(id), ...extra },
    mark, h("span", { class: "label", dir: "auto" }, label), unread ? h("span", { class: "count", "aria-label": `${unread} unread` }, String(unread)) : null);
  const sign = (one) => h("span", { class: "sign", "aria-hidden": "true" }, one.kind === "private" ? "🔒" : "#");
  refill($("side"),
    h("h2", {}, "Channels"), state.channels.filter((one) => one.kind !== "im").map((one) => item(one.id, one.name + (one.is_archived ? " (archived)" : ""), sign(one), one.unread)),
    h("h2", {}, "Direct messages"), state.channels.filter((one) => one.kind === "im").map((one) => item(one.id, one.name, avatar(state.people.find((who) => who.id === one.peer)), one.unread)),
    h("h2", {}, "Apps"), item("home", `${state.bot.name} · Home`, avatar({ real_name: state.bot.name, color: "0f766e", is_bot: true }), 0));
  composer(state.commands, () => ({ user, channel: here === "home" ? null : here }));
  $("composer").hidden = here === "home";
}

async function drawChannel() {
  const channel = state.channels.find((one) => one.id === here);
  $("title").textContent = channel.kind === "im" ? channel.name : `# ${channel.name}`;
  $("topic").textContent = channel.kind === "im" ? "A private conversation" : channel.topic || "";
  $("composer-text").disabled = channel.is_archived;
  const list = (await get("/ui/messages", { user, channel: here })).messages.filter((one) => !one.thread_ts || one.thread_ts === one.ts);
  show($("log"), list, { ...place(), empty: channel.kind === "im" ? "Nothing yet. When there is something to say, it comes here." : "Nothing has been posted here yet." });
  jump = null;
  if (channel.unread && document.visibilityState === "visible") post("/ui/read", { user, channel: here });
}

async function drawHome() {
  $("title").textContent = `${state.bot.name} · Home`;
  $("topic").textContent = "What concerns you, and nobody else";
  const view = (await get("/ui/home", { user })).view;
  const print = JSON.stringify([user, view?.hash, view?.blocks]);
  if ($("log").dataset.home === print && $("log").querySelector(".home")) return;
  $("log").dataset.home = print;
  refill($("log"), h("div", { class: "home", "data-ts": "home" }, view ? blocks(view.blocks, { ...place(), key: "home", container: { type: "home", view_id: view.id } }) : h("p", { class: "empty" }, "The app is drawing your page …")));
  jump = null;
}

async function drawThread() {
  if (!thread || here === "home") { $("thread").hidden = true; return; }
  const list = (await get("/ui/messages", { user, channel: here, thread_ts: thread })).messages;
  if ($("thread").hidden) {
    $("thread").replaceChildren(h("div", { class: "talk-head" }, h("h1", {}, "Thread"), h("button", { type: "button", class: "plain", "aria-label": "Close the thread", onclick: () => { thread = null; drawThread(); } }, "✕")), h("div", { class: "log", role: "log", "aria-live": "polite" }));
    $("thread").hidden = false;
    $("thread").querySelector("button").focus();
  }
  show($("thread").querySelector(".log"), list, { ...place(), openThread: null, empty: "No replies." });
}

function openThread(ts) {
  thread = ts;
  $("thread").hidden = true;
  drawThread();
}

function go(id) {
  [here, thread, jump] = [id, null, "end"];
  $("log").replaceChildren();
  document.body.classList.remove("side-open");
  $("menu").setAttribute("aria-expanded", "false");
  history.replaceState(null, "", `?as=${user}#${id}`);
  if (id === "home") post("/ui/home_open", { user });
  refresh();
}

$("viewas").addEventListener("change", () => { user = $("viewas").value; go(state.channels.find((one) => one.id === here)?.kind === "im" ? "" : here); });
$("menu").addEventListener("click", () => $("menu").setAttribute("aria-expanded", String(document.body.classList.toggle("side-open"))));
addEventListener("hashchange", () => go(decodeURIComponent(location.hash.slice(1).split("/")[0])));
document.addEventListener("keydown", (event) => { if (event.key === "Escape" && document.body.classList.contains("side-open")) $("menu").click(); });

async function follow() {
  for (;;) {
    try {
      const seen = revision;
      revision = (await get("/ui/changes", { user, after: seen })).revision;
      await refresh();
    } catch (error) {
      $("link").textContent = `No connection to the workspace; trying again (${error.message})`;
      await new Promise((done) => setTimeout(done, 2000));
    }
  }
}

async function start() {
  user ||= "U0DANA";
  try {
    const left = (await get("/ui/modals", { user })).views?.[0];
    if (left) await post("/ui/close", { user, view_id: left.id, clear: true }); // a reload closes what was open
    await refresh();
  } catch (error) { refill($("log"), h("p", { class: "empty" }, `The workspace cannot be shown: ${error.message}`)); }
  if (here === "home") post("/ui/home_open", { user });
  follow();
}

start();
