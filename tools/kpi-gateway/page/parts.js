// Pieces that several views are made of.
import {el, put, select, text} from "/dom.js";
import {places} from "/catalog.js";
import * as format from "/format.js";

// A status by shape, colour and word.
export function status(cell) {
  const known = format.STATUS[cell?.status];
  return known ? el("span", {class: `status ${cell.status}`, title: known.title}, el("span", {"aria-hidden": "true"}, known.sign), " ",
    el("span", {class: "word"}, known.title.split(":")[0])) : el("span", {class: "status none"}, format.NOTHING);
}

// What is, as a bar, with a mark at what is expected by now. It is drawn as the background of one element: a floor has hundreds.
export function pace() {
  const bar = el("span", {class: "bar"}), words = el("span", {class: "words"});
  return Object.assign(el("span", {class: "pace"}, bar, words), {bar, words});
}

function property(element, name, value) {
  if (element.style.getPropertyValue(name) !== value) element.style.setProperty(name, value);
}

export function setPace(place, cell, kpi) {
  const target = cell?.target, expected = cell?.expected;
  place.hidden = !(target > 0) || cell.value === null || cell.value === undefined;
  if (place.hidden) return;
  const most = Math.max(target, cell.value);
  property(place.bar, "--done", `${100 * Math.max(0, cell.value) / most}%`);
  property(place.bar, "--due", `${100 * Math.min(1, (expected ?? 0) / most)}%`);
  text(place.words, expected > 0 ? `${format.whole(cell.value / expected)} of ${format.value(expected, kpi.unit)} by now` : "nothing expected yet");
}

// Where we are, from the company down; each part leads there, as far as it may be seen.
export function breadcrumb(catalog, path, to) {
  const all = [["", catalog.levels[0] === "company" ? "Company" : catalog.levels[0]], ...places(path)];
  return el("nav", {"aria-label": "Place", class: "place"}, el("ol", {}, all.filter(([at]) => catalog.maySee(at)).map(([at, name], i, list) =>
    el("li", {}, i === list.length - 1 ? el("span", {"aria-current": "page"}, name) : el("a", {href: to(at)}, name)))),
  catalog.homes.length > 1 ? el("ul", {class: "below", "aria-label": "Everything that you may see"}, catalog.homes.map((home) =>
    el("li", {}, el("a", {href: to(home)}, places(home).map(([, name]) => name).join(" › "))))) : null);
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
