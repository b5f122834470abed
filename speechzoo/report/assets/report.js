"use strict";
(() => {
  const PAGE = 50;
  const { head, body } = JSON.parse(document.getElementById("data").textContent);
  const items = body.items || [];
  const stages = Object.keys(head.stages);
  const state = { sort: "gap", descending: true, change: "all", find: "", shown: PAGE };
  let audio = null;

  // Text goes in as text nodes only: nothing from a run is ever parsed as HTML.
  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined).map((c) => (c instanceof Node ? c : String(c))));
    return node;
  }

  function number(value) {
    if (value === null || value === undefined) return "–";
    return head.percent ? (100 * value).toFixed(Number.isInteger(100 * value) ? 0 : 1) : value.toFixed(2);
  }

  const cell = (item, stage) => (item.cells || {})[stage] || {};

  function wer(item) {
    const known = stages.map((stage) => cell(item, stage).wer).filter((value) => value !== null && value !== undefined);
    return known.length ? Math.max(...known) : null;
  }

  function columns() {
    const found = [{ key: "id", title: "item", value: (item) => item.id }];
    if (head.main.length) {
      found.push({ key: "change", title: "outcome", value: (item) => item.change });
      found.push({ key: "gap", title: `loss ${head.main.join(" − ")}`, numeric: true, value: (item) => item.gap, show: number });
    }
    if (items.some((item) => item.margin_gap !== null && item.margin_gap !== undefined)) {
      found.push({ key: "margin", title: "margin lost", numeric: true, value: (item) => item.margin_gap, show: (v) => (v === null || v === undefined ? "–" : v.toFixed(3)) });
    }
    for (const stage of stages) {
      found.push({ key: `stage ${stage}`, title: stage, numeric: true, value: (item) => cell(item, stage).value, show: (v, item) => (v === null || v === undefined ? cell(item, stage).invalid || "–" : number(v)) });
    }
    if (items.some((item) => wer(item) !== null)) {
      found.push({ key: "wer", title: "heard WER, %", numeric: true, value: wer, show: (v) => (v === null ? "–" : (100 * v).toFixed(0)) });
    }
    return found;
  }
  const table = columns();
  if (!head.main.length) Object.assign(state, { sort: "id", descending: false });

  function haystack(item) {
    if (!item.text) {
      const asks = Object.values(item.asks || {}).flatMap((ask) => [ask.text, ask.spoken, ...(ask.continuations || [])]);
      const answers = stages.flatMap((stage) => { const c = cell(item, stage); return [c.text, c.heard, c.invalid]; });
      item.text = [item.id, ...Object.entries(item.attributes || {}).flat(), ...asks, ...answers].filter(Boolean).join("\n").toLowerCase();
    }
    return item.text;
  }

  function compare(one, two) {
    const { value } = table.find((column) => column.key === state.sort);
    const [a, b] = [value(one), value(two)];
    const [noA, noB] = [a === null || a === undefined, b === null || b === undefined];
    if (noA || noB) return noA - noB; // items without a value come last either way
    const order = typeof a === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
    // Equal losses: the larger fall of the margin tells more.
    return (state.descending ? -order : order) || (two.margin_gap || 0) - (one.margin_gap || 0);
  }

  function wanted(item) {
    const invalid = stages.some((stage) => cell(item, stage).invalid);
    const kind = state.change === "all" || item.change === state.change || (state.change === "invalid" && invalid);
    return kind && (!state.find || haystack(item).includes(state.find));
  }

  function drawHead() {
    const cells = table.map((column) => {
      const button = el("button", { type: "button" }, column.title);
      button.addEventListener("click", () => {
        state.descending = state.sort === column.key ? !state.descending : Boolean(column.numeric);
        state.sort = column.key;
        drawHead();
        drawRows();
        document.querySelector("#items thead [aria-sort]:not([aria-sort=none]) button").focus();
      });
      const sorted = state.sort === column.key ? (state.descending ? "descending" : "ascending") : "none";
      return el("th", { scope: "col", class: column.numeric ? "n" : null, "aria-sort": sorted }, button);
    });
    document.querySelector("#items thead").replaceChildren(el("tr", null, ...cells));
  }

  function drawRows() {
    const chosen = items.filter(wanted).sort(compare);
    document.querySelector("#items tbody").replaceChildren(...chosen.slice(0, state.shown).map(row));
    document.getElementById("count").textContent = `${chosen.length} of ${items.length} items`;
    document.getElementById("more").hidden = chosen.length <= state.shown;
  }

  function row(item) {
    const button = el("button", { type: "button", "aria-expanded": "false" }, item.id);
    const cells = table.slice(1).map((column) => {
      const value = column.value(item);
      const shown = column.show ? column.show(value, item) : value ?? "–";
      const look = column.key === "change" ? `${value}-word` : column.numeric ? "n" : null;
      return el("td", { class: look }, shown);
    });
    const line = el("tr", { class: "row" }, el("th", { scope: "row" }, button), ...cells);
    line.addEventListener("click", () => {
      const open = button.getAttribute("aria-expanded") === "true";
      button.setAttribute("aria-expanded", String(!open));
      if (open) line.nextSibling.remove();
      else line.after(el("tr", { class: "open" }, el("td", { colspan: table.length }, detail(item))));
    });
    return line;
  }

  function detail(item) {
    const facts = Object.entries(item.attributes || {}).map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`);
    if (item.cluster !== item.id) facts.push(`cluster ${item.cluster}`);
    const order = [...head.main, ...stages.filter((stage) => !head.main.includes(stage))];
    const arms = order.filter((stage) => (item.cells || {})[stage]).map((stage) => arm(item, stage));
    return el("div", null, facts.length ? el("p", { class: "attributes" }, facts.join(" · ")) : null, el("div", { class: "arms" }, ...arms));
  }

  function arm(item, stage) {
    const answer = cell(item, stage);
    const ask = (item.asks || {})[head.conditions[stage]] || {};
    const worth = answer.invalid ? el("span", { class: "invalid-word" }, answer.invalid) : el("span", null, number(answer.value));
    const title = el("h3", null, el("span", null, `${stage} `, el("small", null, head.stages[stage])), worth);
    return el("article", { class: "arm" }, title, ...asked(ask), ...answered(ask, answer));
  }

  function asked(ask) {
    const parts = [];
    if (ask.text) parts.push(el("h4", null, "Asked"), el("p", null, ask.text));
    for (const path of ask.clips || []) parts.push(player(path, "question"));
    if (ask.spoken) parts.push(el("h4", null, "Said in the audio"), el("p", null, ask.spoken));
    return parts;
  }

  function answered(ask, answer) {
    const parts = [];
    if (answer.heard !== null && answer.heard !== undefined) {
      const rate = answer.wer === null || answer.wer === undefined ? "" : ` (WER ${(100 * answer.wer).toFixed(0)} %)`;
      parts.push(el("h4", null, `Heard${rate}`), el("p", null, answer.heard));
    }
    if (answer.scores && answer.scores.length) parts.push(...scored(ask, answer.scores));
    if (answer.text !== null && answer.text !== undefined) parts.push(el("h4", null, "Answer"), el("p", null, answer.text));
    for (const path of answer.clips || []) parts.push(player(path, "reply"));
    const marks = [answer.tie ? "tie" : null, answer.truncated ? "cut at the token limit" : null, answer.invalid_detail || null];
    for (const mark of marks.filter(Boolean)) parts.push(el("p", { class: "missing" }, mark));
    const details = Object.entries(answer.details || {});
    if (details.length) {
      const lines = details.map(([name, value]) => el("tr", null, el("td", null, name.replaceAll("_", " ")), el("td", { class: typeof value === "number" ? "n" : null }, shown(value))));
      parts.push(el("h4", null, "Graded by"), el("table", { class: "grading" }, el("tbody", null, ...lines)));
    }
    return parts;
  }

  function shown(value) {
    if (typeof value === "number") return Number.isInteger(value) ? value : value.toPrecision(4);
    if (value === null || value.length === 0) return "–";
    if (typeof value === "boolean") return value ? "yes" : "no";
    if (typeof value === "string") return value;
    const holds = (own) => typeof own === "object" && own !== null;
    if (Array.isArray(value)) return value.some(holds) ? value.map((own, place) => `${place + 1}.\n${shown(own)}`).join("\n") : value.map(shown).join(", ");
    return Object.entries(value).map(([name, own]) => `${name}: ${shown(own)}`).join("\n");
  }

  function scored(ask, scores) {
    const best = Math.min(...scores);
    const lines = scores.map((score, place) => el("tr", { class: score === best ? "likeliest" : null }, el("td", null, (ask.continuations || [])[place] ?? `continuation ${place + 1}`), el("td", { class: "n" }, score.toFixed(3))));
    return [el("h4", null, "Continuations, nats a token"), el("table", null, el("tbody", null, ...lines))];
  }

  function player(path, what) {
    audio = audio || JSON.parse(document.getElementById("audio").textContent);
    const found = audio.files[path];
    if (typeof found !== "number") return el("p", { class: "missing" }, found || `no audio: ${path}`);
    return el("audio", { controls: "", preload: "none", "aria-label": `${what}: ${path}`, src: audio.clips[found] });
  }

  document.getElementById("find").addEventListener("input", (event) => {
    Object.assign(state, { find: event.target.value.trim().toLowerCase(), shown: PAGE });
    drawRows();
  });
  document.getElementById("filters").addEventListener("change", (event) => {
    Object.assign(state, { change: event.target.value, shown: PAGE });
    drawRows();
  });
  document.getElementById("more").addEventListener("click", () => {
    state.shown += 4 * PAGE;
    drawRows();
  });
  document.getElementById("copy").addEventListener("click", async (event) => {
    const line = document.getElementById("signature");
    try {
      await navigator.clipboard.writeText(line.textContent);
    } catch {
      getSelection().selectAllChildren(line);
      document.execCommand("copy");
    }
    event.target.textContent = "Copied";
  });
  drawHead();
  drawRows();
})();
