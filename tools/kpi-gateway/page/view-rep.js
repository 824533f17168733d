// One rep's card: each KPI with its target and pace, how it went over the weeks, what to fix, and where a number comes from.
import {get} from "/api.js";
import {add, el, put, select, text} from "/dom.js";
import {address} from "/catalog.js";
import {follow} from "/stream.js";
import {lines} from "/charts.js";
import {breadcrumb, failed, pace, setPace, status, windowTitle} from "/parts.js";
import * as format from "/format.js";

const WEEKS = 8;

export function title() {
  return "Card";
}

// "win_rate is ...": the formula or the words, its parts, and the newest events in it.
async function explain(place, catalog, kpi, window, key) {
  put(place, el("p", {class: "note"}, "Asking …"));
  try {
    const told = (await get("/api/v1/explain", {kpi: kpi.name, window, level: key.level, key: key.key})).explanation;
    put(place, el("p", {}, told.formula ? el("code", {}, told.formula) : told.means, ". ",
      told.from !== null ? `Since ${format.instant(told.from, catalog.zone)}.` : ""),
    told.parts?.length ? el("ul", {}, told.parts.map((part) =>
      el("li", {}, `${catalog.kpi(part.kpi).title}: ${format.value(part.value, part.unit)} (${part.n})`))) : null,
    told.events?.length ? el("p", {}, "Newest events in it:") : el("p", {}, "No event in it whose id is remembered."),
    told.events?.length ? el("ol", {class: "events"}, told.events.map((event) =>
      el("li", {}, el("time", {}, format.instant(event.time, catalog.zone)), " ", el("code", {}, event.id)))) : null);
  } catch (error) {
    put(place, failed(error));
  }
}

// Of each week what it came to.
async function trend(place, catalog, kpi, key) {
  if (!kpi.windows.includes("week")) return;
  const told = await get("/api/v1/history", {kpi: kpi.name, window: "week", level: key.level, key: key.key, from: Date.now() - (WEEKS + 1) * 7 * 86400000});
  const weeks = told.values.filter((value) => value.closed).slice(-WEEKS);
  if (weeks.length < 2) {
    put(place, el("p", {class: "note"}, "No weeks to compare with yet."));
    return;
  }
  const canvas = el("canvas", {role: "img", "aria-label": `${kpi.title} in the last ${weeks.length} weeks: ${weeks.map((w) => format.value(w.value, kpi.unit)).join(", ")}`});
  put(place, el("div", {class: "chart"}, canvas));
  const series = [{label: kpi.title, values: weeks.map((w) => w.value), colour: "--accent"}];
  if (weeks.some((w) => w.target !== null)) series.push({label: "target", values: weeks.map((w) => w.target), colour: "--ink-soft", dashed: true});
  await lines(canvas, weeks.map((w) => format.day(w.at, catalog.zone)), series, (v) => format.value(v, kpi.unit));
}

async function ranks(place, catalog, kpi, window, path) {
  if (catalog.peers !== "anonymous") return;
  const told = (await get("/api/v1/ranks", {kpi: kpi.name, window, path})).ranks.filter((one) => one.cell.rank);
  if (told.length < 2) return;
  told.sort((a, b) => a.cell.rank - b.cell.rank);
  put(place, el("p", {}, "The team, without names:"), el("ol", {class: "peers"}, told.map((one) =>
    el("li", {class: one.own ? "own" : null, value: one.cell.rank}, format.value(one.cell.value, kpi.unit), one.own ? " – you" : ""))));
}

function card(catalog, kpi, path, window) {
  const parts = {value: el("p", {class: "big"}), pace: pace(), status: el("p"), rank: el("p", {class: "soft"}), more: el("div", {class: "more"})};
  const details = el("details", {ontoggle: () => {
    if (!details.open || !parts.key) return;
    const chart = el("div"), peers = el("div"), why = el("div");
    put(parts.more, chart, peers, el("h4", {}, "Where it comes from"), why);
    trend(chart, catalog, kpi, parts.key).catch((error) => put(chart, error.status === 400 ? el("p", {class: "note"}, "There is no store, so there is no past.") : failed(error)));
    ranks(peers, catalog, kpi, window, path).catch(() => {});
    explain(why, catalog, kpi, window, parts.key);
  }}, el("summary", {}, "Trend and events"), parts.more);
  parts.element = el("article", {class: "card", "data-kpi": kpi.name}, el("h3", {}, kpi.title), parts.value, parts.pace, parts.status, parts.rank, details);
  return parts;
}

function fill(parts, kpi, cell, key) {
  parts.key = key;
  if (parts.cell === cell) return;
  parts.cell = cell;
  text(parts.value, format.value(cell?.value, kpi.unit));
  setPace(parts.pace, cell, kpi);
  put(parts.status, cell?.status ? status(cell) : null);
  text(parts.rank, cell?.rank ? `rank ${cell.rank} of ${cell.of}` : "");
  parts.element.dataset.status = cell?.status ?? "none";
}

export function show(main, {catalog, route, go}) {
  const path = route.path, level = catalog.levelOf(path), window = route.query.window ?? "day";
  const all = [...new Set(catalog.kpis.flatMap((kpi) => catalog.windows(kpi.name)))];
  const shown = catalog.kpis.filter((kpi) => kpi.windows.includes(window));
  const cards = new Map(shown.map((kpi) => [kpi.name, card(catalog, kpi, path, window)]));
  const fixes = el("section", {"aria-label": "What to fix"}), grid = el("div", {class: "cards"}), head = el("h1", {}, title());

  put(main, head, breadcrumb(catalog, path, (at) => address(catalog.levelOf(at) === catalog.rep ? "rep" : "floor", at)),
    el("form", {class: "choices"}, select("Window", "window", ["day", "week", "month", ...all.filter((w) => !["day", "week", "month"].includes(w))]
      .filter((w) => all.includes(w)).map((w) => [w, windowTitle(w)]), window, (w) => go(address("rep", path, {window: w})))),
    fixes, add(grid, [...cards.values()].map((parts) => parts.element)));

  let shownFixes = "";
  const changed = (store) => {
    const key = store.keys.get(path);
    if (!key) {
      shownFixes = "";
      put(fixes, el("p", {class: "note"}, store.ready ? "There is nobody of that name, or it is nobody whom you may see." : "Waiting for kpid …"));
      grid.hidden = true;
      return;
    }
    grid.hidden = false;
    text(head, key.name || key.key);
    document.title = `${key.name || key.key} – kpid`;
    for (const kpi of shown) fill(cards.get(kpi.name), kpi, key.kpis[kpi.name]?.[window], key);
    const theirs = [...store.alerts.values()].filter((alert) => alert.path.length === key.path.length && alert.state === "firing");
    if (shownFixes === JSON.stringify(theirs)) return;
    shownFixes = JSON.stringify(theirs);
    put(fixes, el("h2", {}, "What to fix"), theirs.length ? el("ul", {class: "fixes"}, theirs.map((alert) =>
      el("li", {class: alert.severity}, el("span", {class: `status ${alert.severity}`, "aria-hidden": "true"}, format.STATUS[alert.severity].sign), " ", alert.message,
        alert.coaching ? el("p", {class: "hint"}, alert.coaching) : null))) : el("p", {class: "note"}, "Nothing: no alert is firing."));
  };
  const stream = follow({level, under: path, window}, changed);
  return () => stream.end();
}
