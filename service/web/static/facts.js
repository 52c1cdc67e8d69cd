// What is told of a picture: fetched once, and no further when somebody has gone on.

const KEPT = 64;

const kept = new Map();
let asked = null;

// Shows the facts of an image in a place.
export async function showFacts(image, place) {
  asked?.abort();
  asked = new AbortController();
  const { signal } = asked;
  place.setAttribute("aria-busy", "true");
  const facts = kept.get(image) ?? (await fetched(image, signal));
  if (signal.aborted) return;
  place.replaceChildren(...facts);
  place.scrollTop = 0;
  place.removeAttribute("aria-busy");
}

// What was told may have changed by the next time.
export function forgetFacts() {
  asked?.abort();
  kept.clear();
}

async function fetched(image, signal) {
  try {
    const answer = await fetch(`/images/${image}/facts`, { headers: { Accept: "text/html" }, signal });
    const told = new DOMParser().parseFromString(await answer.text(), "text/html");
    // a fault of ours comes as a whole page
    const facts = [...(told.querySelector("main") ?? told.body).children];
    if (answer.ok) keep(image, facts);
    return facts;
  } catch {
    const sorry = document.createElement("p");
    sorry.textContent = "The facts could not be fetched. Try the next picture, and come back to this one.";
    return [sorry];
  }
}

function keep(image, facts) {
  kept.set(image, facts);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value);
}
