// Windows over the page: what is below them cannot be reached, and the keyboard returns to where it came from.
import { h, keyed, press, trap } from "./dom.js";
import { text } from "./mrkdwn.js";

const stack = [];

function settle() {
  document.querySelector(".app").inert = stack.length > 0;
  stack.forEach(({ veil }, index) => { veil.inert = index < stack.length - 1; });
}

// Opens a window and answers the function that shuts it. `close` is what Escape does.
export function open(dialog, close, { over = false } = {}) {
  const before = document.activeElement, key = before?.dataset?.key;
  const veil = h("div", { class: `veil${over ? " over" : ""}` }, dialog);
  const entry = { veil };
  dialog.tabIndex = -1;
  trap(dialog, close);
  document.getElementById("modals").append(veil);
  stack.push(entry);
  settle();
  return () => {
    stack.splice(stack.indexOf(entry), 1);
    veil.remove();
    settle();
    const back = before?.isConnected && before !== document.body ? before : key && keyed(document, key);
    (back || document.getElementById("log")).focus({ preventScroll: true });
  };
}

// The question that an element may ask before it counts.
export function ask(question, go) {
  if (!question) { go(); return; }
  const id = "confirm-title", yes = question.style === "danger" ? "danger" : "primary";
  const answer = (act) => () => { shut(); act?.(); };
  const sure = press(answer(go), { class: yes }, text(question.confirm || "Yes"));
  const roles = { role: "alertdialog", "aria-modal": "true", "aria-labelledby": id, "aria-describedby": "confirm-text" };
  const dialog = h("div", { class: "dialog small", ...roles },
    h("h2", { id, dir: "auto" }, text(question.title)),
    h("div", { id: "confirm-text", class: "words", dir: "auto" }, text(question.text)),
    h("div", { class: "dialog-foot" }, press(answer(), {}, text(question.deny || "Cancel")), sure));
  const shut = open(dialog, answer(), { over: true });
  sure.focus();
}
