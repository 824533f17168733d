// Following a view of the gateway. The browser connects again by itself, and says what it knows; whoever looks is told once a frame, however
// much has come.
import {query} from "/api.js";
import {Store} from "/store.js";
import {attribute, text} from "/dom.js";

const RETRY_MS = 2000;

function say(state, words) {
  const place = document.getElementById("connection");
  attribute(place, "data-state", state);
  text(place, words);
}

// {store, end}. changed(store, alerts) is called with the alerts that have changed since; contests, when one has, with `contests` among the parameters.
export function follow(parameters, changed, contests = () => {}) {
  const store = new Store();
  let alerts = [], asked = false, ended = false, source, timer;

  const soon = () => {
    if (asked || ended) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      if (ended) return;
      const told = alerts;
      alerts = [];
      changed(store, told);
      store.touched = new Set();
    });
  };
  const connect = () => {
    source = new EventSource(`/events?${query(parameters)}`);
    source.addEventListener("state", (event) => {
      store.reset(JSON.parse(event.data));
      say("live", "live");
      document.dispatchEvent(new CustomEvent("kpid-state"));
      soon();
    });
    source.addEventListener("keys", (event) => {
      store.merge(JSON.parse(event.data));
      say("live", "live");
      soon();
    });
    source.addEventListener("alert", (event) => {
      const alert = JSON.parse(event.data);
      store.alert(alert);
      alerts.push(alert);
      soon();
    });
    source.addEventListener("contests", contests);
    source.addEventListener("kpid", (event) => {
      if (JSON.parse(event.data).state === "down")
        say("down", store.time ? `kpid does not answer: as of ${new Date(store.time).toLocaleTimeString("en-GB")}` : "kpid does not answer");
      soon();
    });
    source.onerror = () => {
      say("down", "connection lost, trying again");
      if (source.readyState !== EventSource.CLOSED || ended) return;
      // refused rather than lost: perhaps nobody is logged in any more
      document.dispatchEvent(new CustomEvent("kpid-refused"));
      timer = setTimeout(connect, RETRY_MS);
    };
  };
  // A browser that keeps a page that was left, to come back to, keeps its connections, of which it has but six.
  const leave = () => {
    clearTimeout(timer);
    source.close();
  };
  const comeBack = (event) => event.persisted && connect();
  globalThis.addEventListener("pagehide", leave);
  globalThis.addEventListener("pageshow", comeBack);
  connect();
  return {
    store,
    end() {
      ended = true;
      globalThis.removeEventListener("pagehide", leave);
      globalThis.removeEventListener("pageshow", comeBack);
      clearTimeout(timer);
      source.close();
    },
  };
}
