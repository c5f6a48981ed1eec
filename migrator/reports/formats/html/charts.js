// The two charts, drawn once everything else is there. Plotly is unpacked here; if that fails, the tables stay.
"use strict";
(async () => {
  const { data, at, rows, text, clock, shifted, zoneName, span, error, $, watchers } = report;
  const unpacked = async () => {
    const packed = Uint8Array.from(atob($("plotly").textContent), (character) => character.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    // It brings a style for maps, which there are none of here and which the page's policy would complain about.
    document.head.appendChild = (node) => (node.nodeName === "STYLE" && node.textContent ? node : Node.prototype.appendChild.call(document.head, node));
    document.head.append(script);
    delete document.head.appendChild;
    $("plotly").remove();
  };
  if (!("DecompressionStream" in window)) return;
  // The page is shown first.
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  await unpacked();
  if (!window.Plotly) return;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const narrow = matchMedia("(max-width: 640px)");
  const printed = matchMedia("print");
  // Paper has its width only after the browser has asked for the picture; the style sheet says the same.
  const size = (id) => ({ width: printed.matches ? 680 : $(id).clientWidth, height: $(id).clientHeight });
  const day = 86400000;
  const x = (offset) => (offset === null ? null : shifted(data.base + offset));
  // A bare number on a time axis is taken for a moment and shown in the machine's zone; a text is shown as it stands.
  const stamp = (moment) => new Date(moment).toISOString().slice(0, 23).replace("T", " ");
  const base = () => ({
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false,
    font: { family: getComputedStyle(document.documentElement).fontFamily, size: 13, color: colour("soft") },
    hoverlabel: { bgcolor: colour("ink"), bordercolor: colour("ink"), font: { color: colour("card") } },
  });
  const axis = () => ({ gridcolor: colour("line"), linecolor: colour("line"), zeroline: false, tickcolor: colour("line") });
  const timeAxis = () => ({
    ...axis(), type: "date", showgrid: true, ticks: "outside", nticks: narrow.matches ? 4 : 9,
    tickformatstops: [
      { dtickrange: [null, 60000], value: "%H:%M:%S\n%d %b" },
      { dtickrange: [60000, day], value: "%H:%M\n%d %b" },
      { dtickrange: [day, null], value: "%d %b\n%Y" },
    ],
    title: { text: "Time, " + zoneName(), standoff: 8, font: { size: 12 } },
  });
  const group = (name) => data.groups.find(([found]) => found === name)[1];
  const config = { displayModeBar: false, responsive: false, doubleClick: false, showTips: false };

  // --- Pace ----------------------------------------------------------------------------------------------

  const pace = () => {
    const { slices, slice_seconds: width, possible_per_hour: possible, per_hour: mean } = data.throughput;
    if (!slices.length) return;
    const perHour = (count) => (count * 3600) / width;
    const highest = Math.max(...slices.map(([, good, bad]) => perHour(good + bad)), mean || 0);
    const middle = slices.map(([moment]) => stamp(x(moment + width * 500)));
    const bars = (name, index, shade) => ({
      type: "bar", name, x: middle, y: slices.map((slice) => perHour(slice[index])), width: width * 1000 * 0.92,
      marker: { color: colour(shade) },
      customdata: slices.map((slice) => slice[index]), hovertemplate: "%{customdata} " + name.toLowerCase() + "<extra></extra>",
    });
    const lines = [];
    const notes = [];
    const level = (value, caption, dash, shade) => {
      lines.push({ type: "line", xref: "paper", x0: 0, x1: 1, y0: value, y1: value, line: { color: colour(shade), width: 1.5, dash } });
      notes.push({ xref: "paper", x: 1, xanchor: "right", y: value, yanchor: "bottom", showarrow: false, text: caption, font: { size: 12, color: colour("ink") }, bgcolor: colour("card"), opacity: 0.9 });
    };
    const rounded = (value) => Math.round(value).toLocaleString("en");
    if (possible !== null && possible <= 3 * highest) level(possible, "limits allow " + rounded(possible) + " an hour", "dash", "ink");
    if (mean !== null && !(possible !== null && Math.abs(possible - mean) < highest / 9)) level(mean, "average " + rounded(mean) + " an hour", "dot", "soft");
    $("pace").hidden = false;
    return Plotly.react("pace", [bars(group("done"), 1, "done"), bars(group("failed"), 2, "failed")], {
      ...base(), barmode: "stack", bargap: 0, ...size("pace"), margin: { l: 52, r: 12, t: 16, b: 58 },
      xaxis: { ...timeAxis(), fixedrange: true, hoverformat: "%d %b %H:%M" },
      yaxis: { ...axis(), fixedrange: true, rangemode: "tozero", nticks: 5, tickformat: ",", automargin: true, title: { text: "Images an hour", standoff: 8, font: { size: 12 } } },
      hovermode: "x unified", shapes: lines, annotations: notes,
    }, config);
  };

  // --- Timeline ------------------------------------------------------------------------------------------

  const begun = rows.map((_, index) => index)
    .filter((index) => rows[index][at.began_at] !== null || rows[index][at.submitted_at] !== null);
  const start = (row) => row[at.began_at] ?? row[at.submitted_at];
  begun.sort((a, b) => start(rows[a]) - start(rows[b]) || a - b);
  const status = (row) => data.statuses[row[at.status]][0];
  const over = new Set(["succeeded", "failed", "skipped", "cancelled"]);
  const stretches = (row) => {
    // [kind, from, until], in milliseconds after the base.
    const end = row[at.finished_at] ?? (over.has(status(row)) ? start(row) : data.now);
    const list = [];
    const accepted = row[at.submitted_at];
    if (row[at.began_at] !== null) list.push(["wait", row[at.began_at], accepted ?? end]);
    if (accepted === null) return list;
    const ended = row[at.job_ended_at];
    list.push([status(row) === "failed" ? "lost" : "cloud", accepted, ended ?? (status(row) === "verifying" ? accepted : end)]);
    if (ended !== null) list.push(["verify", ended, end]);
    return list;
  };
  let margin = { l: 14, r: 14, t: 8, b: 58 };
  let range = null;
  const extent = () => {
    const from = begun.length ? start(rows[begun[0]]) : 0;
    const until = data.now;
    const pad = Math.max((until - from) * 0.015, 1000);
    return { x: [x(from - pad), x(until + pad)], y: [begun.length - 0.25, -0.75] };
  };
  const inner = () => {
    const { width, height } = size("timeline");
    const { l, r, t, b } = margin;
    return { outer: [width, height], left: l, top: t, width: width - l - r, height: height - t - b };
  };
  const thickness = () => {
    const each = inner().height / Math.abs(range.y[0] - range.y[1]);
    return Math.min(Math.max(each * 0.72, 1), 14);
  };
  const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const ticks = () => {
    const [low, high] = [Math.max(0, Math.ceil(range.y[1])), Math.min(begun.length - 1, Math.floor(range.y[0]))];
    const room = Math.floor(inner().height / 17);
    if (narrow.matches || high - low + 1 > room) return { tickvals: [], ticktext: [] };
    const values = Array.from({ length: Math.max(0, high - low + 1) }, (_, index) => low + index);
    const name = (position) => {
      const characters = [...rows[begun[position]][at.name]];
      return escaped(characters.length > 18 ? characters.slice(0, 17).join("") + "…" : characters.join(""));
    };
    return { tickvals: values, ticktext: values.map(name) };
  };
  const timeline = async () => {
    if (!begun.length) return;
    range = range || extent();
    for (const id of ["timeline", "timeline-key", "timeline-controls", "bars"]) $(id).hidden = false;
    $("timeline-hint").hidden = narrow.matches;
    const names = ticks();
    margin = { ...margin, l: names.tickvals.length ? 140 : 14 };
    await Plotly.react("timeline", [{ type: "scatter", x: [], y: [] }], {
      ...base(), ...size("timeline"), margin, hovermode: false, dragmode: "zoom",
      // Over the bars, so that it has to let them shine through.
      xaxis: { ...timeAxis(), gridcolor: "rgba(120, 135, 155, 0.22)", range: range.x.map(stamp), fixedrange: narrow.matches },
      yaxis: { ...axis(), range: [...range.y], fixedrange: narrow.matches, showgrid: false, automargin: false, tickfont: { size: 12 }, tickmode: "array", ...names },
    }, config);
    paint();
  };
  const paint = () => {
    // Ten thousand elements would take seconds; as many rectangles on a canvas take none.
    const { outer, left, top, width, height } = inner();
    const canvas = $("bars");
    const sharp = Math.max(window.devicePixelRatio || 1, 1);
    canvas.width = Math.round(outer[0] * sharp);
    canvas.height = Math.round(outer[1] * sharp);
    const pen = canvas.getContext("2d");
    pen.scale(sharp, sharp);
    pen.beginPath();
    pen.rect(left, top, width, height);
    pen.clip();
    const across = (offset) => left + ((x(offset) - range.x[0]) / (range.x[1] - range.x[0])) * width;
    const down = (position) => top + ((position - range.y[1]) / (range.y[0] - range.y[1])) * height;
    const thick = thickness();
    pen.fillStyle = colour("gap");
    data.runs.slice(1).forEach(([began], index) => {
      const [from, until] = [across(data.runs[index][1]), across(began)];
      if (until - from >= 1) pen.fillRect(from, top, until - from, height);
    });
    const crosses = [];
    const lost = hatched(pen);
    const paints = { wait: colour("wait"), cloud: colour("busy"), lost, verify: colour("verify") };
    const [first, last] = [Math.max(0, Math.floor(range.y[1])), Math.min(begun.length - 1, Math.ceil(range.y[0]))];
    for (let position = first; position <= last; position++) {
      const row = rows[begun[position]];
      const y = down(position);
      let end = left;
      for (const [kind, from, until] of stretches(row)) {
        const begin = across(from);
        end = across(until);
        pen.fillStyle = paints[kind];
        // What took no time at all would only hide its neighbour.
        if (until > from) pen.fillRect(begin, y - thick / 2, Math.max(end - begin, 0.75), thick);
      }
      if (status(row) === "failed") crosses.push([end, y]);
    }
    const arm = Math.min(Math.max(thick * 0.3, 3), 4.5);
    for (const [shade, line] of [[colour("card"), 4], [colour("failed"), 2]]) {
      pen.strokeStyle = shade;
      pen.lineWidth = line;
      pen.lineCap = "round";
      pen.beginPath();
      for (const [px, py] of crosses) {
        pen.moveTo(px - arm, py - arm);
        pen.lineTo(px + arm, py + arm);
        pen.moveTo(px + arm, py - arm);
        pen.lineTo(px - arm, py + arm);
      }
      pen.stroke();
    }
  };
  const hatched = (pen) => {
    const tile = document.createElement("canvas");
    [tile.width, tile.height] = [7, 1];
    const brush = tile.getContext("2d");
    brush.fillStyle = colour("failed");
    brush.fillRect(0, 0, 5, 1);
    return pen.createPattern(tile, "repeat");
  };
  const show = (next) => {
    const all = extent();
    const rowsShown = Math.min(Math.max(next.y[0] - next.y[1], 1), all.y[0] - all.y[1]);
    const top = Math.min(Math.max(next.y[1], all.y[1]), all.y[0] - rowsShown);
    range = { x: next.x, y: [top + rowsShown, top] };
    return timeline();
  };
  const moves = {
    all: () => extent(),
    in: () => {
      // Half the rows from the top one on, and the stretch of time in which these are at work.
      const y = [range.y[1] + (range.y[0] - range.y[1]) / 2, range.y[1]];
      return { y, x: during(y) };
    },
    out: () => {
      const y = [range.y[1] + (range.y[0] - range.y[1]) * 2, range.y[1]];
      return { y, x: during(y) };
    },
    up: () => step(-0.8),
    down: () => step(0.8),
  };
  const step = (part) => {
    const all = extent();
    const height = range.y[0] - range.y[1];
    const top = Math.min(Math.max(range.y[1] + part * height, all.y[1]), all.y[0] - height);
    const y = [top + height, top];
    return { y, x: during(y) };
  };
  const during = (y) => {
    const all = extent();
    if (y[0] - y[1] >= all.y[0] - all.y[1]) return all.x;
    let [from, until] = [Infinity, -Infinity];
    for (let position = Math.max(0, Math.ceil(y[1])); position <= Math.min(begun.length - 1, y[0]); position++) {
      for (const [, first, last] of stretches(rows[begun[position]])) [from, until] = [Math.min(from, first), Math.max(until, last)];
    }
    if (from > until) return range.x;
    const pad = Math.max((until - from) * 0.03, 1000);
    return [x(from - pad), x(until + pad)];
  };
  $("timeline-controls").addEventListener("click", (event) => {
    const move = moves[event.target.dataset.zoom];
    if (move) show(move());
  });

  const position = (event) => {
    const { left, top, width, height } = inner();
    const box = $("timeline").getBoundingClientRect();
    const [px, py] = [event.clientX - box.left - left, event.clientY - box.top - top];
    if (px < 0 || px > width || py < 0 || py > height) return null;
    const found = Math.round(range.y[1] + (py / height) * (range.y[0] - range.y[1]));
    return found >= 0 && found < begun.length ? found : null;
  };
  const stages = { wait: "waiting to be accepted", cloud: group("busy").toLowerCase(), lost: group("busy").toLowerCase(), verify: "verifying" };
  const point = (event) => {
    const found = position(event);
    const tip = $("tip");
    tip.hidden = found === null;
    if (found === null) return;
    const row = rows[begun[found]];
    const lines = [row[at.name], data.statuses[row[at.status]][1] + " · " + [text.target(row), text.wave(row)].filter(Boolean).join(" · ")];
    lines.push("From " + clock(data.base + start(row)) + " " + zoneName());
    for (const [kind, from, until] of stretches(row)) {
      if (until - from >= 1000) lines.push(span((until - from) / 1000) + " " + stages[kind]);
    }
    if (error(row)) lines.push(error(row).slice(0, 2).filter(Boolean).join(" "));
    tip.textContent = lines.join("\n");
    const box = $("timeline").getBoundingClientRect();
    const [left, top] = [event.clientX - box.left, event.clientY - box.top];
    tip.style.left = Math.max(0, left + 14 + tip.offsetWidth > box.width ? left - 14 - tip.offsetWidth : left + 14) + "px";
    tip.style.top = Math.max(0, top + 14 + tip.offsetHeight > box.height ? top - 14 - tip.offsetHeight : top + 14) + "px";
  };

  await pace();
  await timeline();
  if (begun.length) {
    const node = $("timeline");
    node.addEventListener("pointermove", point);
    node.addEventListener("pointerdown", point);
    node.addEventListener("pointerleave", () => ($("tip").hidden = true));
    node.addEventListener("dblclick", () => show(extent()));
    node.on("plotly_relayout", (change) => {
      if (!("xaxis.range[0]" in change) && !("yaxis.range[0]" in change)) return;
      const moment = (value) => (typeof value === "number" ? value : Date.parse(value.replace(" ", "T") + "Z"));
      const { xaxis, yaxis } = node.layout;
      show({ x: xaxis.range.map(moment), y: yaxis.range.map(Number) });
    });
  }
  const numbers = document.querySelector(".numbers");
  if (numbers) numbers.open = false;

  const redraw = () => Promise.all([pace(), timeline()]);
  watchers.push(() => {
    range = null;
    redraw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  printed.addEventListener("change", redraw);
  narrow.addEventListener("change", redraw);
  let resizing = 0;
  window.addEventListener("resize", () => {
    clearTimeout(resizing);
    resizing = setTimeout(redraw, 150);
  });
  document.documentElement.dataset.charts = "ready";
})();
