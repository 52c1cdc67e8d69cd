// Stars a picture of the wall, or takes its star away, without leaving the page.

const SAID_FOR_MS = 4000;

export async function toggleFavourite(image) {
  const cell = document.querySelector(`#wall > [data-image="${CSS.escape(image)}"]`);
  const token = document.querySelector("[name=form_token]");
  if (!cell || !token) return;
  const wanted = !cell.hasAttribute("data-favourite");
  const answer = await fetch(`/images/${image}/favourite`, {
    method: "POST",
    body: new URLSearchParams({ favourite: wanted ? "yes" : "no", form_token: token.value }),
  }).catch(() => null);
  // it leads back to the image; to the log-in for whoever is logged out
  if (!answer?.ok || new URL(answer.url).pathname !== `/images/${image}`) {
    say(answer?.status === 403 ? "Your key may not change favourites." : "The favourite could not be changed.");
    return;
  }
  cell.toggleAttribute("data-favourite", wanted);
  for (const star of document.querySelectorAll(`form[action="/images/${image}/favourite"] .star`)) {
    star.value = wanted ? "no" : "yes";
    star.ariaPressed = String(wanted);
    star.firstElementChild.textContent = wanted ? "\u2605" : "\u2606";
  }
  say(wanted ? "A favourite now." : "No favourite any more.");
}

// What is under a dialog is not read aloud, so the dialog has a place of its own.
function say(words) {
  const place = document.querySelector("dialog[open] .said, body > .said");
  place.textContent = words;
  setTimeout(() => {
    if (place.textContent === words) place.textContent = "";
  }, SAID_FOR_MS);
}
