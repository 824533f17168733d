// Alerts as they come and go; who may, acknowledges and silences them.
import {get, post, remove} from "/api.js";
import {el, put, select, text} from "/dom.js";
import {follow} from "/stream.js";
import {failed, windowTitle} from "/parts.js";
import * as format from "/format.js";

export function title() {
  return "Alerts";
}

function by(a, b) {
  const order = {firing: 0, pending: 1}, grade = {critical: 0, warning: 1};
  return order[a.state] - order[b.state] || grade[a.severity] - grade[b.severity] || b.since - a.since;
}

// Ask for a word or two, and do something with it.
function ask(heading, fields, action) {
  return new Promise((done) => {
    const fault = el("div"), first = fields[0];
    const dialog = el("dialog", {"aria-label": heading, onclose: () => { dialog.remove(); done(); }},
      el("form", {onsubmit: async (event) => {
        event.preventDefault();
        try {
          await action(Object.fromEntries(new FormData(event.target)));
          dialog.close();
        } catch (error) {
          put(fault, failed(error));
        }
      }}, el("h2", {}, heading), fields, fault, el("p", {class: "buttons"},
        el("button", {type: "submit", class: "main"}, heading), el("button", {type: "button", onclick: () => dialog.close()}, "Never mind"))));
    document.body.append(dialog);
    dialog.showModal();
    first?.querySelector("input, select")?.focus();
  });
}

const comment = () => el("label", {class: "field"}, "Comment", el("input", {name: "comment", maxlength: "512", autocomplete: "off"}));
const FOR = [["1h", "an hour"], ["4h", "four hours"], ["1d", "a day"], ["7d", "a week"]];

const TRIES = {
  acknowledge: (alert) => ask("Acknowledge", [comment()], ({comment}) => post("/api/v1/acknowledgements", {ids: [alert.id], comment})),
  undo: (alert) => post("/api/v1/acknowledgements", {ids: [alert.id], undo: true}),
  silence: (alert) => ask("Silence", [select("For", "for", FOR, "1h", () => {}), comment()], ({for: how, comment}) =>
    post("/api/v1/silences", {alert: alert.id, for: how, comment})),
};

function buttons(alert, say) {
  const button = (name, words) => el("button", {type: "button", "data-do": name, onclick: async () => {
    try {
      await TRIES[name](alert);
    } catch (error) {
      say(failed(error));
    }
  }}, words);
  return el("p", {class: "buttons"}, alert.acked_by ? button("undo", "Not acknowledged after all") : button("acknowledge", "Acknowledge"), button("silence", "Silence"));
}

function item(alert, catalog, say) {
  const marks = [alert.silenced ? "silenced" : null, alert.acked_by ? `acknowledged by ${alert.acked_by}${alert.ack_comment ? `: ${alert.ack_comment}` : ""}` : null, alert.flapping ? "flapping" : null].filter(Boolean);
  return el("li", {class: `alert ${alert.severity} ${alert.state}`, "data-id": alert.id, "data-acked": alert.acked_by ? "true" : "false", "data-silenced": String(Boolean(alert.silenced))},
    el("p", {class: "message"}, el("span", {class: `status ${alert.severity}`}, el("span", {"aria-hidden": "true"}, format.STATUS[alert.severity].sign), " ", el("span", {class: "word"}, alert.severity)), " ",
      el("strong", {}, alert.message)),
    el("p", {class: "soft"}, `${alert.state === "pending" ? "pending" : "firing"} since ${format.instant(alert.since, catalog.zone)} · ${alert.rule} · ${windowTitle(alert.window ?? "")} · `,
      alert.path.length === catalog.levels.length - 1 ? el("a", {href: `#/rep/${alert.path.map(encodeURIComponent).join("/")}`}, alert.name || alert.key) : alert.name || alert.key || "company"),
    alert.coaching ? el("p", {class: "hint"}, alert.coaching) : null,
    marks.length ? el("p", {class: "marks"}, marks.join(" · ")) : null,
    catalog.me.acknowledge && alert.id ? buttons(alert, say) : null);
}

async function history(place, catalog) {
  put(place, el("p", {class: "note"}, "Asking …"));
  try {
    const told = await get("/api/v1/alerts/history", {from: Date.now() - 14 * 86400000});
    const rows = told.alerts.slice(-200).reverse();
    put(place, rows.length ? el("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": "History"}, el("table", {class: "board"}, el("caption", {}, "The last two weeks, newest first"),
      el("thead", {}, el("tr", {}, ["When", "State", "Who", "Message"].map((name) => el("th", {scope: "col"}, name)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, el("td", {}, format.instant(row.at, catalog.zone)), el("td", {}, `${row.state}${row.reason ? ` (${row.reason})` : ""}`),
        el("td", {}, row.key || "company"), el("td", {}, row.message ?? "")))))) : el("p", {class: "note"}, "None."));
  } catch (error) {
    put(place, error.status === 400 ? el("p", {class: "note"}, "kpid has no store, so there is no past. A section “storage” in its configuration gives it one.") : failed(error));
  }
}

async function silences(place, catalog) {
  try {
    const told = await get("/api/v1/silences");
    put(place, told.silences.length ? el("ul", {class: "silences"}, told.silences.map((silence) => el("li", {"data-silence": silence.id},
      `${Object.entries(silence.matchers).map(([name, what]) => `${name}: ${Array.isArray(what) ? what.join("/") : what}`).join(", ")}, until ${format.instant(silence.until, catalog.zone)}, by ${silence.by}${silence.comment ? `: ${silence.comment}` : ""} `,
      el("button", {type: "button", onclick: async () => {
        await remove(`/api/v1/silences/${encodeURIComponent(silence.id)}`).catch(() => {});
        silences(place, catalog);
      }}, "End it")))) : el("p", {class: "note"}, "None."));
  } catch (error) {
    put(place, failed(error));
  }
}

export function show(main, {catalog}) {
  const list = el("ul", {class: "alerts"}), count = el("p", {role: "status", class: "lead"}), quiet = el("div"), fault = el("div");
  const past = el("details", {ontoggle: (event) => event.target.open && history(past.lastChild, catalog)}, el("summary", {}, "History"), el("div"));
  const hushed = el("details", {ontoggle: (event) => event.target.open && silences(quiet, catalog)}, el("summary", {}, "Silences"), quiet);
  const items = new Map();

  put(main, el("h1", {}, "Alerts"), count, fault, list, catalog.me.acknowledge ? hushed : null, past);
  const changed = (store, told) => {
    const alerts = [...store.alerts.values()].sort(by), firing = alerts.filter((alert) => alert.state === "firing").length;
    text(count, store.ready ? `${firing} firing, ${alerts.length - firing} pending` : "Waiting for kpid …");
    for (const [id, known] of items)
      if (!store.alerts.has(id)) {
        known.element.remove();
        items.delete(id);
      }
    const focused = document.activeElement, here = list.contains(focused) ? focused.closest("li").dataset.id : null;
    alerts.forEach((alert, i) => {
      let known = items.get(alert.id);
      if (known?.alert !== alert) {
        const element = item(alert, catalog, (...words) => put(fault, words));
        known?.element.replaceWith(element);
        known = {alert, element};
        items.set(alert.id, known);
      }
      if (list.children[i] !== known.element) list.insertBefore(known.element, list.children[i] ?? null);
    });
    // Who is at an alert's button with the keyboard stays at that alert, also when it is told anew.
    if (here && document.activeElement !== focused) {
      const now = items.get(here)?.element;
      (focused.isConnected ? focused : now?.querySelector(`[data-do="${focused.dataset.do}"]`) ?? now?.querySelector("button") ?? now?.querySelector("a"))?.focus({preventScroll: true});
    }
    list.hidden = alerts.length === 0;
    if (hushed.open && told.length) silences(quiet, catalog);
  };
  const stream = follow({level: "company", kpi: catalog.kpis[0]?.name}, changed);
  return () => stream.end();
}
