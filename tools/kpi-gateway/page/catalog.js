// What there is to look at: KPIs, windows, levels, funnels, as the gateway's catalog names them.

export class Catalog {
  constructor(told, me) {
    this.zone = told.zone;
    this.levels = told.levels.filter((level) => !level.startsWith("@"));
    this.kpis = told.kpis.filter((kpi) => kpi.by.length === 0 && !kpi.name.includes("."));
    this.byName = new Map(told.kpis.map((kpi) => [kpi.name, kpi]));
    this.alerts = told.alerts;
    this.peers = told.peers;
    this.me = me;
    this.funnels = new Map();
    for (const kpi of told.kpis) {
      const [funnel, stage, what] = kpi.name.split(".");
      if (!what) continue;
      if (!this.funnels.has(funnel)) this.funnels.set(funnel, []);
      const stages = this.funnels.get(funnel);
      if (!stages.includes(stage)) stages.push(stage);
    }
  }

  kpi(name) {
    return this.byName.get(name) ?? {name, title: name, unit: null, better: "none", windows: []};
  }

  // The windows of a KPI that people think in first.
  windows(name) {
    const all = this.kpi(name).windows.filter((window) => !/-\d+$/.test(window));
    const first = ["day", "week", "month", "quarter", "year"];
    return [...first.filter((w) => all.includes(w)), ...all.filter((w) => !first.includes(w))];
  }

  windowOf(name, wanted) {
    const all = this.windows(name);
    return all.includes(wanted) ? wanted : all[0];
  }

  get rep() {
    return this.levels[this.levels.length - 1];
  }

  // The level below one; undefined below a rep.
  below(level) {
    return this.levels[this.levels.indexOf(level) + 1];
  }

  levelOf(path) {
    return path === "" ? this.levels[0] : this.levels[path.split("/").length];
  }

  // The paths at which somebody's view begins.
  get homes() {
    return this.me.read === "all" ? [""] : this.me.read;
  }

  maySee(path) {
    return this.homes.some((home) => home === "" || path === home || path.startsWith(`${home}/`));
  }
}

// The address of a view, at a path as topics have it: what has a meaning in an address is written as one there, too.
export function address(view, path, query = {}) {
  const rest = new URLSearchParams(query).toString();
  return `#/${view}/${path.split("/").map((part) => encodeURIComponent(decodeURIComponent(part))).join("/")}${rest ? `?${rest}` : ""}`;
}

export function places(path) {
  const parts = path ? path.split("/") : [];
  return parts.map((part, i) => [parts.slice(0, i + 1).join("/"), decodeURIComponent(part)]);
}
