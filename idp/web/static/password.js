// A button that shows what is typed into the password's field; without a script the field works as it is.
(() => {
  "use strict";

  for (const input of document.querySelectorAll("input[data-show]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "link";
    button.setAttribute("aria-controls", input.id);
    const hide = () => {
      input.type = "password";
      button.textContent = input.dataset.show;
    };
    button.addEventListener("click", () => {
      if (input.type === "text") {
        hide();
      } else {
        input.type = "text";
        button.textContent = input.dataset.hide;
      }
    });
    hide();
    input.after(button);
    if (input.form) input.form.addEventListener("submit", hide); // else the browser would keep it among what was typed into ordinary fields
    addEventListener("pageshow", hide);
  }
})();
