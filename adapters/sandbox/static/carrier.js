// What the carrier does: the keywords it obeys, and the ways in which it goes wrong on request.

import { act } from "./api.js";
import { el } from "./dom.js";

const KINDS = {
  refused: ["Refuses: too many requests (429)", { kind: "refused", status: 429, code: 20429 }],
  forbidden: ["Refuses: the region is off (21408)", { kind: "refused", status: 400, code: 21408 }],
  lost: ["Sends, and its answer is lost (500)", { kind: "lost", status: 500, code: 20500 }],
  late: ["Answers 20 s late", { kind: "late" }],
  undelivered: ["Does not deliver: switched off (30003)", { kind: "undelivered", code: 30003 }],
  landline: ["Does not deliver: a landline (30006)", { kind: "undelivered", code: 30006 }],
  failed: ["Filters it as spam (30007)", { kind: "failed", code: 30007 }],
  twice: ["Says everything twice", { kind: "twice" }],
  backwards: ["Reports backwards", { kind: "backwards" }],
  early: ["Reports before it answers", { kind: "early" }],
};

const consent = document.getElementById("consent");
const keyword = document.getElementById("keyword");
const form = document.getElementById("misbehave-form");
const summary = document.getElementById("misbehave-summary");
const waiting = document.getElementById("misbehave-waiting");

export function setUpCarrier(send, trouble) {
  keyword.addEventListener("click", () => send(keyword.value));
  form.elements.kind.append(...Object.entries(KINDS).map(([value, [label]]) => el("option", { value }, label)));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const [, asked] = KINDS[form.elements.kind.value];
    act("text_fault", { ...asked, times: Number(form.elements.times.value) }).catch(trouble);
  });
  document.getElementById("behave").addEventListener("click", () => {
    summary.focus();
    act("forget_text_faults", {}).catch(trouble);
  });
}

export function showCarrier(state, number, name) {
  const out = state.opted_out.includes(number);
  consent.toggleAttribute("data-out", out);
  put(consent, out ? `${name} has opted out` : `${name} takes texts`);
  keyword.value = out ? "START" : "STOP";
  put(keyword, `Reply ${keyword.value}`);
  const left = state.text_faults.reduce((sum, one) => sum + one.left, 0);
  summary.toggleAttribute("data-wrong", left > 0);
  put(summary, left ? `Carrier misbehaves (${left})` : "Carrier works");
  const lines = state.text_faults.map((one) => `${label(one)}, ${one.left} times`.replace(", 1 times", ", once"));
  if (waiting.dataset.stamp === lines.join("\n")) return;
  waiting.dataset.stamp = lines.join("\n");
  waiting.replaceChildren(...lines.map((line) => el("li", {}, line)));
}

function label(fault) {
  const known = Object.values(KINDS).find(([, asked]) => asked.kind === fault.kind && (asked.code ?? 0) === fault.code);
  return known?.[0] ?? `${fault.kind} ${fault.code || ""}`.trim();
}

function put(place, text) {
  if (place.textContent !== text) place.textContent = text;
}
