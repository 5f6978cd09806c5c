// Keeps the page at what the workspace says: one long poll tells that something changed, then what is shown is asked anew.
import { address, get, post } from "./api.js";
import { blocks, patch } from "./blocks.js";
import { composer } from "./composer.js";
import { h, icon, press } from "./dom.js";
import { frame, viewAs } from "./frame.js";
import { show } from "./messages.js";
import { modals } from "./modal.js";
import { know } from "./mrkdwn.js";
import { newer } from "./newer.js";
import { story, storyOf } from "./story.js";

const $ = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search);
const where = () => decodeURIComponent(location.hash.slice(1)).split("/"); // #C123, #C123/p<ts>, #home
let user = asked.get("as") || asked.get("user"), [here, named] = where(), thread = null;
let state = null, revision = 0, jump = named || "end", running = null, again = false, renewMe = null;
let awaited = 0; // until when the answer to a person's own words may take the reader to it

const place = () => ({ user, people: state.people, channels: state.channels, conversations: state.conversations, app: state.bot.name, channel: here });

// One at a time: what is asked for meanwhile is done once more afterwards.
function refresh() {
  if (running) { again = true; return running; }
  running = update().finally(() => {
    running = null;
    if (!again) return undefined;
    again = false;
    return refresh();
  });
  return running;
}

async function update() {
  const mine = user, fresh = await get("/ui/state", { user });
  if (!fresh?.me) throw new Error(`nobody with the id ${user} is in this workspace`);
  if (mine !== user) return;
  state = fresh;
  know(state);
  if (here !== "home" && !state.channels.some((one) => one.id === here)) {
    here = (state.channels.find((one) => one.kind !== "im") || state.channels[0])?.id || "home";
  }
  frame(state, here, go);
  renewMe ||= viewAs(() => ({ state, user }), look);
  renewMe();
  const channel = state.channels.find((one) => one.id === here);
  composer({
    user, channel: channel?.id || null,
    commands: state.commands, archived: Boolean(channel?.is_archived), app: state.bot.name,
    sending: () => { awaited = performance.now() + 10_000; },
  });
  const open = await get("/ui/modals", { user });
  await (channel ? drawChannel(channel) : drawHome());
  await drawThread();
  modals(open?.views || [], { ...place(), changed: refresh });
  await story(state.me, state.people);
}

function nothing(title, text) {
  return [h("strong", {}, title), h("p", {}, text)];
}

async function drawChannel(channel) {
  const at = place(), answer = await get("/ui/messages", { user, channel: here });
  if (at.user !== user || at.channel !== here) return;
  const list = (answer?.messages || []).filter((one) => !one.thread_ts || one.thread_ts === one.ts);
  const empty = channel.kind === "im"
    ? nothing("All quiet", `When ${state.bot.name} has something for you alone, it comes here.`)
    : nothing(`This is the beginning of #${channel.name}`, "Nothing has been posted here yet.");
  const to = jump && jump.replace(/^p(\d+)(\d{6})$/, "$1.$2"), ready = performance.now() < awaited;
  const came = show($("log"), list, { ...at, jump: to, awaited: ready, openThread, days: true, empty });
  if (came) awaited = 0;
  newer(came && !ready);
  jump = null;
  if (channel.unread && document.visibilityState === "visible") post("/ui/read", { user, channel: here });
}

async function drawHome() {
  const mine = user, view = (await get("/ui/home", { user }))?.view;
  if (mine !== user || here !== "home") return;
  const old = $("log").querySelector(".home .blocks");
  const at = { ...place(), key: "home", state: view?.state?.values, container: { type: "home", view_id: view?.id } };
  if (view && old?.dataset.view === view.id) patch(old, view.blocks, at);
  else if (view) {
    const drawn = blocks(view.blocks, at);
    drawn.dataset.view = view.id;
    $("log").replaceChildren(h("div", { class: "home" }, drawn));
  } else {
    const told = state.connected
      ? nothing("Just a moment", `${state.bot.name} is drawing this page.`)
      : nothing("Nothing here yet", `${state.bot.name} draws this page when it is connected.`);
    $("log").replaceChildren(h("div", { class: "empty" }, told));
  }
  jump = null;
}

async function drawThread() {
  const panel = $("thread");
  if (!thread || here === "home") { panel.hidden = true; panel.replaceChildren(); return; }
  const list = (await get("/ui/messages", { user, channel: here, thread_ts: thread }))?.messages || [];
  const fresh = panel.hidden;
  if (fresh) {
    const close = press(closeThread, { class: "plain", "aria-label": "Close the thread" }, icon("close"));
    panel.replaceChildren(
      h("div", { class: "talk-head" }, h("h2", {}, "Thread"), close),
      h("div", { class: "log", role: "log", "aria-live": "polite", tabindex: "0", "aria-label": "Thread" }));
    panel.hidden = false;
    close.focus();
  }
  show(panel.querySelector(".log"), list, { ...place(), days: false, empty: nothing("No replies", "") });
  if (fresh) panel.querySelector(".log").scrollTop = 0;
}

function openThread(ts) {
  thread = ts;
  $("thread").hidden = true;
  refresh();
}

function closeThread() {
  const back = document.querySelector(`[data-key="${CSS.escape(`${thread}:replies`)}"]`);
  thread = null;
  $("thread").hidden = true;
  back?.focus();
}

function go(id) {
  [here, thread, jump] = [id, null, "end"];
  $("log").replaceChildren();
  newer(false);
  drawer(false);
  history.replaceState(null, "", address(user, id));
  if (id === "home") post("/ui/home_open", { user });
  refresh().catch(trouble);
}

function look(id) {
  const direct = state.channels.find((one) => one.id === here)?.kind === "im";
  user = id;
  go(direct ? "" : here);
}

function drawer(open) {
  document.body.classList.toggle("side-open", open);
  $("menu").setAttribute("aria-expanded", String(open));
  if (open) ($("channels").querySelector(".here") || $("channels").querySelector("button")).focus();
}

function trouble(error) {
  $("trouble").textContent = `The workspace does not answer. Trying again … (${error.message})`;
}

async function follow() {
  for (;;) {
    try {
      revision = (await get("/ui/changes", { user, after: revision })).revision;
      await refresh();
    } catch (error) {
      trouble(error);
      await new Promise((done) => setTimeout(done, 2000));
    }
  }
}

async function start() {
  storyOf({ look, changed: refresh });
  $("menu").addEventListener("click", () => drawer(!document.body.classList.contains("side-open")));
  $("scrim").addEventListener("click", () => drawer(false));
  addEventListener("hashchange", () => { const [id, ts] = where(); go(id); jump = ts || "end"; });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    if (document.body.classList.contains("side-open")) { drawer(false); $("menu").focus(); }
    else if ($("thread").contains(document.activeElement)) closeThread();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") refresh().catch(trouble);
  });
  try {
    user ||= "U0DANA";
    const left = (await get("/ui/modals", { user }))?.views?.[0];
    if (left) await post("/ui/close", { user, view_id: left.id, clear: true }); // a reload closes what was open
    if (here === "home") post("/ui/home_open", { user });
    await refresh();
  } catch (error) {
    $("log").replaceChildren(h("div", { class: "empty" }, nothing("The workspace cannot be shown", error.message)));
  }
  follow();
}

start();
