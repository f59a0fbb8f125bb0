// A frame with two axes, in which pointer and keys read values.

const FRAME = { width: 760, height: 300, left: 58, right: 14, top: 10, bottom: 40 };

/** The frame of a drawing: its svg, and where a value lies along x and y. */
function frameOf(across, up, names, label) {
  const { left, right, top, bottom } = FRAME;
  const room = document.documentElement.clientWidth;  // of a wide window half: the differences are beside it
  const width = Math.max(300, Math.min(FRAME.width, room >= 1200 ? Math.min(room, 1400) / 2 - 60 : room - 28)), height = FRAME.height;
  const x = (value) => left + ((value - across.low) / (across.high - across.low || 1)) * (width - left - right);
  const y = (value) => height - bottom - ((value - up.low) / (up.high - up.low || 1)) * (height - top - bottom);
  const svg = drawn("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, width, height, tabindex: "0", role: "img", "aria-label": label });
  for (const value of up.found)
    svg.append(
      drawn("line", { class: "axis", x1: left, x2: width - right, y1: y(value), y2: y(value) }),
      drawn("text", { x: left - 7, y: y(value) + 4, "text-anchor": "end", text: up.text(value) }),
    );
  for (const value of across.found) svg.append(drawn("text", { x: x(value), y: height - bottom + 16, "text-anchor": "middle", text: across.text(value) }));
  svg.append(
    drawn("text", { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle", text: names[0] }),
    drawn("text", { x: -(height - bottom) / 2, y: 13, transform: "rotate(-90)", "text-anchor": "middle", text: names[1] }),
  );
  return { ...FRAME, svg, x, y, width, height };
}

/** Pointer and arrow keys choose one step after another: a line marks it, and `read` tells what is there. */
function follow(frame, steps, read, start = -1) {
  const cursor = drawn("line", { class: "cursor", y1: frame.top, y2: frame.height - frame.bottom, x1: 0, x2: 0, visibility: "hidden" });
  let at = start;
  function choose(place) {
    at = Math.max(0, Math.min(steps.length - 1, place));
    cursor.setAttribute("visibility", "visible");
    for (const end of ["x1", "x2"]) cursor.setAttribute(end, frame.x(steps[at]));
    read(steps[at]);
  }
  frame.svg.append(cursor);
  frame.svg.addEventListener("pointermove", (event) => {
    const box = frame.svg.getBoundingClientRect(), x = ((event.clientX - box.left) / box.width) * frame.width;
    choose(steps.indexOf(steps.reduce((best, step) => (Math.abs(frame.x(step) - x) < Math.abs(frame.x(best) - x) ? step : best))));
  });
  frame.svg.addEventListener("keydown", (event) => {
    const next = { ArrowRight: at + 1, ArrowLeft: at < 0 ? steps.length - 1 : at - 1, Home: 0, End: steps.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    choose(next);
  });
}
