"use strict";
(() => {
  // As the program folds (tests/cases/fold_equal.jsonl holds both to it).
  const entities = { quot: '"', amp: "&", nbsp: " ", lt: "<", gt: ">" };
  const fold = (text) =>
    text.replace(/&(?:#(\d{1,6})|(quot|amp|nbsp|lt|gt));/g,
                 (_, point, name) => name ? entities[name] : String.fromCodePoint(point))
      .replace(/[\ufc5e-\ufc63\ufcf2-\ufcf4\ufe70-\ufe7f]/g, "")
      .normalize("NFKC").toLowerCase().replace(/[\p{M}\p{Cf}\u0640]/gu, "")
      .replace(/[أإآٱ]/g, "ا").replace(/[ىئی]/g, "ي").replace(/[ةہھ]/g, "ه")
      .replace(/ک/g, "ك").replace(/ؤ/g, "و").replace(/[٠-٩۰-۹]/g, (d) => d.charCodeAt(0) & 15)
      .replace(/[^\p{L}\p{N}]+/gu, " ").trim();

  const items = [...document.querySelectorAll(".item")];
  const words = new Map();
  const filter = document.getElementById("filter");
  const said = (item) => {
    if (!words.has(item)) words.set(item, fold(item.textContent.replace(/U\+[0-9A-F]{4,5}/g, "")));
    return words.get(item);
  };
  const apply = () => {
    const wanted = fold(filter.words.value);
    const { value: kind } = filter.kind, { value: source } = filter.source;
    let shown = 0;
    for (const item of items) {
      const fits = (!kind || item.dataset.kind === kind)
        && (!source || item.dataset.source === source)
        && (!wanted || said(item).includes(wanted));
      item.hidden = !fits;
      shown += fits;
    }
    filter.shown.value = shown === items.length ? "" : `${shown} of ${items.length}`;
  };
  let waiting = 0;
  filter.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(apply, 120);
  });
  filter.addEventListener("submit", (event) => { event.preventDefault(); apply(); });

  const decisions = new Map();
  let saved = true;
  addEventListener("beforeunload", (event) => { if (!saved) event.preventDefault(); });
  const bar = document.getElementById("decisions");
  const decision = (button, item) => {
    const { key, id, start } = item.dataset;
    const place = key ? { key } : { id: JSON.parse(id), start: Number(start) };
    const prose = [...item.querySelectorAll(".prose")].pop();
    return { do: button.dataset.do, ...place, note: prose.textContent.trim().slice(0, 120) };
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-do]");
    if (!button) return;
    const item = button.closest(".item");
    const { key, id, start } = item.dataset;
    const name = JSON.stringify([button.dataset.do, key, id, start]);
    if (!decisions.delete(name)) decisions.set(name, decision(button, item));
    saved = decisions.size === 0;
    for (const other of document.querySelectorAll(`button[data-do="${button.dataset.do}"]`)) {
      const same = other.closest(".item").dataset;
      if (JSON.stringify([other.dataset.do, same.key, same.id, same.start]) === name)
        other.setAttribute("aria-pressed", String(decisions.has(name)));
    }
    bar.hidden = decisions.size === 0;
    bar.querySelector("output").value =
      `${decisions.size} decision${decisions.size === 1 ? "" : "s"}`;
  });
  document.getElementById("download").addEventListener("click", () => {
    const lines = [...decisions.values()].map((row) => JSON.stringify(row) + "\n").join("");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([lines], { type: "application/jsonl" }));
    link.download = "overrides.jsonl";
    link.click();
    saved = true;
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
})();
