// Slack's mrkdwn, and a safe subset of Markdown, as DOM nodes. Never as markup.

import { el } from "./dom.js";

const ENTITIES = { "&lt;": "<", "&gt;": ">", "&amp;": "&" };
const decoded = (text) => text.replace(/&(?:lt|gt|amp);/g, (entity) => ENTITIES[entity]);

export function link(url, label) {
  return /^(https?|mailto):/i.test(url)
    ? el("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, label)
    : document.createTextNode(label);
}

export function mention(label) {
  return el("span", { class: "mention" }, label);
}

function lines(text, inline) {
  return text.split("\n").flatMap((line, index) => (index ? [el("br"), ...inline(line)] : inline(line)));
}

// Splits `text` by `pattern`; `make(match)` builds the special parts, `plain(text)` the others.
function parts(text, pattern, make, plain) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > from) nodes.push(...plain(text.slice(from, match.index)));
    nodes.push(make(match));
    from = match.index + match[0].length;
  }
  if (from < text.length) nodes.push(...plain(text.slice(from)));
  return nodes;
}

// Plain words, in which a phone makes addresses into links.
export function linked(text) {
  return parts(text, /https?:\/\/\S*[^\s.,;:!?'")\]]/gi, ([url]) => link(url, url), (plain) => [plain]);
}

// --- mrkdwn ---------------------------------------------------------------------------------------------------

const SPAN = new RegExp(
  [
    "`([^`\\n]+)`",
    "<([^<>\\n]+)>",
    "(?<![\\w*])\\*(?=\\S)([^*\\n]*[^*\\s])\\*(?![\\w*])",
    "(?<![\\w_])_(?=\\S)([^_\\n]*[^_\\s])_(?![\\w_])",
    "(?<![\\w~])~(?=\\S)([^~\\n]*[^~\\s])~(?![\\w~])",
  ].join("|"),
  "gu",
);

function angle(inside, names) {
  const [target, label] = inside.split(/\|(.*)/s);
  if (target.startsWith("@")) return mention(`@${names[target.slice(1)] ?? label ?? target.slice(1)}`);
  if (target.startsWith("#")) return mention(`#${label || names[target.slice(1)] || target.slice(1)}`);
  if (target.startsWith("!date^")) return document.createTextNode(label ?? target);
  if (target.startsWith("!")) return mention(`@${label ?? target.slice(1)}`);
  return link(decoded(target), decoded(label ?? target));
}

function span(text, names) {
  return parts(
    text,
    SPAN,
    ([, code, inside, bold, italic, strike]) => {
      if (code !== undefined) return el("code", {}, decoded(code));
      if (inside !== undefined) return angle(inside, names);
      if (bold !== undefined) return el("strong", {}, span(bold, names));
      if (italic !== undefined) return el("em", {}, span(italic, names));
      return el("s", {}, span(strike, names));
    },
    (plain) => [decoded(plain)],
  );
}

function quoted(text, names) {
  const groups = [];
  for (const line of text.split("\n")) {
    const quote = /^(?:&gt;|>) ?/.test(line);
    const last = groups.at(-1);
    if (last && last.quote === quote) last.lines.push(line);
    else groups.push({ quote, lines: [line] });
  }
  return groups.map((group) => {
    const inline = (line) => span(group.quote ? line.replace(/^(?:&gt;|>) ?/, "") : line, names);
    return el(group.quote ? "blockquote" : "span", {}, lines(group.lines.join("\n"), inline));
  });
}

export function mrkdwn(text, names) {
  return parts(
    text,
    /```\n?([\s\S]*?)\n?```/g,
    ([, code]) => el("pre", {}, decoded(code)),
    (plain) => quoted(plain, names),
  );
}

// --- Markdown -------------------------------------------------------------------------------------------------

const MARK = /`([^`\n]+)`|\[([^\]\n]+)\]\(([^)\s]+)\)|\*\*(?=\S)(.+?)\*\*|(?<![\w*])[*_](?=\S)([^*_\n]+?)[*_](?![\w*])|~~(.+?)~~/g;

function mark(text) {
  return parts(
    text,
    MARK,
    ([, code, label, url, bold, italic, strike]) => {
      if (code !== undefined) return el("code", {}, code);
      if (url !== undefined) return link(url, label);
      if (bold !== undefined) return el("strong", {}, mark(bold));
      if (italic !== undefined) return el("em", {}, mark(italic));
      return el("s", {}, mark(strike));
    },
    (plain) => [decoded(plain)],
  );
}

function paragraph(text) {
  const heading = /^#{1,6} +(.*)$/.exec(text);
  if (heading) return el("p", { class: "heading" }, mark(heading[1]));
  const rows = text.split("\n");
  if (rows.every((row) => /^\s*[-*+] /.test(row))) {
    return el("ul", {}, rows.map((row) => el("li", {}, mark(row.replace(/^\s*[-*+] /, "")))));
  }
  if (rows.every((row) => /^\s*\d+[.)] /.test(row))) {
    return el("ol", {}, rows.map((row) => el("li", {}, mark(row.replace(/^\s*\d+[.)] /, "")))));
  }
  if (rows.every((row) => row.startsWith(">"))) {
    return el("blockquote", {}, lines(rows.map((row) => row.replace(/^> ?/, "")).join("\n"), mark));
  }
  return el("p", {}, lines(text, mark));
}

export function markdown(text) {
  return parts(
    text,
    /```\w*\n([\s\S]*?)\n?```/g,
    ([, code]) => el("pre", {}, code),
    (plain) => plain.split(/\n{2,}/).map((one) => one.trim()).filter(Boolean).map(paragraph),
  );
}
