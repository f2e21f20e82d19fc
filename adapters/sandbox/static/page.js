// Which phone, which person, which conversation; and the loop that shows the state.

import { act, watch } from "./api.js";
import { el } from "./dom.js";
import { owner, setUpPhone, showPhone } from "./phone.js";
import { setUpWorkspace, showWorkspace } from "./workspace.js";

const [FIRST, SECOND] = ["T0SANDBOX", "T0SECOND"];
let state = null;
const chosen = { pane: "phone", phone: "+15550001111", team: FIRST, user: "U0ANA", channel: "ops", ...remembered() };

function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem("sandbox") ?? "{}");
  } catch {
    return {};
  }
}

function choose(what, value) {
  chosen[what] = value;
  sessionStorage.setItem("sandbox", JSON.stringify(chosen));
  show();
  if (chosen.channel === "home" && ["channel", "user", "team"].includes(what)) act("home", { team: chosen.team, user: chosen.user }).catch(trouble);
}

function show() {
  document.body.dataset.pane = chosen.pane;
  if (!state) return;
  markNews();
  showPhone(state, chosen.phone);
  const inSecond = chosen.team === SECOND && state.installed[SECOND];
  showWorkspace(inSecond ? { ...state, ...state.second } : state, inSecond ? SECOND : FIRST, chosen.user, { dm: `D0${chosen.user}`, home: "home" }[chosen.channel] ?? "C0OPS");
}

// On a narrow screen one pane is out of sight: its switch says when something came in.
const seen = {};
function markNews() {
  const count = {
    phone: Object.values(state.phones).flat().length,
    slack: [...Object.values(state.channels), ...Object.values(state.ephemerals)].flat().length,
  };
  for (const [pane, size] of Object.entries(count)) {
    if (pane === chosen.pane || !(pane in seen)) seen[pane] = size;
    document.querySelector(`input[name=pane][value=${pane}]`).closest("label").classList.toggle("news", size > seen[pane]);
  }
}

function segments(id, name, what, entries) {
  const set = document.getElementById(id);
  const stamp = JSON.stringify(entries);
  if (set.dataset.stamp === stamp) return;
  if (set.dataset.stamp === undefined) set.addEventListener("change", (event) => choose(what, event.target.value));
  set.dataset.stamp = stamp;
  set.querySelectorAll("label").forEach((label) => label.remove());
  for (const [value, label, note] of entries) {
    const input = el("input", { type: "radio", name, value, checked: value === chosen[what] });
    const shown = el("span", {}, label, note && el("small", {}, ` ${note}`));
    set.append(el("label", {}, input, shown));
  }
}

function setStatus(kind, sentence) {
  document.getElementById("status").dataset.state = kind;
  const place = document.getElementById("status-text");
  if (place.textContent !== sentence) place.textContent = sentence;
}

let hideLater;
function trouble(error) {
  const place = document.getElementById("problem");
  place.textContent = error.message;
  place.hidden = false;
  clearTimeout(hideLater);
  hideLater = setTimeout(() => (place.hidden = true), 8000);
}

function onState(fresh) {
  state = fresh;
  setStatus(state.problem ? "away" : "ok", state.problem ? "Gateway unreachable" : "Connected");
  fault.value = state.faults[0]?.error ?? "";
  segments("who-phone", "phone", "phone", Object.keys(state.phones).map((number) => [number, owner(state, number)]));
  segments("which-team", "team", "team", [[FIRST, "Sandbox"], [SECOND, "Second"]]);
  document.getElementById("which-team").hidden = !state.installed[SECOND];
  const staff = Object.entries(state.people).filter(([, person]) => person.note);
  segments("who-slack", "user", "user", staff.map(([id, person]) => [id, person.name, person.note]));
  show();
}

for (const [name, what] of [["pane", "pane"], ["channel", "channel"]]) {
  for (const input of document.querySelectorAll(`input[name=${name}]`)) {
    input.checked = input.value === chosen[what];
    input.addEventListener("change", () => choose(what, input.value));
  }
}
// What Slack answers to the gateway's next calls; it works again when they are over, or when that is chosen.
const FAULTS = {
  ratelimited: { error: "ratelimited", retry_after_s: 2 },
  expired_trigger_id: { method: "views.*", error: "expired_trigger_id" },
  token_revoked: { error: "token_revoked", times: 1000 },
};
const fault = document.getElementById("fault");
fault.addEventListener("change", async () => {
  const asked = FAULTS[fault.value];
  await act("forget_faults", {}).catch(trouble);
  if (asked) await act("fault", asked).catch(trouble);
});

document.getElementById("reset").addEventListener("click", () => act("reset", {}).catch(trouble));
setUpPhone(() => chosen.phone, trouble);
setUpWorkspace(trouble);
show();
watch(onState, () => setStatus("away", "Gateway unreachable"));
