// The form of a new job says what it costs while it is being filled in, and shows the images that
// are named in it. Everything else works without this script.

const QUIET_MS = 400;
const IMAGE = /^img_[0-9a-f]{32}$/;

const form = document.getElementById("new");
const price = document.getElementById("price");
const files = [...form.querySelectorAll("input[type=file]")];
let timer;
let asking;

async function ask() {
  asking?.abort();
  if (files.some((file) => file.files.length)) {
    price.textContent = price.dataset.later;
    return;
  }
  asking = new AbortController();
  const said = new FormData(form);
  for (const file of files) said.delete(file.name);
  const asked = { method: "POST", body: said, signal: asking.signal };
  // without an answer the last price stays: the next step says it anew
  const answer = await fetch(form.dataset.price, asked).catch(() => null);
  const words = answer?.ok && !answer.redirected ? await answer.text().catch(() => null) : null;
  if (words !== null) price.innerHTML = words;
}

function show(picture) {
  const id = picture.querySelector("input").value.trim();
  picture.querySelector("img")?.remove();
  if (!IMAGE.test(id)) return;
  const image = new Image();
  image.alt = "The picture that is named here";
  image.onerror = () => image.remove();
  image.src = `/images/${id}/thumbnail`;
  picture.prepend(image);
}

form.addEventListener("input", (event) => {
  clearTimeout(timer);
  timer = setTimeout(ask, QUIET_MS);
  if (event.target.type === "text") {
    const picture = event.target.closest(".picture");
    if (picture) show(picture);
  }
});

// a field that is wrong must be seen: browsers do not open what hides it
form.addEventListener("invalid", (event) => event.target.closest("details")?.setAttribute("open", ""), true);
