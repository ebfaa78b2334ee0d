// What a script adds to the code page; without it every form works the same.
// 1. times in the reader's own zone  2. the code fills itself in  3. "new code in 0:42"
(() => {
  "use strict";

  const language = document.documentElement.lang;
  for (const time of document.querySelectorAll("time[data-local]")) {
    const at = new Date(time.dateTime);
    const second = time.dataset.local === "seconds" ? "2-digit" : undefined;
    if (!Number.isNaN(at.getTime())) {
      time.textContent = new Intl.DateTimeFormat(language, { hour: "numeric", minute: "2-digit", second }).format(at);
    }
  }

  const form = document.querySelector("form[data-code]");
  if (form) {
    const input = form.elements.code;
    const listening = new AbortController();
    let sent = false;

    form.addEventListener("submit", (event) => {
      if (sent) event.preventDefault(); // a second press would spend a second try
      sent = true;
      listening.abort();
    });
    addEventListener("pageshow", (event) => { if (event.persisted) sent = false; });

    const go = () => { if (!sent) form.requestSubmit(form.querySelector("button")); };
    const bare = (text) => text.replace(/[\s\-‐-―]/g, "");
    // Only a code that arrives at once (paste, autofill) submits itself; one that is typed waits for the button.
    let before = bare(input.value).length;
    input.addEventListener("input", (event) => {
      const code = bare(input.value);
      if (/^\d{6}$/.test(code) && (event.inputType === "insertFromPaste" || code.length - before > 1)) go();
      before = code.length;
    });

    if (form.dataset.code === "sms" && "OTPCredential" in window) { // https://wicg.github.io/web-otp/
      navigator.credentials.get({ otp: { transport: ["sms"] }, signal: listening.signal }).then((credential) => {
        if (!credential || sent) return;
        input.value = credential.code;
        go();
      }, () => {}); // refused, timed out or aborted: the person types
    }
  }

  const section = document.querySelector("[data-wait]");
  if (section) {
    const buttons = section.querySelectorAll("button[data-ready]");
    const until = Date.now() + Number(section.dataset.wait) * 1000;
    for (const button of buttons) {
      button.setAttribute("aria-disabled", "true");
      button.addEventListener("click", (event) => { if (button.hasAttribute("aria-disabled")) event.preventDefault(); });
    }
    // The name that is read aloud keeps the hour; only the eye sees the seconds run.
    const first = buttons[0];
    const heard = document.createElement("span");
    heard.className = "hidden";
    heard.append(...first.childNodes);
    const seen = document.createElement("span");
    seen.setAttribute("aria-hidden", "true");
    first.append(heard, seen);

    const show = () => {
      const left = Math.max(0, Math.ceil((until - Date.now()) / 1000));
      if (left > 0) {
        const clock = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
        seen.textContent = first.dataset.waiting.replace("{time}", clock);
        return;
      }
      clearInterval(ticking);
      for (const button of buttons) {
        button.removeAttribute("aria-disabled");
        button.textContent = button.dataset.ready;
      }
      const status = section.querySelector("[data-said]");
      status.textContent = status.dataset.said;
    };
    const ticking = setInterval(show, 1000);
    show();
  }
})();
