// setTimeout and its family, with the objects Node returns.
'use strict';
const loop = lib('loop');
const { inspect } = lib('inspect');
const { invalidType } = lib('errors');

const { trunc } = Math;
const MAX_DELAY = 2 ** 31 - 1;
const byId = new Map();
let ids = 0;

function delayOf(value) {
  const delay = +value;
  return delay >= 1 && delay <= MAX_DELAY ? trunc(delay) : 1;
}
function checkCallback(callback) {
  if (typeof callback !== 'function') throw invalidType('callback', 'of type function', callback);
}

// The loop's entry of a Timeout; undefined for all else.
let timerEntry;
let immediateEntry;
const isObject = (value) => typeof value === 'object' && value !== null;

class Timeout {
  #entry;

  static { timerEntry = (value) => (isObject(value) && #entry in value ? value.#entry : undefined); }

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
    this.#entry = { callback, owner: this, args, cleared: false, done: false, due: 0, order: 0, repeat: repeat ? delay : undefined, unref: false };
    loop.schedule(this.#entry, delay);
  }

  ref() { this.#entry.unref = false; return this; }

  unref() { this.#entry.unref = true; return this; }

  hasRef() { return !this.#entry.unref; }

  refresh() {
    if (this.#entry.cleared) return this;
    const again = { ...this.#entry, done: false };
    this.#entry.cleared = true;
    this.#entry = again;
    loop.schedule(again, delayOf(this._idleTimeout));
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
  #entry;

  static { immediateEntry = (value) => (isObject(value) && #entry in value ? value.#entry : undefined); }

  constructor(callback, args) {
    checkCallback(callback);
    this._onImmediate = callback;
    this.#entry = { callback, owner: this, args, cleared: false, done: false };
    loop.addImmediate(this.#entry);
  }

  ref() { return this; }

  unref() { return this; }

  hasRef() { return !this.#entry.cleared; }
}

function setTimeout(callback, delay, ...args) { return new Timeout(callback, delayOf(delay), args, false); }
function setInterval(callback, delay, ...args) { return new Timeout(callback, delayOf(delay), args, true); }
function setImmediate(callback, ...args) { return new Immediate(callback, args); }
function clearTimeout(timer) {
  const found = timerEntry(timer) ? timer : byId.get(+timer);
  const entry = timerEntry(found);
  if (!entry) return;
  entry.cleared = true;
  found._destroyed = true;
  byId.delete(found.id);
}
function clearImmediate(immediate) {
  const entry = immediateEntry(immediate);
  if (entry) entry.cleared = true;
}
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
