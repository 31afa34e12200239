// The frame: a key where one is needed, the navigation, and the view of the address.

import { ask, place, post, remove, tell } from "/assets/api.js";
import { byId } from "/assets/dom.js";
import { keysOn, openHelp, switchKeys } from "/assets/keys.js";
import { forgetLabels } from "/assets/types.js";
import { speak, spoken, word } from "/assets/words.js";

const VIEWS = ["annotate", "jobs", "review", "traces", "judges", "models"];
let inside = false;
let leaving = new AbortController(); // aborted when another view is opened
let session = { key_needed: false, name: null };

async function enter() {
  session = await ask("/v1/session");
  inside = session.name !== null;
  byId("key-form").hidden = inside;
  byId("view").hidden = byId("places").hidden = !inside;
  byId("leave").hidden = !inside || !session.key_needed;
  if (inside) return open();
  leaving.abort();
  byId("view").replaceChildren();
  byId("key").focus();
}

async function attempt(work) {
  try {
    tell(null);
    await work();
  } catch (error) {
    if (error.status === 401 && inside) await enter();
    tell(error);
  }
}

// #/jobs/ID?only=conflicts -> ["jobs", "ID"] and the query. An address of before, #job=ID, still leads to its job.
function address() {
  const hash = location.hash.slice(1);
  const former = new URLSearchParams(hash).get("job");
  if (former) {
    history.replaceState(null, "", place(["jobs", former]));
    return address();
  }
  const [path, query] = [hash.split("?", 1)[0], hash.includes("?") ? hash.slice(hash.indexOf("?") + 1) : ""];
  const parts = path.split("/").filter(Boolean).map(decoded);
  return { parts: VIEWS.includes(parts[0]) ? parts : ["annotate"], query: new URLSearchParams(query) };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch (broken) {
    return part;
  }
}

async function open({ focus = false } = {}) {
  if (!inside) return;
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const { parts, query } = address();
  for (const tab of byId("places").querySelectorAll("a")) {
    if (tab.dataset.place === parts[0]) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  const root = document.createElement("div");
  root.className = `view ${parts[0]}`;
  const frame = { root, parts: parts.slice(1), query, signal, session, title, attempt, may };
  title(word(`nav_${parts[0]}`));
  tell(null);
  byId("view").setAttribute("aria-busy", "true");
  try {
    const { show } = await import(`/assets/${parts[0]}.js`);
    if (signal.aborted) return;
    byId("view").replaceChildren(root);
    if (focus) byId("view").focus({ preventScroll: true });
    window.scrollTo(0, 0);
    await show(frame);
  } catch (error) {
    if (signal.aborted) return;
    if (error.status === 401) await enter();
    tell(error);
  } finally {
    if (!signal.aborted) byId("view").removeAttribute("aria-busy");
  }
}

const title = (text) => {
  document.title = `${text} · medner`;
};

// A server of before scopes says none, and lets every key do everything.
const may = (scope) => !session.scopes || session.scopes.includes(scope);

byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    await post("/v1/session", { key: byId("key").value });
    byId("key").value = "";
    forgetLabels();
    await enter();
  });
});
byId("leave").addEventListener("click", () => attempt(async () => {
  await remove("/v1/session");
  forgetLabels();
  await enter();
}));
byId("language").addEventListener("click", () => {
  speak(spoken() === "zh" ? "en" : "zh");
  open();
});
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("view").focus();
});
byId("problem-close").addEventListener("click", () => tell(null));
byId("help-open").addEventListener("click", openHelp);
byId("keys-on").checked = keysOn();
byId("keys-on").addEventListener("change", () => switchKeys(byId("keys-on").checked));
window.addEventListener("hashchange", () => open({ focus: true }));
speak(spoken());
enter().catch(tell);
