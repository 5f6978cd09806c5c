// The message box: sends, keeps a draft for each conversation, and suggests the commands that the app has.
import { post, spoken } from "./api.js";
import { busy, h } from "./dom.js";

const form = document.getElementById("composer"), box = document.getElementById("composer-text");
const list = document.getElementById("commands"), hint = document.getElementById("command-hint");
const note = document.getElementById("composer-note");
const drafts = new Map();
let place = {}, fitting = [], active = 0;

const key = (one) => `${one.user} ${one.channel}`;

// `now`: {user, channel, commands, archived, app, sending}. channel null: nowhere to write.
export function composer(now) {
  if (key(now) !== key(place)) {
    if (place.channel) drafts.set(key(place), box.value);
    place = now;
    box.value = drafts.get(key(now)) || "";
    note.textContent = "";
    suggest();
  }
  place = now;
  form.hidden = !now.channel;
  box.disabled = now.archived;
  box.placeholder = now.archived ? "This channel is archived" : "Message, or / for commands";
}

function suggest() {
  const typed = box.value, [word] = typed.split(/\s/, 1);
  const typing = typed.startsWith("/") && !/\s/.test(typed);
  fitting = typing ? place.commands.filter((one) => one.command.startsWith(typed)) : [];
  list.hidden = !fitting.length;
  list.replaceChildren(...fitting.map((one, index) => h("li", { id: `command-${index}`, role: "option", onclick: () => take(one) },
    h("strong", {}, one.command), h("span", { class: "usage" }, one.usage_hint), h("small", {}, one.description))));
  if (fitting.length) mark(Math.min(active, fitting.length - 1));
  else box.removeAttribute("aria-activedescendant");
  const known = !typing && typed.startsWith("/") && place.commands.find((one) => one.command === word);
  hint.hidden = !known;
  if (known) hint.replaceChildren(h("strong", {}, known.command), ` ${known.usage_hint}`);
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight, 160)}px`;
}

function mark(index) {
  active = (index + fitting.length) % fitting.length;
  [...list.children].forEach((node, at) => node.setAttribute("aria-selected", String(at === active)));
  box.setAttribute("aria-activedescendant", `command-${active}`);
}

function take(one) {
  box.value = `${one.command} `;
  box.focus();
  suggest();
}

function send() {
  const text = box.value.trim(), { user, channel, app } = place;
  if (!text || !channel) return;
  busy(form.querySelector("button[type=submit]"), async () => {
    note.textContent = "";
    place.sending();
    const slow = setTimeout(() => { note.textContent = `Waiting for ${app} …`; }, 1200);
    try {
      const answer = await post("/ui/message", { user, channel, text });
      note.textContent = answer?.ok ? "" : spoken(answer?.error);
      if (answer?.ok && box.value.trim() === text) box.value = "";
      if (answer?.ok) drafts.delete(`${user} ${channel}`);
      suggest();
    } finally { clearTimeout(slow); }
  });
}

box.addEventListener("input", () => { note.textContent = ""; active = 0; suggest(); });
box.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  const open = !list.hidden;
  if (open && event.key === "ArrowDown") mark(active + 1);
  else if (open && event.key === "ArrowUp") mark(active - 1);
  else if (open && event.key === "Tab" && !event.shiftKey) take(fitting[active]);
  else if (open && event.key === "Enter" && box.value !== fitting[active].command) take(fitting[active]);
  else if (open && event.key === "Escape") list.hidden = true;
  else if (event.key === "Enter" && !event.shiftKey) send();
  else return;
  event.preventDefault();
});
box.addEventListener("blur", () => setTimeout(() => { if (document.activeElement !== box) list.hidden = true; }, 150));
form.addEventListener("submit", (event) => { event.preventDefault(); send(); });
