// Building and keeping DOM. Text only ever goes in as text nodes: what people and models write is data.

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// Make `container` show `items` ({key, stamp, build}) in order. A node whose stamp did not change is kept, so that
// focus stays and a screen reader hears only what is new.
export function keep(container, items) {
  const stayAtEnd = container.scrollHeight - container.scrollTop - container.clientHeight < 60;
  const focusedKey = container.contains(document.activeElement)
    ? document.activeElement.closest("[data-key]")?.dataset.key
    : undefined;
  const old = new Map([...container.children].map((node) => [node.dataset.key, node]));
  const fresh = items.map((item) => {
    const node = old.get(item.key);
    if (node && node.dataset.stamp === item.stamp) return node;
    const built = item.build();
    built.dataset.key = item.key;
    built.dataset.stamp = item.stamp;
    return built;
  });
  const wanted = new Set(fresh);
  for (const node of old.values()) if (!wanted.has(node)) node.remove();
  fresh.forEach((node, place) => {
    if (container.children[place] !== node) container.insertBefore(node, container.children[place] ?? null);
  });
  if (focusedKey !== undefined && !container.contains(document.activeElement)) {
    const again = fresh.find((node) => node.dataset.key === focusedKey) ?? container;
    (again.querySelector(".actions button, button, a[href]") ?? container).focus({ preventScroll: true });
  }
  if (stayAtEnd) container.scrollTop = container.scrollHeight;
}

// Run `task` once while `button` says it is busy. Not `disabled`: that would throw the focus away.
export async function busy(button, task) {
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  try {
    await task();
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

export function clock(moment) {
  return moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}
