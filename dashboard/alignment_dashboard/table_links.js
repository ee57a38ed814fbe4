// Streamlit draws a table on a canvas, ignores its middle button, and opens each of its links in a new tab.
// With these lines the links behave like others: a click stays in the tab; the middle button, Ctrl, Shift or ⌘ opens another one.
(() => {
  const TITLES = 34;
  const open = window.open.bind(window);
  let apart = false;

  window.open = (address, ...others) => {
    const target = new URL(address, window.location.href);
    if (apart || target.origin !== window.location.origin) return open(address, ...others);
    history.pushState({}, "", target);
    // Streamlit follows the address after Back; this tells it that the address has changed.
    window.dispatchEvent(new PopStateEvent("popstate"));
    return null;
  };

  addEventListener("pointerdown", (event) => {
    if (event.isTrusted) apart = event.button === 1 || event.ctrlKey || event.shiftKey || event.metaKey;
  }, true);

  // Over a link the table shows a hand, and also over its titles, which a middle click must not sort by.
  const pressesLink = ({ button, target, offsetY }) =>
    button === 1 && target.matches?.("[data-testid=stDataFrame] *") && target.style.cursor === "pointer" && offsetY > TITLES;

  addEventListener("mousedown", (event) => {
    // Otherwise the page begins to scroll.
    if (pressesLink(event)) event.preventDefault();
  });

  addEventListener("auxclick", (event) => {
    if (!pressesLink(event)) return;
    const { clientX, clientY } = event;
    for (const type of ["pointerdown", "pointerup"]) {
      event.target.dispatchEvent(new PointerEvent(type, { bubbles: true, cancelable: true, pointerType: "mouse", clientX, clientY }));
    }
  });
})();
