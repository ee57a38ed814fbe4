// The answer of the server has the list of runs as plain HTML (facts/run_list/first_view.py).
// It goes when the page itself has drawn its table, says something else, or is left.
addEventListener("DOMContentLoaded", () => {
  const view = document.getElementById("first-view");
  if (!view) return;
  const { pathname } = window.location;
  const line = view.querySelector("p");

  const isDrawn = () => {
    if (document.querySelector("[data-testid=stDataFrame] canvas")) return true;
    const ended = document.querySelector("[data-testid=stApp][data-test-script-state=notRunning]");
    // Where the table will be, Streamlit shows a skeleton while it loads.
    return ended && !document.querySelector("[data-testid=stDataFrame], [data-testid=stSkeleton]");
  };

  const look = () => {
    if (window.location.pathname !== pathname) return view.remove();
    // A table has a canvas some frames before it has drawn on it.
    if (isDrawn()) return setTimeout(() => view.remove(), 100);
    setTimeout(look, 50);
  };
  look();

  // Without its connection the page never draws a table, and the rows get old.
  setTimeout(() => {
    line.textContent = line.dataset.late;
    view.style.overflow = "auto";
  }, 15_000);
});
