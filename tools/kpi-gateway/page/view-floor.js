// The floor: who stands where in one KPI, from the company down to a rep.
import {get} from "/api.js";
import {attribute, el, keepFocus, put, text} from "/dom.js";
import {follow} from "/stream.js";
import {sparkline} from "/charts.js";
import {breadcrumb, kpiChoice, nothing, pace, setPace, status, windowChoice, windowTitle} from "/parts.js";
import {places} from "/catalog.js";
import * as format from "/format.js";

const SORT_MS = 500;        // rows change their places no more often
const TRENDS = 12;          // rows that have a trend
const FIRST_MS = 3000;      // when it is drawn first,
const TREND_MS = 15000;     // and then how often
const POINTS = 60;

export function title() {
  return "Floor";
}

export function show(main, {catalog, route, go}) {
  const under = route.path && catalog.maySee(route.path) ? route.path : catalog.homes[0];
  const kpi = catalog.kpi(route.query.kpi ?? catalog.kpis[0]?.name);
  const window = catalog.windowOf(kpi.name, route.query.window ?? "day");
  const own = catalog.levelOf(under);
  const level = catalog.levels.includes(route.query.level) && catalog.levels.indexOf(route.query.level) >= catalog.levels.indexOf(own)
    ? route.query.level : catalog.below(own) ?? own;
  const to = (path, change = {}) => `#/floor/${path}?${new URLSearchParams({kpi: kpi.name, window, ...change})}`;
  const body = el("tbody"), rows = new Map(), trends = new Map(), empty = el("div");
  const table = el("table", {class: "board"},
    el("caption", {}, `${kpi.title}, ${windowTitle(window)}, by ${level}`),
    el("thead", {}, el("tr", {}, ["#", "Name", "Value", "Target", "Pace", "Status", "Trend"].map((name) =>
      el("th", {scope: "col", class: {"#": "n", Value: "n", Target: "n", Trend: "trend"}[name]}, name === "#" ? el("abbr", {title: "Rank"}, "#") : name)))),
    body);
  let sortedAt = 0, timer, chartTimer, running = true;

  put(main, el("h1", {}, under ? places(under).pop()[1] : "The floor"), breadcrumb(catalog, under, (path) => to(path)),
    el("form", {class: "choices", onsubmit: (event) => event.preventDefault()},
      kpiChoice(catalog, kpi.name, (name) => go(to(under, {kpi: name, level}))),
      windowChoice(catalog, kpi.name, window, (name) => go(to(under, {window: name, level}))),
      el("span", {class: "levels", role: "group", "aria-label": "Level"}, catalog.levels.slice(catalog.levels.indexOf(own)).filter((l) => l !== "company").map((l) =>
        el("a", {href: to(under, {level: l}), "aria-current": l === level ? "true" : null}, l)))),
    el("div", {class: "scroll", role: "region", "aria-label": "Leaderboard", tabindex: "0"}, table), empty);

  const link = (path) => level === catalog.rep ? `#/rep/${path}` : to(path);

  const make = (path, key) => {
    const parts = {rank: el("td", {class: "n rank"}), name: el("a", {href: link(path)}), value: el("td", {class: "n value"}), target: el("td", {class: "n"}),
      pace: pace(), status: el("td", {class: "state"}), trend: el("td", {class: "trend"})};
    parts.row = el("tr", {"data-path": path}, parts.rank, el("th", {scope: "row"}, parts.name), parts.value, parts.target, el("td", {}, parts.pace), parts.status, parts.trend);
    rows.set(path, parts);
    text(parts.name, key.name || key.key || "Company");
    return parts;
  };

  const write = (path, key) => {
    const parts = rows.get(path) ?? make(path, key);
    const cell = key.kpis[kpi.name]?.[window];
    if (parts.cell === cell) return;
    parts.cell = cell;
    text(parts.name, key.name || key.key || "Company");
    text(parts.value, format.value(cell?.value, kpi.unit));
    text(parts.target, cell?.target ? format.value(cell.target, kpi.unit) : "");
    setPace(parts.pace, cell, kpi);
    attribute(parts.row, "data-status", cell?.status ?? "none");
    if (parts.state !== cell?.status || !parts.status.firstChild) {
      parts.state = cell?.status;
      put(parts.status, status(cell));
    }
    if (cell?.value !== null && cell?.value !== undefined) {
      const seen = trends.get(path) ?? [];
      seen.push(cell.value);
      trends.set(path, seen.slice(-POINTS));
    }
  };

  // Best first; who has no number last, by name.
  const order = (a, b) => {
    const x = a.cell?.value ?? null, y = b.cell?.value ?? null;
    if (x === null || y === null) return (x === null) - (y === null) || a.name.textContent.localeCompare(b.name.textContent);
    return (kpi.better === "lower" ? x - y : y - x) || a.name.textContent.localeCompare(b.name.textContent);
  };

  // Ranks are those of this list: kpid's own is that among the siblings, and is told only when the number itself has changed.
  const sort = () => {
    let rank = 0, before;
    timer = undefined;
    sortedAt = performance.now();
    keepFocus(body, () => [...rows.values()].sort(order).forEach((parts, i) => {
      const value = parts.cell?.value ?? null;
      if (value !== before) rank = i + 1;
      before = value;
      text(parts.rank, value === null || kpi.better === "none" ? "" : String(rank));
      if (body.children[i] !== parts.row) body.insertBefore(parts.row, body.children[i] ?? null);
    }));
  };

  const changed = (store) => {
    const there = store.at(level, under);
    const paths = new Set(there.map(([path]) => path));
    for (const [path, parts] of rows) {
      if (paths.has(path)) continue;
      parts.row.remove();
      rows.delete(path);
    }
    for (const [path, key] of there) write(path, key);
    table.hidden = rows.size === 0;
    if (rows.size === 0) nothing(empty, store);
    else put(empty);
    timer ??= setTimeout(sort, Math.max(0, sortedAt + SORT_MS - performance.now()));
  };

  const draw = async () => {
    for (const parts of [...rows.values()].sort(order).slice(0, TRENDS)) {
      const values = trends.get(parts.row.dataset.path) ?? [];
      if (values.length < 2 || !running) continue;
      parts.canvas ??= parts.trend.appendChild(el("canvas", {width: 96, height: 26, role: "img", "aria-label": "trend"}));
      parts.chart?.destroy();
      parts.chart = await sparkline(parts.canvas, values);
    }
    if (running) chartTimer = setTimeout(draw, TREND_MS);
  };

  // What was, where there is a store; the rest is what this page has seen.
  const recall = async (store) => {
    for (const parts of [...rows.values()].sort(order).slice(0, TRENDS)) {
      const path = parts.row.dataset.path, key = store.keys.get(path);
      if (!key || !running) continue;
      try {
        const told = await get("/api/v1/history", {kpi: kpi.name, window, level: key.level, key: key.key, from: Date.now() - 12 * 3600000});
        const values = told.values.filter((v) => !v.closed && v.value !== null).map((v) => v.value);
        trends.set(path, [...values, ...(trends.get(path) ?? [])].slice(-POINTS));
      } catch {
        break;
      }
    }
    if (running) chartTimer = setTimeout(draw, FIRST_MS);
  };

  const stream = follow({level, under, kpi: kpi.name, window}, (store) => {
    const first = rows.size === 0;
    changed(store);
    if (first && rows.size) setTimeout(() => running && recall(store), 300);
  });
  return () => {
    running = false;
    clearTimeout(timer);
    clearTimeout(chartTimer);
    for (const parts of rows.values()) parts.chart?.destroy();
    stream.end();
  };
}
