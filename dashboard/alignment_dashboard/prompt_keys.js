// J and K press the arrows of the page of samples, each press once: Streamlit's own shortcuts lose one that comes before the page
// has answered the one before it.
(() => {
  const ARROWS = { j: "stPaginationNext", k: "stPaginationPrev" };

  addEventListener("keydown", ({ key, target, ctrlKey, altKey, metaKey }) => {
    const arrow = ARROWS[key.toLowerCase()];
    if (!arrow || ctrlKey || altKey || metaKey || target.matches?.("input, textarea, select, [contenteditable]")) return;
    document.querySelector(`[data-testid=${arrow}]`)?.click();
  });
})();
