// process.stdin, stdout and stderr.
'use strict';
const loop = lib('loop');
const { invalidType } = lib('errors');
const { Writable, Readable } = lib('stream');

function output(fd) {
  const stream = new Writable({
    decodeStrings: false,
    write(chunk, encoding, done) {
      put(chunk, encoding);
      done();
    },
  });
  function put(chunk, encoding) {
    if (typeof chunk === 'string' && (encoding === undefined || encoding === null || /^utf-?8$/i.test(encoding))) native.write(fd, chunk);
    else {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk;
      native.writeFd(fd, bytes, 0, bytes.length, null);
    }
  }
  // Writing is synchronous and never waits: the queue of the stream would only cost.
  stream.write = function write(chunk, encoding, done) {
    if (typeof encoding === 'function') [encoding, done] = [undefined, encoding];
    if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) {
      if (chunk === null) throw lib('errors').coded(TypeError, 'ERR_STREAM_NULL_VALUES', 'May not write null values to stream');
      throw invalidType('chunk', 'of type string or an instance of Buffer or Uint8Array', chunk);
    }
    put(chunk, encoding);
    if (typeof done === 'function') loop.nextTick(done, []);
    return true;
  };
  return Object.assign(stream, { fd, isTTY: false, columns: undefined, _type: 'fs', getColorDepth: () => 1, hasColors: () => false });
}

// All that is left of stdin, read at once: a request's input is there from the start.
function readAll() {
  const parts = [];
  for (;;) {
    const part = new Uint8Array(65536);
    const n = native.read(0, part, 0, part.length, null);
    if (n <= 0) break;
    parts.push(part.subarray(0, n));
  }
  return Buffer.concat(parts);
}

function input() {
  return Object.assign(new Readable({
    highWaterMark: 65536,
    read() {
      const part = Buffer.alloc(65536);
      const n = native.read(0, part, 0, part.length, null);
      // Delivered on a turn of its own, as input that arrives.
      lib('timers').setImmediate(() => this.push(n > 0 ? part.subarray(0, n) : null));
    },
  }), { fd: 0, isTTY: false });
}

const streams = {};
const once = (name, make) => Object.defineProperty(module.exports, name, { enumerable: true, get: () => streams[name] ??= make() });
once('stdout', () => output(1));
once('stderr', () => output(2));
once('stdin', input);
module.exports.readAll = readAll;
