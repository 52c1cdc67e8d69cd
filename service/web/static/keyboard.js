// Keys of every page, and those of the wall of pictures. Whoever types is left alone.

import { toggleFavourite } from "./favourite.js";
import { fillAll } from "./lean.js";

const help = document.getElementById("help");
const TYPED_INTO = "input:not([type=checkbox], [type=button], [type=submit]), textarea, select, [contenteditable]";

const ANYWHERE = { "?": toggleHelp, "/": search };
const ON_A_PICTURE = { x: pick, f: favour };
const ON_THE_WALL = {
  ArrowRight: (cell) => go(beside(cell, 1)),
  ArrowLeft: (cell) => go(beside(cell, -1)),
  ArrowDown: (cell) => go(beyond(cell, 1)),
  ArrowUp: (cell) => go(beyond(cell, -1)),
  Home: () => go(cells().at(0)),
  End: () => go(cells().at(-1)),
};

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.closest(TYPED_INTO)) return;
  if (act(event.key, event.shiftKey)) event.preventDefault();
});

// Tells whether the key meant something here.
function act(key, shifted) {
  const shown = document.querySelector("dialog.lightbox:modal");
  if (help.open) return key === "?" && toggleHelp();
  if (document.querySelector("dialog:modal") !== shown) return false;
  if (key === "/" && shown) return false;
  // on some keyboards both need Shift
  if (Object.hasOwn(ANYWHERE, key)) return ANYWHERE[key]();
  if (shifted) return false;
  const cell = shown ? cellOf(shown.dataset.image) : focusedCell();
  if (Object.hasOwn(ON_A_PICTURE, key)) return Boolean(cell) && ON_A_PICTURE[key](cell);
  if (shown) return false;
  if (key === "Escape") return clearPicks();
  if (Object.hasOwn(ON_THE_WALL, key)) {
    if (cell) return ON_THE_WALL[key](cell);
    return key.startsWith("Arrow") && isNowhere() && go(firstInView());
  }
  return false;
}

function toggleHelp() {
  if (help.open) help.close();
  else help.showModal();
  return true;
}

function search() {
  const box = document.getElementById("q");
  if (!box) location.assign(help.dataset.search);
  else {
    box.focus();
    box.select();
  }
  return true;
}

function pick(cell) {
  const box = cell.querySelector(".pick input");
  box?.click();
  return Boolean(box);
}

function favour(cell) {
  if (!cell.dataset.image) return false;
  toggleFavourite(cell.dataset.image);
  return true;
}

function clearPicks() {
  const isAnyPicked = document.querySelector("#wall .pick input:checked") !== null;
  // what was picked and has left the wall goes as well
  if (isAnyPicked) document.querySelector("#selection [data-pick=none]").click();
  return isAnyPicked;
}

// The wall

const wall = () => document.getElementById("wall");
const cells = () => {
  fillAll();
  return [...(wall()?.children ?? [])].filter(linkOf);
};
const linkOf = (cell) => cell.querySelector("a.open, a[href]");
const cellOf = (image) => document.querySelector(`#wall > [data-image="${CSS.escape(image)}"]`);
const focusedCell = () => document.activeElement.closest("#wall > li");
const isNowhere = () => document.activeElement === document.body || document.activeElement.id === "main";

function go(cell) {
  if (!cell) return false;
  linkOf(cell).focus({ preventScroll: true });
  cell.scrollIntoView({ block: "nearest" });
  return true;
}

function beside(cell, step) {
  do cell = step > 0 ? cell.nextElementSibling : cell.previousElementSibling;
  while (cell && !linkOf(cell));
  return cell;
}

// The nearest in the next row: what stands equally high is one row.
function beyond(cell, step) {
  const from = cell.getBoundingClientRect();
  let row, nearest, least;
  for (let other = beside(cell, step); other; other = beside(other, step)) {
    const place = other.getBoundingClientRect();
    if (isLevel(place.top, from.top)) continue;
    row ??= place.top;
    if (!isLevel(place.top, row)) break;
    const apart = Math.abs(place.left + place.right - from.left - from.right);
    if (nearest === undefined || apart < least) [nearest, least] = [other, apart];
  }
  return nearest;
}

function isLevel(one, other) {
  return Math.abs(one - other) < 2;
}

function firstInView() {
  return cells().find((cell) => cell.getBoundingClientRect().top >= 0) ?? cells().at(0);
}

// A cell that has the focus may be replaced, as a job is by its picture: the focus goes to what is
// there instead. Whoever leaves a cell of their own will is not called back.

let held = null;

document.addEventListener("focusin", ({ target }) => {
  held = target.closest("#wall > li");
});

document.addEventListener("focusout", ({ target }) => {
  queueMicrotask(() => {
    if (target.isConnected && isNowhere()) held = null;
  });
});

new MutationObserver((changes) => {
  if (!held || !isNowhere() || document.querySelector("dialog:modal")) return;
  go(held.isConnected ? held : insteadOf(held, changes));
}).observe(document.body, { childList: true, subtree: true });

function insteadOf(cell, changes) {
  const change = changes.find(({ removedNodes }) => [...removedNodes].includes(cell));
  const near = [...(change?.addedNodes ?? []), change?.previousSibling, change?.nextSibling];
  const ends = cell.dataset.image && cellOf(cell.dataset.image);
  return ends || near.find((node) => node?.isConnected && node.matches?.("#wall > li") && linkOf(node)) || cells().at(0);
}

// Without a script there is nothing to open

const button = document.querySelector(".opens-help");
button.hidden = false;
button.addEventListener("click", toggleHelp);
help.addEventListener("close", () => {
  if (isNowhere()) document.getElementById("main").focus();
});
if (location.hash === "#q") search();
