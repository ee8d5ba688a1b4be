// Event, EventTarget, AbortController and AbortSignal.
'use strict';
const { invalidType } = lib('errors');
const { inspect } = lib('inspect');
const loop = lib('loop');

class Event {
  #type;
  #cancelable;
  #bubbles;
  #prevented = false;
  #time;
  target = null;
  stopped = false;

  constructor(type, { cancelable = false, bubbles = false } = {}) {
    if (arguments.length === 0) throw lib('errors').coded(TypeError, 'ERR_MISSING_ARGS', 'The "type" argument must be specified');
    this.#type = `${type}`;
    this.#cancelable = Boolean(cancelable);
    this.#bubbles = Boolean(bubbles);
    for (const key of ['target', 'stopped']) Object.defineProperty(this, key, { enumerable: false });
  }

  get type() { return this.#type; }

  get cancelable() { return this.#cancelable; }

  get bubbles() { return this.#bubbles; }

  get defaultPrevented() { return this.#cancelable && this.#prevented; }

  get returnValue() { return !this.defaultPrevented; }

  get currentTarget() { return this.target; }

  get srcElement() { return this.target; }

  get eventPhase() { return this.target ? 2 : 0; }

  get isTrusted() { return false; }

  get timeStamp() { return this.#time ??= native.now() / 1e6; }

  preventDefault() { this.#prevented = true; }

  stopPropagation() {}

  stopImmediatePropagation() { this.stopped = true; }

  composedPath() { return this.target ? [this.target] : []; }
}

class CustomEvent extends Event {
  #detail;

  constructor(type, options) {
    super(type, options);
    this.#detail = options?.detail ?? null;
  }

  get detail() { return this.#detail; }
}

class EventTarget {
  #listeners = new Map();

  addEventListener(type, listener, options) {
    if (listener === null || listener === undefined) return;
    if (typeof listener !== 'function' && typeof listener !== 'object') throw invalidType('listener', 'an instance of EventListener', listener);
    const { once = false, capture = false, signal } = typeof options === 'object' && options !== null ? options : { capture: Boolean(options) };
    if (signal?.aborted) return;
    const list = this.#listeners.get(`${type}`) ?? [];
    if (list.some((held) => held.listener === listener && held.capture === capture)) return;
    this.#listeners.set(`${type}`, [...list, { listener, once, capture }]);
    signal?.addEventListener('abort', () => this.removeEventListener(type, listener, capture), { once: true });
  }

  removeEventListener(type, listener, options) {
    const capture = Boolean(typeof options === 'object' && options !== null ? options.capture : options);
    const list = this.#listeners.get(`${type}`) ?? [];
    this.#listeners.set(`${type}`, list.filter((held) => held.listener !== listener || Boolean(held.capture) !== capture));
  }

  dispatchEvent(event) {
    if (!(event instanceof Event)) throw invalidType('event', 'an instance of Event', event);
    event.target = this;
    for (const held of this.#listeners.get(event.type) ?? []) {
      if (held.once) this.removeEventListener(event.type, held.listener, held.capture);
      try {
        if (typeof held.listener === 'function') held.listener.call(this, event);
        else held.listener.handleEvent(event);
      } catch (error) {
        // One listener's failure is not the next one's: it surfaces as an uncaught error.
        loop.nextTick(() => { throw error; }, []);
      }
      if (event.stopped) break;
    }
    return !event.defaultPrevented;
  }

  [inspect.custom](depth, options) { return `${this.constructor.name} {}`; }
}

// `on…` attributes are listeners that can be replaced.
function handlerAttribute(prototype, name) {
  const held = new WeakMap();
  Object.defineProperty(prototype, `on${name}`, {
    configurable: true,
    enumerable: true,
    get() { return held.get(this) ?? null; },
    set(listener) {
      if (held.has(this)) this.removeEventListener(name, held.get(this));
      if (typeof listener === 'function') {
        held.set(this, listener);
        this.addEventListener(name, listener);
      } else held.delete(this);
    },
  });
}

const secret = {};
class AbortSignal extends EventTarget {
  #aborted = false;
  #reason;

  constructor(key) {
    if (key !== secret) throw lib('errors').coded(TypeError, 'ERR_ILLEGAL_CONSTRUCTOR', 'Illegal constructor');
    super();
  }

  get aborted() { return this.#aborted; }

  get reason() { return this.#reason; }

  throwIfAborted() { if (this.#aborted) throw this.#reason; }

  static fire(signal, reason = new DOMException('This operation was aborted', 'AbortError')) {
    if (signal.#aborted) return;
    signal.#aborted = true;
    signal.#reason = reason;
    signal.dispatchEvent(new Event('abort'));
  }

  static abort(reason) {
    const signal = new AbortSignal(secret);
    fire(signal, reason);
    return signal;
  }

  static timeout(delay) {
    const signal = new AbortSignal(secret);
    lib('timers').setTimeout(() => fire(signal, new DOMException('The operation was aborted due to timeout', 'TimeoutError')), delay).unref();
    return signal;
  }

  static any(signals) {
    const joint = new AbortSignal(secret);
    for (const signal of signals) {
      if (signal.aborted) {
        fire(joint, signal.reason);
        break;
      }
      signal.addEventListener('abort', () => fire(joint, signal.reason), { once: true });
    }
    return joint;
  }

  [inspect.custom]() { return `AbortSignal { aborted: ${this.#aborted} }`; }
}
const { fire } = AbortSignal;
delete AbortSignal.fire;
handlerAttribute(AbortSignal.prototype, 'abort');

class AbortController {
  #signal = new AbortSignal(secret);

  get signal() { return this.#signal; }

  abort(reason) { fire(this.#signal, reason); }

  [inspect.custom]() { return `AbortController { signal: ${inspect(this.#signal)} }`; }
}
for (const Class of [Event, CustomEvent, EventTarget, AbortSignal, AbortController]) {
  Object.defineProperty(Class.prototype, Symbol.toStringTag, { value: Class.name, configurable: true });
}

function abortError(signal) {
  const error = new Error('The operation was aborted', signal.reason === undefined ? undefined : { cause: signal.reason });
  error.name = 'AbortError';
  error.code = 'ABORT_ERR';
  return error;
}

module.exports = { Event, CustomEvent, EventTarget, AbortSignal, AbortController, abortError };
