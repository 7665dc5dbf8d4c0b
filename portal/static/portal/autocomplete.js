"use strict";

// Select2 gives the box that it puts in a select's place no name of its own.
{
    const name = () => {
        for (const select of document.querySelectorAll("select.admin-autocomplete[data-placeholder]")) {
            const box = document.getElementById(`select2-${select.id}-container`);
            box?.setAttribute("aria-label", select.dataset.placeholder);
        }
    };
    // After autocomplete.js, which waits for the same, whichever of the two comes first.
    django.jQuery(() => setTimeout(name));
    document.addEventListener("formset:added", () => setTimeout(name));
}
