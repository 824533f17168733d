// The weekly meeting: how this week goes, what works, what does not, and what to talk about. Made to be printed.
import {el, put, text} from "/dom.js";
import {follow} from "/stream.js";
import {breadcrumb, status} from "/parts.js";
import {address, places} from "/catalog.js";
import {largestLoss, read} from "/view-funnel.js";
import * as format from "/format.js";

const DRAW_MS = 1000;

export function title() {
  return "Meeting";
}

export function show(main, {catalog, route}) {
  const path = route.path && catalog.maySee(route.path) ? route.path : catalog.homes[0], window = "week";
  const kpis = catalog.kpis.filter((kpi) => kpi.windows.includes(window)), level = catalog.levelOf(path), below = catalog.below(level);
  const body = el("tbody"), works = el("ul"), doesNot = el("ul"), talk = el("ol"), where = el("ul", {class: "below"});
  let timer;

  put(main, el("h1", {}, `Weekly meeting: ${path ? places(path).pop()[1] : "the company"}`), breadcrumb(catalog, path, (at) => address("meeting", at)),
    el("p", {class: "buttons bare"}, el("button", {type: "button", onclick: () => globalThis.print()}, "Print")),
    el("section", {}, el("h2", {}, "How we track this week"), el("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": "How we track"}, el("table", {class: "board"},
      el("thead", {}, el("tr", {}, ["KPI", "Actual", "Target", "Expected by now", "Gap", "Status"].map((name, i) => el("th", {scope: "col", class: i && i < 5 ? "n" : null}, name)))), body))),
    el("div", {class: "columns"}, el("section", {}, el("h2", {}, "What works"), works), el("section", {}, el("h2", {}, "What does not"), doesNot)),
    el("section", {}, el("h2", {}, "To talk about"), talk), below && below !== catalog.rep ? el("section", {class: "screen"}, el("h2", {}, "Below"), where) : null);

  const draw = () => {
    timer = undefined;
    const store = stream.store, key = store.keys.get(path);
    const rows = kpis.map((kpi) => ({kpi, cell: key?.kpis[kpi.name]?.[window]})).filter((row) => row.cell);
    put(body, rows.map(({kpi, cell}) => {
      const by = cell.expected ?? cell.target;
      return el("tr", {"data-status": cell.status ?? "none"}, el("th", {scope: "row"}, kpi.title), el("td", {class: "n"}, format.value(cell.value, kpi.unit)),
        el("td", {class: "n"}, cell.target ? format.value(cell.target, kpi.unit) : ""), el("td", {class: "n"}, cell.expected ? format.value(cell.expected, kpi.unit) : ""),
        el("td", {class: "n"}, by && cell.value !== null ? format.value(cell.value - by, kpi.unit) : ""), el("td", {}, status(cell)));
    }));
    const good = rows.filter(({kpi, cell}) => cell.value !== null && cell.expected > 0 && (kpi.better === "lower" ? cell.value <= cell.expected : cell.value >= cell.expected));
    const bad = rows.filter(({kpi, cell}) => cell.value !== null && cell.expected > 0 && !good.some((row) => row.kpi === kpi));
    const alerts = [...store.alerts.values()].filter((alert) => alert.state === "firing");
    const say = ({kpi, cell}) => el("li", {}, `${kpi.title}: ${format.value(cell.value, kpi.unit)}, ${format.value(cell.expected, kpi.unit)} expected by now`);
    put(works, good.length ? good.map(say) : el("li", {class: "soft"}, "Nothing with a target is ahead of its pace."));
    put(doesNot, bad.map(say), alerts.slice(0, 12).map((alert) => el("li", {class: alert.severity}, el("span", {class: `status ${alert.severity}`, "aria-hidden": "true"}, format.STATUS[alert.severity].sign), ` ${alert.message}`)),
      alerts.length > 12 ? el("li", {class: "soft"}, `and ${alerts.length - 12} alerts more`) : null, !bad.length && !alerts.length ? el("li", {class: "soft"}, "Nothing is behind.") : null);
    const points = [];
    for (const [funnel, stages] of catalog.funnels) {
      const loss = largestLoss(read(store, path, funnel, stages, window));
      if (loss) points.push(`Most deals are lost after “${loss.step.stage}” (${Math.round(loss.lost)} of ${loss.step.entered}). What happens there? A guess to be tested, not a verdict.`);
    }
    for (const alert of alerts.filter((one) => one.coaching).slice(0, 5)) points.push(`${alert.name || alert.key}: ${alert.coaching}`);
    points.push("What did we promise each other last week, and what for the next one?");
    put(talk, points.map((point) => el("li", {}, point)));
    const names = below ? store.at(below, path).map(([at, one]) => [at, one.name || one.key]) : [];
    put(where, names.map(([at, name]) => el("li", {}, el("a", {href: address("meeting", at)}, name))));
  };
  const stream = follow({under: path, level: [level, below].filter(Boolean).join(), window}, () => { timer ??= setTimeout(draw, body.children.length ? DRAW_MS : 0); });
  text(body, "");
  return () => {
    clearTimeout(timer);
    stream.end();
  };
}
