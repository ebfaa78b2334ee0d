// Print, copy, save: what a script adds to the page of the recovery codes. Without it they are printed by the browser's own menu.
(() => {
  "use strict";

  const offered = document.getElementById("keep");
  const list = document.getElementById("codes");
  if (!offered || !list) return;
  const buttons = offered.content.firstElementChild.cloneNode(true);
  const codes = () => [...list.querySelectorAll("span")].map((code) => code.textContent).join("\n") + "\n";
  const ways = {
    print: () => print(),
    copy: async () => {
      await navigator.clipboard.writeText(codes());
      const status = buttons.querySelector("[role=status]");
      status.textContent = status.dataset.said;
    },
    save: () => { // a blob of this page: unlike a `data:` address, nothing of it stays in the browser's list of downloads
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([codes()], { type: "text/plain" }));
      link.download = offered.dataset.name;
      link.click();
      URL.revokeObjectURL(link.href);
    },
  };
  if (!navigator.clipboard) buttons.querySelector("[data-do=copy]").remove();
  buttons.addEventListener("click", (event) => {
    const wanted = event.target.closest("[data-do]");
    if (wanted) ways[wanted.dataset.do]();
  });
  offered.after(buttons);
})();
