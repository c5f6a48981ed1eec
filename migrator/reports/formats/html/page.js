// Times in the plan's zone or the reader's, the age of the report, and the table of images, made page by page.
"use strict";
const report = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = Object.fromEntries(data.columns.map((name, index) => [name, index]));
  const $ = (id) => document.getElementById(id);
  const number = new Intl.NumberFormat("en");

  const make = (name, attributes, ...children) => {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
    node.append(...children);
    return node;
  };
  const bdi = (text) => make("bdi", null, text);
  const icon = (status) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "icon i-" + status);
    svg.setAttribute("viewBox", "0 0 16 16");
    svg.setAttribute("aria-hidden", "true");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    use.setAttribute("href", "#i-" + status);
    svg.append(use);
    return svg;
  };

  // --- Times ---------------------------------------------------------------------------------------------

  // The plan's zone by its name; one that has only an offset is told with the seconds by which it is ahead of UTC.
  const [planZone, ahead] = data.zone;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "local time";
  let local = false;
  const watchers = [];
  const clockOf = (() => {
    if (ahead !== null) return (moment) => moment + ahead * 1000;
    try {
      const parts = new Intl.DateTimeFormat("en-GB", {
        timeZone: planZone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
      });
      return (moment) => {
        const found = Object.fromEntries(parts.formatToParts(moment).map(({ type, value }) => [type, +value]));
        return Date.UTC(found.year, found.month - 1, found.day, found.hour, found.minute, found.second) + (((moment % 1000) + 1000) % 1000);
      };
    } catch {
      return (moment) => moment;
    }
  })();
  const shifted = (moment) => (local ? moment - new Date(moment).getTimezoneOffset() * 60000 : clockOf(moment));
  const zoneName = () => (local ? zone : planZone);
  const iso = (moment) => new Date(moment).toISOString();
  const clock = (moment) => new Date(shifted(moment)).toISOString().slice(0, 16).replace("T", " ");
  const when = (offset) =>
    make("time", { datetime: iso(data.base + offset) }, clock(data.base + offset));
  const span = (seconds) => {
    if (Math.round(seconds) < 60) return Math.round(seconds) + " s";
    const minutes = Math.round(seconds / 60);
    if (minutes < 60) return minutes + " min";
    if (minutes < 1440) return Math.floor(minutes / 60) + " h" + (minutes % 60 ? " " + (minutes % 60) + " min" : "");
    const hours = Math.round(seconds / 3600);
    return Math.floor(hours / 24) + " d" + (hours % 24 ? " " + (hours % 24) + " h" : "");
  };
  const tell = () => {
    for (const node of document.querySelectorAll("time")) node.textContent = clock(Date.parse(node.dateTime));
    for (const node of document.querySelectorAll(".zone")) node.textContent = zoneName();
    $("zone").textContent = "Show times in " + (local ? planZone : zone);
    for (const watcher of watchers) watcher();
  };
  const same = (moment) => moment - new Date(moment).getTimezoneOffset() * 60000 === clockOf(moment);
  $("zone").hidden = same(data.base) && same(data.base + data.now);
  $("zone").addEventListener("click", () => {
    local = !local;
    tell();
    age();
  });

  const age = () => {
    const node = $("age");
    const made = Date.parse(node.dataset.generatedAt);
    const seconds = Math.max(0, (Date.now() - made) / 1000);
    const ago = seconds < 60 ? "just now" : span(seconds) + " ago";
    // A run writes the report again every half a minute, or of very many images every few minutes; one that is
    // much older has no run behind it any more.
    const hint = node.dataset.atWork !== "yes" ? "" : seconds < 1800 ? "; reload to refresh" : "; reload to refresh, or see whether the run still goes on";
    const utc = make("span", { class: "zone" }, zoneName());
    node.replaceChildren("Made " + ago + hint + " (", when(made - data.base), " ", utc, ")");
  };
  $("zone").textContent = "Show times in " + zone;
  age();
  setInterval(age, 30000);

  // --- Which rows ----------------------------------------------------------------------------------------

  const rows = data.rows;
  const error = (row) => (row[at.error] === null ? null : data.errors[row[at.error]]);
  // The columns that are text, or a place in a list of texts.
  const text = Object.fromEntries(Object.entries(data.texts).map(([name, texts]) => [name, (row) => texts[row[at[name]]]]));
  text.name = (row) => row[at.name];
  text.error = (row) => (error(row) ? error(row)[0] + " " + error(row)[1] : "");
  let haystacks = null;
  const haystack = (index) => {
    haystacks = haystacks || new Array(rows.length);
    return (haystacks[index] ??= [
      ...Object.values(text).map((of) => of(rows[index])), data.statuses[rows[index][at.status]][1],
      ...data.details.filter(([, kind]) => kind === "text").map(([name]) => rows[index][at[name]]), ...rows[index][at.labels],
    ].join("\n").toLowerCase());
  };

  const view = { query: "", status: "", target: "", wave: "", owner: "", cause: null, sort: "", down: false, page: 0, size: 50 };
  if (matchMedia("(max-width: 640px)").matches) view.size = 25;
  let found = rows.map((_, index) => index);

  const compare = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" }).compare;
  const ranks = {};
  const rank = (name) => {
    if (ranks[name]) return ranks[name];
    if (!text[name]) return (ranks[name] = rows.map((row) => row[at[name]]));
    // Each different text is compared once, however many rows share it.
    const order = new Map([...new Set(rows.map(text[name]))].sort(compare).map((value, index) => [value, index]));
    return (ranks[name] = rows.map((row) => (text[name](row) === "" ? null : order.get(text[name](row)))));
  };
  const choose = () => {
    const sought = view.query.toLowerCase().split(/\s+/).filter(Boolean);
    const group = data.groups.find(([name]) => "g:" + name === view.status);
    found = [];
    for (let index = 0; index < rows.length; index++) {
      const row = rows[index];
      if (view.status && !(group ? group[2].includes(row[at.status]) : data.statuses[row[at.status]][0] === view.status)) continue;
      if (view.target && "=" + text.target(row) !== view.target) continue;
      if (view.wave && "=" + text.wave(row) !== view.wave) continue;
      if (view.owner && "=" + text.owner(row) !== view.owner) continue;
      if (view.cause !== null && row[at.cause] !== view.cause) continue;
      if (sought.length && !sought.every((word) => haystack(index).includes(word))) continue;
      found.push(index);
    }
    if (view.sort) {
      const keys = rank(view.sort);
      const sign = view.down ? -1 : 1;
      // What is unknown comes last, whichever way it is sorted.
      found.sort((a, b) => {
        if (keys[a] === null || keys[b] === null) return (keys[a] === null) - (keys[b] === null) || a - b;
        return sign * (keys[a] - keys[b]) || a - b;
      });
    }
  };

  // --- One page of them ----------------------------------------------------------------------------------

  const body = document.querySelector("#rows tbody");
  const note = (row) => {
    const parts = [];
    const fault = error(row);
    if (fault) {
      if (fault[0]) parts.push(make("code", null, fault[0]), " ");
      parts.push(bdi(fault[1]));
    } else if (data.statuses[row[at.status]][0] === "running" && row[at.progress] !== null) {
      parts.push(Math.round(row[at.progress]) + " % done");
    }
    for (const [name, flag] of data.flags) if (row[at[name]]) parts.push(" ", make("span", { class: "flag" }, flag));
    return parts;
  };
  const attempts = (row) => {
    const list = make("ol");
    for (const [count, began, ended, outcome, fault] of row[at.attempts][1]) {
      const item = make("li", null, count + ". ", when(began), " ", data.outcomes[outcome]);
      if (ended !== null && ended - began >= 1000) item.append(" after " + span((ended - began) / 1000));
      if (fault !== null) item.append(": ", bdi(data.errors[fault].slice(0, 2).filter(Boolean).join(" ")));
      list.append(item);
    }
    return list;
  };
  const shownValue = (row, name, kind) => {
    const value = row[at[name]];
    if (value === null || value === "") return [];
    if (kind === "moment") return [when(value), " ", make("span", { class: "zone" }, zoneName())];
    if (kind === "number") return [number.format(value)];
    if (kind === "decimal" || kind === "minutes") return [value.toFixed(1)];
    if (kind === "fraction") return [Math.round(value) + " %"];
    if (kind === "yes or no") return [value ? "yes" : "no"];
    return [bdi(text[name] ? text[name](row) : value)];
  };
  const detail = (row) => {
    const list = make("dl");
    const add = (label, ...value) => {
      if (value.some((part) => part !== null && part !== "")) list.append(make("dt", null, label), make("dd", null, ...value));
    };
    const fault = error(row);
    if (fault && fault[2]) add("What to do", bdi(fault[2]));
    add("Number in the plan", number.format(row[at.position]));
    add("System", bdi([row[at.type], text.os(row), row[at.min_disk] + " GB"].filter(Boolean).join(", ")));
    data.labels.forEach((label, index) => add(label, row[at.labels][index] && bdi(row[at.labels][index])));
    for (const [name, kind, label] of data.details) add(label, ...shownValue(row, name, kind));
    const [all, latest] = row[at.attempts];
    if (all) add(all > latest.length ? "The latest of " + all + " attempts" : "Attempts", attempts(row));
    return list;
  };
  const line = (index) => {
    const row = rows[index];
    const [status, label] = data.statuses[row[at.status]];
    const under = make("span", { class: "under" }, bdi(text.target(row)));
    if (text.wave(row)) under.append(" · ", bdi(text.wave(row)));
    const open = make("button", { type: "button", class: "open", "aria-expanded": "false" }, bdi(row[at.name] || "(no name)"));
    const cell = (name, kind) => {
      if (name === "name") return make("th", { role: "rowheader", scope: "row" }, open, under);
      if (kind === "status") return make("td", { role: "cell" }, icon(status), " " + label);
      if (kind === "error") return make("td", { role: "cell", class: "what" }, ...note(row));
      if (kind === "minutes") return make("td", { role: "cell", class: "n" }, ...shownValue(row, name, kind));
      if (kind === "moment") return make("td", { role: "cell", class: "side" }, ...shownValue(row, name, kind).slice(0, 1));
      return make("td", { role: "cell", class: "side" }, ...shownValue(row, name, kind));
    };
    const tr = make("tr", { role: "row", class: "hit" }, ...data.table.map(([name, kind]) => cell(name, kind)));
    open.addEventListener("click", () => {
      const closed = open.getAttribute("aria-expanded") === "false";
      open.setAttribute("aria-expanded", String(closed));
      if (closed) tr.after(make("tr", { role: "row", class: "detail" }, make("td", { role: "cell", colspan: data.table.length }, detail(row))));
      else tr.nextSibling.remove();
    });
    return tr;
  };
  const pages = () => Math.max(1, Math.ceil(found.length / view.size));
  const draw = () => {
    view.page = Math.min(view.page, pages() - 1);
    const start = view.page * view.size;
    const shown = found.slice(start, start + view.size);
    body.replaceChildren(...shown.map(line));
    $("found").textContent = !rows.length ? "The plan has no images yet."
      : !found.length ? "No image matches."
      : `Rows ${number.format(start + 1)} to ${number.format(start + shown.length)} of ${number.format(found.length)}` +
        (found.length < rows.length ? ` that match, of ${number.format(rows.length)} in all.` : ".") +
        (view.sort ? "" : " What needs attention comes first.");
    $("page").textContent = `Page ${number.format(view.page + 1)} of ${number.format(pages())}`;
    for (const button of $("pager").querySelectorAll("button")) {
      button.disabled = ["first", "previous"].includes(button.dataset.page) ? view.page === 0 : view.page >= pages() - 1;
    }
    $("by-cause").hidden = view.cause === null;
    for (const head of document.querySelectorAll("#rows thead th")) {
      if (head.dataset.sort === view.sort) head.setAttribute("aria-sort", view.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  };
  // The address keeps what is shown, so that it can be sent to somebody.
  const kept = ["query", "status", "target", "wave", "owner", "sort"];
  const remember = () => {
    const told = new URLSearchParams(kept.filter((name) => view[name]).map((name) => [name, view[name]]));
    if (view.down) told.set("down", "1");
    if (view.cause !== null) told.set("cause", view.cause);
    const fragment = String(told);
    if (fragment || location.hash.includes("=")) history.replaceState(null, "", "#" + fragment);
  };
  const again = () => {
    view.page = 0;
    choose();
    draw();
    remember();
  };

  // --- What a reader can do ------------------------------------------------------------------------------

  const fill = (id, all, values) => {
    $(id).append(make("option", { value: "" }, all), ...values.map(([value, label]) => make("option", { value }, label)));
  };
  const different = (name, none) =>
    [...new Set(rows.map(text[name]))].sort(compare).map((value) => ["=" + value, value || none]);
  const counts = data.statuses.map(() => 0);
  for (const row of rows) counts[row[at.status]] += 1;
  fill("by-status", "All", data.statuses.map(([value, label], index) => [value, `${label} (${number.format(counts[index])})`]).filter((_, index) => counts[index]));
  for (const [name, none] of [["target", "no target"], ["wave", "no wave"], ["owner", "no owner"]]) {
    const values = different(name, none);
    fill("by-" + name, "All", values);
    $("by-" + name).parentNode.hidden = values.length < 2;
    $("by-" + name).addEventListener("change", (event) => {
      view[name] = event.target.value;
      again();
    });
  }
  $("by-status").addEventListener("change", (event) => {
    view.status = event.target.value;
    again();
  });
  let typing = 0;
  $("query").addEventListener("input", (event) => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      view.query = event.target.value;
      again();
    }, 80);
  });
  const tellCause = () => {
    const all = make("button", { type: "button", class: "link" }, "Show all images");
    all.addEventListener("click", () => {
      $("filters").reset();
      $("query").focus();
    });
    $("by-cause").replaceChildren("Only those of one cause: ", bdi(data.causes[view.cause]), " ", all);
  };
  const recall = () => {
    if (!location.hash.includes("=")) return false;
    const told = new URLSearchParams(location.hash.slice(1));
    for (const name of kept) view[name] = told.get(name) || "";
    view.down = told.has("down");
    view.cause = data.causes[Number(told.get("cause"))] !== undefined && told.has("cause") ? Number(told.get("cause")) : null;
    if (!data.table.some(([name]) => name === view.sort)) view.sort = "";
    for (const name of ["status", "target", "wave", "owner"]) {
      $("by-" + name).value = view[name];
      if ($("by-" + name).value !== view[name]) view[name] = $("by-" + name).value = "";
    }
    $("query").value = view.query;
    if (view.cause !== null) tellCause();
    return true;
  };
  addEventListener("hashchange", () => {
    if (!recall()) return;
    again();
    $("images").scrollIntoView();
    $("table-scroll").focus({ preventScroll: true });
  });
  const clear = () => {
    clearTimeout(typing);
    Object.assign(view, { query: "", status: "", target: "", wave: "", owner: "", cause: null, sort: "", down: false });
  };
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("filters").addEventListener("reset", () => {
    clear();
    again();
  });
  for (const button of document.querySelectorAll("[data-cause]")) {
    button.addEventListener("click", () => {
      $("filters").reset();
      view.cause = Number(button.dataset.cause);
      tellCause();
      again();
      $("images").scrollIntoView();
      $("table-scroll").focus({ preventScroll: true });
    });
  }
  for (const head of document.querySelectorAll("#rows thead th")) {
    const button = make("button", { type: "button" }, ...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      if (view.sort === head.dataset.sort) {
        // The third time brings back the order it had.
        if (view.down) view.sort = "";
        view.down = !view.down;
      } else {
        view.sort = head.dataset.sort;
        view.down = false;
      }
      again();
    });
  }
  $("size").value = String(view.size);
  $("size").addEventListener("change", (event) => {
    view.page = Math.floor((view.page * view.size) / Number(event.target.value));
    view.size = Number(event.target.value);
    draw();
  });
  $("pager").addEventListener("click", (event) => {
    const to = { first: 0, previous: view.page - 1, next: view.page + 1, last: pages() - 1 }[event.target.dataset.page];
    if (to === undefined) return;
    view.page = to;
    draw();
  });
  for (const id of ["filters", "pager"]) $(id).hidden = false;
  recall();
  choose();
  draw();

  return { data, at, rows, text, clock, shifted, zoneName, span, error, $, watchers };
})();
