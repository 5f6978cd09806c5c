// Two things that open below a control: a menu to press in, and a list to pick from while typing.
import { h } from "./dom.js";

let numbers = 0;

// Turns the popup upwards where there is no room below.
function settle(popup) {
  popup.classList.remove("up");
  const scroller = popup.closest(".log, .dialog-body, .story");
  const bottom = scroller?.getBoundingClientRect().bottom ?? innerHeight;
  const box = popup.getBoundingClientRect();
  popup.classList.toggle("up", box.bottom > bottom && box.top - box.height > 60);
}

// `items()` answers [{label, nodes, checked, go}] when the menu opens.
export function menu(opener, items) {
  const list = h("div", { class: "popup", role: "menu", hidden: true, "aria-label": opener.getAttribute("aria-label") });
  const box = h("span", { class: "anchor" }, opener, list);
  opener.setAttribute("aria-haspopup", "menu");
  opener.setAttribute("aria-expanded", "false");
  const outside = (event) => { if (!box.contains(event.target)) show(false); };
  function show(open) {
    list.hidden = !open;
    opener.setAttribute("aria-expanded", String(open));
    document[open ? "addEventListener" : "removeEventListener"]("pointerdown", outside);
    if (!open) return;
    list.replaceChildren(...items().map((one) => h("button", {
      type: "button", tabindex: "-1", role: one.checked === undefined ? "menuitem" : "menuitemradio",
      "aria-checked": one.checked === undefined ? null : String(one.checked),
      onclick: () => { show(false); opener.focus(); one.go(); },
    }, one.nodes)));
    settle(list);
    (list.querySelector("[aria-checked=true]") || list.firstElementChild)?.focus();
  }
  opener.addEventListener("click", () => show(list.hidden));
  opener.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" || !list.hidden) return;
    event.preventDefault();
    show(true);
  });
  list.addEventListener("keydown", (event) => {
    const all = [...list.children], here = all.indexOf(document.activeElement);
    const to = { ArrowDown: here + 1, ArrowUp: here - 1 + all.length, Home: 0, End: all.length - 1 }[event.key];
    if (to !== undefined) all[to % all.length].focus();
    else if (event.key === "Escape") { show(false); opener.focus(); }
    else if (event.key === "Tab") { show(false); return; }
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return box;
}

// A box to type in, with suggestions. `find(text)` answers [{label, note, …}] or a promise of them; `picked` gets
// one of them, or null when what was picked is typed over.
export function combobox({ find, picked, least = 0, wait = 0, placeholder = "", value = "", none = "Nothing found", wants = {} }) {
  const id = `list-${numbers += 1}`;
  const input = h("input", {
    role: "combobox", "aria-expanded": "false", "aria-controls": id, "aria-autocomplete": "list", autocomplete: "off",
    placeholder, value, ...wants,
  });
  const list = h("div", { id, class: "popup wide", role: "listbox", hidden: true, "aria-label": "Suggestions" });
  const box = h("span", { class: "anchor full" }, input, list);
  let found = [], active = -1, timer, asked = 0, pending = false, eager = false;

  function hide() {
    list.hidden = true;
    active = -1;
    asked += 1;
    pending = eager = false;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }
  function choose(one) {
    input.value = one.label;
    hide();
    picked(one);
  }
  function mark(at) {
    active = (at + found.length) % found.length;
    [...list.children].forEach((node, index) => node.setAttribute("aria-selected", String(index === active)));
    input.setAttribute("aria-activedescendant", `${id}-${active}`);
    list.children[active].scrollIntoView({ block: "nearest" });
  }
  async function look(typing) {
    const mine = asked += 1, typed = input.value;
    let note = null;
    try { found = await find(typed); } catch (error) { found = []; note = String(error.message || error); }
    if (mine !== asked || (document.activeElement !== input && !eager)) return;
    pending = false;
    if (eager && found.length) { choose(found[0]); return; }
    eager = false;
    const exact = typing && found.find((one) => one.label.toLowerCase() === typed.trim().toLowerCase());
    if (exact) { hide(); picked(exact); return; }
    list.replaceChildren(...found.map((one, index) => h("div", {
      id: `${id}-${index}`, role: "option", "aria-selected": "false", onclick: () => { choose(one); input.focus(); },
    }, h("bdi", {}, one.label), one.note ? h("small", {}, one.note) : null)));
    if (!found.length) list.append(h("p", { class: "none", role: "status" }, note || none));
    active = -1;
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    settle(list);
  }
  const soon = (typing) => {
    clearTimeout(timer);
    if (input.value.length < least) { hide(); return; }
    pending = true;
    timer = setTimeout(look, wait, typing);
  };
  input.addEventListener("input", () => { picked(null); soon(true); });
  input.addEventListener("click", () => { if (list.hidden) soon(false); });
  input.addEventListener("blur", () => { if (!eager) { clearTimeout(timer); hide(); } });
  list.addEventListener("pointerdown", (event) => event.preventDefault()); // the box keeps the keyboard
  input.addEventListener("keydown", (event) => {
    const open = !list.hidden && found.length;
    if (event.key === "ArrowDown") { if (open) mark(active + 1); else soon(false); }
    else if (event.key === "ArrowUp" && open) mark(active < 0 ? -1 : active - 1);
    else if (event.key === "Enter" && open) choose(found[Math.max(active, 0)]);
    else if (event.key === "Enter" && pending) eager = true; // takes the first when it comes
    else if (event.key === "Escape" && !list.hidden) hide();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  box.input = input;
  return box;
}
