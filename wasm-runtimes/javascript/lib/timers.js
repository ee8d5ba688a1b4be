// setTimeout and its family, with the objects Node returns.
'use strict';
const loop = lib('loop');
const { inspect } = lib('inspect');
const { invalidType } = lib('errors');

const MAX_DELAY = 2 ** 31 - 1;
const byId = new Map();
let ids = 0;

function delayOf(value) {
  const delay = +value;
  return delay >= 1 && delay <= MAX_DELAY ? Math.trunc(delay) : 1;
}
function checkCallback(callback) {
  if (typeof callback !== 'function') throw invalidType('callback', 'of type function', callback);
}

class Timeout {
  constructor(callback, delay, args, repeat) {
    checkCallback(callback);
    // The fields Node shows when a timer is printed.
    this._idleTimeout = delay;
    this._idlePrev = null;
    this._idleNext = null;
    this._idleStart = 0;
    this._onTimeout = callback;
    this._timerArgs = undefined;
    this._repeat = repeat ? delay : null;
    this._destroyed = false;
    const entry = { callback, args, repeat: repeat ? delay : undefined, cleared: false, done: false, unref: false, owner: this };
    Object.defineProperty(this, 'entry', { value: entry });
    entry.callback = function fire(...given) { return callback.apply(entry.owner, given); };
    loop.schedule(entry, delay);
  }

  ref() { this.entry.unref = false; return this; }

  unref() { this.entry.unref = true; return this; }

  hasRef() { return !this.entry.unref; }

  refresh() {
    const { entry } = this;
    if (entry.cleared) return this;
    const again = { ...entry, done: false };
    entry.cleared = true;
    Object.defineProperty(this, 'entry', { value: again, configurable: true });
    loop.schedule(again, this._idleTimeout);
    return this;
  }

  close() { clearTimeout(this); return this; }

  [Symbol.toPrimitive]() {
    if (this.id === undefined) {
      Object.defineProperty(this, 'id', { value: ++ids });
      byId.set(ids, this);
    }
    return this.id;
  }

  [inspect.custom](depth, options) {
    return inspect({ ...this, __proto__: Timeout.prototype }, { ...options, depth: 0, customInspect: false });
  }
}

class Immediate {
  constructor(callback, args) {
    checkCallback(callback);
    this._onImmediate = callback;
    const entry = { callback, args, cleared: false, done: false };
    Object.defineProperty(this, 'entry', { value: entry });
    loop.addImmediate(entry);
  }

  ref() { return this; }

  unref() { return this; }

  hasRef() { return !this.entry.cleared; }
}

function setTimeout(callback, delay, ...args) { return new Timeout(callback, delayOf(delay), args, false); }
function setInterval(callback, delay, ...args) { return new Timeout(callback, delayOf(delay), args, true); }
function setImmediate(callback, ...args) { return new Immediate(callback, args); }
function clearTimeout(timer) {
  const found = timer instanceof Timeout ? timer : byId.get(+timer);
  if (!found) return;
  found.entry.cleared = true;
  found._destroyed = true;
  byId.delete(found.id);
}
function clearImmediate(immediate) { if (immediate instanceof Immediate) immediate.entry.cleared = true; }
function queueMicrotask(callback) {
  checkCallback(callback);
  // A promise job: what it throws surfaces from the queue, not as a rejection.
  native.enqueue(callback);
}

// The promise forms of node:timers/promises.
function waiting(start) {
  return (delay, value, { signal } = {}) => new Promise((resolve, reject) => {
    if (signal?.aborted) { reject(abortError(signal)); return; }
    const stop = start(() => { signal?.removeEventListener('abort', onAbort); resolve(value); }, delay);
    function onAbort() { stop(); reject(abortError(signal)); }
    signal?.addEventListener('abort', onAbort);
  });
}
function abortError(signal) {
  const error = new Error('The operation was aborted', { cause: signal.reason });
  error.name = 'AbortError';
  error.code = 'ABORT_ERR';
  return error;
}
const after = waiting((done, delay) => { const timer = setTimeout(done, delay); return () => clearTimeout(timer); });
const soon = waiting((done) => { const immediate = setImmediate(done); return () => clearImmediate(immediate); });
const promises = {
  setTimeout: after,
  setImmediate: (value, options) => soon(0, value, options),
  async* setInterval(delay, value, { signal } = {}) {
    for (;;) yield await after(delay, value, { signal });
  },
  scheduler: { wait: (delay, options) => after(delay, undefined, options), yield: () => soon(0) },
};
const promisified = Symbol.for('nodejs.util.promisify.custom');
Object.defineProperty(setTimeout, promisified, { enumerable: true, get: () => promises.setTimeout });
Object.defineProperty(setImmediate, promisified, { enumerable: true, get: () => promises.setImmediate });

module.exports = { setTimeout, clearTimeout, setInterval, clearInterval: clearTimeout, setImmediate, clearImmediate, queueMicrotask, promises };
