// Slack's mrkdwn as DOM nodes. Marks open and close at the edges of words only, as on the platform.
import { h } from "./dom.js";

const EMOJI = {
  white_check_mark: "✅", heavy_check_mark: "✔️", warning: "⚠️", x: "❌", wave: "👋", tada: "🎉", eyes: "👀", bell: "🔔",
  calendar: "📅", date: "📅", email: "✉️", envelope: "✉️", seedling: "🌱", hourglass: "⌛", mag: "🔍", memo: "📝", "+1": "👍",
  thumbsup: "👍", sunny: "☀️", rocket: "🚀", star: "⭐", fire: "🔥", pray: "🙏", clap: "👏", smile: "😄", handshake: "🤝",
  large_green_circle: "🟢", large_yellow_circle: "🟡", red_circle: "🔴", point_right: "👉", bulb: "💡", lock: "🔒", zap: "⚡",
};
const known = { people: new Map(), channels: new Map(), zone: undefined, ahead: 0 };

// Learns names for mentions, the viewer's zone, and how far the workspace's clock is ahead of the browser's.
export function know(state) {
  known.people = new Map(state.people.map((one) => [one.id, one.real_name]));
  known.channels = new Map(state.channels.map((one) => [one.id, one.name]));
  known.zone = state.me.tz || undefined;
  known.ahead = state.now ? Date.parse(state.now) - Date.now() : 0;
}

export const emoji = (text) => text.replace(/:([a-z0-9_+-]+):/g, (whole, name) => EMOJI[name] || whole);
const decoded = (text) => text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
const words = (text) => decoded(emoji(text));

export function day(at, options = { weekday: "long", day: "numeric", month: "long" }) {
  return new Date(at).toLocaleDateString("en-GB", { timeZone: known.zone, ...options });
}

export function time(at, options = { hour: "2-digit", minute: "2-digit" }) {
  return new Date(at).toLocaleTimeString("en-GB", { timeZone: known.zone, ...options });
}

// "today", "yesterday", "tomorrow", by the workspace's clock, or nothing.
export function near(at) {
  const count = (instant) => Date.parse(new Date(instant).toLocaleDateString("sv-SE", { timeZone: known.zone })) / 86_400_000;
  return { "-1": "yesterday", 0: "today", 1: "tomorrow" }[count(at) - count(Date.now() + known.ahead)];
}

function ago(at) {
  const minutes = (at - Date.now() - known.ahead) / 60_000, size = Math.abs(minutes);
  const [unit, length] = size < 60 ? ["minute", 1] : size < 1440 ? ["hour", 60] : ["day", 1440];
  return new Intl.RelativeTimeFormat("en-GB", { numeric: "auto" }).format(Math.round(minutes / length), unit);
}

function stamp(unix, format, fallback) {
  const at = Number(unix) * 1000;
  if (!/^-?\d+$/.test(unix) || Number.isNaN(new Date(at).getTime())) return fallback;
  const parts = {
    date_num: () => day(at, { year: "numeric", month: "2-digit", day: "2-digit" }),
    date: () => day(at, { year: "numeric", month: "long", day: "numeric" }),
    date_short: () => day(at, { year: "numeric", month: "short", day: "numeric" }),
    date_long: () => day(at, { dateStyle: "full" }),
    time: () => time(at),
    time_secs: () => time(at, { timeStyle: "medium" }),
    ago: () => ago(at),
  };
  return format.replace(/\{(\w+?)(_pretty)?\}/g, (whole, name, pretty) => {
    if (!Object.hasOwn(parts, name)) return whole;
    return (pretty && near(at)) || parts[name]();
  });
}

export const mention = (shown, kind = "") => h("bdi", { class: `mention ${kind}`.trim() }, shown);
export const person = (id, label) => mention(`@${known.people.get(id) || label || id}`);

export function place(id, label) {
  const name = `#${known.channels.get(id) || label || id}`;
  return known.channels.has(id) ? h("a", { class: "mention", href: `#${id}` }, name) : mention(name);
}

const LINKED = /^(https?:\/\/|mailto:|tel:|\/archives\/)/i;

export function link(target, shown) {
  if (!LINKED.test(target)) return document.createTextNode(shown);
  return h("a", { href: target, target: "_blank", rel: "noopener noreferrer" }, h("bdi", {}, shown));
}

// What stands between < and >.
function reference(inside) {
  const bar = inside.indexOf("|");
  const target = bar < 0 ? inside : inside.slice(0, bar), label = bar < 0 ? "" : words(inside.slice(bar + 1));
  if (/^@[UW]/.test(target)) return person(target.slice(1), label);
  if (/^#[CG]/.test(target)) return place(target.slice(1), label);
  if (target.startsWith("!date^")) {
    const [, unix, format, href] = target.split("^");
    const shown = stamp(unix, words(format || ""), label);
    return href ? link(decoded(href), shown) : h("time", {}, shown);
  }
  if (target.startsWith("!subteam^")) return mention(label || "@group");
  if (/^!(here|channel|everyone)$/.test(target)) return mention(`@${target.slice(1)}`, "loud");
  if (target.startsWith("!")) return document.createTextNode(label || words(`<${inside}>`));
  const url = decoded(target);
  return LINKED.test(url) ? link(url, label || url.replace(/^(mailto|tel):/, "")) : document.createTextNode(words(`<${inside}>`));
}

const TAGS = { "*": "strong", _: "em", "~": "s" };
const BEFORE = /[\s([{"'“‘.,;:!?\-–—/*_~>]/, AFTER = /[\s)\]}"'”’.,;:!?\-–—/*_~<]/;

function closing(text, at) {
  if (/[\s]/.test(text[at + 1] ?? " ")) return -1;
  for (let end = text.indexOf(text[at], at + 2); end > 0; end = text.indexOf(text[at], end + 1)) {
    if (!/\s/.test(text[end - 1]) && (end + 1 === text.length || AFTER.test(text[end + 1]))) return end;
  }
  return -1;
}

// One line, or what stands between two marks.
export function inline(text) {
  const nodes = [];
  let plain = "", at = 0;
  const put = (node, length) => {
    if (plain) nodes.push(document.createTextNode(words(plain)));
    plain = "";
    if (node) nodes.push(node);
    at += length;
  };
  while (at < text.length) {
    const angle = text[at] === "<" && /^<([^<>\n]+)>/.exec(text.slice(at));
    const code = text[at] === "`" && /^`([^`\n]+)`/.exec(text.slice(at));
    const end = TAGS[text[at]] && (at === 0 || BEFORE.test(text[at - 1])) ? closing(text, at) : -1;
    if (angle) put(reference(angle[1]), angle[0].length);
    else if (code) put(h("code", {}, decoded(code[1])), code[0].length);
    else if (end > 0) put(h(TAGS[text[at]], {}, inline(text.slice(at + 1, end))), end + 1 - at);
    else { plain += text[at]; at += 1; }
  }
  put(null, 0);
  return nodes;
}

function lines(text) {
  const nodes = [];
  let quoted = null, broken = true;
  for (const line of text.split("\n")) {
    const quote = /^(?:>|&gt;) ?(.*)$/.exec(line);
    if (quote) {
      if (quoted) quoted.append(h("br"));
      else nodes.push(quoted = h("blockquote", {}));
      quoted.append(...inline(quote[1]));
      broken = true;
      continue;
    }
    quoted = null;
    if (!broken) nodes.push(h("br"));
    nodes.push(...inline(line));
    broken = false;
  }
  return nodes;
}

export function mrkdwn(text) {
  const parts = String(text ?? "").split("```");
  return parts.flatMap((part, index) => {
    if (index % 2 === 0) return part ? lines(index ? part.replace(/^\n/, "") : part) : [];
    return index < parts.length - 1 ? [h("pre", {}, decoded(part.replace(/^\n/, "")))] : lines(`\`\`\`${part}`);
  });
}

// A text object of Block Kit. Plain text is shown as it is, but for emoji.
export function text(object) {
  if (!object) return [];
  if (typeof object === "string") return [object];
  if (object.type === "mrkdwn") return mrkdwn(object.text);
  return [object.emoji === false ? object.text : emoji(object.text)];
}
