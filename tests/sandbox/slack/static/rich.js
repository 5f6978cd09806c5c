// The two blocks that carry long prose: rich_text as a tree, markdown as a text.
import { h } from "./dom.js";
import { day, emoji, link, mention, person, place } from "./mrkdwn.js";

const STYLES = [["code", "code"], ["bold", "strong"], ["italic", "em"], ["strike", "s"]];

function styled(node, style = {}) {
  return STYLES.reduce((inner, [name, tag]) => (style[name] ? h(tag, {}, inner) : inner), node);
}

const PIECES = {
  text: (one) => one.text,
  link: (one) => link(one.url, one.text || one.url),
  user: (one) => person(one.user_id),
  channel: (one) => place(one.channel_id),
  usergroup: () => mention("@group"),
  broadcast: (one) => mention(`@${one.range}`, "loud"),
  emoji: (one) => emoji(`:${one.name}:`),
  date: (one) => h("time", {}, one.fallback || day(one.timestamp * 1000)),
  color: (one) => h("code", {}, one.value),
};

const piece = (one) => (PIECES[one.type] ? styled(PIECES[one.type](one), one.style) : `[${one.type}]`);
const pieces = (list) => (list || []).map(piece);

const PARTS = {
  rich_text_section: (part) => h("p", {}, pieces(part.elements)),
  rich_text_quote: (part) => h("blockquote", {}, pieces(part.elements)),
  rich_text_preformatted: (part) => h("pre", {}, pieces(part.elements)),
  rich_text_list: (part) =>
    h(part.style === "ordered" ? "ol" : "ul",
      { class: `deep${part.indent || 0}`, start: part.offset ? part.offset + 1 : null },
      part.elements.map((item) => h("li", {}, pieces(item.elements)))),
};

const part = (one) => (PARTS[one.type] ? PARTS[one.type](one) : `[${one.type}]`);

export const rich = (block) => h("div", { class: "rich", dir: "auto" }, (block.elements || []).map(part));

// Standard Markdown, as far as short reports use it.
const INLINE = new RegExp([
  "`([^`]+)`", "\\[([^\\]]+)\\]\\(([^)\\s]+)\\)", "\\*\\*(.+?)\\*\\*", "__(.+?)__", "~~(.+?)~~",
  "(?<!\\w)\\*([^*\\s][^*]*)\\*", "(?<!\\w)_([^_\\s][^_]*)_(?!\\w)",
].join("|"));

function prose(text) {
  const found = INLINE.exec(text);
  if (!found) return text ? [emoji(text)] : [];
  const [whole, code, label, url, bold, heavy, strike, star, low] = found;
  const node = code ? h("code", {}, code)
    : label ? link(url, label)
      : bold || heavy ? h("strong", {}, prose(bold || heavy))
        : strike ? h("s", {}, prose(strike)) : h("em", {}, prose(star || low));
  const before = text.slice(0, found.index), after = text.slice(found.index + whole.length);
  return [...(before ? [emoji(before)] : []), node, ...prose(after)];
}

const LINES = [
  [/^(#{1,6})\s+(.*)/, (found) => h("h4", { class: "header" }, prose(found[2]))],
  [/^\s*[-*+]\s+(.*)/, (found) => h("li", {}, prose(found[1])), "ul"],
  [/^\s*\d+[.)]\s+(.*)/, (found) => h("li", {}, prose(found[1])), "ol"],
  [/^>\s?(.*)/, (found) => h("p", {}, prose(found[1])), "blockquote"],
  [/^\s*([-*_])(\s*\1){2,}\s*$/, () => h("hr")],
];

export function markdown(text) {
  const root = h("div", { class: "rich", dir: "auto" });
  text.split(/^```.*$/m).forEach((part, index) => {
    if (index % 2) { root.append(h("pre", {}, part.replace(/^\n|\n$/g, ""))); return; }
    for (const line of part.split("\n").filter((one) => one.trim())) {
      const rule = LINES.find(([pattern]) => pattern.test(line));
      const node = rule ? rule[1](rule[0].exec(line)) : h("p", {}, prose(line));
      const around = rule?.[2];
      if (!around) root.append(node);
      else if (root.lastElementChild?.localName === around) root.lastElementChild.append(node);
      else root.append(h(around, {}, node));
    }
  });
  return root;
}
