// The last page: goes on as soon as the apps' frames are loaded. Without a script the page does so by itself, a few seconds later.
(() => {
  "use strict";

  let loaded = 0;
  const look = () => {
    if (document.readyState === "loading") return;
    const way = document.querySelector("a[data-go-on]");
    if (way && loaded >= document.querySelectorAll("iframe").length) location.replace(way.href);
  };
  // What is loaded in a frame tells nobody outside of it; that something is, its element does. It does not bubble.
  document.addEventListener("load", (event) => {
    if (event.target instanceof HTMLIFrameElement) { loaded += 1; look(); }
  }, true);
  document.addEventListener("DOMContentLoaded", look);
})();
