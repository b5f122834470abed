"use strict";
(() => {
  const PAGE = 50;
  const { dialogues, meetings } = JSON.parse(document.getElementById("data").textContent);
  const raters = [...new Set(meetings.flatMap((meeting) => Object.keys(meeting.results)))].sort();
  const state = { find: "", system: "", verdict: "all", shown: PAGE };
  let audio = null;

  // Text goes in as text nodes only: nothing from a run or a judge is ever parsed as HTML.
  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined).map((c) => (c instanceof Node ? c : String(c))));
    return node;
  }

  const winner = (meeting, verdict) => (verdict === "first" ? meeting.one : verdict === "second" ? meeting.two : verdict);

  function haystack(meeting) {
    if (!meeting.text) {
      const dialogue = dialogues[meeting.dialogue];
      const replies = [meeting.one, meeting.two].flatMap((name) => (dialogue.replies[name] || []).map((reply) => reply.text));
      const told = meeting.votes.flatMap((vote) => [vote.rater, vote.reason, vote.failure]);
      meeting.text = [meeting.dialogue, dialogue.group, ...dialogue.turns.map((turn) => turn.text), ...replies, ...told].filter(Boolean).join("\n").toLowerCase();
    }
    return meeting.text;
  }

  // Of the chosen system; without one, of either.
  function hasVerdict(meeting, kind) {
    const results = Object.values(meeting.results);
    if (kind === "tie") return results.includes("tie");
    const won = results.map((verdict) => winner(meeting, verdict)).filter((name) => name !== "tie");
    if (!state.system) return won.length > 0;
    return won.some((name) => (name === state.system) === (kind === "won"));
  }

  function wanted(meeting) {
    const { system, verdict } = state;
    if (system && system !== meeting.one && system !== meeting.two) return false;
    if (verdict === "disagree" && !meeting.disagree) return false;
    if (verdict === "none" && !meeting.votes.some((vote) => vote.failure)) return false;
    if (["won", "lost", "tie"].includes(verdict) && !hasVerdict(meeting, verdict)) return false;
    return !state.find || haystack(meeting).includes(state.find);
  }

  function drawHead() {
    const titles = ["dialogue", "group", "one side", "other side", ...raters.map((rater) => `won, says ${rater}`), "verdicts"];
    document.querySelector("#items thead").replaceChildren(el("tr", null, ...titles.map((title) => el("th", { scope: "col" }, title))));
  }

  function drawRows() {
    const chosen = meetings.filter(wanted);
    document.querySelector("#items tbody").replaceChildren(...chosen.slice(0, state.shown).map(row));
    document.getElementById("count").textContent = `${chosen.length} of ${meetings.length} battles`;
    document.getElementById("more").hidden = chosen.length <= state.shown;
  }

  function row(meeting) {
    const button = el("button", { type: "button", "aria-expanded": "false" }, meeting.dialogue);
    const results = raters.map((rater) => el("td", null, winner(meeting, meeting.results[rater]) || "–"));
    const failed = meeting.votes.filter((vote) => vote.failure).length;
    const differ = meeting.disagree ? el("span", { class: "lost-word" }, "they differ") : "";
    const told = el("td", null, `${meeting.votes.length - failed} `, differ, failed ? el("span", { class: "invalid-word" }, ` ${failed} failed`) : null);
    const line = el("tr", { class: "row" }, el("th", { scope: "row" }, button), el("td", null, dialogues[meeting.dialogue].group || "–"), el("td", null, meeting.one), el("td", null, meeting.two), ...results, told);
    line.addEventListener("click", () => {
      const open = button.getAttribute("aria-expanded") === "true";
      button.setAttribute("aria-expanded", String(!open));
      if (open) line.nextSibling.remove();
      else line.after(el("tr", { class: "open" }, el("td", { colspan: 5 + raters.length }, detail(meeting))));
    });
    return line;
  }

  function detail(meeting) {
    const dialogue = dialogues[meeting.dialogue];
    const turns = dialogue.turns.map((turn, place) => {
      const said = el("div", { class: "user" }, el("h4", null, `User, turn ${place + 1}`), el("p", null, turn.text), player(turn.clip, "user"));
      return el("div", { class: "turn" }, said, el("div", { class: "arms" }, ...[meeting.one, meeting.two].map((name) => arm(dialogue, name, place))));
    });
    return el("div", null, ...turns, verdicts(meeting));
  }

  function arm(dialogue, name, place) {
    const title = el("h3", null, el("span", null, name));
    if (dialogue.unusable[name]) return el("article", { class: "arm" }, title, el("p", { class: "missing" }, dialogue.unusable[name]));
    const reply = (dialogue.replies[name] || [])[place];
    if (!reply || (reply.text === null && reply.clip === null)) return el("article", { class: "arm" }, title, el("p", { class: "missing" }, "no reply in this turn"));
    return el("article", { class: "arm" }, title, reply.text === null ? null : el("p", null, reply.text), reply.clip === null ? null : player(reply.clip, `reply of ${name}`));
  }

  function verdicts(meeting) {
    const lines = meeting.votes.map((vote) => {
      const won = vote.verdict === "first" ? vote.first : vote.verdict === "second" ? vote.second : vote.verdict;
      const again = vote.repeat ? el("small", null, ` time ${vote.repeat + 1}`) : null;
      const told = vote.failure ? el("td", { class: "missing" }, vote.failure) : el("td", null, vote.reason || "–");
      return el("tr", null, el("th", { scope: "row" }, vote.rater, again), el("td", null, vote.first), el("td", null, won || "no verdict"), told);
    });
    const titles = ["who", "heard first", "verdict", "reason"].map((title) => el("th", { scope: "col" }, title));
    return el("table", null, el("thead", null, el("tr", null, ...titles)), el("tbody", null, ...lines));
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
  document.getElementById("system").addEventListener("change", (event) => {
    Object.assign(state, { system: event.target.value, shown: PAGE });
    drawRows();
  });
  document.getElementById("filters").addEventListener("change", (event) => {
    Object.assign(state, { verdict: event.target.value, shown: PAGE });
    drawRows();
  });
  document.getElementById("more").addEventListener("click", () => {
    state.shown += 4 * PAGE;
    drawRows();
  });
  drawHead();
  drawRows();
})();
