// The page that earns a code: workers look for the number that solves the challenge, then the form sends itself.
// altcha's second protocol (https://altcha.org); without a script, or without workers, the same form asks for the slow way.
(() => {
  "use strict";

  const form = document.querySelector("form[data-challenge]");
  if (!form || !window.Worker || !(window.crypto && crypto.subtle)) return; // subtle is only there over https and on loopback
  const status = form.querySelector("[data-status]");
  const plain = form.querySelector("[data-plain]");
  const challenge = JSON.parse(form.dataset.challenge);
  const count = Math.max(1, Math.min(4, navigator.hardwareConcurrency || 1));
  let workers = [];
  let solved = false;

  const stop = () => { for (const worker of workers) worker.terminate(); workers = []; };
  const give_up = () => { // then the button asks for the slow way, and the page says which that is
    stop();
    plain.hidden = false;
    status.textContent = "";
  };
  const found = (solution, began) => {
    stop();
    solution.time = Math.round(performance.now() - began);
    form.elements.altcha.value = btoa(JSON.stringify({ challenge, solution }));
    solved = true;
    form.requestSubmit(form.querySelector("button"));
  };
  const begin = () => {
    const began = performance.now();
    plain.hidden = true;
    status.textContent = status.dataset.working;
    for (let start = 0; start < count; start += 1) {
      const worker = new Worker(form.dataset.worker);
      worker.onmessage = ({ data }) => { if (!solved) found(data, began); };
      worker.onerror = give_up;
      worker.postMessage({ parameters: challenge.parameters, start, step: count });
      workers.push(worker);
    }
  };

  plain.hidden = true;
  form.addEventListener("submit", (event) => {
    if (solved || !plain.hidden) return;
    event.preventDefault();
    if (workers.length === 0) begin();
  });
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); }); // a solution works once
  if (!form.dataset.refused) begin(); // after a refusal the person decides
})();
