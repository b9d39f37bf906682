// Elements, made and changed. Text is always set as text, never as markup; what did not change is not touched.

export function el(name, more = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(more)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "text") node.textContent = value;
    else if (key === "class") node.className = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export function setText(node, text) {
  if (node._text !== text) {
    node._text = text;
    const inner = node.firstChild;
    if (inner?.nodeType === Node.TEXT_NODE && !inner.nextSibling) inner.data = text; // the same node: its neighbours are not laid out anew
    else node.textContent = text;
  }
}

export function setClass(node, name) {
  if (node._class !== name) {
    node._class = name;
    node.className = name;
  }
}

// A bar is its node's background: it is painted with the text before it, and neither laid out nor a layer of its own.
export function setBar(node, share) {
  const percent = Math.round(Math.max(0, Math.min(1, share || 0)) * 250) / 2.5;
  if (node._bar !== percent) {
    node._bar = percent;
    node.style.backgroundSize = `${percent}% 100%`;
  }
}

export function panel(title, { name = "", note = "", right = [], body = [], scroll = 0 } = {}) {
  const noteNode = el("span", { class: "note", text: note });
  const rightNode = el("div", { class: "right" }, ...right);
  const heading = el("h2", { text: title });
  const bodyNode = el("div", { class: `body${scroll ? " scroll" : ""}` }, ...body);
  if (scroll) {
    bodyNode.style.maxHeight = `${scroll}px`;
    bodyNode.tabIndex = 0;
    bodyNode.setAttribute("role", "group");
    bodyNode.setAttribute("aria-label", title);
  }
  const node = el("section", { class: `panel ${name}`, "aria-label": title }, el("header", {}, heading, noteNode, rightNode), bodyNode);
  return { node, body: bodyNode, note: noteNode, right: rightNode, heading };
}

// What stands where there is nothing yet, and why.
export function empty(what, why) {
  return el("p", { class: "empty" }, el("strong", { text: what }), why);
}

// Shows `content` where `there`, else the words of why it is empty.
export class Awaited {
  constructor(content, what, why) {
    this.content = content;
    this.nothing = empty(what, why);
    this.node = el("div", {}, this.nothing, content);
    content.hidden = true;
  }

  show(there) {
    if (this.content.hidden === !there) return;
    this.content.hidden = !there;
    this.nothing.hidden = there;
  }
}
