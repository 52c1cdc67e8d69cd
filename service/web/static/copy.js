// What has `data-copy` gets a button beside it, which copies its text.
// It is made here, as without script it could do nothing.

const SAID_MS = 2000;

for (const part of document.querySelectorAll("[data-copy]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-live", "polite");
  name(button, "Copy", part.dataset.copy);
  button.addEventListener("click", async () => {
    if (await isCopied(part)) name(button, "Copied");
    else name(button, "Selected", "Selected: copy it by keyboard");
    setTimeout(name, SAID_MS, button, "Copy", part.dataset.copy);
  });
  part.after(button);
}

function name(button, shown, said = shown) {
  button.textContent = shown;
  button.setAttribute("aria-label", said);
}

async function isCopied(part) {
  try {
    // only pages over https, or of one's own computer, have a clipboard
    await navigator.clipboard.writeText(part.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(part);
    return false;
  }
}
