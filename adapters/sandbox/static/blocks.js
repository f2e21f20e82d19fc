// Block Kit as DOM nodes. `context` has names (by id) and press(button): what a click on a button does.

import { el } from "./dom.js";
import { link, markdown, mention, mrkdwn } from "./mrkdwn.js";

export function blocks(list, context) {
  return list.map((block) => el("div", { class: `block ${block.type}` }, (BLOCKS[block.type] ?? unknown)(block, context)));
}

export function text(object, context) {
  return object.type === "mrkdwn" ? mrkdwn(object.text, context.names) : object.text;
}

const BLOCKS = {
  header: (block) => el("h3", {}, block.text.text),
  divider: () => el("hr"),
  markdown: (block) => markdown(block.text),
  image: (block) => picture(block),
  section: (block, context) => [
    el(
      "div",
      { class: "section-body" },
      block.text && el("div", { class: "text" }, text(block.text, context)),
      block.fields && el("div", { class: "fields" }, block.fields.map((field) => el("div", {}, text(field, context)))),
    ),
    block.accessory && element(block.accessory, context),
  ],
  context: (block, context) =>
    block.elements.map((one) => (one.type === "image" ? picture(one) : el("span", {}, text(one, context)))),
  actions: (block, context) => block.elements.map((one) => element({ ...one, block_id: block.block_id }, context)),
  rich_text: (block, context) => block.elements.map((one) => rich(one, context)),
  table: (block, context) =>
    el("table", {}, el("tbody", {}, block.rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, tableCell(cell, context))))))),
};

function unknown(block) {
  return el("p", { class: "muted" }, `(A ${block.type} block: not shown here.)`);
}

// Nothing is loaded from elsewhere: a picture shows as what it says of itself.
function picture(image) {
  return el("span", { class: "muted" }, `[${image.alt_text ?? "picture"}]`);
}

function tableCell(cell, context) {
  return cell.type === "rich_text" ? cell.elements.map((one) => rich(one, context)) : cell.text;
}

function element(one, context) {
  if (one.type !== "button") return el("span", { class: "muted" }, `(${one.type}: not shown here)`);
  const style = one.style ?? "plain";
  if (one.url) return el("span", { class: `button ${style}` }, link(one.url, one.text.text));
  return el(
    "button",
    {
      type: "button",
      class: `button ${style}`,
      "aria-label": one.accessibility_label,
      "data-action": one.action_id,
      onclick: (event) => context.press(one, event.currentTarget),
    },
    one.text.text,
  );
}

// --- rich text ------------------------------------------------------------------------------------------------

function rich(node, context) {
  switch (node.type) {
    case "rich_text_preformatted":
      return el("pre", {}, inlines(node, context));
    case "rich_text_quote":
      return el("blockquote", {}, inlines(node, context));
    case "rich_text_list":
      return el(
        node.style === "ordered" ? "ol" : "ul",
        { class: node.indent ? `indent-${Math.min(node.indent, 4)}` : null },
        node.elements.map((item) => el("li", {}, inlines(item, context))),
      );
    default:
      return el("p", {}, inlines(node, context));
  }
}

function inlines(node, context) {
  return node.elements.map((one) => styled(inline(one, context), one.style ?? {}));
}

function inline(one, { names }) {
  switch (one.type) {
    case "text":
      return document.createTextNode(one.text);
    case "link":
      return link(one.url, one.text ?? one.url);
    case "user":
      return mention(`@${names[one.user_id] ?? one.user_id}`);
    case "channel":
      return mention(`#${names[one.channel_id] ?? one.channel_id}`);
    case "usergroup":
      return mention(`@${one.usergroup_id}`);
    case "broadcast":
      return mention(`@${one.range}`);
    case "emoji":
      return document.createTextNode(`:${one.name}:`);
    case "date":
      return document.createTextNode(one.fallback ?? new Date(one.timestamp * 1000).toLocaleString());
    default:
      return document.createTextNode(one.text ?? "");
  }
}

function styled(node, style) {
  const tags = { code: "code", bold: "strong", italic: "em", strike: "s" };
  return Object.entries(tags).reduce((inner, [name, tag]) => (style[name] ? el(tag, {}, inner) : inner), node);
}
