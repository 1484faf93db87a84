// The list is drawn by the server. This file sends what you do to the JSON API, listens for what others do, and fetches
// the list again when it has changed.

const list = document.getElementById("list");
const form = document.getElementById("add");
const problem = document.getElementById("add-problem");
const people = document.getElementById("people");
const wave = document.getElementById("wave");
const notice = document.getElementById("notice");
const activity = document.getElementById("activity");

// --- the list

// Every redraw has a number: of two that overlap, the one asked for last is shown, whichever arrives last.
let redraws = 0;

async function redraw() {
  const number = ++redraws;
  const response = await fetch(list.dataset.source);
  const html = await response.text();
  if (number !== redraws) return;
  if (!response.ok) return say(`The list cannot be shown (${response.status}). What does the terminal say?`);
  const focused = list.contains(document.activeElement) ? document.activeElement.id : null;
  list.innerHTML = html;
  if (focused !== null) (document.getElementById(focused) ?? list).focus();
}

// The answer's JSON, or null for an empty one. Throws an Error with the server's reason, and its `fields`.
async function call(method, path, body) {
  const request = { method, headers: { accept: "application/json" } };
  if (body !== undefined) {
    request.headers["content-type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  const response = await fetch(path, request);
  const isJson = response.headers.get("content-type")?.startsWith("application/json");
  const answer = isJson ? await response.json() : null;
  if (response.ok) return answer;
  const reason = answer?.error ?? `The server answered ${response.status}. What does the terminal say?`;
  throw Object.assign(new Error(reason), { fields: answer?.fields ?? {} });
}

async function attempt(action) {
  try {
    await action();
  } catch (error) {
    say(error.message);
  }
  await redraw().catch((error) => say(error.message));
}

list.addEventListener("change", (event) => {
  const path = event.target.closest(".item").dataset.path;
  attempt(() => call("PATCH", path, { packed: event.target.checked }));
});

list.addEventListener("click", (event) => {
  const button = event.target.closest(".remove");
  if (button) attempt(() => call("DELETE", button.closest(".item").dataset.path));
});

// --- the form

function showProblems(message, fields = {}) {
  problem.textContent = [message, ...Object.values(fields)].filter(Boolean).join(" ");
  for (const input of form.elements) {
    if (input.name) input.setAttribute("aria-invalid", input.name in fields);
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { name, quantity, category } = form.elements;
  try {
    await call("POST", "/api/items", {
      name: name.value,
      quantity: Number(quantity.value),
      category: category.value,
    });
  } catch (error) {
    return showProblems(error.message, error.fields);
  }
  const chosen = category.value;
  form.reset();
  category.value = chosen;
  showProblems("");
  name.focus();
  redraw().catch((error) => say(error.message));
});

document.getElementById("suggest").addEventListener("click", async () => {
  try {
    const idea = await call("GET", "/api/suggestion");
    if (idea === null) return showProblems("You have thought of everything.");
    form.elements.name.value = idea.name;
    form.elements.category.value = idea.category;
    showProblems("");
  } catch (error) {
    showProblems(error.message, error.fields);
  }
});

// --- the others: a WebSocket, opened again when it closes

const RECONNECT_MS = 400;
let openedAt = null;

function connect() {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`);
  let me = "";
  const onWave = () => socket.send("wave");

  socket.addEventListener("open", () => {
    openedAt = Date.now();
    tick();
    wave.disabled = false;
    wave.addEventListener("click", onWave);
    redraw().catch(() => {}); // something may have changed while nobody listened
  });
  socket.addEventListener("close", () => {
    openedAt = null;
    tick();
    wave.disabled = true;
    wave.removeEventListener("click", onWave);
    people.dataset.state = "connecting";
    people.textContent = "Connecting …";
    setTimeout(connect, RECONNECT_MS);
  });
  socket.addEventListener("message", ({ data }) => {
    const event = JSON.parse(data);
    if (event.type === "you") {
      me = event.name;
    } else if (event.type === "people") {
      people.dataset.state = "open";
      people.textContent = who(me, event.names);
    } else if (event.type === "wave") {
      say(event.name === me ? "You waved." : `${event.name} waves to you.`);
    } else if (event.type === "changed") {
      redraw().catch((error) => say(error.message));
    }
  });
}

function who(me, names) {
  const others = names.filter((name) => name !== me);
  if (others.length === 0) return `You are ${me}. Open a second tab!`;
  if (others.length > 2) return `You are ${me}, with ${others.length} others`;
  return `You are ${me}, with ${others.join(" and ")}`;
}

// --- the log: server-sent events

const SHOWN = 8;
const timeOfDay = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

let newest = 0;

function follow() {
  const stream = new EventSource(activity.dataset.source);
  stream.addEventListener("activity", ({ data }) => show(JSON.parse(data)));
  // When a stream ends, the browser connects again by itself; after an error page, as of a broken save, it does not.
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) setTimeout(follow, RECONNECT_MS);
  });
}

function show(entry) {
  if (entry.id <= newest) return; // a new stream begins with the latest entries again
  newest = entry.id;
  activity.querySelector(".nothing")?.remove();
  const time = document.createElement("time");
  time.dateTime = entry.at;
  time.textContent = timeOfDay.format(new Date(entry.at));
  const line = document.createElement("li");
  line.append(time, entry.text);
  activity.prepend(line);
  while (activity.children.length > SHOWN) activity.lastElementChild.remove();
}

// --- small things

let noticeTimer;

function say(text) {
  notice.textContent = text;
  notice.classList.add("shown");
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => notice.classList.remove("shown"), 4000);
}

function inWords(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

const loadedAt = Date.now();

function tick() {
  const here = (Date.now() - loadedAt) / 1000;
  for (const time of document.querySelectorAll("[data-age]")) {
    time.textContent = inWords(Number(time.dataset.age) + here);
  }
  document.getElementById("socket-age").textContent =
    openedAt === null ? "not open" : `open for ${inWords((Date.now() - openedAt) / 1000)}`;
}

connect();
follow();
tick();
setInterval(tick, 1000);
