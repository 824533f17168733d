// Building elements. Whatever comes from kpid (names, messages) becomes text, never markup.

// el("td", {class: "n", onclick: f, "aria-label": "..."}, "text", otherElement)
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  add(element, children);
  return element;
}

export function add(element, children) {
  for (const child of children.flat()) if (child !== null && child !== undefined && child !== false) element.append(child);
  return element;
}

export function put(element, ...children) {
  element.replaceChildren();
  return add(element, children);
}

// Only what differs is written: a browser lays out anew what was touched.
export function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

export function attribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

export function select(label, name, options, value, changed) {
  const list = el("select", {name, onchange: (event) => changed(event.target.value)},
    options.map(([key, title]) => el("option", {value: key, selected: key === value}, title)));
  return el("label", {class: "choice"}, label, list);
}

export function note(...children) {
  return el("p", {class: "note"}, children);
}

// Move things about within `place` so that whoever is in it with the keyboard stays there: what is moved loses the focus.
export function keepFocus(place, move) {
  const focused = document.activeElement;
  move();
  if (place.contains(focused) && document.activeElement !== focused) focused.focus({preventScroll: true});
}
