// The app's modals, one upon the other. What was typed stays when the app redraws one; errors stand at their fields.
import { post, spoken } from "./api.js";
import { blocks, complain, patch } from "./blocks.js";
import { open } from "./dialog.js";
import { busy, h, icon, press, refill } from "./dom.js";
import { controlOf, values } from "./elements.js";

const shown = new Map(); // view id → {renew, shut}

// Brings what is open to `views`, bottom to top.
export function modals(views, place) {
  const wanted = new Set(views.map((view) => view.id));
  for (const [id, one] of [...shown].reverse()) {
    if (wanted.has(id)) continue;
    shown.delete(id);
    one.shut();
  }
  views.forEach((view, depth) => {
    if (!shown.has(view.id)) shown.set(view.id, make(view, depth, place));
    shown.get(view.id).renew(view);
  });
}

function make(first, depth, place) {
  const id = `modal-${first.id}`, title = h("h2", { id, dir: "auto" });
  const close = (clear) => post("/ui/close", { user: place.user, view_id: first.id, clear }).then(place.changed);
  const at = { ...place, key: first.id, state: first.state?.values, container: { type: "modal", view_id: first.id } };
  const body = blocks(first.blocks, at);
  const note = h("p", { class: "refused", role: "alert" }), foot = h("div", { class: "dialog-foot" });
  const form = h("form", { class: "dialog", role: "dialog", "aria-modal": "true", "aria-labelledby": id, novalidate: true },
    h("div", { class: "dialog-head" },
      depth ? press(() => close(false), { class: "plain", "aria-label": "Back" }, icon("back")) : null,
      title, press(() => close(true), { class: "plain", "aria-label": "Close" }, icon("close"))),
    h("div", { class: "dialog-body" }, body), note, foot);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(foot.querySelector("[type=submit]"), async () => {
      note.textContent = "";
      const answer = await post("/ui/submit", { user: place.user, view_id: first.id, state: { values: values(form) } });
      if (answer?.errors) note.textContent = complain(body, answer.errors).join(" ");
      else if (!answer?.ok) note.textContent = spoken(answer?.error);
      await place.changed();
    }, `Waiting for ${place.app} …`);
  });
  const shut = open(form, () => close(false));
  let print = "";
  function renew(view) {
    const now = JSON.stringify([view.blocks, view.title, view.submit, view.close]);
    if (now === print) return;
    const before = document.activeElement, fresh = !print || before === form, inside = form.contains(before);
    print = now;
    title.textContent = view.title?.text || "";
    patch(body, view.blocks, at);
    refill(foot,
      press(() => close(false), { "data-key": "close" }, view.close?.text || (depth ? "Back" : "Close")),
      view.submit ? h("button", { type: "submit", class: "primary", "data-key": "submit" }, view.submit.text) : null);
    if (fresh || (inside && !form.contains(document.activeElement))) begin(form); // what had the keyboard may be gone
  }
  return { renew, shut };
}

// The keyboard begins at the first field, and at the window itself where there is nothing to fill in.
function begin(form) {
  const field = form.querySelector("[data-first]") || form.querySelector(".input [data-field]");
  (field ? controlOf(field) : form).focus();
}
