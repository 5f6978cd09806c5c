// Builds elements. Text always becomes a text node, so nothing that people wrote can turn into markup.

const GIVEN = (child) => child !== null && child !== undefined && child !== false;

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(9).filter(GIVEN));
  return node;
}

export const h = (tag, props = {}, ...children) => fill(document.createElement(tag), props, children);

export const svg = (tag, props = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), props, children);

const ICONS = {
  close: "M4 4l8 8M12 4l-8 8",
  back: "M10 3L5 8l5 5",
  down: "M4 6l4 4 4-4",
  menu: "M2 4h12M2 8h12M2 12h12",
  send: "M3 13l11-5L3 3l1.5 4.2L9 8l-4.5.8z",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  lock: "M4 7.5h8v6H4zM5.5 7.5V5a2.5 2.5 0 015 0v2.5",
  check: "M3 8.5l3.5 3.5L13 4.5",
};

export const icon = (name) =>
  svg("svg", { viewBox: "0 0 16 16", class: `icon ${name}`, "aria-hidden": "true" }, svg("path", { d: ICONS[name] }));

// A button that is no form's submit.
export const press = (onclick, props, ...children) => h("button", { type: "button", onclick, ...props }, ...children);

// Replaces what is inside; the keyboard stays on the control of the same `data-key`.
export function refill(parent, ...children) {
  const focused = parent.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  parent.replaceChildren(...children.flat(9).filter(GIVEN));
  if (focused) keyed(parent, focused)?.focus({ preventScroll: true });
}

export const keyed = (root, key) => root.querySelector(`[data-key="${CSS.escape(key)}"]`);

// A short notice. It is read out, and goes away by itself.
export function toast(text) {
  const box = document.getElementById("toast");
  box.textContent = text;
  box.hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { box.hidden = true; }, 7000);
}

// Shows that a control waits for an answer, and says so when the answer is slow.
export async function busy(control, work, slow) {
  if (control?.getAttribute("aria-busy") === "true") return;
  control?.setAttribute("aria-busy", "true");
  const timer = slow && setTimeout(() => toast(slow), 1500);
  try {
    await work();
  } catch (error) {
    toast(`That did not work: ${error.message || error}`);
  } finally {
    clearTimeout(timer);
    control?.removeAttribute("aria-busy");
  }
}

const STOPS = "button, [href], input, select, textarea, [tabindex='0']";

export const stops = (root) =>
  [...root.querySelectorAll(STOPS)].filter((node) => !node.disabled && node.tabIndex >= 0 && node.offsetParent !== null);

// Keeps Tab inside a dialog; Escape closes it.
export function trap(dialog, close) {
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented) {
      event.preventDefault();
      event.stopPropagation();
      close();
    }
    if (event.key !== "Tab") return;
    const all = stops(dialog), first = all[0], last = all[all.length - 1], now = document.activeElement;
    const wrapped = event.shiftKey ? (now === first || now === dialog) && last : now === last && first;
    if (wrapped) {
      event.preventDefault();
      wrapped.focus();
    }
  });
}

export function avatar(person) {
  const initials = (person?.real_name || "?").split(/\s+/).map((word) => [...word][0]).slice(0, 2).join("").toUpperCase();
  const color = /^[0-9a-f]{6}$/i.test(person?.color || "") ? person.color : "64748b";
  return h("span", { class: `avatar${person?.is_bot ? " bot" : ""}`, style: `--hue:#${color}`, "aria-hidden": "true" }, initials);
}
