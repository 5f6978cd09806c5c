// Says that something came below what the reader looks at, and goes there on request.
const log = document.getElementById("log"), pill = document.getElementById("newer");
const newest = () => log.querySelector(".message:last-child");

// Most of the newest message is out of sight.
const below = () => newest() && newest().getBoundingClientRect().top > log.getBoundingClientRect().bottom - 40;

export function newer(came) {
  if (came && below()) pill.hidden = false;
  else if (!below()) pill.hidden = true;
}

log.addEventListener("scroll", () => newer(false), { passive: true });

pill.addEventListener("click", () => {
  const node = newest();
  node.tabIndex = -1;
  node.focus({ preventScroll: true });
  node.scrollIntoView({ block: node.offsetHeight > log.clientHeight ? "start" : "end" });
  pill.hidden = true;
});
