// SPDX-License-Identifier: Apache-2.0

// Keeps an open page up to date: it is told what changed, and asks for itself again only then. Without it everything works, only by reloading.
(() => {
  "use strict";
  const main = document.getElementById("main"), note = document.getElementById("live");
  if (!main || !note || !main.dataset.since) return;
  const order = main.dataset.order || "", running = () => main.querySelector("[data-running]");
  let last = main.dataset.since, source = null, timer = 0, gone = false, stale = false, dirty = false;

  // Whoever is writing, choosing or reading something that he has opened is not disturbed.
  const busy = () => dirty || main.querySelector("details[open]") !== null ||
    (main.contains(document.activeElement) && document.activeElement !== main);
  main.addEventListener("input", () => { dirty = true; });

  const offer = () => {
    const link = document.createElement("a");
    link.href = location.href;
    link.textContent = main.dataset.changed;
    note.replaceChildren(link);
  };

  const refresh = async () => {
    timer = 0;
    if (document.hidden) { stale = true; return; }
    if (busy()) { offer(); return; }
    const answer = await fetch(location.href, { headers: { "x-live": "1" }, redirect: "manual" }).catch(() => null);
    if (!answer || !answer.ok) { if (answer) { stop(); offer(); } return; }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
    if (!page || busy()) { if (page) offer(); return; }
    const at = [scrollX, scrollY];
    main.replaceChildren(...page.childNodes);
    scrollTo(...at);
    note.replaceChildren();
    if (running()) later(2000);
  };
  const later = (ms) => { if (!timer && !gone) timer = setTimeout(refresh, ms); };
  const stop = () => { gone = true; if (source) source.close(); source = null; };

  const told = (event) => {
    last = event.lastEventId || last;
    const what = JSON.parse(event.data);
    if (order && what.kind === "order" && what.id !== order) return;
    if (order && (what.kind === "refund" || what.kind === "delivery")) return;
    later(400);
  };
  const listen = () => {
    if (source || gone || document.hidden) return;
    source = new EventSource(`/ops/v1/stream?last_event_id=${encodeURIComponent(last)}`);
    source.addEventListener("changed", told);
    source.addEventListener("error", () => { if (source && source.readyState === EventSource.CLOSED) { stop(); offer(); } });
  };
  // A page that nobody sees holds no connection: browsers have few of them.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { if (source) source.close(); source = null; return; }
    listen();
    if (stale) { stale = false; later(0); }
  });
  addEventListener("pagehide", () => { if (source) source.close(); source = null; });
  addEventListener("pageshow", listen);
  if (main.dataset.listens === "yes") listen();
  if (running()) later(2000);
})();
