// The wall's pictures one after another, as large as the window allows, with their facts beside.

import { forgetFacts, showFacts } from "./facts.js";
import { toggleFavourite } from "./favourite.js";
import { fillAll } from "./lean.js";
import PhotoSwipe from "./vendor/photoswipe/photoswipe.esm.min.js";

const LINKS = "#wall > [data-image] a.open";

const dialog = document.getElementById("lightbox");
const large = dialog.querySelector(".large");
const sheet = dialog.querySelector(".sheet");
const opener = dialog.querySelector(".sheet-opener");
const status = document.getElementById("which-picture");

document.addEventListener("click", (event) => {
  const link = event.target.closest?.(LINKS);
  const isForATab = event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
  if (!link || event.defaultPrevented || event.button !== 0 || isForATab) return;
  event.preventDefault();
  open(link);
});

opener.addEventListener("click", () => {
  const isOpen = dialog.toggleAttribute("data-sheet");
  opener.setAttribute("aria-expanded", isOpen);
});

sheet.addEventListener("submit", (event) => {
  if (!event.target.querySelector(".star")) return;
  event.preventDefault();
  toggleFavourite(dialog.dataset.image);
});

function open(link) {
  const slides = [];
  fillAll();
  grow(slides);
  const show = new PhotoSwipe({
    appendToEl: large,
    arrowKeys: true,
    bgOpacity: 1,
    dataSource: slides,
    errorMsg: "This picture could not be loaded.",
    // the browser's dialog sees to both
    escKey: false,
    trapFocus: false,
    getViewportSizeFn: () => ({ x: large.clientWidth, y: large.clientHeight }),
    index: slides.findIndex(({ id }) => id === idOf(link)),
    loop: false,
    returnFocus: false,
  });
  const leave = leaving(show);
  const resized = new ResizeObserver(() => show.updateSize());
  const grown = new MutationObserver(() => {
    if (grow(slides)) welcome(show);
  });
  show.addFilter("thumbEl", (_, { id }) => linkOf(id)?.querySelector("img"));
  show.on("keydown", (event) => {
    if (!isForTheShow(event.originalEvent)) event.preventDefault();
  });
  show.on("change", () => tell(slides, show.currIndex));
  show.on("destroy", () => {
    resized.disconnect();
    grown.disconnect();
    dialog.removeEventListener("cancel", leave);
    close(slides, show.currIndex);
  });
  dialog.addEventListener("cancel", leave);
  // the browser may also close it without asking
  dialog.addEventListener("close", () => show.isDestroying || show.destroy(), { once: true });
  dialog.showModal();
  show.init();
  show.element.setAttribute("role", "group");
  show.element.querySelector(".pswp__button--close").focus();
  resized.observe(large);
  grown.observe(document.getElementById("wall"), { childList: true });
}

// Returns what ends a show on Escape, or on a phone's way back.
function leaving(show) {
  let isLeaving = false;
  // it cannot be closed before it is open
  show.on("openingAnimationEnd", () => isLeaving && show.close());
  return (event) => {
    if (event.target !== dialog) return;
    event.preventDefault();
    isLeaving = true;
    show.close();
  };
}

function close(slides, index) {
  dialog.close();
  delete dialog.dataset.image;
  forgetFacts();
  // of those that are still there, the one that was shown or the nearest before it
  const last = slides.slice(0, index + 1).findLast(({ id }) => linkOf(id));
  (linkOf(last?.id) ?? document.querySelector(LINKS) ?? document.getElementById("main")).focus();
}

// Add what the wall has below the last that is known; new ones above have no place in the order.
function grow(slides) {
  const links = [...document.querySelectorAll(LINKS)];
  const known = new Set(slides.map(({ id }) => id));
  const more = links.slice(links.findLastIndex((link) => known.has(idOf(link))) + 1);
  slides.push(...more.map(slideOf));
  return more.length > 0;
}

// Let a show that stood at its end go on.
function welcome(show) {
  show.refreshSlideContent(show.currIndex + 1);
  show.dispatch("change");
}

function slideOf(link) {
  const small = link.querySelector("img");
  return {
    id: idOf(link),
    src: link.dataset.content,
    msrc: small.currentSrc || small.src,
    width: Number(link.dataset.width),
    height: Number(link.dataset.height),
    alt: small.alt,
  };
}

function tell(slides, index) {
  const { id, alt } = slides[index];
  if (dialog.dataset.image === id) return;
  dialog.dataset.image = id;
  status.textContent = `Picture ${index + 1} of ${slides.length}: ${alt}`;
  // the wall goes along, so that it loads what comes next and is in place at the end
  linkOf(id)?.scrollIntoView({ block: "center" });
  showFacts(id, sheet);
}

// Tab is the browser's; up and down scroll the facts when they have the focus; whatever covers the
// show has all keys.
function isForTheShow({ key }) {
  const here = document.activeElement;
  if (here.closest("dialog") !== dialog && here !== document.body) return false;
  return key !== "Tab" && !(sheet.contains(here) && (key === "ArrowUp" || key === "ArrowDown"));
}

function idOf(link) {
  return link.closest("[data-image]").dataset.image;
}

function linkOf(id) {
  return document.querySelector(`#wall > [data-image="${CSS.escape(id ?? "")}"] a.open`);
}
