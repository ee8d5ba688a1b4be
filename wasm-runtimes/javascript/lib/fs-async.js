// The callback, promise and stream forms of node:fs, over the synchronous ones: a file of the
// sandbox lives in memory, so there is nothing to wait for.
'use strict';
const fs = lib('fs');
const { invalidType } = lib('errors');
const timers = lib('timers');

const NAMES = ['readFile', 'writeFile', 'appendFile', 'stat', 'lstat', 'fstat', 'access', 'readdir', 'mkdir', 'mkdtemp', 'rmdir', 'unlink', 'rm', 'rename', 'copyFile', 'cp', 'truncate', 'utimes', 'realpath', 'open', 'close', 'chmod', 'fsync'];

// An error of a promise form has the frames of the caller that waits, not of the file system.
for (const name of NAMES) {
  const run = fs[`${name}Sync`];
  fs[name] = Object.defineProperty((...args) => {
    const callback = args.pop();
    if (typeof callback !== 'function') throw invalidType('cb', 'of type function', callback);
    let outcome;
    try { outcome = [null, run(...args)]; } catch (error) {
      if (error instanceof TypeError) throw error;
      outcome = [error];
    }
    timers.setImmediate(() => callback(...(outcome[1] === undefined ? outcome.slice(0, 1) : outcome)));
  }, 'name', { value: name });
}
fs.exists = (file, callback) => { timers.setImmediate(() => callback(fs.existsSync(file))); };
fs.read = (fd, ...args) => {
  const callback = args.pop();
  const buffer = args[0] instanceof Uint8Array ? args[0] : args[0].buffer;
  let outcome;
  try { outcome = [null, fs.readSync(fd, buffer, ...args.slice(1)), buffer]; } catch (error) { outcome = [error]; }
  timers.setImmediate(() => callback(...outcome));
};
fs.write = (fd, data, ...args) => {
  const callback = args.pop();
  let outcome;
  try { outcome = [null, fs.writeSync(fd, data, ...args), data]; } catch (error) { outcome = [error]; }
  timers.setImmediate(() => callback(...outcome));
};

const later = (run) => new Promise((resolve, reject) => {
  timers.setImmediate(() => { try { resolve(run()); } catch (error) { reject(error); } });
});

class FileHandle {
  constructor(fd) { Object.defineProperty(this, 'fd', { value: fd, enumerable: true }); }

  readFile(options) { return later(() => fs.readFileSync(this.fd, options)); }

  writeFile(data, options) { return later(() => fs.writeFileSync(this.fd, data, options)); }

  appendFile(data, options) { return this.writeFile(data, options); }

  stat() { return later(() => fs.fstatSync(this.fd)); }

  truncate(length) { return later(() => fs.truncateSync(this.fd, length)); }

  read(buffer = Buffer.alloc(16384), ...rest) { return later(() => ({ bytesRead: fs.readSync(this.fd, buffer, ...rest), buffer })); }

  write(data, ...rest) { return later(() => ({ bytesWritten: fs.writeSync(this.fd, data, ...rest), buffer: data })); }

  sync() { return later(() => {}); }

  close() { return later(() => fs.closeSync(this.fd)); }

  async* readLines() { for (const line of String(await this.readFile('utf8')).replace(/\n$/, '').split(/\r?\n/)) yield line; }

  [Symbol.asyncDispose]() { return this.close(); }
}

const promises = { constants: fs.constants };
for (const name of NAMES) {
  if (['fstat', 'close', 'fsync'].includes(name)) continue;
  const run = fs[`${name}Sync`];
  promises[name] = Object.defineProperty((...args) => later(() => (args[0] instanceof FileHandle ? run(args[0].fd, ...args.slice(1)) : run(...args))), 'name', { value: name });
}
promises.open = (...args) => later(() => new FileHandle(fs.openSync(...args)));
promises.opendir = async (directory) => {
  const entries = fs.readdirSync(directory, { withFileTypes: true });
  return { path: directory, async* [Symbol.asyncIterator]() { yield* entries; }, async read() { return entries.shift() ?? null; }, async close() {} };
};
Object.defineProperty(fs, 'promises', { enumerable: true, value: promises });

fs.createReadStream = (file, options) => {
  const { Readable } = lib('stream');
  const { start = 0, end = Infinity, highWaterMark = 65536, encoding, fd: given } = typeof options === 'string' ? { encoding: options } : options ?? {};
  let fd = given;
  let at = start;
  const stream = new Readable({
    highWaterMark,
    encoding,
    construct(done) {
      try {
        fd ??= fs.openSync(file, options?.flags ?? 'r');
        done();
        stream.emit('open', fd);
      } catch (error) { done(error); }
    },
    read() {
      const buffer = Buffer.alloc(Math.min(highWaterMark, end - at + 1));
      const n = buffer.length === 0 ? 0 : fs.readSync(fd, buffer, 0, buffer.length, at);
      at += n;
      stream.bytesRead += n;
      timers.setImmediate(() => stream.push(n > 0 ? buffer.subarray(0, n) : null));
    },
    destroy(error, done) {
      if (fd !== undefined) native.close(fd);
      done(error);
    },
  });
  return Object.assign(stream, { path: file, bytesRead: 0 });
};
fs.createWriteStream = (file, options) => {
  const { Writable } = lib('stream');
  const { flags = 'w', encoding } = typeof options === 'string' ? { encoding: options } : options ?? {};
  let fd;
  const stream = new Writable({
    defaultEncoding: encoding ?? 'utf8',
    construct(done) {
      try {
        fd = fs.openSync(file, flags);
        done();
        stream.emit('open', fd);
      } catch (error) { done(error); }
    },
    write(chunk, _, done) {
      try {
        stream.bytesWritten += chunk.length;
        fs.writeSync(fd, chunk);
        done();
      } catch (error) { done(error); }
    },
    final(done) { done(); },
    destroy(error, done) {
      if (fd !== undefined) native.close(fd);
      done(error);
    },
  });
  return Object.assign(stream, { path: file, bytesWritten: 0 });
};
module.exports = { fs, promises };
