// One example under all attentions: the tokens shaded, or the colors over what they are the positions of (an image, a
// spectrogram, a signal), and the whole map where it is small; one scale for all.

const label = (token) => (token === "" ? "\u2205" : (token.replace(/^\u2581+/, "") || token).replaceAll("\u2581", "\u2423"));

function examplePart(section) {
  const { example } = section;
  if (!example) return null;
  const state = remember(section, "example", { scale: "one" });
  const looks = element("div", { class: "looks" }), legend = element("div", { class: "scale" });
  const largest = Math.max(1e-9, ...example.looks.map((look) => look.largest ?? 0));

  function draw() {
    const most = state.scale === "one" ? 1 : largest;
    looks.replaceChildren(...example.looks.map((look) => lookPart(look, most, example.nearly_uniform)));
    const ramp = element("span", { class: "ramp", "aria-hidden": "true" }, ...Array.from({ length: 16 }, (_, i) => {
      const step = element("i");
      step.style.backgroundColor = `rgb(${colorOf(i / 15).join(", ")})`;
      return step;
    }));
    legend.replaceChildren("0", ramp, word("sameForAll", { largest: figure(most) }));
  }

  draw();
  redraws.colors.push(draw);
  const scales = [["one", word("scaleOne")], ["largest", word("scaleLargest", { largest: figure(largest) })]];
  return element(
    "section", { "aria-label": word("example") },
    element("h3", { text: word("exampleTitle", { number: example.looks.length }) }),
    element("p", { class: "hint", text: word("exampleHint") }),
    element("p", { text: example.source }),
    example.target ? element("p", { class: "hint", text: word("rightAnswer", { answer: example.target }) }) : null,
    example.note ? element("p", { class: "hint", lang: "en", text: example.note }) : null,
    element("div", { class: "tools" }, chooser(word("scale"), scales, (value) => { state.scale = value; draw(); }, state.scale), legend),
    looks,
  );
}

function lookPart(look, most, nearlyUniform) {
  const parts = [element("h4", { text: look.name })];
  if (look.answer || look.right !== null) {
    const verdict = look.right === null ? "" : look.right ? ` \u2713 ${word("isRight")}` : ` \u2717 ${word("isWrong")}`;
    parts.push(element("p", { text: word("answer", { answer: look.answer || word("empty") }) + verdict }));
  }
  if (!look.means) return element("article", { class: "look" }, ...parts, element("p", { class: "hint", lang: "en", text: look.note }));
  const heads = look.heads > 1 ? word("ofHeads", { number: look.heads }) : "", count = look.keys.length, { effective_positions: used, normalized_entropy: entropy, means } = look;
  const spread = used === null ? word("looksNowhere") : word("looksAt", { used: used.toFixed(1), number: count });
  parts.push(element("p", { class: "hint", text: word("spread", { attention: look.attention, heads, looks: spread, uniform: figure(1 / count) }) }));
  if (entropy > nearlyUniform) parts.push(element("p", { text: word("nearly") }));
  if (look.note) parts.push(element("p", { class: "hint", lang: "en", text: look.note }));
  parts.push(look.picture ? overPicture(look, most) : element("div", { class: "tokens" }, ...shadedKeys(look, most, count)));
  const isSeen = look.picture && look.queries.length === look.keys.length;  // positions of the picture itself
  if (look.queries.length > 1 && look.weights && !isSeen) parts.push(mapOf(look, most));
  return element("article", { class: "look" }, ...parts);
}

function shadedKeys(look, most, end) {
  return look.keys.slice(0, end).flatMap((token, key) => {
    const made = element("span", { text: label(token), title: `${label(token)}: ${figure(look.means[key])}` });
    shade(made, look.means[key] / most);
    return [made, " "];
  });
}

/** The picture with the weights of its positions; what the model puts in front of these stands before it. */
function overPicture(look, most) {
  const { picture, means } = look, first = means.length - picture.boxes.length, canvas = element("canvas", { "aria-hidden": "true" });
  decodePicture(picture).then(() => paintOver(canvas, picture, means.slice(first).map((mean) => mean / most)));
  const spans = picture.boxes.map((box, place) => {
    const token = label(look.keys[first + place]), text = `${token}: ${figure(means[first + place])}`;
    const made = element("span", { title: text, "aria-label": text });
    placeOver(made, picture, box);
    return made;
  });
  const known = picture.regions.map((region) => {
    const made = element("i", { class: "region" });
    placeOver(made, picture, region);
    return made;
  });
  return element("div", { class: "tokens" }, ...shadedKeys(look, most, first), element("div", { class: isWide(picture) ? "image wide" : "image" }, canvas, ...known, ...spans));
}

function mapOf(look, most) {
  const heads = look.keys.map((token) => element("th", {}, element("span", { text: label(token) })));
  const rows = look.weights.map((row, query) => element("tr", {}, element("th", { text: label(look.queries[query]) }), ...row.map((weight, key) => {
    const cell = element("td", { title: `${label(look.queries[query])} \u2190 ${label(look.keys[key])}: ${figure(weight)}` });
    shade(cell, weight / most);
    return cell;
  })));
  const table = element("table", {}, element("thead", {}, element("tr", {}, element("th"), ...heads)), element("tbody", {}, ...rows));
  return element("div", { class: "map", tabindex: "0", role: "region", "aria-label": word("mapOf", { name: look.name }) }, table);
}
