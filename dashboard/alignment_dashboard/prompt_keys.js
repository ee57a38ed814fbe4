// J and K press the arrows of a page. Streamlit's own shortcuts lose a press while the page still answers the press before it.
(() => {
  const ARROWS = { j: "stPaginationNext", k: "stPaginationPrev" };

  // A switch has the focus after a click, but a visitor writes no letters into it.
  const TYPED_INTO = "input:not([type=checkbox], [type=radio], [type=range]), textarea, select, [contenteditable]";

  addEventListener("keydown", ({ key, target, ctrlKey, altKey, metaKey }) => {
    const arrow = ARROWS[key?.toLowerCase()];
    if (!arrow || ctrlKey || altKey || metaKey || target.matches?.(TYPED_INTO)) return;
    document.querySelector(`[data-testid=${arrow}]`)?.click();
  });
})();
