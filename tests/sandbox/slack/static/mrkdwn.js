// Slack's mrkdwn as DOM nodes. Formatting begins and ends at word boundaries only, as on the platform.
import { h } from "./dom.js";

const EMOJI = {
  white_check_mark: "✅", warning: "⚠️", wave: "👋", tada: "🎉", eyes: "👀", calendar: "📅", bell: "🔔", email: "✉️",
  heavy_check_mark: "✔️", x: "❌", seedling: "🌱", hourglass: "⌛", mag: "🔍", memo: "📝", thumbsup: "👍", sunny: "☀️",
};
const people = new Map(), channels = new Map();

export function know(state) {
  for (const one of state.people) people.set(one.id, one.real_name);
  for (const one of state.channels) channels.set(one.id, one.name);
}

const decoded = (text) => text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
const words = (text) => decoded(text.replace(/:([a-z_]+):/g, (whole, name) => EMOJI[name] || whole));

function when(unix, format, fallback) {
  const at = new Date(Number(unix) * 1000);
  if (Number.isNaN(at.getTime())) return fallback;
  const on = (options) => at.toLocaleDateString("en-GB", options);
  const day = 86400000, apart = Math.round((new Date(at.toDateString()) - new Date(new Date().toDateString())) / day);
  const near = { "-1": "yesterday", 0: "today", 1: "tomorrow" }[apart];
  const parts = {
    date_num: on({}), date: on({ dateStyle: "long" }), date_short: on({ dateStyle: "medium" }), date_long: on({ dateStyle: "full" }),
    time: at.toLocaleTimeString("en-GB", { timeStyle: "short" }), time_secs: at.toLocaleTimeString("en-GB"),
    ago: apart <= 0 ? `${-apart} days ago` : `in ${apart} days`,
  };
  for (const name of ["date", "date_short", "date_long"]) parts[`${name}_pretty`] = near || parts[name];
  return format.replace(/\{(\w+)\}/g, (whole, name) => parts[name] ?? whole);
}

function reference(inside) {
  const [target, label] = inside.split(/\|(.*)/s);
  if (target.startsWith("@")) return h("span", { class: "mention" }, `@${people.get(target.slice(1)) || words(label || target.slice(1))}`);
  if (target.startsWith("#")) return h("a", { class: "mention", href: target }, `#${channels.get(target.slice(1)) || words(label || target.slice(1))}`);
  if (target.startsWith("!date^")) {
    const [, unix, format] = target.split("^");
    return h("time", {}, when(unix, format, words(label || "")));
  }
  if (target.startsWith("!")) return h("span", { class: "mention loud" }, `@${words(label || target.slice(1))}`);
  if (/^(https?:|mailto:|\/)/.test(target)) return h("a", { href: decoded(target), target: "_blank", rel: "noopener noreferrer" }, words(label || target));
  return document.createTextNode(words(`<${inside}>`));
}

const MARKS = [["*", "strong"], ["_", "em"], ["~", "s"]];
const BEFORE = /[\s([{"'“‘.,;:!?\-–—/]$/, AFTER = /^[\s)\]}"'”’.,;:!?\-–—/]/;

function inline(text) {
  const nodes = [];
  let plain = "";
  const flush = () => { if (plain) nodes.push(document.createTextNode(words(plain))); plain = ""; };
  for (let at = 0; at < text.length;) {
    const rest = text.slice(at);
    const angle = /^<([^<>\n]+)>/.exec(rest);
    const code = /^`([^`\n]+)`/.exec(rest);
    const mark = MARKS.find(([sign]) => rest[0] === sign);
    if (angle) { flush(); nodes.push(reference(angle[1])); at += angle[0].length; continue; }
    if (code) { flush(); nodes.push(h("code", {}, decoded(code[1]))); at += code[0].length; continue; }
    if (mark && (at === 0 || BEFORE.test(text.slice(0, at)))) {
      const [sign, tag] = mark;
      const end = closing(rest, sign);
      if (end > 0) { flush(); nodes.push(h(tag, {}, inline(rest.slice(1, end)))); at += end + 1; continue; }
    }
    plain += text[at]; at += 1;
  }
  flush();
  return nodes;
}

function closing(rest, sign) {
  if (/^\s/.test(rest[1] || " ")) return -1;
  for (let end = rest.indexOf(sign, 2); end > 0; end = rest.indexOf(sign, end + 1)) {
    if (rest.slice(0, end).includes("\n")) return -1;
    if (!/\s/.test(rest[end - 1]) && (end + 1 === rest.length || AFTER.test(rest.slice(end + 1)))) return end;
  }
  return -1;
}

function lines(text) {
  const nodes = [];
  for (const [index, line] of text.split("\n").entries()) {
    const quote = /^(?:>|&gt;) ?(.*)$/.exec(line);
    if (quote) { nodes.push(h("blockquote", {}, inline(quote[1]))); continue; }
    if (index > 0 && nodes[nodes.length - 1]?.tagName !== "BLOCKQUOTE") nodes.push(h("br"));
    nodes.push(...inline(line));
  }
  return nodes;
}

export function mrkdwn(text) {
  return String(text ?? "").split(/```/).flatMap((part, index, all) =>
    index % 2 && index < all.length - 1 ? [h("pre", {}, decoded(part.replace(/^\n/, "")))] : lines(index % 2 ? "```" + part : part));
}

// A text object of Block Kit: plain text is shown as it is, but for emoji.
export function text(object) {
  if (!object) return [];
  if (object.type === "mrkdwn") return mrkdwn(object.text);
  return [object.emoji === false ? object.text : object.text.replace(/:([a-z_]+):/g, (whole, name) => EMOJI[name] || whole)];
}
