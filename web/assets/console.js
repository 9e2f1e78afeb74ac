// What the console is nicer with; every page works without. Live pages, relative times, copying.
"use strict";

function ago(then) {
    const seconds = Math.max(0, (Date.now() - then) / 1000);
    for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]])
        if (seconds >= size)
            return new Intl.RelativeTimeFormat("en", {numeric: "auto"}).format(-Math.floor(seconds / size), unit);
    return seconds < 5 ? "just now" : Math.floor(seconds) + " seconds ago";
}

function ageTimes() {
    for (const time of document.querySelectorAll("time[datetime]")) {
        const then = Date.parse(time.dateTime);
        if (isNaN(then))
            continue;
        time.title ||= time.textContent;
        const text = ago(then);
        if (time.textContent !== text)
            time.textContent = text;
    }
}

function showCopies() {
    for (const button of document.querySelectorAll("[data-copy]"))
        button.hidden = !navigator.clipboard;
}

async function copy(button) {
    await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

// What was typed or chosen, and not sent yet.
function isTyped(field) {
    const begun = field.options ? field.querySelector("option[selected]") ?? field.options[0] : null;
    return field.value !== (field.options ? begun?.value : field.defaultValue);
}

// Nothing is taken from under the hands of somebody who types, selects or decides.
function isBusy(main) {
    const selection = getSelection();
    return [...main.querySelectorAll("input, textarea, select")].some(isTyped) ||
        main.querySelector("details[open]") || main.matches(":has(input:focus, textarea:focus, select:focus)") ||
        (selection && !selection.isCollapsed && main.contains(selection.anchorNode));
}

function scrolls(main) {
    return [...main.querySelectorAll("pre, .scroll")].map(
        (e) => [e.scrollLeft, e.scrollHeight - e.scrollTop - e.clientHeight < 4 ? -1 : e.scrollTop]);
}

function show(main, html) {
    const focused = [...main.querySelectorAll("a, button, [tabindex]")].indexOf(document.activeElement);
    const places = scrolls(main);
    main.innerHTML = html;
    [...main.querySelectorAll("pre, .scroll")].forEach((e, i) => {
        if (places[i]) {
            e.scrollLeft = places[i][0];
            e.scrollTop = places[i][1] < 0 ? e.scrollHeight : places[i][1];
        }
    });
    if (focused >= 0)
        main.querySelectorAll("a, button, [tabindex]")[focused]?.focus({preventScroll: true});
    ready();
}

function live(main) {
    const page = encodeURIComponent(location.pathname + location.search);
    const source = new EventSource("/console/live?page=" + page);
    let waiting = null;
    source.onmessage = (event) => {
        waiting = JSON.parse(event.data);
        if (!isBusy(main)) {
            show(main, waiting);
            waiting = null;
        }
    };
    source.addEventListener("gone", () => source.close());
    setInterval(() => {
        if (waiting !== null && !isBusy(main)) {
            show(main, waiting);
            waiting = null;
        }
    }, 1000);
    addEventListener("pagehide", () => source.close());
}

function ready() {
    ageTimes();
    showCopies();
    for (const log of document.querySelectorAll("pre.log"))
        if (!log.dataset.seen)
            log.scrollTop = log.scrollHeight;
    for (const log of document.querySelectorAll("pre.log"))
        log.dataset.seen = "1";
}

// term.js colours by style attributes, which our policy forbids: they are set by script instead.
function allowColours(row) {
    const html = Object.getOwnPropertyDescriptor(Element.prototype, "innerHTML");
    Object.defineProperty(row, "innerHTML", {set(text) {
        html.set.call(row, text.replaceAll('<span style="', '<span data-style="'));
        for (const span of row.querySelectorAll("[data-style]"))
            span.style.cssText = span.dataset.style;
    }});
}

function openTerminal(box) {
    const probe = box.querySelector("span").getBoundingClientRect(), decoder = new TextDecoder(), encoder = new TextEncoder();
    const size = [Math.max(20, Math.floor(box.clientWidth / probe.width * 10) - 2), 28];
    box.textContent = "";
    const terminal = new Terminal({geometry: size, cols: size[0], rows: size[1], cursorBlink: false});
    document.addEventListener("keydown", (event) => {
        if (event.key === "F6" && Terminal.focus) {
            event.stopImmediatePropagation();
            terminal.blur();
            document.querySelector("[data-copy]").focus();
        }
    }, true);
    terminal.open(box);
    terminal.children.forEach(allowColours);
    const socket = new WebSocket(location.origin.replace(/^http/, "ws") + box.dataset.socket + `&cols=${size[0]}&rows=${size[1]}`);
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event) => terminal.write(decoder.decode(event.data, {stream: true}));
    socket.onclose = (event) => terminal.write(`\r\n${event.reason || "The shell has ended: load the page again for another."}\r\n`);
    terminal.on("data", (text) => socket.readyState === 1 && socket.send(encoder.encode(text)));
}

document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button)
        copy(button);
});
setInterval(ageTimes, 5000);
ready();
const main = document.getElementById("main"), box = main.querySelector("[data-socket]");
if (box)
    openTerminal(box);
else if (document.body.dataset.live !== undefined)
    live(main);
