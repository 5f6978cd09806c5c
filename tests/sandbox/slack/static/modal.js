// The modal on top of the stack. What was typed stays when the app draws it anew; errors stand at their field.
import { post, spoken } from "./api.js";
import { blocks } from "./blocks.js";
import { h, toast, trap } from "./dom.js";
import { values } from "./fields.js";

let open = null; // {id, print, before, form}

export function modal(views, { user, people, changed }) {
  const root = document.getElementById("modals");
  const view = views[views.length - 1];
  if (!view) {
    if (open) { root.replaceChildren(); open.before?.isConnected ? open.before.focus() : document.getElementById("composer-text").focus(); open = null; }
    return;
  }
  const print = JSON.stringify([view.id, view.blocks, view.title, view.submit]);
  if (open?.print === print) return;
  const typed = open?.id === view.id ? values(open.form) : view.state?.values || {};
  draw(root, view, typed, {}, { user, people, changed, print });
}

function draw(root, view, typed, errors, { user, people, changed, print }) {
  const before = open?.before || document.activeElement;
  const close = () => post("/ui/close", { user, view_id: view.id }).then(changed);
  const place = { user, people, key: view.id, container: { type: "modal", view_id: view.id }, errors, prior: (block, action) => typed[block]?.[action] };
  const submit = h("button", { type: "submit", class: "primary" }, view.submit?.text || "Submit");
  const form = h("form", { class: "dialog", role: "dialog", "aria-modal": "true", "aria-labelledby": "modal-title", novalidate: true },
    h("div", { class: "dialog-head" }, h("h2", { id: "modal-title", dir: "auto" }, view.title?.text || ""), h("button", { type: "button", class: "plain", "aria-label": "Close", onclick: close }, "✕")),
    h("div", { class: "dialog-body" }, blocks(view.blocks, place)),
    h("div", { class: "dialog-foot" }, h("button", { type: "button", onclick: close }, view.close?.text || "Close"), view.submit ? submit : null));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (submit.hasAttribute("aria-busy")) return;
    submit.setAttribute("aria-busy", "true");
    try {
      const now = values(form);
      const answer = await post("/ui/submit", { user, view_id: view.id, state: { values: now } });
      if (answer?.errors) draw(root, view, now, answer.errors, { user, people, changed, print });
      else if (answer?.error) toast(spoken(answer.error));
      await changed();
    } catch (error) { toast(String(error.message || error)); } finally { submit.removeAttribute("aria-busy"); }
  });
  trap(form, close);
  open = { id: view.id, print, before, form };
  root.replaceChildren(h("div", { class: "veil" }, form));
  const first = form.querySelector("[aria-invalid]") || form.querySelector("[data-first]") || form.querySelector(".dialog-body input, .dialog-body textarea, .dialog-body select, .dialog-body button") || form.querySelector(".dialog-foot button");
  first?.focus();
}
