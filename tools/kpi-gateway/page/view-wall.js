// For the television on the wall: one KPI after another, the best of each, and every win. It shows nobody's being last.
import {attribute, el, put, text} from "/dom.js";
import {follow} from "/stream.js";
import {windowTitle} from "/parts.js";
import * as format from "/format.js";

const TURN_MS = 12000;
const BEST = 5;
const CHEER_MS = 10000;
const WINS = ["deals_won", "revenue"];      // the first that there is tells of a win

export function title() {
  return "Wall";
}

export function show(main, {catalog, route}) {
  const window = route.query.window ?? "day";
  const kpis = catalog.kpis.filter((kpi) => kpi.better === "higher" && kpi.windows.includes(window)).slice(0, 8);
  const wins = WINS.map((name) => catalog.kpi(name)).find((kpi) => kpi.windows.includes("day"));
  const heading = el("h1"), best = el("ol", {class: "best"}), total = el("p", {class: "total"}), cheer = el("div", {class: "cheer", role: "status", hidden: true}), dots = el("p", {class: "dots", "aria-hidden": "true"});
  const known = new Map();
  let at = 0, timer, cheerTimer, ready = false;

  document.body.classList.add("wall");
  put(main, el("div", {class: "stage"}, heading, best, total, dots), cheer,
    el("p", {class: "buttons bare"}, el("button", {type: "button", onclick: () => document.documentElement.requestFullscreen?.()}, "Full screen")));
  if (!kpis.length) put(best, el("li", {class: "note"}, "No KPI to be proud of is configured: one with better: higher."));

  const draw = () => {
    const kpi = kpis[at];
    if (!kpi) return;
    const store = stream.store;
    const all = store.at(catalog.rep).map(([, key]) => ({name: key.name || key.key, value: key.kpis[kpi.name]?.[window]?.value ?? null}));
    const rows = all.filter((row) => row.value > 0).sort((a, b) => b.value - a.value || a.name.localeCompare(b.name)).slice(0, Math.min(BEST, Math.max(1, all.length - 1)));
    text(heading, `${kpi.title}, ${windowTitle(window)}`);
    const words = JSON.stringify(rows);
    if (best.dataset.rows !== words) {
      best.dataset.rows = words;
      put(best, rows.length ? rows.map((row) => el("li", {}, el("span", {class: "name"}, row.name), el("span", {class: "n"}, format.value(row.value, kpi.unit)))) : el("li", {class: "note"}, "The first one of the day leads."));
    }
    const company = store.cell("", kpi.name, window);
    text(total, company ? `All together ${format.value(company.value, kpi.unit)}${company.target ? ` of ${format.value(company.target, kpi.unit)}` : ""}` : "");
    attribute(dots, "data-at", String(at));
    text(dots, kpis.map((_, i) => (i === at ? "●" : "○")).join(" "));
  };

  const celebrate = (names) => {
    put(cheer, el("p", {}, el("strong", {}, names.join(", ")), names.length > 1 ? " have won a deal." : " has won a deal."));
    cheer.hidden = false;
    clearTimeout(cheerTimer);
    cheerTimer = setTimeout(() => { cheer.hidden = true; }, CHEER_MS);
  };

  const changed = (store) => {
    const names = [];
    for (const [path, key] of wins ? store.at(catalog.rep) : []) {
      const now = key.kpis[wins.name]?.day?.value ?? 0;
      if (ready && now > (known.get(path) ?? 0)) names.push(key.name || key.key);
      known.set(path, now);
    }
    ready ||= store.ready;
    if (names.length) celebrate(names);
    draw();
  };
  const turn = () => {
    at = kpis.length ? (at + 1) % kpis.length : 0;
    draw();
    timer = setTimeout(turn, TURN_MS);
  };
  const stream = follow({level: `company,${catalog.rep}`, window: [...new Set([window, "day"])].join(), kpi: [...new Set([...kpis, ...(wins ? [wins] : [])].map((k) => k.name))].join()}, changed);
  timer = setTimeout(turn, TURN_MS);
  return () => {
    document.body.classList.remove("wall");
    clearTimeout(timer);
    clearTimeout(cheerTimer);
    stream.end();
  };
}
