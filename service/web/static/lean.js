// Far from what is looked at, a cell of the wall is its place and no more: thousands of pictures
// stay on the wall without all that is in their cells. The browser remembers the size of each.

const FAR = "300% 0px";
const wall = document.getElementById("wall");
/** What is in cells that are far, by cell. */
const kept = new WeakMap();

/** Put back what is in every cell, for whoever has to go through them all. */
export function fillAll() {
  for (const cell of wall?.children ?? []) fill(cell);
}

function fill(cell) {
  const inside = kept.get(cell);
  if (inside === undefined) return;
  kept.delete(cell);
  cell.innerHTML = inside;
}

function empty(cell) {
  const isNeeded = cell.contains(document.activeElement) || cell.querySelector(":checked");
  if (isNeeded || kept.has(cell) || document.querySelector("dialog:modal")) return;
  // only there does an empty cell keep its size
  if (getComputedStyle(cell).contentVisibility !== "auto") return;
  // what a script has set would come back as inline style, which the policy refuses
  for (const styled of cell.querySelectorAll("[style]")) styled.removeAttribute("style");
  kept.set(cell, cell.innerHTML);
  cell.replaceChildren();
}

if (wall) {
  const near = new IntersectionObserver(
    (cells) => {
      for (const { target, isIntersecting } of cells) (isIntersecting ? fill : empty)(target);
    },
    { rootMargin: FAR },
  );
  const watch = (nodes) => {
    for (const node of nodes) if (node.dataset?.image) near.observe(node);
  };
  watch(wall.children);
  new MutationObserver((changes) => changes.forEach(({ addedNodes }) => watch(addedNodes))).observe(wall, {
    childList: true,
  });
}
