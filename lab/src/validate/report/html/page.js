"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const cards = find("cards");
  const all = [...cards.children];
  const search = find("search");
  const order = find("order");
  const show = () => {
    const wanted = search.value.trim().toLowerCase();
    let shown = 0;
    for (const card of all) {
      card.hidden = !card.dataset.name.toLowerCase().includes(wanted);
      shown += card.hidden ? 0 : 1;
    }
    find("shown").textContent = `${shown} of ${all.length} columns`;
  };
  const by = {
    difference: (a, b) => a.dataset.place - b.dataset.place,
    name: (a, b) => a.dataset.name.localeCompare(b.dataset.name),
    missing: (a, b) => b.dataset.missing - a.dataset.missing || a.dataset.place - b.dataset.place,
  };
  search.addEventListener("input", show);
  order.addEventListener("change", () => cards.append(...[...all].sort(by[order.value])));
  // A link to a column that the search hides clears the search.
  addEventListener("hashchange", () => {
    const card = document.getElementById(location.hash.slice(1));
    if (card && card.hidden) {
      search.value = "";
      show();
      card.scrollIntoView();
    }
  });
  addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|SELECT)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      search.focus();
    }
  });
  find("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  show();
})();
