// The event loop: ticks, microtasks, timers, immediates, in Node's order.
//
// Time here is virtual: the sum of what the loop has slept. So a program that uses timers but
// never looks at a clock runs the same way every time, while its waits are real.
'use strict';
const { runJobs, sleep, wake, takeRejections } = native;
const { apply } = Reflect;

const ticks = [];
let tickAt = 0;
let timers = []; // a binary heap by due time, then by the order of creation
let immediates = [];
let time = 0;
let slept = 0; // at most `time`: the first millisecond passes without a sleep
let sequence = 0;
// Entries are the program's objects, but it never sees them: { callback, owner, args, cleared, done },
// a timer's also { due, order, repeat, unref }.
let onError = (error) => { throw error; };
let onRejection = () => {};
const sources = []; // functions that look for input: true while they may still have some

const before = (a, b) => a.due < b.due || (a.due === b.due && a.order < b.order);
function push(timer) {
  let at = timers.length;
  timers.push(timer);
  while (at > 0) {
    const up = (at - 1) >> 1;
    if (!before(timer, timers[up])) break;
    timers[at] = timers[up];
    at = up;
  }
  timers[at] = timer;
}
function pop() {
  const top = timers[0];
  const last = timers.pop();
  if (timers.length > 0) {
    let at = 0;
    for (;;) {
      let down = at * 2 + 1;
      if (down >= timers.length) break;
      if (down + 1 < timers.length && before(timers[down + 1], timers[down])) down++;
      if (!before(timers[down], last)) break;
      timers[at] = timers[down];
      at = down;
    }
    timers[at] = last;
  }
  return top;
}

function schedule(timer, delay) {
  wake();
  timer.due = time + delay;
  timer.order = sequence++;
  push(timer);
}

function nextTick(callback, args) {
  wake();
  ticks.push(callback, args);
}

function guarded(callback, receiver, args) {
  try { apply(callback, receiver, args); } catch (error) { onError(error); }
}
function microtasks() {
  for (;;) {
    try { runJobs(); return; } catch (error) { onError(error); }
  }
}

// Everything that comes before the next callback of the loop.
function drain() {
  for (;;) {
    while (tickAt < ticks.length) {
      const callback = ticks[tickAt++];
      const args = ticks[tickAt++];
      guarded(callback, undefined, args);
    }
    ticks.length = tickAt = 0;
    microtasks();
    if (ticks.length > 0) continue;
    const rejected = takeRejections();
    if (rejected === undefined) return;
    for (let i = 0; i < rejected.length; i += 2) if (rejected[i] !== undefined) onRejection(rejected[i + 1], rejected[i]);
  }
}

function runTimer(timer) {
  if (timer.cleared) return;
  if (timer.repeat === undefined) timer.done = true;
  guarded(timer.callback, timer.owner, timer.args);
  if (timer.repeat !== undefined && !timer.cleared) schedule(timer, timer.repeat);
}

// What still keeps the program alive.
const alive = () => timers.some((timer) => !timer.cleared && !timer.unref);

function turn() {
  const due = [];
  while (timers.length > 0 && timers[0].due <= time) due.push(pop());
  for (const timer of due) {
    runTimer(timer);
    drain();
  }
  if (immediates.length > 0) {
    const now = immediates;
    immediates = [];
    for (const immediate of now) {
      if (immediate.cleared) continue;
      immediate.done = true;
      guarded(immediate.callback, immediate.owner, immediate.args);
      drain();
    }
    return;
  }
  for (let i = 0; i < sources.length;) {
    if (sources[i]()) i++;
    else sources.splice(i, 1);
    drain();
  }
}

function run() {
  drain();
  // The first turn comes a moment after the start: a timer of 1 ms is due before an immediate.
  time += 1;
  for (;;) {
    turn();
    if (immediates.length > 0 || sources.length > 0) continue;
    while (timers.length > 0 && timers[0].cleared) pop();
    if (timers.length === 0 || !alive()) return;
    if (timers[0].due > time) {
      time = timers[0].due;
      sleep(time - slept);
      slept = time;
    }
  }
}

module.exports = {
  run, drain, microtasks, nextTick, schedule,
  pending: () => ticks.length > 0 || immediates.length > 0 || sources.length > 0 || alive(),
  addImmediate(immediate) { wake(); immediates.push(immediate); },
  addSource(source) { wake(); sources.push(source); },
  handlers(error, rejection) { onError = error; onRejection = rejection; },
};
