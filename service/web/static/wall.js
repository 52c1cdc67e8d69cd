// Jobs on the wall turn into their pictures, and new ones come, without the page being loaded again.
// The wall tells the server what it shows; the server answers with the cells that differ.

const LOOK_EVERY_MS = 2000;
/** Where nothing is under way. */
const LOOK_SELDOM_EVERY_MS = 10000;
/** Further down, what is new waits for its button instead of pushing the page. */
const NEAR_TOP_PX = 200;
/** Of this many new cells the page is better loaded again. */
const MOST_WAITING = 48;

const wall = document.querySelector("#wall[data-news]");
const button = document.querySelector("[data-shows-news]");
/** New cells that are not shown yet, in their order. */
const waiting = document.createElement("ul");

const cells = (selector) => [...waiting.querySelectorAll(selector), ...wall.querySelectorAll(selector)];
const underWay = () => cells("[data-job]").filter((cell) => cell.dataset.status !== "failed");

async function look() {
  if (!document.hidden) {
    const query = new URLSearchParams({
      newest: cells("[data-image]").map((cell) => cell.dataset.image).sort().at(-1) ?? "",
      jobs: cells("[data-job]").map((cell) => `${cell.dataset.job}.${cell.dataset.status}`).join(","),
    });
    const answer = await fetch(`${wall.dataset.news}?${query}`).catch(() => null);
    // logged out meanwhile: whatever the person does next says so
    if (answer?.redirected || answer?.status === 401) return;
    if (answer?.ok) show(await answer.text());
  }
  setTimeout(look, underWay().length ? LOOK_EVERY_MS : LOOK_SELDOM_EVERY_MS);
}

function show(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const fresh = [];
  for (const cell of page.querySelectorAll("li")) {
    if (!replaced(cell) && !("gone" in cell.dataset)) fresh.push(document.adoptNode(cell));
  }
  waiting.prepend(...fresh);
  if (scrollY <= NEAR_TOP_PX) showWaiting();
  else tell();
}

/** Put a cell in the place of the one it follows, and tell whether there is one. */
function replaced(cell) {
  const { image, job, ofJob } = cell.dataset;
  if (image && cells(`[data-image="${image}"]`).length) return true;
  const [before] = cells(`[data-job="${job ?? ofJob}"]`);
  if (!before) return false;
  if ("gone" in cell.dataset) before.remove();
  else {
    const hadFocus = before.contains(document.activeElement);
    before.replaceWith(document.adoptNode(cell));
    if (hadFocus) cell.querySelector(".open").focus();
  }
  return true;
}

function showWaiting() {
  document.querySelector(".empty")?.remove();
  for (const kind of ["[data-image]", "[data-job]"]) {
    const place = kind === "[data-job]" ? wall.firstChild : wall.querySelector("[data-image], .older");
    for (const cell of waiting.querySelectorAll(`:scope > ${kind}`)) wall.insertBefore(cell, place);
  }
  button.hidden = true;
}

function tell() {
  const count = waiting.children.length;
  button.hidden = count === 0;
  const text = count > MOST_WAITING ? "Many new" : `${count} new`;
  if (button.textContent !== text) button.textContent = text;
}

if (wall) {
  button.addEventListener("click", () => {
    if (waiting.children.length > MOST_WAITING) location.reload();
    showWaiting();
    scrollTo({ top: 0 });
    wall.querySelector(".open")?.focus({ preventScroll: true });
  });
  setTimeout(look, LOOK_EVERY_MS);
}
