// node:readline over any readable stream; the terminal parts have nothing to act on.
'use strict';
const EventEmitter = lib('events');
const { coded } = lib('errors');

class Interface extends EventEmitter {
  constructor(input, output) {
    super();
    const options = input && typeof input.on === 'function' ? { input, output } : input;
    this.input = options.input;
    this.output = options.output;
    this.terminal = false;
    this.line = '';
    this.closed = false;
    this.promptText = options.prompt ?? '> ';
    this.waiting = undefined; // the question that takes the next line
    this.pending = []; // lines that came while paused
    this.paused = false;
    this.input?.on('data', (chunk) => this.take(`${chunk}`));
    this.input?.on('end', () => {
      if (this.line !== '') this.give(this.line);
      this.line = '';
      this.ended = true;
      if (!this.paused) this.close();
    });
    this.input?.setEncoding?.('utf8');
    options.signal?.addEventListener('abort', () => this.close(), { once: true });
  }

  take(text) {
    const lines = (this.line + text).split(/\r\n|\n|\r(?!$)/);
    this.line = lines.pop();
    for (const line of lines) this.give(line);
  }

  give(line) {
    if (this.closed) return;
    if (this.paused) {
      this.pending.push(line);
      return;
    }
    const { waiting } = this;
    this.waiting = undefined;
    if (waiting) waiting(line);
    else this.emit('line', line);
  }

  question(query, options, callback) {
    if (typeof options === 'function') callback = options;
    if (this.closed) throw coded(Error, 'ERR_USE_AFTER_CLOSE', 'readline was closed');
    this.output?.write(query);
    this.waiting = callback;
    this.resume();
  }

  setPrompt(prompt) { this.promptText = prompt; }

  getPrompt() { return this.promptText; }

  prompt() {
    this.output?.write(this.promptText);
    this.resume();
  }

  pause() {
    this.paused = true;
    this.input?.pause();
    this.emit('pause');
    return this;
  }

  resume() {
    if (!this.paused) return this;
    this.paused = false;
    this.input?.resume();
    for (const line of this.pending.splice(0)) this.give(line);
    if (this.ended) this.close();
    return this;
  }

  write(text) { if (text !== undefined && text !== null) this.take(`${text}`); }

  close() {
    if (this.closed) return;
    this.closed = true;
    this.input?.pause();
    this.emit('close');
  }

  async* [Symbol.asyncIterator]() {
    const lines = [];
    let wake;
    const poke = () => { wake?.(); };
    this.on('line', (line) => { lines.push(line); poke(); });
    this.on('close', poke);
    try {
      for (;;) {
        while (lines.length > 0) yield lines.shift();
        if (this.closed) return;
        await new Promise((resolve) => { wake = resolve; });
      }
    } finally { this.close(); }
  }

  [Symbol.dispose]() { this.close(); }
}

class PromiseInterface extends Interface {
  question(query, options) {
    return new Promise((resolve, reject) => {
      options?.signal?.addEventListener('abort', () => reject(lib('abort').abortError(options.signal)), { once: true });
      super.question(query, resolve);
    });
  }
}
const nothing = { clearLine: () => true, clearScreenDown: () => true, cursorTo: () => true, moveCursor: () => true, emitKeypressEvents() {} };
const promises = { Interface: PromiseInterface, createInterface: (input, output) => new PromiseInterface(input, output) };
const callbacks = { Interface, createInterface: (input, output) => new Interface(input, output), promises, ...nothing };
module.exports = { callbacks, promises };
