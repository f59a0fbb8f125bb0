// English and Chinese. A page has `WORDS` (language -> key -> text) and `state.language`; static texts have the attribute
// data-word, labels data-label; %name% is replaced.

/** A text of the page in the language at hand; of one (`number`) that with One at the end of its key, if there is one. */
function word(key, values = {}) {
  const words = WORDS[state.language], isOne = values.number === 1 && `${key}One` in words;
  return words[isOne ? `${key}One` : key].replace(/%(\w+)%/g, (_, part) => String(values[part]));
}

/** The language of the browser, where the page has it. */
const preferredLanguage = () => ((navigator.language || "").startsWith("zh") ? "zh" : "en");

function translate() {
  document.documentElement.lang = state.language;
  for (const each of document.querySelectorAll("[data-word]")) each.textContent = word(each.dataset.word);
  for (const each of document.querySelectorAll("[data-label]")) each.setAttribute("aria-label", word(each.dataset.label));
  for (const each of document.querySelectorAll("#language button")) each.setAttribute("aria-pressed", String(each.value === state.language));
}
