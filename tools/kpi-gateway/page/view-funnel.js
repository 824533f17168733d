// The steps of the sales process: how many come in, go on, how long it takes, and where deals stand.
import {attribute, el, put, select, text} from "/dom.js";
import {follow} from "/stream.js";
import {bars} from "/charts.js";
import {breadcrumb, windowTitle} from "/parts.js";
import {address, places} from "/catalog.js";
import * as format from "/format.js";

const DRAW_MS = 3000;
const LIST_MAX = 4096;    // bytes of a list that the gateway takes: of a longer funnel all KPIs are followed
const FEW = 10;         // of fewer nothing is called the largest loss

export function title() {
  return "Funnel";
}

export function read(store, path, funnel, stages, window) {
  const cell = (stage, what) => store.cell(path, `${funnel}.${stage}.${what}`, window);
  return stages.map((stage) => ({stage, entered: cell(stage, "entered")?.value ?? null, converted: cell(stage, "converted")?.value ?? null,
    time: cell(stage, "median_time")?.value ?? null, open: cell(stage, "open")?.value ?? null, skipped: cell(stage, "skipped")?.value ?? null}));
}

// The step after which most are lost, by how many did not go on. Nothing where there are few.
export function largestLoss(steps) {
  const losses = steps.slice(0, -1).filter((s) => s.entered >= FEW && s.converted !== null).map((s) => ({step: s, lost: s.entered * (1 - s.converted)}));
  losses.sort((a, b) => b.lost - a.lost);
  return losses.length && losses[0].lost > 0 ? losses[0] : null;
}

export function show(main, {catalog, route, go}) {
  const path = route.path && catalog.maySee(route.path) ? route.path : catalog.homes[0];
  const funnel = catalog.funnels.has(route.query.funnel) ? route.query.funnel : [...catalog.funnels.keys()][0];
  const stages = catalog.funnels.get(funnel) ?? [];
  const windows = catalog.windows(`${funnel}.${stages[0]}.entered`);
  const window = windows.includes(route.query.window) ? route.query.window : windows.includes("month") ? "month" : windows[0];
  const to = (at, w = window) => address("funnel", at, {funnel, window: w});
  const sides = catalog.kpis.filter((kpi) => /inbound|outbound/.test(kpi.name) && kpi.windows.includes(window));
  const canvas = el("canvas", {role: "img", "aria-label": "How many entered each step: the table has the numbers"});
  const words = el("p", {class: "lead", role: "status"}), children = el("ul", {class: "below"});
  const rows = new Map(stages.map((stage) => [stage, ["entered", "converted", "time", "open", "skipped"].map(() => el("td", {class: "n"}))]));
  const table = el("table", {class: "board"}, el("caption", {}, `Steps, ${windowTitle(window)}`),
    el("thead", {}, el("tr", {}, ["Step", "Entered", "Went on", "Median time in it", "Open now", "Skipped"].map((name, i) => el("th", {scope: "col", class: i ? "n" : null}, name)))),
    el("tbody", {}, stages.map((stage) => el("tr", {"data-stage": stage}, el("th", {scope: "row"}, stage), rows.get(stage)))));
  const sideRows = new Map(sides.map((kpi) => [kpi.name, el("td", {class: "n"})]));
  let drawn = "", timer, running = true;

  if (!funnel) {
    put(main, el("h1", {}, "Funnel"), el("div", {class: "empty"}, el("h2", {}, "No funnel is configured"),
      el("p", {}, "A section “funnels” in kpid's configuration names the steps of the sales process; config/README.md tells how.")));
    return () => {};
  }
  put(main, el("h1", {}, `Funnel: ${path ? places(path).pop()[1] : "the company"}`), breadcrumb(catalog, path, (at) => to(at)),
    el("form", {class: "choices"},
      catalog.funnels.size > 1 ? select("Funnel", "funnel", [...catalog.funnels.keys()].map((f) => [f, f]), funnel, (f) => go(address("funnel", path, {funnel: f, window}))) : null,
      select("Window", "window", windows.map((w) => [w, windowTitle(w)]), window, (w) => go(to(path, w)))),
    words, el("div", {class: "chart tall"}, canvas), el("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": "Steps"}, table),
    sides.length ? el("section", {}, el("h2", {}, "Inbound against outbound"), el("table", {class: "board narrow"}, el("tbody", {}, sides.map((kpi) =>
      el("tr", {}, el("th", {scope: "row"}, kpi.title), sideRows.get(kpi.name)))))) : null,
    el("section", {}, el("h2", {}, "Below"), children));

  const draw = async (steps) => {
    const now = steps.map((s) => `${s.entered} ${s.open}`).join();
    if (now === drawn || !running) return;
    drawn = now;
    await bars(canvas, steps.map((s) => s.stage), [{label: "entered", values: steps.map((s) => s.entered), colour: "--accent"}, {label: "open now", values: steps.map((s) => s.open), colour: "--warning"}],
      (v) => format.value(v, null));
  };

  const changed = (store) => {
    const steps = read(store, path, funnel, stages, window), loss = largestLoss(steps);
    for (const step of steps) {
      const row = rows.get(step.stage);
      [format.value(step.entered), format.share(step.converted), format.value(step.time, "s"), format.value(step.open), format.value(step.skipped)].forEach((t, i) => text(row[i], t));
      attribute(row[0].parentElement, "data-loss", String(loss?.step === step));
    }
    text(words, loss ? `Most are lost after “${loss.step.stage}”: ${Math.round(loss.lost)} of ${loss.step.entered} did not go on.` : store.ready ? "Too few deals in this window to name a largest loss." : "Waiting for kpid …");
    for (const kpi of sides) text(sideRows.get(kpi.name), format.value(store.cell(path, kpi.name, window)?.value, kpi.unit));
    const below = catalog.below(catalog.levelOf(path));
    const names = below ? store.at(below, path).map(([at, key]) => [at, key.name || key.key]).sort((a, b) => a[1].localeCompare(b[1])) : [];
    if (children.dataset.names !== JSON.stringify(names)) {
      children.dataset.names = JSON.stringify(names);
      put(children, names.length ? names.map(([at, name]) => el("li", {}, el("a", {href: to(at)}, name))) : el("li", {class: "soft"}, "nobody"));
    }
    if (!timer) {
      draw(steps);
      timer = setTimeout(() => {
        timer = undefined;
        draw(read(stream.store, path, funnel, stages, window));
      }, DRAW_MS);
    }
  };
  const level = catalog.levelOf(path), below = catalog.below(level);
  const kpi = [...stages.flatMap((s) => ["entered", "converted", "median_time", "open", "skipped"].map((w) => `${funnel}.${s}.${w}`)), ...sides.map((k) => k.name)].join();
  const stream = follow({under: path, window, level: [level, below].filter(Boolean).join(), kpi: kpi.length < LIST_MAX ? kpi : undefined}, changed);
  return () => {
    running = false;
    clearTimeout(timer);
    stream.end();
  };
}
