// J and K press the arrows of the page of samples, each press once: Streamlit's own shortcuts lose one that comes before the page
// has answered the one before it.
(() => {
  const ARROWS = { j: "stPaginationNext", k: "stPaginationPrev" };

  // A switch that was just pressed has the focus, but no letter is meant for it.
  const TYPED_INTO = "input:not([type=checkbox], [type=radio], [type=range]), textarea, select, [contenteditable]";

  addEventListener("keydown", ({ key, target, ctrlKey, altKey, metaKey }) => {
    const arrow = ARROWS[key.toLowerCase()];
    if (!arrow || ctrlKey || altKey || metaKey || target.matches?.(TYPED_INTO)) return;
    document.querySelector(`[data-testid=${arrow}]`)?.click();
  });
})();
