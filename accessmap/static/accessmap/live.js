// Looks again, every second and a half, at a part of the page that says it is still changing. Without this the page
// works by being loaded again.
"use strict";
const again = async () => {
  const shown = document.querySelector("[data-live]");
  if (!shown) return;
  try {
    const answer = await fetch(location.href, { credentials: "same-origin", cache: "no-store" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.getElementById(shown.id);
    if (answer.ok && found && found.innerHTML !== shown.innerHTML) shown.replaceWith(found);
  } catch {
    // The server is away for a moment: look again.
  }
  setTimeout(again, 1500);
};
setTimeout(again, 1500);
