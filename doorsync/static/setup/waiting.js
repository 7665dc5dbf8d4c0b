// Asks every few seconds whether Offision has called, and shows the answer in place.
(function () {
  const waiting = document.getElementById("waiting");
  async function look() {
    try {
      const response = await fetch(waiting.dataset.url, { credentials: "same-origin" });
      if (response.ok) {
        const answer = await response.json();
        if (waiting.textContent !== answer.text) waiting.textContent = answer.text;
        if (answer.arrived) return;
      }
    } catch (error) {
      // The portal is away for a moment: ask again.
    }
    setTimeout(look, 3000);
  }
  if (waiting && waiting.dataset.url) setTimeout(look, 3000);
})();
