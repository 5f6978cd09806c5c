// A list of messages that is patched, not redrawn: what has not changed keeps its place, its focus and its menus.
import { blocks } from "./blocks.js";
import { avatar, h, refill } from "./dom.js";
import { mrkdwn } from "./mrkdwn.js";

const time = (at, timeZone) => new Date(at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone });
const day = (at, timeZone) => new Date(at).toLocaleDateString("en-GB", { weekday: "long", day: "numeric", month: "long", timeZone });

function body(message, place) {
  const person = place.people.find((one) => one.id === message.user);
  const replies = message.reply_count && place.openThread
    ? h("button", { type: "button", class: "replies", "data-key": `${message.ts}:replies`, onclick: () => place.openThread(message.ts) },
      `${message.reply_count} ${message.reply_count === 1 ? "reply" : "replies"}`) : null;
  return [
    avatar(person),
    h("div", { class: "said" },
      message.ephemeral ? h("p", { class: "only" }, "👁 Only visible to you") : null,
      h("p", { class: "by" }, h("strong", {}, message.username), person?.is_bot ? h("span", { class: "badge" }, "app") : null,
        h("time", { datetime: message.at }, time(message.at, place.zone))),
      message.blocks?.length
        ? blocks(message.blocks, { ...place, key: message.ts, container: { type: "message", channel: place.channel, ts: message.ts } })
        : h("div", { class: "words", dir: "auto" }, mrkdwn(message.text)),
      message.edited ? h("span", { class: "edited" }, "(edited)") : null,
      replies),
  ];
}

// Brings `log` to what `list` says. Stays at the bottom when it was there, and where it was when not.
export function show(log, list, place) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  const known = new Map([...log.children].map((node) => [node.dataset.ts, node]));
  const wanted = [];
  let last = "";
  for (const message of list) {
    const today = day(message.at, place.zone);
    if (today !== last && place.openThread) {
      const id = `day-${today}`;
      wanted.push(known.get(id) || h("div", { class: "day", "data-ts": id }, h("span", {}, today)));
    }
    last = today;
    const print = JSON.stringify(message);
    let node = known.get(message.ts);
    if (!node) node = h("article", { class: `message${message.ephemeral ? " ephemeral" : ""}`, "data-ts": message.ts });
    if (node.print !== print) { refill(node, body(message, place)); node.print = print; }
    wanted.push(node);
  }
  if (!list.length) wanted.push(h("p", { class: "empty", "data-ts": "empty" }, place.empty));
  const keep = new Set(wanted);
  for (const node of [...log.children]) if (!keep.has(node)) node.remove();
  wanted.forEach((node, index) => { if (log.children[index] !== node) log.insertBefore(node, log.children[index] || null); });
  if (atEnd || place.jump) log.scrollTop = log.scrollHeight;
  const newest = log.lastElementChild;
  if (place.jump && newest.offsetHeight > log.clientHeight) log.scrollTop = newest.offsetTop - log.offsetTop - 12; // a long read begins at its top
}
