// The panel beside the workspace: where the story stands, sending a mail as somebody, moving the clock.
import { get, post } from "./api.js";
import { h } from "./dom.js";

const panel = document.getElementById("story"), toggle = document.getElementById("story-toggle");
let drawn = false, partners = [], parts = {};

export async function story(me) {
  const state = await get("/demo/state").catch(() => null);
  if (!state) { panel.hidden = toggle.hidden = true; return; }
  toggle.hidden = false;
  partners = state.partners;
  if (!drawn) draw();
  parts.today.textContent = state.today_label;
  parts.about.textContent = state.story;
  parts.steps.replaceChildren(...state.steps.map((step) => h("li", { class: step.done ? "done" : "" }, h("span", { "aria-hidden": "true" }, step.done ? "✓" : "○"), h("span", {}, step.text, step.done ? h("span", { class: "hidden" }, " (done)") : null))));
  const writes = state.managers.some((one) => one.id === me.id);
  parts.sender.textContent = writes ? `Send a mail as ${me.real_name}` : "Send a mail";
  parts.who.hidden = writes;
  parts.mail.hidden = !writes;
  parts.me = me;
}

function draw() {
  drawn = true;
  const wide = matchMedia("(min-width: 1000px)").matches;
  panel.hidden = !wide;
  toggle.setAttribute("aria-expanded", String(wide));
  toggle.addEventListener("click", () => { panel.hidden = !panel.hidden; toggle.setAttribute("aria-expanded", String(!panel.hidden)); });
  const partner = h("input", { name: "partner", list: "partners", required: true, placeholder: "Type a partner's name", autocomplete: "off" });
  const subject = h("input", { name: "subject", value: "A short hello", maxlength: 200 });
  const list = h("datalist", { id: "partners" });
  partner.addEventListener("focus", () => list.replaceChildren(...partners.map((one) => h("option", { value: one.name }, `${one.contact} · ${one.owner}`))));
  parts = {
    today: h("p", { class: "today" }), about: h("p", {}), steps: h("ol", { class: "steps" }), sender: h("h3", {}),
    who: h("p", { class: "quiet" }, "Only partner managers have a mailbox here. View as Dana, Priya or Tomás to write."),
    said: h("p", { class: "quiet", role: "status" }),
  };
  parts.mail = h("form", { class: "mail" }, h("label", {}, "To", partner), list, h("label", {}, "Subject", subject), h("button", { type: "submit", class: "primary" }, "Send the mail"));
  parts.mail.addEventListener("submit", (event) => {
    event.preventDefault();
    work(parts.mail.querySelector("button"), "/demo/mail", { user: parts.me.id, partner: partner.value, subject: subject.value });
  });
  const move = (to, label) => {
    const node = h("button", { type: "button", onclick: () => work(node, "/demo/clock", { to }) }, label);
    return node;
  };
  panel.replaceChildren(h("div", { class: "story-in" },
    h("div", { class: "story-head" }, h("h2", {}, "The story"), h("button", { type: "button", class: "plain close", "aria-label": "Close the story", onclick: () => toggle.click() }, "✕")),
    parts.today, parts.about, parts.steps, parts.sender, parts.who, parts.mail,
    h("h3", {}, "Move the clock"), h("div", { class: "actions" }, move("next_day", "Next day"), move("next_monday", "Next Monday")), parts.said));
}

async function work(button, path, body) {
  button.setAttribute("aria-busy", "true");
  parts.said.textContent = "…";
  try {
    const answer = await post(path, body);
    parts.said.textContent = answer.said || answer.error;
  } catch (error) { parts.said.textContent = String(error.message || error); } finally { button.removeAttribute("aria-busy"); }
}
