"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const by = (id) => document.getElementById(id);
  const LETTERS = { first: "A", second: "B" };
  const CHOICES = ["first", "second", "tie", "cannot_judge"];
  const player = new Audio();
  // What is open: the state of the box, its pieces to be heard, and what is being played.
  let state = null, pieces = [], queue = [], current = null, busy = false;

  // Text goes in as text nodes only: nothing that a system said is ever parsed as HTML.
  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  /* Where ballots come from and votes go: the program behind the page, or this browser. */

  function served() {
    async function ask(route, body) {
      const sent = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
      let answer;
      try {
        answer = await fetch(route, sent);
      } catch {
        throw new Error("The program does not answer any more. Every vote up to now is kept: start it again with the same command, and open the address that it prints.");
      }
      const told = await answer.json();
      if (answer.status === 409) return ask("state");
      if (!answer.ok) throw new Error(`Not kept: ${told.error}`);
      return told;
    }
    return {
      voter: data.voter,
      state: () => ask("state"),
      cast: (vote) => ask("vote", vote),
      undo: () => ask("undo", {}),
    };
  }

  function stored() {
    const place = `speechzoo-votes-${data.export}`;
    let kept = { voter: "", votes: [] };
    try {
      kept = JSON.parse(localStorage.getItem(place)) || kept;
    } catch { /* told when something is to be kept */ }
    // Half the voters hear the other system first, by a hash of their names: first places then weigh on nobody.
    function turned() {
      let hash = 0x811c9dc5;
      for (const byte of new TextEncoder().encode(kept.voter)) hash = Math.imul(hash ^ byte, 0x01000193);
      hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
      return ((hash ^ (hash >>> 12)) >>> 8) % 2 === 1;
    }
    const turn = (ballot) => ({ ...ballot, turns: ballot.turns.map((own) => ({ ...own, first: own.second, second: own.first })) });
    function keep() {
      try {
        localStorage.setItem(place, JSON.stringify(kept));
      } catch {
        alarm("This browser keeps nothing: download your votes before you close this page.");
      }
      by("kept").textContent = kept.votes.length === 1 ? "1 vote" : `${kept.votes.length} votes`;
    }
    async function now() {
      const voted = new Set(kept.votes.map((vote) => vote.ballot));
      const open = data.ballots.find((ballot) => !voted.has(ballot.id));
      const own = open ? { ...(turned() ? turn(open) : open), clips: data.clips } : null;
      return { id: open ? open.id : null, ballot: own, done: voted.size, total: data.ballots.length, undo: voted.size > 0 };
    }
    return {
      get voter() { return kept.voter; },
      join(voter) { kept.voter = voter; keep(); },
      state() { keep(); return now(); },
      cast(vote) { kept.votes.push({ ...vote, turned: turned(), created: new Date().toISOString() }); keep(); return now(); },
      undo() { kept.votes.pop(); keep(); return now(); },
      file: () => JSON.stringify({ format: "speechzoo-votes", version: 2, export: data.export, voter: kept.voter, votes: kept.votes }, null, 1),
    };
  }

  const box = data.ballots ? stored() : served();

  function alarm(text) {
    by("alarm").textContent = text;
    by("alarm").hidden = !text;
  }

  /* The dialogue. A piece is a clip's button with the dialogues it belongs to. */

  function piece(clip, name, turn, dialogues) {
    const seconds = `${Math.max(1, Math.round(clip.seconds))} s`;
    const button = el("button", { type: "button", class: "clip" }, el("span", { class: "sign", "aria-hidden": "true" }), el("span", { class: "name" }, name), el("span", { class: "seconds" }, seconds));
    const own = { button, clip, seconds, name: `${name}, turn ${turn}`, dialogues, heard: false, reached: 0 };
    button.addEventListener("click", () => (current === own ? toggle() : start([own])));
    pieces.push(own);
    label(own);
    return button;
  }

  function label(own) {
    const how = current === own && !player.paused ? "playing" : own.heard ? "heard" : "not heard yet";
    own.button.setAttribute("aria-label", `${own.name}, ${own.seconds}, ${how}`);
    own.button.classList.toggle("playing", how === "playing");
    own.button.classList.toggle("heard", own.heard);
  }

  function reply(ballot, turn, number, side) {
    const own = turn[side];
    const name = `Reply ${LETTERS[side]}`;
    const node = el("div", { class: "reply" });
    if (own.clip !== undefined) node.append(piece(ballot.clips[own.clip], name, number, [side]));
    else if (own.text !== undefined) node.append(el("p", { class: "note" }, `${name}, written`), el("p", { class: "written" }, own.text));
    else node.append(el("p", { class: "note" }, `${name}: there was none in this turn.`));
    return node;
  }

  function lay(ballot) {
    stop();
    pieces = [];
    by("dimension").textContent = ballot.dimension;
    by("question").textContent = ballot.question;
    by("points").replaceChildren(...ballot.points.map((point) => el("li", {}, point)));
    by("turns").replaceChildren(...ballot.turns.map((turn, place) => {
      const number = place + 1;
      const user = el("div", { class: "user" }, piece(ballot.clips[turn.user.clip], "User", number, ["first", "second"]));
      if (turn.words) user.append(el("p", { class: "words" }, `“${turn.words}”`));
      return el("li", {}, el("h3", {}, `Turn ${number}`), user, reply(ballot, turn, number, "first"), reply(ballot, turn, number, "second"));
    }));
  }

  /* Playing. Nothing can be skipped: a clip counts as heard when it ended by itself. */

  const dialogue = (side) => pieces.filter((own) => own.dialogues.includes(side));

  // The share of a dialogue's speech that was played, by length.
  function heard(side) {
    const own = dialogue(side);
    if (own.every((one) => one.heard)) return 1;
    const seconds = (share) => own.reduce((sum, one) => sum + one.clip.seconds * share(one), 0);
    return seconds((one) => (one.heard ? 1 : one.reached)) / Math.max(0.1, seconds(() => 1));
  }

  function start(wanted) {
    stop();
    queue = [...wanted];
    following();
  }

  function following() {
    const before = current;
    current = queue.shift() || null;
    if (before) { before.button.style.setProperty("--done", "0%"); label(before); }
    if (current) {
      player.src = current.clip.src;
      player.playbackRate = Number(by("speed").value);
      player.play().catch((error) => { if (error.name !== "AbortError") { stop(); alarm(`A clip cannot be played: ${error.message}`); } });
    }
    show();
  }

  function stop() {
    player.pause();
    queue = [];
    if (current) following();
  }

  function toggle() {
    if (!current) start([...dialogue("first"), ...dialogue("second")]);
    else if (player.paused) player.play();
    else player.pause();
  }

  player.addEventListener("ended", () => {
    if (!current) return;
    current.heard = true;
    following();
    listened();
  });
  for (const event of ["play", "pause"]) player.addEventListener(event, show);
  (function progress() {
    if (current && player.duration) {
      const done = player.currentTime / player.duration;
      current.reached = Math.min(1, Math.max(current.reached, done));
      current.button.style.setProperty("--done", `${100 * done}%`);
    }
    requestAnimationFrame(progress);
  })();

  function show() {
    if (current) label(current);
    by("play-all").firstElementChild.textContent = !current ? "Play both" : player.paused ? "Go on" : "Pause";
  }

  /* Choosing. */

  function listened() {
    const left = pieces.filter((own) => !own.heard).length;
    const closed = !data.free && left > 0;
    if (!closed && by("options").disabled) by("told").textContent = "You can choose now.";
    by("options").disabled = by("cast").disabled = closed;
    by("missing").textContent = closed ? `Listen to everything once, then choose: ${left} of ${pieces.length} clips are left.` : "Which of the two was better?";
  }

  const chosen = () => document.querySelector("input[name=choice]:checked");

  function open(told) {
    state = told;
    alarm("");
    stop();
    by("count").textContent = state.ballot ? `Dialogue ${state.done + 1} of ${state.total}` : `${state.done} of ${state.total}`;
    by("progress").max = Math.max(1, state.total);
    by("progress").value = state.done;
    by("voter").textContent = box.voter;
    by("ballot").hidden = !state.ballot;
    by("end").hidden = Boolean(state.ballot);
    if (by("take")) {
      by("take").hidden = false;
      by("download").classList.toggle("strong", !state.ballot);
    }
    for (const button of document.querySelectorAll(".undo")) button.hidden = !state.undo;
    by("choose").reset();
    if (state.ballot) {
      by("options").disabled = false;
      lay(state.ballot);
      by("told").textContent = "";
      listened();
    }
    // A reader hears the new question, and the keyboard goes on from the top.
    window.scrollTo(0, 0);
    by(state.ballot ? "question" : "thanks").focus({ preventScroll: true });
  }

  async function act(what) {
    if (busy) return;
    busy = true;
    try {
      open(await what());
    } catch (error) {
      alarm(error.message);
    } finally {
      busy = false;
    }
  }

  const undo = () => { if (state && state.undo) act(() => box.undo()); };

  by("choose").addEventListener("submit", (event) => {
    event.preventDefault();
    if (by("cast").disabled) return;
    if (!chosen()) {
      by("missing").textContent = by("told").textContent = "Choose one of the four first.";
      document.querySelector("input[name=choice]").focus();
      return;
    }
    const vote = { ballot: state.id, choice: chosen().value, reason: by("reason").value, heard: { first: heard("first"), second: heard("second") } };
    act(() => box.cast(vote));
  });
  for (const button of document.querySelectorAll(".undo")) button.addEventListener("click", undo);
  by("play-all").addEventListener("click", toggle);
  for (const side of ["first", "second"]) by(`play-${side}`).addEventListener("click", () => start(dialogue(side)));
  by("speed").addEventListener("change", () => { player.playbackRate = Number(by("speed").value); });

  function choose(place) {
    if (by("options").disabled) { by("told").textContent = by("missing").textContent; return; }
    const radio = document.querySelector(`input[value=${CHOICES[place]}]`);
    radio.checked = true;
    radio.focus();
  }

  function faster(by_how_much) {
    const speed = by("speed");
    speed.selectedIndex = Math.min(speed.length - 1, Math.max(0, speed.selectedIndex + by_how_much));
    speed.dispatchEvent(new Event("change"));
  }

  const KEYS = {
    p: toggle, a: () => start(dialogue("first")), b: () => start(dialogue("second")), u: undo,
    ",": () => faster(-1), ".": () => faster(1),
    1: () => choose(0), 2: () => choose(1), 3: () => choose(2), 4: () => choose(3),
  };
  document.addEventListener("keydown", (event) => {
    if (!state || event.altKey || event.metaKey || event.isComposing) return;
    const on = event.target;
    if (event.key === "Enter" && !by("ballot").hidden) {
      // Where Enter has a meaning of its own it keeps it.
      if (!(on instanceof HTMLTextAreaElement ? event.ctrlKey : on === document.body || on === by("question"))) return;
      event.preventDefault();
      by("choose").requestSubmit();
      return;
    }
    const writes = on instanceof HTMLTextAreaElement || on instanceof HTMLSelectElement || (on instanceof HTMLInputElement && !["radio", "checkbox"].includes(on.type));
    const act_on = KEYS[event.key.toLowerCase()];
    if (!act_on || event.ctrlKey || event.repeat || writes || !by("single").checked) return;
    if (by("ballot").hidden && act_on !== undo) return;
    event.preventDefault();
    act_on();
  });

  /* The beginning. */

  if (by("download")) {
    by("download").addEventListener("click", () => {
      const link = el("a", { href: URL.createObjectURL(new Blob([box.file()], { type: "application/json" })), download: `votes-${data.export}.json` });
      link.click();
      URL.revokeObjectURL(link.href);
    });
    by("join").addEventListener("submit", (event) => {
      event.preventDefault();
      box.join(by("name").value.trim());
      if (!box.voter) return;
      by("join").hidden = true;
      act(() => box.state());
    });
  }
  if (box.voter) act(() => box.state());
  else { by("join").hidden = false; by("name").focus(); }
})();
