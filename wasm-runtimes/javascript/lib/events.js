// node:events.
'use strict';
const { emit } = lib('emit');
const errors = () => lib('errors');
const kShape = Symbol('shapeMode');
const kCapture = Symbol('kCapture');

function checkListener(listener) {
  if (typeof listener !== 'function') throw errors().invalidType('listener', 'of type function', listener);
}

function EventEmitter(options) { EventEmitter.init.call(this, options); }
let defaultMax = 10;
EventEmitter.init = function init() {
  if (this._events === undefined || this._events === Object.getPrototypeOf(this)._events) {
    this._events = Object.create(null);
    this._eventsCount = 0;
  }
  this._maxListeners = this._maxListeners || undefined;
  // Node's emitters carry these two, and show them when printed.
  this[kShape] = false;
  this[kCapture] = false;
};

function listenersOf(emitter, type) {
  const held = emitter._events?.[type];
  return held === undefined ? [] : typeof held === 'function' ? [held] : held;
}
const unwrap = (listener) => listener.listener ?? listener;

function insert(emitter, type, listener, first) {
  checkListener(listener);
  if (emitter._events === undefined) EventEmitter.init.call(emitter);
  if (emitter._events.newListener !== undefined) emitter.emit('newListener', type, unwrap(listener));
  const held = emitter._events[type];
  if (held === undefined) {
    emitter._events[type] = listener;
    emitter._eventsCount++;
    return emitter;
  }
  // A new array for every change: an emission under way keeps the one it began with.
  const list = typeof held === 'function' ? [held] : [...held];
  list[first ? 'unshift' : 'push'](listener);
  list.warned = held.warned;
  emitter._events[type] = list;
  const max = emitter.getMaxListeners();
  if (max > 0 && list.length > max && !list.warned) {
    list.warned = true;
    const { name } = emitter.constructor;
    lib('process').emitWarning(`Possible EventEmitter memory leak detected. ${list.length} ${String(type)} listeners added to [${name}]. MaxListeners is ${max}. Use emitter.setMaxListeners() to increase limit`, 'MaxListenersExceededWarning');
  }
  return emitter;
}

function wrapOnce(emitter, type, listener) {
  checkListener(listener);
  let fired = false;
  function once(...args) {
    if (fired) return undefined;
    fired = true;
    emitter.removeListener(type, once);
    return listener.apply(emitter, args);
  }
  once.listener = listener;
  return once;
}

function unhandled(emitter, args) {
  const error = args[0];
  if (error instanceof Error) throw error;
  let text;
  try { text = lib('inspect').inspect(error); } catch { text = String(error); }
  throw errors().coded(Error, 'ERR_UNHANDLED_ERROR', `Unhandled error. (${text})`, { context: error });
}

const methods = {
  emit(type, ...args) {
    if (emit(this, type, args)) return true;
    if (type === 'error') unhandled(this, args);
    return false;
  },
  on(type, listener) { return insert(this, type, listener, false); },
  addListener(type, listener) { return insert(this, type, listener, false); },
  prependListener(type, listener) { return insert(this, type, listener, true); },
  once(type, listener) { return this.on(type, wrapOnce(this, type, listener)); },
  prependOnceListener(type, listener) { return this.prependListener(type, wrapOnce(this, type, listener)); },
  removeListener(type, listener) {
    checkListener(listener);
    const list = listenersOf(this, type);
    const at = list.findLastIndex((held) => held === listener || held.listener === listener);
    if (at === -1) return this;
    const rest = list.toSpliced(at, 1);
    if (rest.length === 0) {
      delete this._events[type];
      this._eventsCount--;
    } else this._events[type] = rest.length === 1 ? rest[0] : rest;
    if (this._events.removeListener !== undefined) this.emit('removeListener', type, unwrap(list[at]));
    return this;
  },
  removeAllListeners(type) {
    if (this._events === undefined) return this;
    if (type === undefined) {
      this._events = Object.create(null);
      this._eventsCount = 0;
    } else if (this._events[type] !== undefined) {
      delete this._events[type];
      this._eventsCount--;
    }
    return this;
  },
  setMaxListeners(n) {
    if (typeof n !== 'number' || n < 0 || Number.isNaN(n)) throw errors().outOfRange('setMaxListeners', 'a non-negative number', n);
    this._maxListeners = n;
    return this;
  },
  getMaxListeners() { return this._maxListeners === undefined ? defaultMax : this._maxListeners; },
  listeners(type) { return listenersOf(this, type).map(unwrap); },
  rawListeners(type) { return [...listenersOf(this, type)]; },
  listenerCount(type, listener) {
    const list = listenersOf(this, type);
    return listener === undefined ? list.length : list.filter((held) => held === listener || held.listener === listener).length;
  },
  eventNames() { return this._eventsCount > 0 ? Reflect.ownKeys(this._events) : []; },
};
methods.off = methods.removeListener;
Object.assign(EventEmitter.prototype, methods, { _events: undefined, _eventsCount: 0, _maxListeners: undefined });

function listen(target, name, listener, once) {
  if (typeof target.on === 'function') {
    target[once ? 'once' : 'on'](name, listener);
    return () => target.removeListener(name, listener);
  }
  target.addEventListener(name, listener, { once });
  return () => target.removeEventListener(name, listener);
}

// Resolves with the arguments of the next `name` event.
async function once(emitter, name, { signal } = {}) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(lib('abort').abortError(signal));
      return;
    }
    const undo = [];
    const settle = (finish) => (...args) => {
      for (const stop of undo) stop();
      finish(args);
    };
    undo.push(listen(emitter, name, settle(resolve), true));
    if (name !== 'error' && typeof emitter.once === 'function') undo.push(listen(emitter, 'error', settle(([error]) => reject(error)), true));
    if (signal) undo.push(listen(signal, 'abort', settle(() => reject(lib('abort').abortError(signal))), true));
  });
}

// An async iterator over the `name` events.
function on(emitter, name, { signal, close = [] } = {}) {
  const waiting = [];
  const events = [];
  let failure;
  let ended = false;
  const undo = [
    listen(emitter, name, (...args) => { if (waiting.length) waiting.shift().resolve({ value: args, done: false }); else events.push(args); }),
    listen(emitter, 'error', fail),
    ...close.map((event) => listen(emitter, event, finish)),
  ];
  if (signal) undo.push(listen(signal, 'abort', () => fail(lib('abort').abortError(signal))));
  function fail(error) {
    if (waiting.length) waiting.shift().reject(error); else failure = error;
    finish();
  }
  function finish() {
    ended = true;
    for (const stop of undo) stop();
    for (const { resolve } of waiting.splice(0)) resolve({ value: undefined, done: true });
    return Promise.resolve({ value: undefined, done: true });
  }
  return {
    next() {
      if (events.length) return Promise.resolve({ value: events.shift(), done: false });
      if (failure) { const error = failure; failure = undefined; return Promise.reject(error); }
      if (ended) return Promise.resolve({ value: undefined, done: true });
      return new Promise((resolve, reject) => { waiting.push({ resolve, reject }); });
    },
    return: finish,
    throw: (error) => { fail(error); return Promise.resolve({ value: undefined, done: true }); },
    [Symbol.asyncIterator]() { return this; },
  };
}

EventEmitter.EventEmitter = EventEmitter;
EventEmitter.once = once;
EventEmitter.on = on;
EventEmitter.listenerCount = (emitter, type) => emitter.listenerCount(type);
EventEmitter.getEventListeners = (emitter, type) => emitter.listeners?.(type) ?? [];
EventEmitter.setMaxListeners = (n, ...emitters) => { if (emitters.length === 0) defaultMax = n; for (const emitter of emitters) emitter.setMaxListeners?.(n); };
EventEmitter.errorMonitor = Symbol('events.errorMonitor');
EventEmitter.captureRejectionSymbol = Symbol.for('nodejs.rejection');
EventEmitter.usingDomains = false;
Object.defineProperty(EventEmitter, 'defaultMaxListeners', { enumerable: true, get: () => defaultMax, set: (n) => { defaultMax = n; } });
module.exports = EventEmitter;
