// The console's own behaviour: focus, keys, selection, and what htmx leaves open. Everything here is a convenience:
// without it every page still works by links and forms.
const root = document.documentElement;
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const one = (selector, within = document) => within.querySelector(selector);
const on = (type, react) => document.addEventListener(type, react);
const TRAIL = "trueup:trail";

// Rows: one of them takes part in tabbing, j and k move the focus (roving tabindex).
const rows = () => all("main tbody tr[tabindex]");
const focusRow = (row) => {
  if (!row) return;
  rows().forEach((other) => (other.tabIndex = other === row ? 0 : -1));
  row.focus();
};
const currentRow = () => document.activeElement.closest?.("main tbody tr[tabindex]");
const move = (step) => {
  const list = rows();
  const at = list.indexOf(currentRow());
  focusRow(list[at < 0 ? Math.max(list.findIndex((row) => row.tabIndex === 0), 0) : Math.min(Math.max(at + step, 0), list.length - 1)]);
};

// Selection: counted, its money added exactly (in ten-thousandths, one sum per currency).
const ticks = () => all("#signals tbody input[name=id]");
let lastTick;
const SCALE = 4;
const scaled = (text) => {
  const [whole, part = ""] = text.split(".");
  return BigInt(whole + part.slice(0, SCALE).padEnd(SCALE, "0"));
};
const digits = (currency) => new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits;
const written = (sum, currency) => {
  const text = String(sum).padStart(SCALE + 1, "0");
  const whole = BigInt(text.slice(0, -SCALE)).toLocaleString("en");
  let part = text.slice(-SCALE).replace(/0+$/, "");
  try { part = part.padEnd(digits(currency), "0"); } catch { /* a code that the browser does not know */ }
  return `${whole}${part && "."}${part} ${currency}`;
};
const tally = () => {
  const output = one(".selected output");
  if (!output) return;
  const chosen = ticks().filter((tick) => tick.checked);
  const sums = new Map();
  for (const tick of chosen)
    for (const pair of tick.dataset.money.split(";").filter(Boolean)) {
      const [amount, currency] = pair.split(" ");
      sums.set(currency, (sums.get(currency) ?? 0n) + scaled(amount));
    }
  const money = [...sums].map(([currency, sum]) => written(sum, currency));
  output.replaceChildren(...[`${chosen.length} selected`, ...money.slice(0, 4), ...(money.length > 4 ? [`+${money.length - 4}`] : [])].map((text) => {
    const span = document.createElement("span");
    span.textContent = text;
    return span;
  }));
  const whole = one("[data-all]");
  whole.checked = chosen.length > 0 && chosen.length === ticks().length;
  whole.indeterminate = chosen.length > 0 && !whole.checked;
};
const tick = (box, upTo) => {
  const list = ticks();
  if (upTo && lastTick) {
    const [from, to] = [list.indexOf(lastTick), list.indexOf(box)].sort((a, b) => a - b);
    list.slice(from, to + 1).forEach((other) => (other.checked = box.checked));
  }
  lastTick = box;
  tally();
};
on("change", ({ target }) => {
  if (target.matches("[data-all]")) { ticks().forEach((box) => (box.checked = target.checked)); tally(); }
});
on("click", (event) => {
  if (event.target.matches("#signals tbody input[name=id]")) tick(event.target, event.shiftKey);
});
on("reset", () => setTimeout(tally));

// The list you came from, for [ and ] on a signal's page.
const remember = () => {
  const list = all("#signals a[data-open]").map((link) => link.getAttribute("href"));
  if (list.length) sessionStorage.setItem(TRAIL, JSON.stringify({ from: location.href, list }));
};
const showTrail = () => {
  const place = one("[data-trail]");
  if (!place) return;
  let trail;
  try { trail = JSON.parse(sessionStorage.getItem(TRAIL)); } catch { return; }
  const at = trail?.list.indexOf(location.pathname) ?? -1;
  if (at < 0 || trail.list.length < 2) return;
  const home = one("a[data-home]");
  if (home) home.href = trail.from;
  for (const [name, step] of [["previous", -1], ["next", 1]]) {
    const link = one(`a[data-step=${name}]`, place);
    link.hidden = !trail.list[at + step];
    if (!link.hidden) link.href = trail.list[at + step];
  }
  one("[data-place]", place).textContent = `${at + 1} of ${trail.list.length}`;
  place.hidden = false;
};

// Keys. Single keys can be turned off; a field, a menu or a modifier keeps them out.
const press = (key) => {
  const button = all(`[data-key="${key}"]`).findLast((other) => other.checkVisibility?.() ?? true);
  button?.click();
};
const act = (key) => {
  const row = currentRow();
  const box = row && one("input[name=id]", row);
  if (box && !ticks().some((other) => other.checked)) { box.checked = true; tick(box); }
  press(key);
};
const follow = (selector) => one(selector)?.click();
const go = { s: "/signals", r: "/rules", d: "/data", u: "/runs", e: "/reports/manager", t: "/team", b: "/bill-runs", i: "/integrations", n: "/notifications" };
// A look at the row beside the list; it follows the focus while it is open.
const peek = () => one("#peek");
const look = () => {
  const link = one("main tr:focus [data-open]");
  if (!link?.pathname.startsWith("/signals/SIG-")) return;
  htmx.ajax("GET", `${link.pathname}/peek`, { target: "#peek", swap: "innerHTML" }).then(() => peek().showPopover());
};
const step = (by) => { move(by); if (peek()?.matches(":popover-open")) look(); };
const keys = {
  j: () => step(1),
  k: () => step(-1),
  " ": () => (peek().matches(":popover-open") ? peek().hidePopover() : look()),
  o: () => follow("main tr:focus [data-open]"),
  x: (event) => {
    const box = currentRow() && one("input[name=id]", currentRow());
    if (box) { box.checked = !box.checked; tick(box, event.shiftKey); }
  },
  "/": () => one("#jump").focus(),
  "?": () => one("#keys").togglePopover(),
  "[": () => follow("a[data-step=previous]:not([hidden])"),
  "]": () => follow("a[data-step=next]:not([hidden])"),
  z: () => press("z"),
  g: () => (went = Date.now()),
};
for (const key of "asdehpm") keys[key] = () => act(key);
keys.n = () => press("n");
let went = 0;
on("keydown", (event) => {
  const { key, target } = event;
  const deed = (event.ctrlKey || event.metaKey) && one(`[data-ctrl="${key}"]`);
  if (deed) { event.preventDefault(); deed.click(); return; }
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const field = target.closest("input:not([type=checkbox], [type=radio]), textarea, select");
  if (key === "Enter" && target.tagName === "INPUT" && target.closest(".sheet")) { // also on a choice: the reason is chosen
    event.preventDefault();
    one(".primary", target.closest(".scheduled form, .sheet")).click();
    return;
  }
  if (key === "Escape" && peek()?.matches(":popover-open")) { peek().hidePopover(); return; }
  if (key === "Escape" && !field && !one(":popover-open") && ticks().some((box) => box.checked)) { one("#signals").reset(); return; }
  if (key === "Enter" && target.matches("tr[tabindex]")) { follow("main tr:focus [data-open]"); return; }
  if (field || target.closest("[popover]") || root.dataset.keys === "off") return;
  const jump = go[key];
  if (jump && Date.now() - went < 1500) { event.preventDefault(); location.href = jump; return; }
  if (key === " " && target.closest("button, a, summary, input")) return;
  const react = keys[key.length === 1 ? key.toLowerCase() : key];
  if (react) { event.preventDefault(); react(event); }
});

// What a swap would lose: the row one is at, the ticks, an open menu.
let place;
on("focusin", ({ target }) => {
  const row = target.closest?.("main tbody tr[tabindex]");
  if (row) place = { id: row.id, at: rows().indexOf(row) };
});
let kept = {};
on("htmx:beforeSwap", ({ detail }) => {
  if (detail.xhr.status >= 400 && detail.xhr.responseText) { detail.shouldSwap = true; detail.isError = false; }
  kept = {
    place: currentRow() || document.activeElement?.closest?.("#signals .sheet") ? place : undefined,
    ticked: ticks().filter((box) => box.checked).map((box) => box.value),
    open: one("[popover].menu:popover-open")?.id,
    choice: document.activeElement?.closest?.("#facets a")?.id,
  };
});
on("htmx:beforeRequest", (event) => { // a card that renews itself waits for whoever is writing in it
  const card = event.detail.elt;
  if (card.id === "repair" && all("input[name=reason]", card).some((field) => field.value || field === document.activeElement)) event.preventDefault();
});
on("htmx:afterSwap", () => {
  ticks().forEach((box) => (box.checked = kept.ticked?.includes(box.value) ?? false));
  if (kept.open === "facets") {
    one("#facets")?.showPopover();
    if (kept.choice) document.getElementById(kept.choice)?.focus();
  }
  const list = rows();
  if (kept.place) focusRow(document.getElementById(kept.place.id) || list[Math.min(kept.place.at, list.length - 1)]);
  kept = {};
  refresh();
});
for (const type of ["htmx:sendError", "htmx:timeout"])
  on(type, () => {
    const notice = document.createElement("div");
    notice.className = "notice error";
    const again = document.createElement("button");
    again.textContent = "Try again";
    again.onclick = () => location.reload();
    notice.append("Trueup did not answer. What you see is from before.", again);
    one("#notices").replaceChildren(notice);
  });
on("animationend", ({ target }) => target.matches?.(".notice") && target.remove());

// A rule's text: numbered lines that grow with it, and the way to the line of a mistake.
on("input", ({ target }) => {
  const gutter = target.id === "text" && one(".gutter");
  if (!gutter) return;
  const count = target.value.split("\n").length;
  while (gutter.children.length > count) gutter.lastChild.remove();
  while (gutter.children.length < count) {
    const line = document.createElement("li");
    line.textContent = gutter.children.length + 1;
    gutter.append(line);
  }
  target.rows = count + 1;
  target.form.dataset.edited = "";
  all("[formaction$=activate]").forEach((button) => (button.disabled = true));
});
on("click", (event) => {
  const link = event.target.closest?.("[data-line]");
  const text = link && one("#text");
  if (!text) return;
  event.preventDefault();
  const lines = text.value.split("\n");
  const start = lines.slice(0, link.dataset.line - 1).join("\n").length + (link.dataset.line > 1);
  text.focus({ preventScroll: true });
  text.setSelectionRange(start, start + (lines[link.dataset.line - 1] ?? "").length);
  all(".gutter li")[link.dataset.line - 1]?.scrollIntoView({ block: "center" });
});

// An answer that is still being written: the server sends it anew whenever there is more.
const listen = () => all("[data-stream]").forEach((answer) => {
  const stream = new EventSource(answer.dataset.stream);
  answer.removeAttribute("data-stream");
  const show = ({ data }) => (answer.innerHTML = JSON.parse(data));
  stream.addEventListener("part", show);
  stream.addEventListener("end", (event) => { show(event); stream.close(); });
});

// Paper shows everything.
all("[data-print]").forEach((button) => { button.hidden = false; button.onclick = () => print(); });
addEventListener("beforeprint", () => all("main details").forEach((fold) => (fold.open = true)));
addEventListener("pageshow", () => { tally(); showTrail(); });

const here = one(".bar nav > [aria-current]"); // in a narrow bar, the place one is at is in view
if (here) here.parentElement.scrollLeft = here.offsetLeft - 80;

const refresh = () => { remember(); tally(); showTrail(); listen(); };
refresh();
