// Heads: small pictures of one attention's, all layers and heads at a glance, and the table of measures.

const SHARES = new Set(["normalized_entropy", "top_mass", "first_mass", "last_mass", "special_mass", "diagonality", "monotonicity", "peak_coverage"]);  // 0 to 1

const MAX_OPEN = 16;  // rows of the table of measures that are not folded away

/** One stop of the Tab key for many buttons: arrow keys, Home and End move between them. */
function rove(box, across = () => 1) {
  box.addEventListener("keydown", (event) => {
    const buttons = [...box.querySelectorAll("button")], at = buttons.indexOf(document.activeElement);
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across(), ArrowDown: across(), Home: -at, End: buttons.length - 1 - at }[event.key];
    if (step === undefined || at < 0) return;
    event.preventDefault();
    reach(box, buttons[within(at + step, buttons.length)]);
    document.activeElement.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
}

/** Makes a button the one that the Tab key stops at; moves the focus there if it is in the box already. */
function reach(box, chosen) {
  const buttons = [...box.querySelectorAll("button")], isInside = box.contains(document.activeElement);
  for (const button of buttons) button.tabIndex = button === (chosen || buttons[0]) ? 0 : -1;
  if (isInside && chosen) chosen.focus();
}

function headButton(number, head, classes) {
  const button = element("button", undefined, classes);
  button.type = "button";
  button.dataset.map = number;
  button.dataset.head = head;
  return button;
}

const OF_HEADS = ["attention", "attention_norm"];  // methods whose maps have the heads of an attention

/** What a head of a map does, by its name; undefined where nobody has looked. */
const kindOf = (map, head) => (OF_HEADS.includes(map.method) && map.twin === undefined ? data.head_kinds[map.name]?.[map.heads[head]] : undefined);
const ruleOf = (kind) => WORDS[state.language].kinds[kind] ?? "";

/** The name, with its rule where the mouse rests; null where there is none. */
function kindMark(map, head) {
  const kind = kindOf(map, head);
  if (kind === undefined) return null;
  const made = element("span", kind, "kind");
  made.title = ruleOf(kind);
  return made;
}

/** The rules of the names that heads of this attention have. */
function drawKinds(map) {
  const kinds = [...new Set(map.heads.map((_, head) => kindOf(map, head)))].filter((kind) => kind !== undefined);
  $("kinds").hidden = !kinds.length;
  $("kinds").textContent = kinds.length ? `${word("kindsHint")} ${kinds.map((kind) => `${kind}: ${ruleOf(kind)}`).join("; ")}` : "";
}

const hereIn = (box) => box.querySelector(`button[data-map="${state.map}"][data-head="${state.head}"]`);

function drawHeads() {
  const { map } = view, [heads, queries] = map.shape;
  $("heads-part").hidden = heads < 2;
  if (heads < 2) return;
  const isFocused = $("heads").contains(document.activeElement), canvases = [...$("heads").querySelectorAll("canvas")];
  $("heads").replaceChildren(...[-1, ...map.heads.keys()].map((head) => {
    const button = headButton(state.map, head), canvas = canvases.pop() ?? element("canvas");
    const over = map.sketch ? null : pictureOf("keys");
    canvas.className = over ? (isWide(over) ? "wide" : "") : queries === 1 ? "flat" : "";
    paintHead(canvas, head);
    canvas.setAttribute("aria-hidden", "true");
    button.setAttribute("aria-pressed", String(head === state.head));
    button.append(canvas, head < 0 ? word("mean") : word("headNumber", { number: map.heads[head] }));
    const mark = head < 0 ? null : kindMark(map, head);
    if (mark) button.append(mark);
    return button;
  }));
  drawKinds(map);
  reach($("heads"), hereIn($("heads")));
  if (isFocused) hereIn($("heads"))?.focus();
}

function paintHead(canvas, head) {
  const { map, headValues, queries, keys } = view, picture = map.sketch ? null : pictureOf("keys");
  if (picture) return paintHeadOver(canvas, picture, head);
  if (!map.sketch) return paint(canvas, headValues(head), queries.length, keys.length);
  const [down, across] = map.sketch.grid, size = down * across, place = sketchHead(map, head);
  return paint(canvas, map.sketch.values.subarray(place * size, (place + 1) * size), down, across);
}

const measured = () => example().maps.map((map, number) => [map, number]).filter(([map]) => map.focus.length);

/** Layers down, heads across: each cell colored by a measure. */
function drawGlance() {
  const maps = measured(), cells = maps.reduce((sum, [map]) => sum + map.heads.length, 0);
  $("glance-part").hidden = cells < 2;
  if (cells < 2) return;
  const measures = [...new Set(maps.flatMap(([map]) => map.focus.flatMap(Object.keys)))];
  if (!measures.includes(state.measure)) state.measure = measures.includes("top_mass") ? "top_mass" : measures[0];
  options($("measure"), measures.map((each) => [each, withArrow(each)]), state.measure);
  const values = maps.flatMap(([map]) => map.focus.map((figures) => figures[state.measure])).filter((value) => value !== undefined);
  const high = SHARES.has(state.measure) ? 1 : Math.max(...values.map(Math.abs), 0);
  $("glance-hint").textContent = word("glanceHint", { low: 0, high: short(high) });
  $("glance").replaceChildren(...maps.map(([map, number]) => {
    const row = element("tr");
    row.append(element("th", map.label), ...map.focus.map((figures, head) => {
      const cell = element("td"), value = figures[state.measure], button = headButton(number, map.heads.length > 1 ? head : -1, "cell");
      button.textContent = value === undefined ? "\u2013" : short(value);
      const kind = kindOf(map, head);
      button.setAttribute("aria-label", `${map.label}, ${word("headNumber", { number: map.heads[head] })}${kind === undefined ? "" : ` (${kind})`}: ${button.textContent}`);
      if (kind !== undefined) button.title = `${kind}: ${ruleOf(kind)}`;
      shadeBy(button, value === undefined || !high ? 0 : value / high);
      cell.append(button);
      return cell;
    }));
    return row;
  }));
}

/** A measure with an arrow: up where a higher value is more focused, down where it is less. */
const withArrow = (measure) => name(measure) + ({ more: " \u2191", less: " \u2193" }[data.measures[measure]?.higher] ?? "");

/** What each measure of the table is, in words. */
function drawMeanings(measures) {
  const known = measures.filter((each) => each in data.measures);
  $("meanings").replaceChildren(...known.flatMap((each) => [element("dt", withArrow(each)), element("dd", data.measures[each][state.language])]));
}

function drawFocus() {
  const maps = measured(), rows = maps.reduce((sum, [map]) => sum + map.heads.length, 0);
  $("focus-part").hidden = !maps.length;
  if (!maps.length) return;
  const measures = [...new Set(maps.flatMap(([map]) => map.focus.flatMap(Object.keys)))];
  if (!$("focus-more").dataset.rows) $("focus-more").open = rows <= MAX_OPEN;
  $("focus-more").dataset.rows = rows;
  $("focus-count").textContent = word("measures", { number: rows });
  $("focus-head").replaceChildren(element("th", word("attention")), ...measures.map((each) => element("th", withArrow(each))));
  drawMeanings(measures);
  $("focus").replaceChildren(...maps.flatMap(([map, number]) => map.focus.map((figures, head) => {
    const row = element("tr"), first = element("td"), several = map.heads.length > 1;
    const button = headButton(number, several ? head : -1);
    button.textContent = several ? `${map.label}, ${word("headNumber", { number: map.heads[head] })}` : map.label;
    const mark = kindMark(map, head);
    first.append(button, ...(mark ? [" ", mark] : []));
    row.append(first, ...measures.map((each) => element("td", each in figures ? figure(figures[each]) : "")));
    return row;
  })));
}

function markHere() {
  for (const id of ["focus", "glance"]) {
    const here = hereIn($(id));
    for (const button of $(id).querySelectorAll("button")) {
      button.closest("tr").classList.toggle("here", id === "focus" && button === here);
      button.setAttribute("aria-pressed", String(button === here));
    }
    reach($(id), here);
  }
}
