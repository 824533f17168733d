// What the stream has told: keys by their path, and alerts by their id.

function isAt(path, key, level, under) {
  return key.level === level && (!under || path === under || path.startsWith(`${under}/`));
}

export class Store {
  // touched: the paths of the keys that have come, changed or gone since somebody was told last; null: perhaps all.
  constructor() {
    this.keys = new Map();
    this.alerts = new Map();
    this.time = 0;
    this.ready = false;
    this.touched = null;
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
    this.touched = null;
  }

  merge(change) {
    this.time = change.time;
    for (const key of change.keys) {
      const path = Store.path(key);
      const known = this.keys.get(path);
      this.touched?.add(path);
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
    return [...this.keys.entries()].filter(([path, key]) => isAt(path, key, level, under));
  }

  // What of it has been touched: [[path, its key, or undefined when it is not (any more) there]].
  touchedAt(level, under = "") {
    return [...this.touched].map((path) => [path, this.keys.get(path)]).filter(([path, key]) => !key || isAt(path, key, level, under));
  }
}
