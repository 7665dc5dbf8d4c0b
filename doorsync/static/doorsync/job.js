"use strict";
// Asks once a second how far the job is, and loads its result when there is one. Without this script the page reloads.
(() => {
  const job = document.getElementById("job");
  const progress = document.getElementById("progress");
  const noWorker = document.getElementById("no-worker");
  async function look() {
    try {
      const response = await fetch(job.dataset.url, { credentials: "same-origin" });
      if (response.redirected || response.status === 404) {
        location.reload(); // logged out, or the job is deleted: the page says so
        return;
      }
      if (response.ok) {
        const answer = await response.json();
        if (answer.finished) {
          location.replace(location.href);
          return;
        }
        if (progress.textContent !== answer.progress) progress.textContent = answer.progress;
        noWorker.hidden = !answer.no_worker;
      }
    } catch {
      // The portal is away for a moment: ask again.
    }
    setTimeout(look, 1000);
  }
  setTimeout(look, 500);
})();
