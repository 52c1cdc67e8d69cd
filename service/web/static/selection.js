// Picking images: how many are picked, ranges with Shift, all that are shown, none.
// The wall may grow, and its cells may be drawn anew: what is picked is kept here, not in them.

import { fillAll } from "./lean.js";

const form = document.getElementById("selection");
if (form) start();

function start() {
  const count = form.querySelector(".count");
  const most = Number(count.dataset.most);
  const picked = new Set();
  let last = null;

  const boxes = () => [...document.querySelectorAll('input[name="image"][form="selection"]')];

  function tell() {
    const number = picked.size;
    document.documentElement.classList.toggle("picking", number > 0);
    count.textContent = number > most ? `${number} selected; ${most} at a time is the most` : `${number} selected`;
    for (const button of form.querySelectorAll(".buttons button")) {
      button.disabled = button.value === "compare" ? number !== 2 : number === 0 || number > most;
    }
  }

  function pick(list, wanted) {
    for (const box of list) {
      box.checked = wanted;
      picked[wanted ? "add" : "delete"](box.value);
    }
    tell();
  }

  // cells that are new show what was picked; those that a browser restored as picked are
  function look() {
    for (const box of boxes()) {
      if (picked.has(box.value)) box.checked = true;
      else if (box.checked) picked.add(box.value);
    }
    tell();
  }

  function between(one, other) {
    fillAll();
    const all = boxes();
    const from = all.findIndex((box) => box.value === one);
    const to = all.findIndex((box) => box.value === other);
    return from < 0 ? all.slice(to, to + 1) : all.slice(Math.min(from, to), Math.max(from, to) + 1);
  }

  document.addEventListener("click", (event) => {
    const box = event.target;
    if (!box.matches?.('input[name="image"][form="selection"]')) return;
    pick(event.shiftKey ? between(last, box.value) : [box], box.checked);
    last = box.value;
  });

  form.addEventListener("click", (event) => {
    const wanted = event.target.dataset.pick;
    if (wanted === "all") {
      fillAll();
      pick(boxes(), true);
    }
    if (wanted === "none") {
      picked.clear();
      pick(boxes(), false);
    }
  });

  // what is picked and no longer in the page goes as well
  form.addEventListener("formdata", ({ formData }) => {
    formData.delete("image");
    for (const id of picked) formData.append("image", id);
  });

  for (const button of form.querySelectorAll("[data-pick]")) button.hidden = false;
  document.documentElement.classList.add("picks");
  const wall = document.getElementById("wall");
  if (wall) new MutationObserver(look).observe(wall, { childList: true });
  addEventListener("pageshow", look);
  look();
}
