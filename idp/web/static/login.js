// What a script adds to the code page; without it every form works the same.
// 1. times in the reader's own zone  2. the code fills itself in, and whether a passkey could save the next one
// 3. "new code in 0:42"  4. what became of the code
(() => {
  "use strict";

  const language = document.documentElement.lang;
  const local = (within) => {
    for (const time of within.querySelectorAll("time[data-local]")) {
      const at = new Date(time.dateTime);
      const second = time.dataset.local === "seconds" ? "2-digit" : undefined;
      if (!Number.isNaN(at.getTime())) {
        time.textContent = new Intl.DateTimeFormat(language, { hour: "numeric", minute: "2-digit", second }).format(at);
      }
    }
  };
  local(document);

  const form = document.querySelector("form[data-code]");
  if (form) {
    const input = form.elements.code;
    const listening = new AbortController();
    let sent = false;

    if (input.getAttribute("aria-invalid")) { // what was typed is still there, and the next digit replaces it
      if (document.activeElement === input) input.select();
      else input.addEventListener("focus", () => input.select(), { once: true });
    }

    form.addEventListener("submit", (event) => {
      if (sent) event.preventDefault(); // a second press would spend a second try
      sent = true;
      listening.abort();
    });
    addEventListener("pageshow", (event) => { if (event.persisted) sent = false; });

    const here = window.PublicKeyCredential; // whether a passkey may be offered afterwards: https://www.w3.org/TR/webauthn-3/
    if (form.elements.passkey && here && here.isUserVerifyingPlatformAuthenticatorAvailable) {
      here.isUserVerifyingPlatformAuthenticatorAvailable().then((is_there) => { if (is_there) form.elements.passkey.value = "1"; }, () => {});
    }

    const go = () => { if (!sent) form.requestSubmit(form.querySelector("button")); };
    const bare = (text) => text.replace(/[\s\-‐-―]/g, "");
    // Only a code that arrives at once (paste, autofill) submits itself; one that is typed waits for the button.
    let before = bare(input.value).length;
    input.addEventListener("input", (event) => {
      const code = bare(input.value);
      if (/^(\d{6}|\d{8})$/.test(code) && (event.inputType === "insertFromPaste" || code.length - before > 1)) go();
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

  let stop = () => {};
  const countDown = (section) => {
    stop();
    if (!section.dataset.wait) return;
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
      stop();
      for (const button of buttons) {
        button.removeAttribute("aria-disabled");
        button.textContent = button.dataset.ready;
      }
      const status = section.querySelector("[data-said]");
      status.textContent = status.dataset.said;
    };
    const ticking = setInterval(show, 1000);
    stop = () => { clearInterval(ticking); stop = () => {}; };
    show();
  };

  const waiting = document.querySelector("section[data-wait]");
  if (waiting) countDown(waiting);

  const ways = document.getElementById("ways");
  if (ways) {
    // Asks in a word whether the page would look otherwise by now, ever more seldom; only then the page is fetched, and of it only what
    // is below the form is taken over. The field, and what is being typed, stay.
    const renew = async (mark) => {
      const answer = await fetch(location.pathname);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("ways"), news = page.getElementById("news");
      if (!fresh || fresh.dataset.mark !== mark) return;
      const focused = ways.contains(document.activeElement);
      for (const name of ["mark", "wait"]) {
        if (name in fresh.dataset) ways.dataset[name] = fresh.dataset[name];
        else delete ways.dataset[name];
      }
      ways.replaceChildren(...fresh.childNodes);
      local(ways);
      countDown(ways);
      if (focused) ways.querySelector("button")?.focus();
      document.getElementById("news").textContent = news.textContent; // a live region: this is read aloud, once
    };
    const pauses = [2, 3, 5, 5, 5, 6, 6, 10, 10, 20];
    const look = async (turn) => {
      if (!document.hidden) {
        try {
          const answer = await fetch(ways.dataset.look);
          const { mark } = answer.ok ? await answer.json() : ways.dataset;
          if (mark === "over") return;
          if (mark !== ways.dataset.mark) await renew(mark);
        } catch { /* no connection: the next look may have one */ }
      }
      setTimeout(look, (pauses[turn + 1] ?? 30) * 1000, turn + 1);
    };
    if (ways.dataset.mark !== "over") setTimeout(look, pauses[0] * 1000, 0);
  }
})();
