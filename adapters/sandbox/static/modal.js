// The modal of the person you are, and the question before a dangerous button. Both are native dialogs: the browser
// keeps the focus inside and hands it back.

import { blocks } from "./blocks.js";
import { busy, el } from "./dom.js";

const dialog = document.getElementById("modal");
const confirmDialog = document.getElementById("confirm");
let shown = "";

// `verbs`: submit(view, values), dismiss(view), press(view, button, node), names.
export function showModal(view, verbs) {
  if (!view) {
    shown = "";
    if (!dialog.open) return;
    dialog.close();
    // The button that opened it may be gone by now.
    if (document.activeElement === document.body) document.getElementById("posts").focus({ preventScroll: true });
    return;
  }
  const stamp = `${view.id} ${view.hash}`;
  if (stamp !== shown) {
    shown = stamp;
    dialog.replaceChildren(form(view, verbs));
    dialog.oncancel = (event) => {
      event.preventDefault();
      verbs.dismiss(view);
    };
    if (!dialog.open) dialog.showModal();
    (dialog.querySelector("input, textarea, select") ?? dialog.querySelector("[data-close]")).focus();
  }
  complain(view.errors);
}

function form(view, verbs) {
  const context = { names: verbs.names, press: (button, node) => verbs.press(view, button, node) };
  const node = el(
    "form",
    { novalidate: true, autocomplete: "off" },
    el("h2", { id: "modal-title" }, view.title.text),
    el("p", { class: "error", "data-error": "", role: "alert" }),
    el("div", { class: "modal-body" }, view.blocks.map((block) => (block.type === "input" ? field(block, context) : blocks([block], context)))),
    el(
      "div",
      { class: "modal-foot" },
      el("button", { type: "button", class: "button", "data-close": true, onclick: () => verbs.dismiss(view) }, view.close?.text ?? (view.submit ? "Cancel" : "Close")),
      view.submit && el("button", { type: "submit", class: "button primary" }, view.submit.text),
    ),
  );
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    const missing = empty(view);
    complain(missing);
    if (Object.keys(missing).length) {
      node.querySelector("[aria-invalid=true]")?.focus();
      return;
    }
    await busy(node.querySelector("[type=submit]"), () => verbs.submit(view, values(view)));
  });
  return node;
}

function field(block, context) {
  const id = `field-${block.block_id}`;
  const one = block.element;
  const described = [block.hint && `${id}-hint`, `${id}-error`].filter(Boolean).join(" ");
  const shared = { id, "data-block": block.block_id, "aria-describedby": described, placeholder: one.placeholder?.text };
  return el(
    "div",
    { class: "field" },
    el("label", { for: id }, block.label.text, block.optional && el("span", { class: "muted" }, " (optional)")),
    control(one, shared),
    block.hint && el("p", { class: "hint", id: `${id}-hint` }, block.hint.text),
    el("p", { class: "error", id: `${id}-error`, "data-error": block.block_id, role: "alert" }),
  );
}

function control(one, shared) {
  const limits = { maxlength: one.max_length, minlength: one.min_length };
  const initial = one.initial_value ?? "";
  if (one.type === "static_select" || one.type === "radio_buttons") {
    const first = el("option", { value: "" }, one.placeholder?.text ?? "Choose one");
    const selected = one.initial_option?.value;
    const options = one.options.map((option) => el("option", { value: option.value, selected: option.value === selected }, option.text.text));
    return el("select", shared, first, options);
  }
  if (one.multiline) return el("textarea", { ...shared, ...limits, rows: 4 }, initial);
  const kinds = { email_text_input: "email", url_text_input: "url" };
  return el("input", { ...shared, ...limits, type: kinds[one.type] ?? "text", value: initial });
}

function inputs(view) {
  return view.blocks
    .filter((block) => block.type === "input")
    .map((block) => [block, document.getElementById(`field-${block.block_id}`).value]);
}

const values = (view) => Object.fromEntries(inputs(view).map(([block, value]) => [block.element.action_id, value]));

function empty(view) {
  const missing = inputs(view).filter(([block, value]) => !block.optional && !value.trim());
  return Object.fromEntries(missing.map(([block]) => [block.block_id, "Please fill this in."]));
}

function complain(errors) {
  for (const place of dialog.querySelectorAll("[data-error]")) {
    const sentence = errors[place.dataset.error] ?? "";
    if (place.textContent !== sentence) place.textContent = sentence;
  }
  for (const input of dialog.querySelectorAll("[data-block]")) {
    input.setAttribute("aria-invalid", String(Boolean(errors[input.dataset.block])));
  }
}

// Resolves to whether the person said yes to a button's `confirm`.
export function sure(confirm, text) {
  return new Promise((answer) => {
    const close = (yes) => {
      confirmDialog.close();
      answer(yes);
    };
    const yesStyle = confirm.style ?? "primary";
    confirmDialog.replaceChildren(
      el("h2", { id: "confirm-title" }, confirm.title.text),
      el("div", { class: "modal-body" }, text(confirm.text)),
      el(
        "div",
        { class: "modal-foot" },
        el("button", { type: "button", class: "button", onclick: () => close(false) }, confirm.deny.text),
        el("button", { type: "button", class: `button ${yesStyle}`, onclick: () => close(true) }, confirm.confirm.text),
      ),
    );
    confirmDialog.onclose = () => answer(false);
    confirmDialog.showModal();
  });
}
