// Builds elements. Text always becomes a text node, so nothing that people wrote can turn into markup.

export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else if (name === "value") node.value = value;
    else if (name === "text") node.textContent = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// Replaces what is inside, and gives the focus back to the control that had it, if it is still there.
export function refill(parent, ...children) {
  const focused = parent.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  parent.replaceChildren(...children.flat(9).filter(Boolean));
  if (focused) parent.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

export function toast(text) {
  const box = document.getElementById("toast");
  box.textContent = text;
  box.hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { box.hidden = true; }, 6000);
}

// Keeps Tab inside a dialog; Escape closes it.
export function trap(dialog, close) {
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { event.stopPropagation(); close(); return; }
    if (event.key !== "Tab") return;
    const stops = [...dialog.querySelectorAll("button, [href], input, select, textarea, [tabindex='0']")]
      .filter((node) => !node.disabled && node.offsetParent !== null);
    const [first, last] = [stops[0], stops[stops.length - 1]];
    if (event.shiftKey && document.activeElement === first) { event.preventDefault(); last.focus(); }
    else if (!event.shiftKey && document.activeElement === last) { event.preventDefault(); first.focus(); }
  });
}

export function avatar(person) {
  const initials = (person?.real_name || "?").split(/\s+/).map((word) => word[0]).slice(0, 2).join("").toUpperCase();
  const color = /^[0-9a-f]{6}$/i.test(person?.color || "") ? person.color : "64748b";
  return h("span", { class: `avatar${person?.is_bot ? " bot" : ""}`, style: `--hue:#${color}`, "aria-hidden": "true" }, initials);
}
