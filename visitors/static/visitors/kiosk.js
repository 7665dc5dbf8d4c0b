// The kiosk: a keyboard-wedge scanner types a code and Enter, wherever the focus is; or the camera sees it.
"use strict";

const SHOWN_FOR = 4000; // ms that an answer stands
const ANSWER_WITHIN = 5000; // ms; the portal itself answers within two seconds
const ALIVE_EVERY = 5000;
const PAUSE_ENDS_CODE = 500; // ms; a scanner types a code at once, a person's stray key stays alone
const LONGEST = 512;

const body = document.body;
const words = JSON.parse(document.getElementById("words").textContent);
const LANGUAGES = ["en", "zh-hant"];
let typed = "";
let typedAt = 0;
let backToReady = 0;
let asking = false;

function put(id, text) {
  document.getElementById(id).textContent = text;
}

function show(state, messages = ["", ""], visitor = "") {
  body.dataset.state = state;
  put("word", words[state][0]);
  put("word-other", words[state][1]);
  put("message", messages[0]);
  put("message-other", messages[1]);
  put("visitor", visitor);
  clearTimeout(backToReady);
  if (state === "allow" || state === "deny") backToReady = setTimeout(() => show("ready"), SHOWN_FOR);
}

function nonce() {
  const random = crypto.getRandomValues(new Uint32Array(4));
  return Array.from(random, (n) => n.toString(16).padStart(8, "0")).join("");
}

// As it is now: who logs in to the admin beside this page gets another one.
function csrfToken() {
  const cookie = document.cookie.split("; ").find((one) => one.startsWith("csrftoken="));
  return cookie ? cookie.slice("csrftoken=".length) : body.dataset.csrf;
}

function request(address, options = {}) {
  return fetch(address, { credentials: "same-origin", signal: AbortSignal.timeout(ANSWER_WITHIN), ...options });
}

async function ask(code) {
  if (asking) return; // one visitor at a time; whoever comes too soon shows it again
  asking = true;
  show("wait");
  const chosen = document.querySelector("input[name=direction]:checked");
  const question = JSON.stringify({ code, nonce: nonce(), direction: chosen ? chosen.value : null });
  try {
    const answer = await request(body.dataset.scan, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
      body: question,
    });
    if (answer.status === 401) return show("offline", words.unpaired_message);
    if (!answer.ok) return show("offline", words.offline_message);
    const said = await answer.json();
    const visitor = Object.values(said.visitor).filter(Boolean).join(" · ");
    show(said.allowed ? "allow" : "deny", LANGUAGES.map((language) => said.messages[language]), visitor);
  } catch {
    show("offline", words.offline_message);
  } finally {
    asking = false;
  }
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const now = performance.now();
  if (now - typedAt > PAUSE_ENDS_CODE) typed = "";
  typedAt = now;
  if (event.key === "Enter" || (event.key === "Tab" && typed)) {
    if (typed) {
      event.preventDefault(); // a scanner's Enter presses no button
      ask(typed);
    }
    typed = "";
  } else if (event.key.length === 1 && typed.length < LONGEST) {
    if (typed) event.preventDefault(); // nor does its space
    typed += event.key;
  }
});

async function watch() {
  const wasOffline = body.dataset.state === "offline"; // an answer says nothing about what happened since the question
  try {
    const answer = await request(body.dataset.alive);
    if (answer.status === 401) show("offline", words.unpaired_message);
    else if (!answer.ok) show("offline", words.offline_message);
    else if (wasOffline && body.dataset.state === "offline") show("ready");
  } catch {
    show("offline", words.offline_message);
  }
}

// The camera, where the browser itself reads QR codes.
async function startCamera() {
  const video = document.getElementById("video");
  const detector = new BarcodeDetector({ formats: ["qr_code"] });
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } });
  video.hidden = false;
  await video.play();
  let last = "";
  let lastAt = 0;
  setInterval(async () => {
    if (asking || body.dataset.state !== "ready") return;
    const [found] = await detector.detect(video).catch(() => []);
    if (!found) return;
    const now = performance.now();
    if (found.rawValue === last && now - lastAt < 5000) return; // it is still held up
    [last, lastAt] = [found.rawValue, now];
    ask(found.rawValue);
  }, 250);
}

async function offerCamera() {
  if (!("BarcodeDetector" in window) || !navigator.mediaDevices) return;
  const formats = await BarcodeDetector.getSupportedFormats();
  if (!formats.includes("qr_code")) return;
  const button = document.getElementById("camera");
  button.hidden = false;
  button.addEventListener("click", () => {
    button.hidden = true;
    startCamera().catch(() => (button.hidden = false));
  });
}

window.addEventListener("offline", () => show("offline", words.offline_message));
window.addEventListener("online", watch);
setInterval(watch, ALIVE_EVERY);
show("ready");
offerCamera();
