// The floor: who stands where in one KPI, from the company down to a rep.
import {get} from "/api.js";
import {attribute, el, keepFocus, put, text} from "/dom.js";
import {follow} from "/stream.js";
import {sparkline} from "/charts.js";
import {breadcrumb, kpiChoice, nothing, pace, setPace, status, windowChoice, windowTitle} from "/parts.js";
import {address, places} from "/catalog.js";
import * as format from "/format.js";

const SORT_MS = 500;        // rows change their places no more often
const MOST = 100;           // rows that are shown, unless all are asked for: the first are what is looked at, and each that is there costs
const TRENDS = 12;          // rows that have a trend
const FIRST_MS = 3000;      // when it is drawn first,
const TREND_MS = 15000;     // and then how often
const POINTS = 60;
const names = new Intl.Collator();

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
  const to = (path, change = {}) => address("floor", path, {kpi: kpi.name, window, ...change});
  const body = el("tbody", {role: "rowgroup"}), rows = new Map(), empty = el("div");      // path: what it is, and once it is shown its row
  const table = el("table", {class: "board floor", role: "table"},      // laid out otherwise, and a table all the same
    el("caption", {}, `${kpi.title}, ${windowTitle(window)}, by ${level}`),
    el("thead", {role: "rowgroup"}, el("tr", {role: "row"}, ["#", "Name", "Value", "Target", "Pace", "Status", "Trend"].map((name) =>
      el("th", {role: "columnheader", scope: "col", class: {"#": "n rank", Value: "n value", Target: "n target", Pace: "pacing", Status: "state", Trend: "trend"}[name]}, name === "#" ? el("abbr", {title: "Rank"}, "#") : name)))),
    body);
  let sortedAt = -SORT_MS, timer, chartTimer, recalled = false, all = false, running = true;
  const more = el("button", {type: "button", hidden: true, onclick: () => {
    const first = body.lastElementChild;
    all = true;
    sort();
    first.nextElementSibling?.querySelector("a").focus();
  }});

  put(main, el("h1", {}, under ? places(under).pop()[1] : "The floor"), breadcrumb(catalog, under, (path) => to(path)),
    el("form", {class: "choices", onsubmit: (event) => event.preventDefault()},
      kpiChoice(catalog, kpi.name, (name) => go(to(under, {kpi: name, level}))),
      windowChoice(catalog, kpi.name, window, (name) => go(to(under, {window: name, level}))),
      el("span", {class: "levels", role: "group", "aria-label": "Level"}, catalog.levels.slice(catalog.levels.indexOf(own)).filter((l) => l !== "company").map((l) =>
        el("a", {href: to(under, {level: l}), "aria-current": l === level ? "true" : null}, l)))),
    el("div", {class: "scroll", role: "region", "aria-label": "Leaderboard", tabindex: "0"}, table), el("p", {class: "buttons bare"}, more), empty);

  const link = (path) => level === catalog.rep ? address("rep", path) : to(path);

  const make = (one) => {
    const cell = (name, ...children) => el("td", {role: "cell", class: name}, children);
    const parts = {rank: cell("n rank"), name: el("a", {href: link(one.path)}), value: cell("n value"), target: cell("n target"), pace: pace(), status: cell("state"), trend: cell("trend")};
    parts.row = el("tr", {role: "row", "data-path": one.path}, parts.rank, el("th", {role: "rowheader", scope: "row"}, parts.name), parts.value, parts.target,
      cell("pacing", parts.pace), parts.status, parts.trend);
    return parts;
  };

  // Write what has changed since it was written last.
  const write = (one) => {
    const {cell, parts} = one;
    text(parts.name, one.title);
    if (parts.cell === cell && parts.status.firstChild) return;
    parts.cell = cell;
    text(parts.value, format.value(cell?.value, kpi.unit));
    text(parts.target, cell?.target ? format.value(cell.target, kpi.unit) : "");
    setPace(parts.pace, cell, kpi);
    attribute(parts.row, "data-status", cell?.status ?? "none");
    if (parts.state !== cell?.status || !parts.status.firstChild) {
      parts.state = cell?.status;
      put(parts.status, status(cell));
    }
  };

  const note = (path, key) => {
    const one = rows.get(path) ?? {path, seen: []};
    const cell = key.kpis[kpi.name]?.[window];
    rows.set(path, one);
    one.title = key.name || key.key || "Company";
    if (one.cell !== cell && cell?.value !== null && cell?.value !== undefined) one.seen = [...one.seen.slice(1 - POINTS), cell.value];
    one.cell = cell;
    if (one.parts?.row.isConnected) write(one);
  };

  // Best first; who has no number last, by name.
  const order = (a, b) => {
    const x = a.cell?.value ?? null, y = b.cell?.value ?? null;
    if (x === null || y === null) return (x === null) - (y === null) || names.compare(a.title, b.title);
    return (kpi.better === "lower" ? x - y : y - x) || names.compare(a.title, b.title);
  };

  // Ranks are those of this list: kpid's own is that among the siblings, and is told only when the number itself has changed.
  const sort = () => {
    const best = [...rows.values()].sort(order), shown = all ? best : best.slice(0, MOST);
    let rank = 0, before, at;
    timer = undefined;
    sortedAt = performance.now();
    shown.forEach((one, i) => {
      const value = one.cell?.value ?? null;
      if (value !== before) rank = i + 1;
      before = value;
      one.parts ??= make(one);
      write(one);
      text(one.parts.rank, value === null || kpi.better === "none" ? "" : String(rank));
    });
    for (const one of best.slice(shown.length)) one.parts?.row.remove();
    // Who has risen is moved, and who has fallen is taken out, not all those between moved: a browser lays out what moves.
    at = body.firstElementChild;
    keepFocus(body, () => shown.forEach(({parts: {row}}) => {
      if (at && at !== row && at.nextElementSibling === row) {
        at.remove();
        at = row;
      }
      if (at === row) at = row.nextElementSibling;
      else body.insertBefore(row, at);
    }));
    more.hidden = shown.length === best.length;
    text(more, `Show all ${best.length}`);
  };

  const drop = (one) => {
    one?.parts?.row.remove();
    rows.delete(one?.path);
  };

  const changed = (store) => {
    if (store.touched) {
      for (const [path, key] of store.touchedAt(level, under)) {
        if (key) note(path, key);
        else drop(rows.get(path));
      }
    } else {
      const there = new Map(store.at(level, under));
      for (const [path, one] of rows) if (!there.has(path)) drop(one);
      for (const [path, key] of there) note(path, key);
    }
    table.hidden = rows.size === 0;
    if (rows.size === 0) nothing(empty, store);
    else if (empty.firstChild) put(empty);
    timer ??= setTimeout(sort, Math.max(0, sortedAt + SORT_MS - performance.now()));
  };

  const leaders = () => [...rows.values()].sort(order).slice(0, TRENDS).filter((one) => one.parts);

  const draw = async () => {
    for (const {seen, parts} of leaders()) {
      if (seen.length < 2 || !running) continue;
      parts.canvas ??= parts.trend.appendChild(el("canvas", {width: 96, height: 26, role: "img", "aria-label": "trend"}));
      await sparkline(parts.canvas, seen);
      await new Promise((go) => { setTimeout(go); });     // a frame need not wait for all of them
    }
    if (running) chartTimer = setTimeout(draw, TREND_MS);
  };

  // What was, where there is a store; the rest is what this page has seen.
  const recall = async (store) => {
    for (const one of leaders()) {
      const key = store.keys.get(one.path);
      if (!key || !running) continue;
      try {
        const told = await get("/api/v1/history", {kpi: kpi.name, window, level: key.level, key: key.key, from: Date.now() - 12 * 3600000});
        one.seen = [...told.values.filter((v) => !v.closed && v.value !== null).map((v) => v.value), ...one.seen].slice(-POINTS);
      } catch {
        break;
      }
    }
    if (running) chartTimer = setTimeout(draw, FIRST_MS);
  };

  const stream = follow({level, under, kpi: kpi.name, window}, (store) => {
    changed(store);
    if (recalled || rows.size === 0) return;
    recalled = true;
    chartTimer = setTimeout(recall, 300, store);
  });
  return () => {
    running = false;
    clearTimeout(timer);
    clearTimeout(chartTimer);
    stream.end();
  };
}
