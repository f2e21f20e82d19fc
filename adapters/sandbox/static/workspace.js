// The Slack-like workspace: one conversation at a time, as the person you chose to be.

import { act } from "./api.js";
import { blocks, text } from "./blocks.js";
import { busy, clock, el, keep } from "./dom.js";
import { showModal, sure } from "./modal.js";
import { mrkdwn } from "./mrkdwn.js";

const BOT = "U0BOT";
const log = document.getElementById("posts");
const form = document.getElementById("post-form");
const replying = document.getElementById("replying");
let thread = null;
let place = { team: "", user: "", channel: "" };
let trouble = () => {};

export function setUpWorkspace(onTrouble) {
  trouble = onTrouble;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const input = form.elements.text;
    if (!input.value.trim()) return;
    const body = input.value.replace(/@gatehouse\b/gi, `<@${BOT}>`);
    act("write", { ...place, text: body, thread_ts: thread }).catch(trouble);
    input.value = "";
    replyTo(null);
  });
  document.getElementById("no-reply").addEventListener("click", () => replyTo(null));
}

function replyTo(ts) {
  thread = ts;
  replying.hidden = ts === null;
  if (ts !== null) form.elements.text.focus();
}

export function showWorkspace(state, team, user, channel) {
  if (place.channel !== channel || place.team !== team) replyTo(null);
  place = { team, user, channel };
  const names = { C0OPS: "ops" };
  for (const [id, person] of Object.entries(state.people)) names[id] = person.name;
  form.elements.text.placeholder = channel.startsWith("D") ? "Message Gatehouse" : "Message #ops, or @gatehouse";
  form.hidden = channel === "home";
  keep(log, channel === "home" ? tab(state.homes[user], user, names) : messages(state, user, channel, names));
  showModal((state.modals[user] ?? []).at(-1), {
    names,
    submit: (view, values) => act("submit", { team, user, view_id: view.id, values }).catch(trouble),
    dismiss: (view) => act("dismiss", { team, user, view_id: view.id }).catch(trouble),
    press: (view, button, node) => press(button, node, "press", { team, user, view_id: view.id, block_id: button.block_id }),
  });
}

function messages(state, user, channel, names) {
  const posts = inThreads(visible(state, user, channel));
  return posts.length
    ? posts.map((post) => ({ key: post.ts, stamp: `${place.team} ${user} ${JSON.stringify(post)}`, build: () => message(post, state, names) }))
    : [{ key: "empty", stamp: channel, build: () => nothing(channel) }];
}

function tab(view, user, names) {
  return [{ key: "home", stamp: `${place.team} ${user} ${JSON.stringify(view)}`, build: () => home(view, user, names) }];
}

function home(view, user, names) {
  if (!view) return el("div", { class: "empty" }, el("h3", {}, "Nothing here yet"));
  const where = { team: place.team, user, view_id: view.id };
  const context = { names, press: (button, node) => press(button, node, "press", { ...where, block_id: button.block_id }) };
  return el("article", { class: "home" }, el("div", { class: "blocks" }, blocks(view.blocks, context)));
}

function visible(state, user, channel) {
  const whispers = (state.ephemerals[user] ?? []).filter((one) => one.channel === channel);
  const doing = Object.entries(state.statuses?.[channel] ?? {}).filter(([, status]) => status);
  return [
    ...(state.channels[channel] ?? []),
    ...whispers.map((one) => ({ ...one, bot: "B0BOT", whisper: true })),
    ...doing.map(([ts, status]) => ({ ts: `${ts} now`, thread_ts: ts, status })),
  ];
}

// Oldest first; replies follow the message they belong to.
function inThreads(posts) {
  const root = (post) => post.thread_ts ?? post.ts;
  const last = (post) => (post.status ? "~" : post.ts);
  return posts.sort((a, b) => root(a).localeCompare(root(b)) || (last(a) < last(b) ? -1 : 1));
}

function message(post, state, names) {
  if (post.status) return el("p", { class: "post reply muted", role: "status" }, `${state.people[BOT].name} ${post.status}`);
  const name = post.username ?? (post.bot ? state.people[BOT].name : (state.people[post.user]?.name ?? post.user));
  const reply = post.thread_ts && post.thread_ts !== post.ts;
  const moment = new Date(Number(post.ts) * 1000);
  const context = {
    names,
    press: (button, node) => press(button, node, "click", { ...place, ts: post.ts }),
  };
  const card = post.blocks?.some((block) => ["header", "actions"].includes(block.type));
  return el(
    "article",
    { class: ["post", reply && "reply", post.whisper && "whisper"].filter(Boolean).join(" ") },
    el("span", { class: post.bot ? "avatar app" : "avatar", "aria-hidden": "true" }, name.slice(0, 1)),
    el(
      "div",
      { class: "post-body" },
      post.whisper && el("p", { class: "only-you" }, "Only visible to you"),
      el(
        "p",
        { class: "byline" },
        el("strong", {}, name),
        post.bot && el("span", { class: "tag" }, "App"),
        el("time", { datetime: moment.toISOString() }, clock(moment)),
        !reply && !post.whisper && el("button", { type: "button", class: "reply-link", onclick: () => replyTo(post.ts) }, "Reply"),
      ),
      post.blocks?.length
        ? el("div", { class: card ? "blocks card" : "blocks" }, blocks(post.blocks, context))
        : el("div", { class: "blocks text" }, mrkdwn(post.text, names)),
      post.streaming && el("span", { class: "muted edited" }, "(still writing)"),
      post.edited && !post.streaming && el("span", { class: "muted edited" }, "(edited)"),
    ),
  );
}

async function press(button, node, deed, where) {
  const names = {};
  if (button.confirm && !(await sure(button.confirm, (object) => text(object, { names })))) return;
  await busy(node, () => act(deed, { ...where, action_id: button.action_id }).catch(trouble));
}

function nothing(channel) {
  const direct = channel.startsWith("D");
  return el(
    "div",
    { class: "empty" },
    el("h3", {}, direct ? "No messages yet" : "Nothing to decide yet"),
    el(
      "p",
      {},
      direct
        ? "Write to the agent here as a colleague: try “Where is order A-1001?”"
        : "When the agent wants to do something sensitive, it asks here. Text “Please refund order A-1001, $40.” from the phone to see it.",
    ),
  );
}
