// Brings what has changed into the page every ten seconds, as long as somebody looks at it.
"use strict";
(() => {
  const every = 10000;
  let timer = 0;

  const take = (fresh) => {
    document.title = fresh.title;
    const icon = "link[rel=icon]";
    document.querySelector(icon).href = fresh.querySelector(icon).getAttribute("href");
    for (const old of document.querySelectorAll("[data-live]")) {
      const now = fresh.querySelector(`[data-live="${old.dataset.live}"]`);
      // What is open, or is being used, stays as it is.
      const isInUse = old.querySelector("details[open]") || old.contains(document.activeElement);
      if (!now || isInUse || old.outerHTML === now.outerHTML) continue;
      old.className = now.className;
      old.replaceChildren(...now.childNodes);
    }
  };

  const look = async () => {
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (answer.ok) {
        take(new DOMParser().parseFromString(await answer.text(), "text/html"));
        document.body.classList.remove("stale");
      } else {
        document.body.classList.add("stale");
      }
    } catch {
      document.body.classList.add("stale");
    }
    plan();
  };

  const plan = () => {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(look, every);
  };

  document.addEventListener("visibilitychange", () => (document.hidden ? plan() : look()));
  plan();
})();
