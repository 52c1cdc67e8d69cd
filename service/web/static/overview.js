// While somebody looks, show every few seconds how things are now.
// Parts are matched by their id. One that holds the keyboard's focus is left alone, and a table
// that was opened stays open.

const LOOK_EVERY_MS = 5000;

async function look() {
  if (!document.hidden) {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
    if (answer?.ok && !answer.redirected) {
      show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    }
  }
  setTimeout(look, LOOK_EVERY_MS);
}

function show(newer) {
  for (const opened of document.querySelectorAll("details[open]")) {
    newer.getElementById(opened.id)?.setAttribute("open", "");
  }
  for (const part of document.querySelectorAll("[data-part]")) {
    const now = newer.getElementById(part.id);
    if (part.contains(document.activeElement) || now?.outerHTML === part.outerHTML) continue;
    part.replaceWith(...(now ? [document.importNode(now, true)] : []));
  }
}

setTimeout(look, LOOK_EVERY_MS);
