// Elements of the document, and of drawings.

const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);

/** An element with a text, and children. */
function element(kind, options = {}, ...children) {
  const made = document.createElement(kind);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === null) continue;
    if (name === "text") made.textContent = value;
    else if (name === "on") for (const [event, react] of Object.entries(value)) made.addEventListener(event, react);
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

function drawn(kind, options = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", kind);
  for (const [name, value] of Object.entries(options)) {
    if (name === "text") made.textContent = value;
    else if (value !== null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** A choice, with its label. */
function chooser(label, entries, react, value = entries[0]?.[0]) {
  const select = element("select", {}, ...entries.map(([key, text]) => element("option", { value: key, text })));
  select.value = value;
  select.addEventListener("change", () => react(select.value));
  return element("label", { text: "" }, element("span", { text: label }), select);
}
