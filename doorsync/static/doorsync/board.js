"use strict";
// The board shows itself anew every few seconds, unless somebody pauses it or is reading with the keyboard in it.
(() => {
  const lines = document.getElementById("lines");
  const pause = document.querySelector("[data-pause]");
  document.querySelector("[data-print]").addEventListener("click", () => window.print());
  pause.addEventListener("click", () => {
    pause.setAttribute("aria-pressed", pause.getAttribute("aria-pressed") === "true" ? "false" : "true");
  });
  const busy = () => document.hidden || lines.contains(document.activeElement) || pause.getAttribute("aria-pressed") === "true";
  setInterval(async () => {
    if (busy()) return;
    try {
      const answer = await fetch(location.href, { headers: { "X-Part": "lines" }, credentials: "same-origin" });
      if (!answer.ok || answer.redirected) throw new Error(answer.status);
      const text = await answer.text();
      if (!busy()) lines.innerHTML = text;
      lines.classList.remove("stale");
    } catch {
      lines.classList.add("stale"); // what is shown is old, and looks it
    }
  }, lines.dataset.refresh * 1000);
})();
