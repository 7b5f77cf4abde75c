// Finds councils by part of their name among the list that the page holds; without it the list stands as it is.
(function () {
  "use strict";
  const field = document.getElementById("find-council");
  const count = document.getElementById("find-count");
  const areas = Array.from(document.querySelectorAll("#council-list details"));
  // Letters without their accents, so that Ynys Môn is found without one.
  const plain = (text) => text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  const entries = areas.map((area) => ({
    area,
    items: Array.from(area.querySelectorAll("li"), (item) => ({ item, name: plain(item.textContent) })),
  }));

  function show() {
    const words = plain(field.value).split(/\s+/).filter(Boolean);
    let found = 0;
    for (const { area, items } of entries) {
      let here = 0;
      for (const { item, name } of items) {
        const fits = words.every((word) => name.includes(word));
        item.hidden = !fits;
        here += fits ? 1 : 0;
      }
      area.hidden = here === 0;
      area.open = words.length > 0 && here > 0;
      found += here;
    }
    count.textContent = words.length ? `${found} ${found === 1 ? "council" : "councils"} found` : "";
  }

  field.closest(".find").hidden = false;
  field.addEventListener("input", show);
  show();
})();
