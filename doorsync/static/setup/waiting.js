// Looks every few seconds whether Offision has called, and says so in place.
(function () {
  const waiting = document.getElementById("waiting");
  async function look() {
    try {
      const answer = await fetch(waiting.dataset.url, { credentials: "same-origin" });
      if (answer.ok) {
        const found = await answer.json();
        if (waiting.textContent !== found.said) waiting.textContent = found.said;
        if (found.arrived) return;
      }
    } catch (error) {
      // The portal is away for a moment: look again.
    }
    setTimeout(look, 3000);
  }
  if (waiting && waiting.dataset.url) setTimeout(look, 3000);
})();
