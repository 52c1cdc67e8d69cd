// While something on the page is under way, look again and show what has changed since.
// Parts are matched by their id; one that is no longer on the page, such as a row that a filter does
// not show any more, goes. One that holds the keyboard's focus is left alone.

const LOOK_EVERY_MS = 2000;

async function look() {
  if (!document.hidden) {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
    if (answer?.ok && !answer.redirected) {
      show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    }
  }
  goOn();
}

function show(newer) {
  document.title = newer.title;
  for (const part of document.querySelectorAll("[data-live], [data-part]")) {
    const now = newer.getElementById(part.id);
    if (part.contains(document.activeElement) || now?.outerHTML === part.outerHTML) continue;
    if (now) part.replaceWith(document.importNode(now, true));
    else part.remove();
  }
}

function goOn() {
  if (document.querySelector("[data-live]")) setTimeout(look, LOOK_EVERY_MS);
}

goOn();
