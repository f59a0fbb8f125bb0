// What is shown: the state, and the view that `viewOf` makes of it.

const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
// -1: all, or none. `minus`: "map.head" that is taken away. `scale`: "" as the page chooses. `cell`: pixels, 0 to fit.
const state = {
  example: 0, map: 0, head: -1, minus: "", query: -1, key: -1, scale: "", words: false, measure: "", cell: 0, language: "en", isTranslated: false,
};
let view = null;
let turn = 0;  // what was asked for last: an older answer that comes later is dropped
