// Pieces that several views are made of.
import {el, put, select} from "/dom.js";
import {places} from "/catalog.js";
import * as format from "/format.js";

// A status by shape, colour and word.
export function status(cell) {
  const known = format.STATUS[cell?.status];
  return known ? el("span", {class: `status ${cell.status}`, title: known.title}, el("span", {"aria-hidden": "true"}, known.sign), " ",
    el("span", {class: "word"}, known.title.split(":")[0])) : el("span", {class: "status none"}, format.NOTHING);
}

// What is, as a bar beside what is expected by now.
export function pace() {
  const bar = el("span", {class: "bar"}, el("span", {class: "fill"}), el("span", {class: "mark"}));
  const words = el("span", {class: "words"});
  return Object.assign(el("span", {class: "pace"}, bar, words), {bar, words});
}

export function setPace(place, cell, kpi) {
  const target = cell?.target, expected = cell?.expected;
  place.hidden = !(target > 0) || cell.value === null || cell.value === undefined;
  if (place.hidden) return;
  const most = Math.max(target, cell.value ?? 0) || 1;
  place.bar.children[0].style.width = `${100 * Math.max(0, cell.value ?? 0) / most}%`;
  place.bar.children[1].style.left = `${100 * Math.min(1, (expected ?? 0) / most)}%`;
  const words = expected > 0 ? `${format.whole((cell.value ?? 0) / expected)} of ${format.value(expected, kpi.unit)} by now` : "nothing expected yet";
  if (place.words.textContent !== words) place.words.textContent = words;
}

// Where we are, from the company down; each part leads there, as far as it may be seen.
export function breadcrumb(catalog, path, to) {
  const all = [["", catalog.levels[0] === "company" ? "Company" : catalog.levels[0]], ...places(path)];
  return el("nav", {"aria-label": "Place", class: "place"}, el("ol", {}, all.filter(([at]) => catalog.maySee(at)).map(([at, name], i, list) =>
    el("li", {}, i === list.length - 1 ? el("span", {"aria-current": "page"}, name) : el("a", {href: to(at)}, name)))));
}

export function kpiChoice(catalog, kpi, changed) {
  return select("KPI", "kpi", catalog.kpis.map((k) => [k.name, k.title]), kpi, changed);
}

const WINDOWS = {day: "today", week: "this week", month: "this month", quarter: "this quarter", year: "this year"};

export function windowTitle(window) {
  return WINDOWS[window] ?? `last ${window}`;
}

export function windowChoice(catalog, kpi, window, changed) {
  return select("Window", "window", catalog.windows(kpi).map((w) => [w, windowTitle(w)]), window, changed);
}

// What to say when there is nothing yet.
export function nothing(place, store) {
  put(place, store.ready
    ? el("div", {class: "empty"}, el("h2", {}, "No numbers yet"),
      el("p", {}, "Nobody is in the roster, and no event has come. Send one, and it shows up here within a second:"),
      el("pre", {}, `echo '{"type":"call","rep":"ana","direction":"outbound"}' | kpictl emit -`))
    : el("p", {class: "note"}, "Waiting for kpid …"));
}

export function failed(error) {
  const words = {0: "The gateway does not answer. It will be tried again.", 403: "You may not see this.", 404: "There is no such thing, or it is nothing that you may see.",
    429: "Too many requests at a time. Wait a moment.", 503: "kpid is not there just now.", 504: "kpid does not answer just now."}[error.status];
  return el("p", {class: "note", role: "alert"}, words ?? `That did not work: ${error.message}`);
}
