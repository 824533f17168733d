// Contests: who leads in what, for how long still.
import {get} from "/api.js";
import {el, put} from "/dom.js";
import {follow} from "/stream.js";
import {failed} from "/parts.js";
import * as format from "/format.js";

const AGAIN_MS = 10000;      // one begins or ends without an event
const STATES = {coming: "has not begun", running: "is running", over: "is over"};

export function title() {
  return "Contests";
}

function standing(contest) {
  if (!contest.standing.length) return el("p", {class: "note"}, contest.state === "coming" ? "Nobody has points before it begins." : "Nobody takes part.");
  return el("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": `Standing of ${contest.title || contest.name}`}, el("table", {class: "board narrow"},
    el("thead", {}, el("tr", {}, ["#", "Name", "Points"].map((name, i) => el("th", {scope: "col", class: i === 1 ? null : "n"}, name)))),
    el("tbody", {}, contest.standing.map((place) => el("tr", {}, el("td", {class: "n rank"}, place.rank ?? format.NOTHING), el("th", {scope: "row"}, place.name || place.key || "somebody"),
      el("td", {class: "n value"}, format.value(place.value, contest.unit)))))));
}

export function show(main, {catalog}) {
  const list = el("div", {class: "columns"}, el("p", {class: "note"}, "Asking …"));
  let timer, running = true, told = "";

  put(main, el("h1", {}, "Contests"), list);
  const ask = async () => {
    clearTimeout(timer);
    try {
      const contests = (await get("/api/v1/contests")).contests;
      if (running && JSON.stringify(contests) !== told) {
        told = JSON.stringify(contests);
        put(list, contests.length ? contests.map((contest) => el("section", {"data-contest": contest.name}, el("h2", {}, contest.title || contest.name),
          el("p", {class: "soft"}, `${format.instant(contest.from, catalog.zone)} to ${format.instant(contest.to, catalog.zone)}: it ${STATES[contest.state] ?? contest.state}.`), standing(contest)))
          : el("div", {class: "empty"}, el("h2", {}, "No contest is set up"), el("p", {}, "A section “contests” in kpid's configuration makes one; config/README.md tells how.")));
      }
    } catch (error) {
      if (running) put(list, failed(error));
      told = "";
    }
    clearTimeout(timer);
    if (running) timer = setTimeout(ask, AGAIN_MS);
  };
  const stream = follow({level: catalog.levels[0], kpi: catalog.kpis[0]?.name, window: "day", contests: 1}, () => {}, ask);      // and whether the numbers are live
  ask();
  return () => {
    running = false;
    stream.end();
    clearTimeout(timer);
  };
}
