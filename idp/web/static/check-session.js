// The frame of OpenID Connect Session Management: "<client_id> <session_state>" comes in, "unchanged", "changed" or "error" goes out.
(() => {
  "use strict";

  const cookie = document.currentScript.dataset.cookie + "=";
  const state = () => (document.cookie.split("; ").find((each) => each.startsWith(cookie)) || "").slice(cookie.length);
  const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");

  // Where the browser keeps our cookies from a frame on another site, none does not mean that nobody is signed in.
  const sees_cookies = async () => navigator.cookieEnabled && (!document.hasStorageAccess || await document.hasStorageAccess());

  const look = async (message, origin) => {
    const parts = typeof message === "string" ? message.match(/^([\x21-\x7e]+) ([0-9a-f]{64})\.([A-Za-z0-9_-]+)$/) : null;
    if (!parts || !(window.crypto && crypto.subtle)) return "error";
    const [, client, hash, salt] = parts;
    if (!state() && !(await sees_cookies())) return "error";
    const told = new TextEncoder().encode([client, origin, state(), salt].join(" "));
    return hex(await crypto.subtle.digest("SHA-256", told)) === hash ? "unchanged" : "changed";
  };

  addEventListener("message", async (event) => {
    if (!event.source || event.source === window || event.origin === "null") return;
    const answer = await look(event.data, event.origin).catch(() => "error");
    event.source.postMessage(answer, event.origin);
  });
})();
