// The phone: bubbles, suggestions, and a line to write.

import { act } from "./api.js";
import { clock, el, keep } from "./dom.js";

const SUGGESTIONS = [
  "Please refund order A-1001, $40.",
  "Where is order A-1001?",
  "My name is Alice and I live in Boston.",
  "What did I just tell you about myself?",
];
const STATUS = { sending: "Sending", failed: "Not sent: the gateway did not take it" };

const log = document.getElementById("texts");
const form = document.getElementById("text-form");

export function setUpPhone(number, trouble) {
  let queue = Promise.resolve();
  const send = (body) => {
    // One after the other: texts arrive in the order they were written.
    queue = queue.then(() => act("text", { number: number(), body })).catch(trouble);
  };
  document.getElementById("chips").append(
    ...SUGGESTIONS.map((body) => el("button", { type: "button", class: "chip", onclick: () => send(body) }, body)),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const input = form.elements.text;
    if (!input.value.trim()) return;
    send(input.value);
    input.value = "";
  });
}

export function showPhone(state, number) {
  document
    .getElementById("phone-numbers")
    .replaceChildren(pretty(number), el("span", { class: "ours" }, ` to ${pretty(state.our_number)}`));
  const texts = state.phones[number] ?? [];
  if (!texts.length) return keep(log, [{ key: "empty", stamp: number, build: () => nothing(owner(state, number)) }]);
  keep(
    log,
    texts.map((text, place) => ({ key: text.sid, stamp: `${text.status} ${place === texts.length - 1}`, build: () => bubble(text) })),
  );
}

function bubble(text) {
  const mine = text.direction === "inbound";
  const status = mine && STATUS[text.status];
  return el(
    "article",
    { class: mine ? "bubble mine" : "bubble" },
    el("span", { class: "hidden" }, mine ? "You: " : "Gateway: "),
    el("p", {}, text.body),
    el(
      "footer",
      { class: text.status === "failed" ? "failed" : null },
      el("time", { datetime: text.at }, clock(new Date(text.at))),
      status && ` · ${status}`,
    ),
  );
}

function nothing(name) {
  return el(
    "div",
    { class: "empty" },
    el("h3", {}, `${name} has not texted yet`),
    el("p", {}, "Text the gateway: write below, or try a suggestion. The refund needs a person’s yes, which is asked for in the workspace."),
  );
}

export function owner(state, number) {
  return state.customers[number] ?? pretty(number);
}

function pretty(number) {
  return number.replace(/^\+1(\d{3})(\d{3})(\d{4})$/, "+1 $1 $2 $3");
}
