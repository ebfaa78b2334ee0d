// What a script adds about passkeys; without it, or where the browser cannot, every page works the same, by number and code.
// The ceremonies themselves are @simplewebauthn/browser's (beside this file, unchanged).
// 1. forms that a passkey fills in, shown only now  2. the passkey in the list of the phone field  3. words to the password manager: which
// passkeys open something here
(() => {
  "use strict";

  const library = window.SimpleWebAuthnBrowser;
  if (!library || !library.browserSupportsWebAuthn()) return;
  const PATIENCE = 10_000; // milliseconds for the server's question
  const FRESH = 240_000; // milliseconds after which the question is asked anew: it is good for five minutes

  const ask = async (form) => {
    const body = new URLSearchParams({ csrf_token: form.elements.csrf_token.value });
    const answer = await fetch(form.dataset.options, { method: "POST", body, signal: AbortSignal.timeout(PATIENCE) });
    if (!answer.ok) throw new Error(`no question: ${answer.status}`);
    return answer.json();
  };
  const send = (form, credential) => {
    form.elements.credential.value = JSON.stringify(credential);
    form.submit();
  };

  const set_up = (form) => {
    const creates = form.dataset.passkey === "create";
    const status = form.querySelector("[role=status]");
    const field = document.querySelector("input[autocomplete~=webauthn]");
    let busy = false;

    // The browser offers the passkey in the list under the field; nobody is asked anything until they choose it.
    const arm = async () => {
      if (busy || creates || !field || !(await library.browserSupportsWebAuthnAutofill())) return;
      try {
        const optionsJSON = await ask(form);
        if (busy) return;
        const credential = await library.startAuthentication({ optionsJSON, useBrowserAutofill: true });
        if (!busy) send(form, credential);
      } catch { /* aborted by the button or by the next question, or there was none: the number does it too */ }
    };

    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (busy) return;
      busy = true;
      status.textContent = "";
      try {
        const optionsJSON = await ask(form);
        send(form, await (creates ? library.startRegistration({ optionsJSON }) : library.startAuthentication({ optionsJSON })));
      } catch (error) {
        busy = false;
        const already = error.name === "InvalidStateError";
        // Whoever closes the browser's window knows that they did.
        if (!["NotAllowedError", "AbortError"].includes(error.name)) status.textContent = already ? form.dataset.already : form.dataset.failed;
        arm();
      }
    });
    addEventListener("pageshow", (event) => {
      if (!event.persisted) return;
      busy = false;
      form.elements.credential.value = "";
      arm();
    });

    form.hidden = false;
    for (const text of document.querySelectorAll("[data-without-passkeys]")) text.hidden = true;
    arm();
    if (field && !creates) setInterval(() => { if (!document.hidden) arm(); }, FRESH);
  };
  for (const form of document.querySelectorAll("form[data-passkey]")) set_up(form);

  for (const signal of document.querySelectorAll("[data-signal]")) {
    library.sendSignal(JSON.parse(signal.dataset.signal)).catch(() => {}); // few browsers can, and none says what came of it
  }
})();
