// Refreshes the page every few seconds. A page without this script works, and shows what was true when it was loaded.
//
// The page is asked for again with its ETag. The server answers 304 when nothing changed; otherwise the new <main> is merged into the present one:
// elements stay the same objects, so focus, selection, typed text, opened details and scrolling stay.
"use strict";
(() => {
  const PERIOD = 5000;
  const main = document.getElementById("main");
  const lost = document.getElementById("lost");
  const pause = document.getElementById("pause");
  let etag = main.dataset.etag;
  let busy = false;

  document.documentElement.classList.add("scripted");
  // -- small things that pages ask for by data attributes; listeners stand on the document, so that a refresh keeps them
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
  });
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const text = document.getElementById(button.dataset.copy).textContent;
    let word = "Copied";
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const range = document.createRange();
      range.selectNodeContents(document.getElementById(button.dataset.copy));
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      if (!document.execCommand("copy")) word = "Selected: press Ctrl+C";
    }
    button.dataset.word ||= button.textContent;
    button.textContent = word;
    setTimeout(() => { button.textContent = button.dataset.word; }, 2000);
  });

  // -- merging
  const isEdited = (element) =>
    element === document.activeElement ||
    (element.type === "checkbox" || element.type === "radio" ? element.checked !== element.defaultChecked
      : element.tagName === "SELECT" ? [...element.options].some((one) => one.selected !== one.defaultSelected)
      : element.value !== element.defaultValue);

  // The value of a field that a person edits is that person's; what is said about the field is not.
  const OWN = ["value", "checked"];

  function mergeAttributes(old, fresh, own = []) {
    for (const { name, value } of [...fresh.attributes]) {
      if (!own.includes(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    for (const { name } of [...old.attributes]) {
      // Whether details are open is the reader's choice.
      if (!fresh.hasAttribute(name) && !own.includes(name) && !(name === "open" && old.tagName === "DETAILS")) old.removeAttribute(name);
    }
  }

  function merge(old, fresh) {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    if (old.matches("input, textarea, select") && isEdited(old)) {
      mergeAttributes(old, fresh, OWN);
      return;
    }
    mergeAttributes(old, fresh);
    if (old.dataset.word === undefined) mergeChildren(old, fresh);
  }

  const fits = (old, fresh) =>
    old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && (old.id || "") === (fresh.id || "");

  function mergeChildren(old, fresh) {
    const named = new Map([...old.children].filter((one) => one.id).map((one) => [one.id, one]));
    let next = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const known = child.id ? named.get(child.id) : undefined;
      if (known && known.nodeName === child.nodeName) {
        if (known === next) next = next.nextSibling;
        else old.insertBefore(known, next);
        merge(known, child);
      } else if (next && fits(next, child)) {
        const here = next;
        next = next.nextSibling;
        merge(here, child);
      } else {
        old.insertBefore(child, next);
      }
    }
    while (next) {
      const gone = next;
      next = next.nextSibling;
      gone.remove();
    }
  }

  // -- rows that a person selects
  const rows = () => [...document.querySelectorAll('[form="selection"][name="row"]')];

  function count() {
    const all = document.getElementById("all");
    if (!all) return;
    const some = rows(), selected = some.filter((one) => one.checked).length;
    all.checked = selected > 0 && selected === some.length;
    all.indeterminate = selected > 0 && selected < some.length;
    document.getElementById("selected-count").textContent = selected ? `${selected} selected` : "";
  }
  document.addEventListener("change", (event) => {
    if (event.target.id === "all") for (const one of rows()) one.checked = event.target.checked;
    count();
  });
  window.addEventListener("pageshow", count);

  // -- refreshing
  const say = (text) => { if (lost.textContent !== text) lost.textContent = text; };
  const isPaused = () => document.hidden || (pause && pause.getAttribute("aria-pressed") === "true");

  async function refresh() {
    if (busy || isPaused()) return;
    busy = true;
    try {
      const headers = { "If-None-Match": etag, "Landbridge-Refresh": "1" };
      const answer = await fetch(location.href, { headers, cache: "no-store", redirect: "error" });
      if (answer.status === 401) {
        location.reload();
      } else if (answer.status === 404 && main.dataset.goneTo) {
        location.assign(main.dataset.goneTo);
      } else if (answer.status === 200) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.getElementById("main");
        if (!isPaused() && fresh) {
          mergeChildren(main, fresh);
          count();
          etag = answer.headers.get("ETag") || "";
        }
        say("");
      } else {
        say(answer.status === 304 ? "" : "The service does not answer as it should. What is shown may be old.");
      }
    } catch {
      say("The service cannot be reached. What is shown may be old.");
    } finally {
      busy = false;
    }
  }

  // -- a form that is larger than the service accepts is not sent
  const FORM_LIMIT = Number(document.body.dataset.formLimit);
  const size = (fields) => new URLSearchParams(fields).toString().replaceAll("%0A", "%0D%0A").length;  // a browser sends each end of a line as CR LF

  function tooLarge(form) {
    const fields = [...new FormData(form)];
    if (size(fields) <= FORM_LIMIT) return "";
    const [name] = fields.reduce((one, other) => size([one]) < size([other]) ? other : one);
    const label = form.elements[name].labels?.[0]?.textContent || name;
    return `The form has more than ${FORM_LIMIT / 1024} KiB. Its largest field is ${label}. Nothing was sent.`;
  }

  // -- a form that is checked while a person types: the server renders the page for what the form has now
  const TYPED = 400;
  // Milliseconds after a submit until the page sends a form again. It matters when the browser stays on the page, for example when a person stops it.
  const AGAIN = 5000;
  let timer, asked = 0, sent = false;

  async function check(form) {
    const number = ++asked, wrong = tooLarge(form);
    if (wrong) {
      say(wrong);
      return;
    }
    const fields = new URLSearchParams(new FormData(form));
    fields.set("do", "live");
    try {
      const answer = await fetch(form.action, { method: "POST", body: fields, cache: "no-store", redirect: "error" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (number !== asked || sent) return;
      if (answer.ok) mergeChildren(main, page.getElementById("main"));
      say(answer.ok ? "" : answer.status === 401 ? "The session has ended. Sign in again in another window: what you typed stays here."
        : "The service does not check what you type.");
    } catch {
      say("The service cannot be reached. What you type is not checked.");
    }
  }

  for (const [kind, delay] of [["input", TYPED], ["change", 0]]) {
    document.addEventListener(kind, (event) => {
      const form = event.target.form;
      if (!form || form.dataset.check === undefined) return;
      clearTimeout(timer);
      timer = setTimeout(check, delay, form);
    });
  }

  // A second click sends nothing.
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post") return;
    const wrong = tooLarge(event.target);
    if (wrong) say(wrong);
    if (wrong || sent) {
      event.preventDefault();
      return;
    }
    sent = true;
    clearTimeout(timer);
    setTimeout(() => { sent = false; }, AGAIN);
  });
  window.addEventListener("pageshow", () => { sent = false; });

  if (etag) {
    setInterval(refresh, PERIOD);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
    pause.hidden = false;
    pause.addEventListener("click", () => {
      const paused = pause.getAttribute("aria-pressed") !== "true";
      pause.setAttribute("aria-pressed", String(paused));
      if (!paused) refresh();
    });
  }
})();
