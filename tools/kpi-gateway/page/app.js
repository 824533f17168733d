// The page: who looks, which view, and the frame around it.
import {get, post, Refused} from "/api.js";
import {Catalog} from "/catalog.js";
import {el, put} from "/dom.js";
import {failed} from "/parts.js";
import * as floor from "/view-floor.js";
import * as rep from "/view-rep.js";
import * as funnel from "/view-funnel.js";
import * as alerts from "/view-alerts.js";
import * as wall from "/view-wall.js";
import * as meeting from "/view-meeting.js";
import * as contests from "/view-contests.js";

const VIEWS = {floor, rep, funnel, alerts, wall, meeting, contests};
const AGAIN_MS = 3000;
const main = document.getElementById("main");
let catalog, leave = () => {}, shown = "";

// "#/floor/emea/field-1?kpi=x": the view, the path as topics have it, and the rest.
function route() {
  const [where, query = ""] = location.hash.slice(2).split("?");
  const [view, ...path] = where.split("/");
  const asked = path.filter(Boolean).map((part) => {
    try {
      return decodeURIComponent(part).replace(/[/%]/g, encodeURIComponent);
    } catch {
      return encodeURIComponent(part);
    }
  }).join("/");
  return {view: VIEWS[view] ? view : home(), path: VIEWS[view] ? asked : catalog.homes[0], query: Object.fromEntries(new URLSearchParams(query))};
}

// A rep begins with the own card.
function home() {
  return catalog.homes.length === 1 && catalog.levelOf(catalog.homes[0]) === catalog.rep && catalog.homes[0] !== "" ? "rep" : "floor";
}

function draw() {
  const to = route();
  leave();
  shown = location.hash;
  document.title = `${VIEWS[to.view].title(to)} – kpid`;
  put(document.getElementById("nav"), Object.entries({floor: "Floor", funnel: "Funnel", alerts: "Alerts", meeting: "Meeting", contests: "Contests", wall: "Wall"}).map(([view, name]) =>
    el("a", {href: `#/${view}`, "aria-current": view === to.view ? "page" : null}, name)));
  leave = VIEWS[to.view].show(main, {catalog, route: to, go: (hash) => { location.hash = hash; }});
}

function login(fault) {
  put(main, el("form", {class: "login", onsubmit: async (event) => {
    event.preventDefault();
    try {
      await post("/login", {token: new FormData(event.target).get("token")});
      begin();
    } catch (error) {
      login(error.status === 401 ? el("p", {class: "note", role: "alert"}, "Nobody has that token.") : failed(error));
    }
  }}, el("h1", {}, "Who are you?"), el("p", {}, "Your token is the one that you were given; whoever runs kpid makes them."),
  el("label", {class: "field"}, "Token", el("input", {name: "token", type: "password", required: true, autocomplete: "current-password"})), fault ?? null,
  el("p", {class: "buttons"}, el("button", {type: "submit", class: "main"}, "Log in"))));
}

async function begin() {
  try {
    const me = await get("/api/v1/me");
    catalog = new Catalog(await get("/api/v1/catalog"), me);
    const out = document.getElementById("logout");
    out.hidden = me.anonymous;
    document.getElementById("login").hidden = !(me.anonymous && me.login);
    draw();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    leave();
    leave = () => {};
    if (error.status === 401) {
      login();
    } else {
      put(main, failed(error));
      setTimeout(begin, AGAIN_MS);
    }
  }
}

document.getElementById("login").addEventListener("click", () => {
  leave();
  leave = () => {};
  login();
});
document.getElementById("logout").addEventListener("click", async () => {
  await post("/logout", {}).catch(() => {});
  leave();
  leave = () => {};
  begin();
});
globalThis.addEventListener("hashchange", () => {
  if (!catalog || location.hash === shown) return;
  const view = shown.slice(2).split(/[/?]/)[0], chosen = document.activeElement?.name;
  draw();
  // Who goes through a list with the arrows stays in it.
  const again = chosen && location.hash.slice(2).split(/[/?]/)[0] === view && main.querySelector(`select[name="${CSS.escape(chosen)}"]`);
  if (again) {
    again.focus({preventScroll: true});
  } else {
    main.focus({preventScroll: true});
    scrollTo(0, 0);
  }
});
// The stream was refused: somebody else may have to log in. kpid has told everything anew: another configuration, perhaps.
document.addEventListener("kpid-refused", () => get("/api/v1/me").catch((error) => error.status === 401 && begin()));
let era = "";
document.addEventListener("kpid-state", async () => {
  const now = JSON.stringify(await get("/api/v1/catalog").catch(() => ""));
  if (era && now !== era && now !== '""') begin();
  era = now;
});
begin();
