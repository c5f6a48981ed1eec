"use strict";
// A page is fetched again when the server says that a journal changed, and its middle is put in place.
(() => {
  const live = document.getElementById("live");
  let busy = false, again = false;
  async function refresh() {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok && answer.status !== 503) return; // 503 says why a journal cannot be read
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const focused = document.activeElement && document.activeElement.getAttribute("href");
      const scrolled = [...document.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
      for (const part of ["main", "footer"]) {
        const here = document.querySelector(part), there = page.querySelector(part);
        if (here && there) here.replaceChildren(...there.childNodes);
      }
      document.title = page.title;
      document.querySelectorAll(".scroll").forEach((one, at) => { one.scrollLeft = scrolled[at] || 0; });
      if (focused) {
        const link = [...document.querySelectorAll("main a")].find((one) => one.getAttribute("href") === focused);
        if (link) link.focus({ preventScroll: true });
      }
    } catch {
      live.textContent = "The server does not answer; what is shown may be old.";
    } finally {
      busy = false;
      if (again) { again = false; refresh(); }
    }
  }
  const plan = document.body.dataset.plan;
  const events = new EventSource("/events" + (plan ? "?plan=" + encodeURIComponent(plan) : ""));
  events.addEventListener("changed", refresh);
  // What changed before somebody listened, or while the connection was away, was told to nobody.
  events.addEventListener("open", () => { live.textContent = "live"; refresh(); });
  events.addEventListener("error", () => { live.textContent = "The server does not answer; what is shown may be old."; });
})();
