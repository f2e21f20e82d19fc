// The phone: bubbles, suggestions, and a line to write, with a picture.

import { act } from "./api.js";
import { setUpCarrier, showCarrier } from "./carrier.js";
import { clock, el, keep } from "./dom.js";
import { linked } from "./mrkdwn.js";

const SUGGESTIONS = [
  "Please refund order A-1001, $40.",
  "Where is order A-1001?",
  "My name is Alice and I live in Boston.",
  "What did I just tell you about myself?",
];
const MINE = { sending: "Sending", failed: "Not sent: the gateway did not take it" };
const THEIRS = { queued: "Queued", sent: "Sent", delivered: "Delivered", undelivered: "Undelivered", failed: "Failed" };
const WHATSAPP = "whatsapp:";
const MOST_BYTES = 5 * 1024 * 1024;

const log = document.getElementById("texts");
const form = document.getElementById("text-form");

export function setUpPhone(number, trouble) {
  let queue = Promise.resolve();
  const send = (body, files = []) => {
    // One after the other: texts arrive in the order they were written.
    const to = number();
    queue = queue.then(() => act("text", { number: to, body, files })).catch(trouble);
  };
  document.getElementById("chips").append(
    ...SUGGESTIONS.map((body) => el("button", { type: "button", class: "chip", onclick: () => send(body) }, body)),
  );
  const picture = setUpPicture(trouble);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const input = form.elements.text;
    const body = input.value;
    const files = picture.take();
    if (!body.trim() && !files.length) return;
    input.value = "";
    send(body.trim() ? body : "", files);
  });
  setUpCarrier(send, trouble);
}

// What is to be sent with the next text: read when it is chosen, so that sending waits for nothing.
function setUpPicture(trouble) {
  const input = document.getElementById("picture");
  const shown = document.getElementById("attached");
  let files = [];
  const show = (name) => {
    shown.hidden = !name;
    shown.querySelector("span").textContent = name ?? "";
  };
  const take = () => {
    const taken = files;
    files = [];
    input.value = "";
    show();
    return taken;
  };
  input.addEventListener("change", async () => {
    const [file] = input.files;
    if (!file) return take();
    if (file.size > MOST_BYTES) {
      take();
      return trouble(new Error("A text carries 5 MB at most."));
    }
    files = [{ name: file.name, mime_type: file.type || "application/octet-stream", data: await base64(file) }];
    show(file.name);
    form.elements.text.focus();
  });
  document.getElementById("detach").addEventListener("click", () => {
    take();
    input.focus();
  });
  return { take };
}

function base64(file) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => done(reader.result.slice(reader.result.indexOf(",") + 1)));
    reader.addEventListener("error", () => failed(reader.error));
    reader.readAsDataURL(file);
  });
}

export function showPhone(state, number) {
  document
    .getElementById("phone-numbers")
    .replaceChildren(pretty(number), el("span", { class: "ours" }, ` to ${pretty(state.our_number)}`));
  showCarrier(state, number, owner(state, number));
  const texts = state.phones[number] ?? [];
  if (!texts.length) return keep(log, [{ key: "empty", stamp: number, build: () => nothing(owner(state, number)) }]);
  keep(
    log,
    texts.map((text, place) => ({ key: text.sid, stamp: `${text.status} ${text.error} ${place === texts.length - 1}`, build: () => bubble(text) })),
  );
}

function bubble(text) {
  const mine = text.direction === "inbound";
  const said = mine ? MINE[text.status] : (THEIRS[text.status] ?? text.status);
  const failed = ["failed", "undelivered"].includes(text.status);
  return el(
    "article",
    { class: mine ? "bubble mine" : "bubble" },
    el("span", { class: "hidden" }, mine ? "You: " : "Gateway: "),
    text.pictures.map(picture),
    text.body && el("p", {}, linked(text.body)),
    el(
      "footer",
      { class: failed ? "failed" : null },
      el("time", { datetime: text.at }, clock(new Date(text.at))),
      said && ` · ${said}`,
      text.error && el("span", { class: "code" }, ` ${text.error}`),
      !mine && ` · ${text.segments} ${text.segments === 1 ? "segment" : "segments"}, ${text.encoding}`,
    ),
  );
}

function picture({ key, type }) {
  const where = `/sandbox/twilio-media/${key}`;
  if (type.startsWith("image/")) return el("img", { src: where, alt: "Picture", loading: "lazy" });
  return el("a", { class: "file", href: where, target: "_blank", rel: "noreferrer" }, `Attached file (${type})`);
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
  if (number.startsWith(WHATSAPP)) return `${owner(state, number.slice(WHATSAPP.length))}, WhatsApp`;
  return state.customers[number] ?? pretty(number);
}

function pretty(number) {
  return number.replace(/^\+1(\d{3})(\d{3})(\d{4})$/, "+1 $1 $2 $3");
}
