"use strict";

// Select2 gives the box that it puts in a select's place no name of its own. It makes them when it is ready, and with
// every row that is added; so this looks whenever something has come into the page.
new MutationObserver(() => {
    for (const select of document.querySelectorAll("select.admin-autocomplete[data-placeholder]")) {
        const box = document.getElementById(`select2-${select.id}-container`);
        box?.setAttribute("aria-label", select.dataset.placeholder);
    }
}).observe(document, { childList: true, subtree: true });
