// What the stream has told: keys by their path, and alerts by their id.

export class Store {
  constructor() {
    this.keys = new Map();
    this.alerts = new Map();
    this.time = 0;
    this.ready = false;
  }

  // As topics have it: what has a meaning in a path is %XX within a part.
  static path(key) {
    return key.path.map((part) => part.replace(/[/%\x00-\x1f\x7f]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`)).join("/");
  }

  reset(state) {
    this.keys.clear();
    this.alerts.clear();
    for (const key of state.keys) this.keys.set(Store.path(key), key);
    for (const alert of state.alerts) this.alerts.set(alert.id, alert);
    this.time = state.time;
    this.ready = true;
  }

  merge(change) {
    this.time = change.time;
    for (const key of change.keys) {
      const path = Store.path(key);
      const known = this.keys.get(path);
      if (key.gone) {
        this.keys.delete(path);
      } else if (key.whole || !known) {
        this.keys.set(path, key);
      } else {
        for (const [kpi, windows] of Object.entries(key.kpis)) Object.assign(known.kpis[kpi] ??= {}, windows);
      }
    }
  }

  alert(alert) {
    if (alert.state === "resolved") this.alerts.delete(alert.id);
    else this.alerts.set(alert.id, alert);
  }

  cell(path, kpi, window) {
    return this.keys.get(path)?.kpis[kpi]?.[window];
  }

  at(level, under = "") {
    return [...this.keys.entries()].filter(([path, key]) => key.level === level && (!under || path === under || path.startsWith(`${under}/`)));
  }
}
