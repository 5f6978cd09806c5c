// A list of messages that is patched, never redrawn: what did not change keeps its place, its focus and its menus.
import { fileAt } from "./api.js";
import { blocks, patch } from "./blocks.js";
import { avatar, h, press, refill } from "./dom.js";
import { day, mrkdwn, near, time } from "./mrkdwn.js";

const asSection = (text) => ({ type: "section", block_id: "text", text: { type: "mrkdwn", text } });
const wordsOf = (message) => (message.blocks?.length ? message.blocks : message.text ? [asSection(message.text)] : []);

// What was uploaded with the message: pictures are shown, anything else can be opened.
const files = (message) => (message.files || []).map((file) => {
  const link = fileAt(file.id);
  const name = h("span", {}, h("bdi", {}, file.title), h("small", {}, `${file.pretty_type} · ${file.size.toLocaleString("en-GB")} bytes`));
  if (!file.mimetype.startsWith("image/")) return h("a", { class: "file", href: link, target: "_blank" }, h("span", { class: "file-kind", "aria-hidden": "true" }, file.pretty_type.slice(0, 4)), name);
  return h("figure", { class: "picture" }, h("figcaption", {}, file.title), h("img", { src: link, alt: file.title, loading: "lazy" }));
});

function make(message, place) {
  const person = place.people.find((one) => one.id === message.user);
  const at = { ...place, key: message.ts, container: { type: "message", channel: place.channel, ts: message.ts } };
  const body = blocks(wordsOf(message), at), foot = h("div", { class: "foot" });
  const look = { class: `message${message.ephemeral ? " ephemeral" : ""}`, "data-ts": message.ts };
  const node = h("article", { ...look, "aria-label": `${message.username}, ${time(message.at)}` },
    avatar(person || { real_name: message.username }),
    h("div", { class: "said" },
      message.ephemeral ? h("p", { class: "only" }, "Only visible to you") : null,
      h("p", { class: "by" },
        h("strong", {}, h("bdi", {}, message.username)), person?.is_bot ? h("span", { class: "badge" }, "App") : null,
        h("time", { datetime: message.at, title: `${day(message.at)}, ${time(message.at)}` }, time(message.at))),
      body, files(message), foot));
  node.renew = (now) => {
    patch(body, wordsOf(now), at);
    const count = `${now.reply_count} ${now.reply_count === 1 ? "reply" : "replies"}`;
    refill(foot,
      now.edited ? h("span", { class: "edited" }, "(edited)") : null,
      now.reply_count && place.openThread
        ? press(() => place.openThread(now.ts), { class: "replies", "data-key": `${now.ts}:replies` }, count) : null);
  };
  return node;
}

const dayName = (at) => ({ today: "Today", yesterday: "Yesterday" })[near(at)] || day(at);

function wanted(list, place, known) {
  const nodes = [];
  let last = "";
  for (const message of list) {
    const key = `day-${day(message.at, { dateStyle: "short" })}`;
    if (key !== last && place.days) {
      const line = known.get(key) || h("div", { class: "day", "data-ts": key, role: "separator" }, h("span", {}));
      line.firstChild.textContent = dayName(message.at);
      nodes.push(line);
    }
    last = key;
    const node = known.get(message.ts) || make(message, place), print = JSON.stringify(message);
    if (node.print !== print) node.renew(message);
    node.print = print;
    nodes.push(node);
  }
  return nodes.length ? nodes : [known.get("empty") || h("div", { class: "empty", "data-ts": "empty" }, place.empty)];
}

// What the reader looks at: the first message in sight, and how far it is from the top.
function inSight(log) {
  const top = log.getBoundingClientRect().top;
  const node = [...log.children].find((one) => one.getBoundingClientRect().bottom > top);
  return node && { node, from: node.getBoundingClientRect().top - top };
}

// Brings `log` to what `list` says, and answers whether something came at its end. A reader who is there, or who awaits
// it, is taken along; any other keeps in sight what was in sight.
export function show(log, list, place) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60, seen = inSight(log);
  const known = new Map([...log.children].map((node) => [node.dataset.ts, node])), nodes = wanted(list, place, known);
  const came = known.size > 0 && list.length > 0 && !known.has(list.at(-1).ts);
  const keep = new Set(nodes);
  [...log.children].forEach((node) => { if (!keep.has(node)) node.remove(); });
  nodes.forEach((node, index) => {
    if (log.children[index] !== node) log.insertBefore(node, log.children[index] || null);
  });
  if (place.jump) arrive(log, place.jump);
  else if (came && (atEnd || place.awaited)) arrive(log, "end");
  else if (atEnd) log.scrollTop = log.scrollHeight;
  else if (seen?.node.isConnected) {
    log.scrollTop += seen.node.getBoundingClientRect().top - log.getBoundingClientRect().top - seen.from;
  }
  return came;
}

// Where reading begins: at the message that a link names; else at the end, but at the top of a post longer than the window.
function arrive(log, to) {
  const named = log.querySelector(`[data-ts="${CSS.escape(to)}"]`), newest = log.lastElementChild;
  log.scrollTop = log.scrollHeight;
  const long = newest?.offsetHeight > log.clientHeight ? newest : null;
  if (named || long) log.scrollTop = (named || long).offsetTop - log.offsetTop - 44;
  named?.classList.add("named");
}
