// What has `data-copy` gets a button with that name, which copies its text.
// It is made here, as without script it could do nothing.

const SAID_MS = 2000;

for (const part of document.querySelectorAll("[data-copy]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = part.dataset.copy;
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    button.textContent = (await isCopied(part)) ? "Copied" : "Selected: copy it by keyboard";
    setTimeout(() => { button.textContent = part.dataset.copy; }, SAID_MS);
  });
  part.after(button);
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
