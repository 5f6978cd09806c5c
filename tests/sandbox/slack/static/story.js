// The panel beside the workspace: where the story stands, sending a mail as somebody, moving the clock.
import { get, post } from "./api.js";
import { avatar, busy, h, icon, press } from "./dom.js";
import { combobox } from "./popup.js";

const panel = document.getElementById("story"), toggle = document.getElementById("story-toggle");
const wide = matchMedia("(min-width: 1100px)");
let parts = null, state = null, me = null, people = [], hooks = {};

// `look(user)` switches to another person, `changed()` brings the page up to date.
export function storyOf(given) { hooks = given; }

export async function story(viewer, everybody) {
  const now = await get("/demo/state").catch(() => state);
  toggle.hidden = !now;
  if (!now) { panel.hidden = true; return; }
  [state, me, people] = [now, viewer, everybody];
  if (!parts) draw();
  renew();
}

function show(open) {
  panel.hidden = !open;
  toggle.setAttribute("aria-expanded", String(open));
  if (open && !wide.matches) panel.querySelector("h2").focus();
  if (!open) toggle.focus({ preventScroll: true });
}

// On a narrower window it would cover what it tells of.
wide.addEventListener("change", () => { if (parts) { panel.hidden = !wide.matches; toggle.setAttribute("aria-expanded", String(wide.matches)); } });
toggle.addEventListener("click", () => show(panel.hidden));
panel.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !wide.matches && !event.defaultPrevented) show(false);
});

function draw() {
  const to = combobox({
    placeholder: "Type a partner's name", wants: { id: "mail-to", required: true }, none: "No partner of that name",
    find: (typed) => suggested(typed),
    picked: (one) => { parts.contact.textContent = one ? `${one.partner.contact} · owner ${one.partner.owner}` : ""; },
  });
  const subject = h("input", { id: "mail-subject", value: "A short hello", maxlength: 200, required: true });
  const send = h("button", { type: "submit", class: "primary" }, "Send the mail");
  const mail = h("form", { class: "mail", novalidate: true },
    h("label", { for: "mail-to" }, "To"), to, h("small", { class: "contact", role: "status" }),
    h("label", { for: "mail-subject" }, "Subject"), subject, send);
  mail.addEventListener("submit", (event) => {
    event.preventDefault();
    const partner = to.input.value.trim();
    if (!partner) {
      say("Choose a partner first.", "bad");
      to.input.focus();
      return;
    }
    work(send, "/demo/mail", { user: me.id, partner, subject: subject.value }, () => {
      to.input.value = "";
      parts.contact.textContent = "";
    });
  });
  const move = (where, label) => {
    const node = press(() => work(node, "/demo/clock", { to: where }), {}, label);
    return node;
  };
  const connect = press(() => work(connect, "/demo/mailboxes", {}), { class: "primary" }, "Connect the mailboxes");
  const boxes = h("section", { class: "do" }, h("h3", {}, "What IT does"),
    h("p", {}, "Lets Cadence read the headers of three partner managers' mail."), connect);
  const afternoon = move("afternoon", "This afternoon, 16:00");
  const files = h("p", { class: "files" });
  parts = {
    boxes, connect, afternoon, files,
    today: h("p", { class: "today" }), about: h("p", {}),
    count: h("span", { class: "count-of" }), bar: h("div", { class: "bar-of" }, h("i", {})),
    steps: h("ol", { class: "steps" }), sender: h("h3", {}), others: h("div", { class: "others" }), mail,
    contact: mail.querySelector(".contact"), said: h("p", { class: "said-so", role: "status" }),
  };
  panel.replaceChildren(
    h("div", { class: "story-head" }, h("h2", { tabindex: "-1" }, "The story"),
      press(() => show(false), { class: "plain close", "aria-label": "Close the story" }, icon("close"))),
    h("div", { class: "story-in" },
      parts.today, parts.about,
      h("div", { class: "try" }, h("h3", {}, "Try it"), parts.count), parts.bar, parts.steps, files, boxes,
      h("section", { class: "do" }, parts.sender, parts.others, mail),
      h("section", { class: "do" }, h("h3", {}, "Move the clock"),
        h("div", { class: "moves" }, move("next_day", "Next day"), move("next_monday", "Next Monday"), afternoon))));
  mail.after(parts.said);
  panel.hidden = !wide.matches;
  toggle.setAttribute("aria-expanded", String(wide.matches));
}

// Partners whose name begins with what was typed come first, then those that contain it.
function suggested(typed) {
  const wanted = typed.trim().toLowerCase(), has = (text) => text.toLowerCase().includes(wanted);
  const fits = state.partners.filter((one) => has(one.name) || has(one.contact));
  const rank = (one) => (one.name.toLowerCase().startsWith(wanted) ? 0 : 1);
  const mine = (one) => (one.owner === me.real_name ? 0 : 1);
  return fits.sort((a, b) => rank(a) - rank(b) || mine(a) - mine(b)).slice(0, 12)
    .map((partner) => ({ label: partner.name, note: `${partner.owner}'s · ${partner.contact}`, partner }));
}

function renew() {
  const done = state.steps.filter((one) => one.done).length, next = state.steps.find((one) => !one.done);
  parts.boxes.hidden = !state.mailboxes;
  parts.afternoon.hidden = !state.afternoon;
  parts.files.hidden = !state.files.length;
  parts.files.replaceChildren("To upload: ", ...state.files.flatMap((name, at) => [at ? " and " : "",
    h("a", { href: `/demo/files/${name}`, download: name }, name)]));
  parts.connect.disabled = state.mailboxes === "connected";
  parts.today.textContent = state.today_label;
  parts.about.textContent = state.story;
  parts.count.textContent = `${done} of ${state.steps.length}`;
  parts.bar.firstChild.style.width = `${(100 * done) / state.steps.length}%`;
  const line = (step) => h("li", { class: step.done ? "done" : step === next ? "next" : null },
    h("span", { class: "tick", "aria-hidden": "true" }, step.done ? icon("check") : null),
    h("span", {}, step.text, step.done ? h("span", { class: "hidden" }, " (done)") : null));
  parts.steps.replaceChildren(...state.steps.map(line));
  const writes = state.managers.some((one) => one.id === me.id);
  parts.sender.textContent = writes ? `Send a mail as ${me.real_name}` : "Send a mail";
  parts.mail.hidden = !writes;
  parts.others.hidden = writes;
  if (!writes && !parts.others.contains(document.activeElement)) {
    parts.others.replaceChildren(h("p", {}, `${me.real_name} has no mailbox here. View as one who has:`),
      ...state.managers.map((one) => press(() => hooks.look(one.id), { class: "person" },
        avatar(people.find((who) => who.id === one.id) || { real_name: one.name }), one.name)));
  }
  if (state.busy) say(state.busy, "working");
}

function say(text, kind = "") {
  parts.said.className = `said-so ${kind}`;
  parts.said.textContent = text;
  parts.said.scrollIntoView({ block: "nearest" });
}

function work(button, path, body, then) {
  return busy(button, async () => {
    button.closest(".do").append(parts.said); // the answer stands by what was pressed
    say("Working on it …", "working");
    try {
      const answer = await post(path, body);
      say(answer?.said || answer?.error || "That did not work.", answer?.ok ? "good" : "bad");
      if (answer?.ok) then?.();
    } catch (error) {
      say(`That did not work: ${error.message || error}`, "bad");
    }
    await hooks.changed();
  });
}
