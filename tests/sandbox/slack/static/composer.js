// The message box: sends, and suggests the commands that the app has.
import { post, spoken } from "./api.js";
import { h, toast } from "./dom.js";

const box = document.getElementById("composer-text"), form = document.getElementById("composer"), list = document.getElementById("commands");
let commands = [], target = () => ({});

export function composer(now, where) { commands = now; target = where; }

function suggest() {
  const typed = box.value;
  const fitting = typed.startsWith("/") && !typed.includes(" ") ? commands.filter((one) => one.command.startsWith(typed)) : [];
  list.hidden = !fitting.length;
  list.replaceChildren(...fitting.map((one) => h("li", { role: "option" },
    h("button", { type: "button", onclick: () => { box.value = `${one.command} `; box.focus(); suggest(); } },
      h("strong", {}, one.command), " ", h("span", { class: "hint" }, one.usage_hint), h("small", {}, one.description)))));
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight, 160)}px`;
}

box.addEventListener("input", suggest);
box.addEventListener("keydown", (event) => {
  if (event.key === "Escape") { list.hidden = true; return; }
  if (event.key === "ArrowUp" && !list.hidden) { event.preventDefault(); list.querySelector("button").focus(); return; }
  if (event.key === "Tab" && !list.hidden && !event.shiftKey) { event.preventDefault(); list.querySelector("button").click(); return; }
  if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); form.requestSubmit(); }
});
list.addEventListener("keydown", (event) => { if (event.key === "Escape") { list.hidden = true; box.focus(); } });

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = box.value.trim(), { user, channel } = target(), button = form.querySelector("button[type=submit]");
  if (!text || !channel || button.hasAttribute("aria-busy")) return;
  button.setAttribute("aria-busy", "true");
  try {
    const answer = await post("/ui/message", { user, channel, text });
    if (answer?.ok) { if (box.value.trim() === text) box.value = ""; suggest(); } else toast(spoken(answer?.error));
  } catch (error) { toast(String(error.message || error)); } finally { button.removeAttribute("aria-busy"); }
});
