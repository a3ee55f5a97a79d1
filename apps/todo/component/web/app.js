// The page: a list of todos that mirrors the API. The server's answer is the truth; nothing is kept here.

const element = (id) => document.getElementById(id);
const list = element("list");
const title = element("title");

/** How often the list is read again, to show what others changed: milliseconds. */
const REFRESH = 4000;

/** id -> todo, in the order of the API. */
let todos = new Map();
let loaded = false;
/** Counts changes made here: a list asked for before one is older than it, and not shown. */
let changes = 0;

/* The API */

class Refused extends Error {}

/** Calls the API; says who answered and how long it took. */
async function call(method, path, body) {
  const began = performance.now();
  const options = { method, cache: "no-store" };
  if (body !== undefined) {
    options.headers = { "content-type": "application/json" };
    options.body = JSON.stringify(body);
  }
  const response = await fetch(path, options);
  showServedBy(response.headers.get("dunlin-served-by"));
  const took = Math.round(performance.now() - began);
  element("call").textContent = `${method} ${path} · ${response.status} · ${took} ms`;
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => null);
  if (!response.ok) {
    const refused = new Refused(answer?.error ?? `the server answered ${response.status}`);
    refused.status = response.status;
    throw refused;
  }
  return answer;
}

const pathOf = (id) => `/api/${id}`;

/* Who served it */

/** Hues that are told apart at a glance; none that looks like an alarm. */
const HUES = [38, 215, 155, 275, 190, 320];

/** A colour for a site: the same everywhere, from its name. */
function colourOf(site) {
  let sum = 0;
  for (const character of site) sum = (sum * 31 + character.codePointAt(0)) % 65_521;
  return `hsl(${HUES[sum % HUES.length]} 75% 50%)`;
}

let servedBy = null;
function showServedBy(text) {
  if (!text || text === servedBy) return;
  const changed = servedBy !== null;
  servedBy = text;
  const [site, host] = text.split("/");
  const pill = element("served");
  element("site").textContent = site;
  element("host").textContent = host ?? "";
  pill.style.setProperty("--site", colourOf(site));
  pill.classList.remove("changed");
  if (changed) requestAnimationFrame(() => pill.classList.add("changed"));
}

/* Trouble */

let again = null;
function showTrouble(error, retry) {
  const reason = error instanceof Refused ? error.message : "The server cannot be reached.";
  element("reason").textContent = reason;
  again = retry;
  element("trouble").hidden = false;
}
function hideTrouble() {
  element("trouble").hidden = true;
  again = null;
}
element("retry").addEventListener("click", () => {
  const retry = again;
  hideTrouble();
  retry?.();
});

function announce(text) {
  element("announcer").textContent = text;
}

/** Makes a change, shows the result, or what went wrong and a way to try again. */
async function attempt(work) {
  try {
    changes += 1;
    const result = await work();
    hideTrouble();
    return result;
  } catch (error) {
    // Somebody else took it away: the list says so better than a message.
    if (error.status === 404) return refresh();
    // 504: it may have happened, and doing it twice is not for us to decide; what the list shows is.
    showTrouble(error, error.status === 504 ? refresh : () => attempt(work));
    return undefined;
  } finally {
    changes += 1;
    render();
  }
}

/* Filter */

const FILTERS = { all: () => true, active: (todo) => !todo.completed, completed: (todo) => todo.completed };
const NOTHING = { all: "Nothing to do. Add a first todo.", active: "All done.", completed: "Nothing completed yet." };
const filter = () => {
  const name = location.hash.slice(2);
  return Object.hasOwn(FILTERS, name) ? name : "all";
};
addEventListener("hashchange", render);

/* The list on the page */

/** id -> list item */
const items = new Map();

function makeItem(id) {
  const item = element("item").content.firstElementChild.cloneNode(true);
  item.dataset.id = id;
  const label = item.querySelector(".title");
  item.querySelector("input").addEventListener("change", (event) => complete(id, event.target.checked));
  item.querySelector(".delete").addEventListener("click", () => remove(id));
  item.querySelector(".edit").addEventListener("click", () => edit(id));
  label.addEventListener("dblclick", () => edit(id));
  label.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === "F2" || event.key === " ") {
      event.preventDefault();
      edit(id);
    } else if (event.key === "Delete") {
      remove(id);
    }
  });
  if (loaded) item.classList.add("new");
  return item;
}

function showItem(item, todo) {
  item.classList.toggle("completed", todo.completed);
  const box = item.querySelector("input[type=checkbox]");
  if (box.checked !== todo.completed) box.checked = todo.completed;
  const label = item.querySelector(".title");
  if (label.textContent !== todo.title) label.textContent = todo.title;
  item.querySelector(".name").textContent = `Done: ${todo.title}`;
  item.querySelector(".edit").setAttribute("aria-label", `Edit ${todo.title}`);
  item.querySelector(".delete").setAttribute("aria-label", `Delete ${todo.title}`);
}

/** Brings the page in line with `todos`, touching only what differs, so that focus and edits stay. */
function render() {
  const name = filter();
  const shown = [...todos.values()].filter(FILTERS[name]);
  const keep = new Set(shown.map((todo) => todo.id));
  for (const [id, item] of items) {
    if (!keep.has(id)) {
      item.remove();
      items.delete(id);
    }
  }
  shown.forEach((todo, index) => {
    let item = items.get(todo.id);
    if (!item) items.set(todo.id, (item = makeItem(todo.id)));
    showItem(item, todo);
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
  });
  const left = [...todos.values()].filter(FILTERS.active).length;
  element("left").textContent = loaded ? `${left} left` : "\u00a0";
  element("clear").disabled = left === todos.size;
  element("empty").textContent = NOTHING[name];
  element("empty").hidden = !loaded || shown.length > 0;
  for (const link of document.querySelectorAll("[data-filter]")) {
    if (link.dataset.filter === name) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

/* What one can do */

async function refresh() {
  const before = changes;
  try {
    const all = await call("GET", "/api");
    if (before !== changes) return;
    todos = new Map(all.map((todo) => [todo.id, todo]));
    loaded = true;
    list.setAttribute("aria-busy", "false");
    if (again === refresh) hideTrouble();
    render();
  } catch (error) {
    if (!again) showTrouble(error, refresh);
  }
}

element("add").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = title.value.trim();
  if (!text) return;
  title.value = "";
  let givenBack = false;
  const added = await attempt(async () => {
    const todo = await call("POST", "/api", { title: text });
    todos.set(todo.id, todo);
    announce(`Added ${todo.title}`);
    if (givenBack && title.value === text) title.value = "";
    return todo;
  });
  if (added) {
    items.get(added.id)?.scrollIntoView({ block: "nearest" });
  } else if (!title.value) {
    // What was typed is not lost; a later try that succeeds takes it away again.
    title.value = text;
    givenBack = true;
  }
});

/** id -> the last change of that todo under way: changes of one todo are made one after the other. */
const turns = new Map();
async function inTurn(id, work) {
  const turn = (turns.get(id) ?? Promise.resolve()).then(work);
  const settled = turn.catch(() => {});
  turns.set(id, settled);
  try {
    return await turn;
  } finally {
    if (turns.get(id) === settled) turns.delete(id);
  }
}

function change(id, fields) {
  return attempt(() =>
    inTurn(id, async () => {
      const todo = await call("PATCH", pathOf(id), fields);
      todos.set(id, todo);
      return todo;
    }),
  );
}

async function complete(id, completed) {
  const todo = await change(id, { completed });
  if (todo) announce(`${todo.title}: ${todo.completed ? "completed" : "active again"}`);
}

async function remove(id) {
  const item = items.get(id);
  const hadFocus = item?.contains(document.activeElement);
  const neighbour = item?.nextElementSibling ?? item?.previousElementSibling;
  const gone = todos.get(id);
  await attempt(() =>
    inTurn(id, async () => {
      await call("DELETE", pathOf(id));
      todos.delete(id);
      announce(`Deleted ${gone?.title ?? ""}`);
    }),
  );
  // The keyboard stays where it was in the list.
  if (hadFocus && !items.has(id)) (neighbour?.isConnected ? neighbour.querySelector(".title") : title).focus();
}

function edit(id) {
  const item = items.get(id);
  if (!item || item.querySelector(".editor")) return;
  const label = item.querySelector(".title");
  const editor = document.createElement("input");
  editor.type = "text";
  editor.className = "editor";
  editor.value = todos.get(id)?.title ?? "";
  editor.maxLength = 2000;
  editor.setAttribute("aria-label", "Title");
  label.hidden = true;
  label.after(editor);
  editor.focus();
  editor.select();
  let ended = false;
  const end = async (save, refocus) => {
    if (ended) return;
    ended = true;
    const text = editor.value.trim();
    const before = todos.get(id)?.title;
    if (save && text && text !== before) {
      // Shown at once; the answer corrects it if it must.
      label.textContent = text;
    }
    label.hidden = false;
    editor.remove();
    if (refocus) label.focus();
    if (!save || text === before) return;
    if (text) await change(id, { title: text });
    else await remove(id);
  };
  editor.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter") end(true, true);
    else if (event.key === "Escape") end(false, true);
  });
  editor.addEventListener("blur", () => end(true, false));
}

element("clear").addEventListener("click", async () => {
  const done = [...todos.values()].filter(FILTERS.completed);
  await attempt(() =>
    Promise.all(
      done.map(({ id }) =>
        inTurn(id, async () => {
          try {
            await call("DELETE", pathOf(id));
          } catch (error) {
            if (error.status !== 404) throw error;
          }
          todos.delete(id);
        }),
      ),
    ),
  );
  announce("Cleared completed todos");
  title.focus();
});

/* Begin, and keep up with what others do */

render();
await refresh();
setInterval(() => document.visibilityState === "visible" && refresh(), REFRESH);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());
