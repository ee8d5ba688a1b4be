// node:fs on the sandbox's files: the synchronous forms. Callback and promise forms in fs-async.js.
'use strict';
const { coded, invalidType, invalidValue } = lib('errors');
const path = lib('path');
const F = native.openFlags;

// WASI's errno, as wasi-libc numbers it, to Node's code, number and words.
const ERRNO = {
  2: ['EACCES', -13, 'permission denied'], 8: ['EBADF', -9, 'bad file descriptor'], 10: ['EBUSY', -16, 'resource busy or locked'],
  19: ['EDQUOT', -122, 'disk quota exceeded'], 20: ['EEXIST', -17, 'file already exists'], 22: ['EFBIG', -27, 'file too large'],
  28: ['EINVAL', -22, 'invalid argument'], 29: ['EIO', -5, 'i/o error'], 31: ['EISDIR', -21, 'illegal operation on a directory'],
  32: ['ELOOP', -40, 'too many symbolic links encountered'], 33: ['EMFILE', -24, 'too many open files'], 37: ['ENAMETOOLONG', -36, 'name too long'],
  44: ['ENOENT', -2, 'no such file or directory'], 51: ['ENOSPC', -28, 'no space left on device'], 52: ['ENOSYS', -38, 'function not implemented'],
  54: ['ENOTDIR', -20, 'not a directory'], 55: ['ENOTEMPTY', -39, 'directory not empty'], 58: ['ENOTSUP', -95, 'operation not supported on socket'],
  63: ['EPERM', -1, 'operation not permitted'], 69: ['EROFS', -30, 'read-only file system'], 70: ['ESPIPE', -29, 'invalid seek'],
  75: ['EXDEV', -18, 'cross-device link not permitted'], 76: ['ENOTCAPABLE', -1, 'operation not permitted'],
};

function failure(errno, syscall, from, to) {
  const [code, number, words] = ERRNO[errno] ?? ['EIO', -5, `error ${errno}`];
  const where = from === undefined ? '' : ` '${from}'${to === undefined ? '' : ` -> '${to}'`}`;
  const error = new Error(`${code}: ${words}, ${syscall}${where}`);
  error.errno = number;
  error.code = code;
  error.syscall = syscall;
  if (from !== undefined) error.path = from;
  if (to !== undefined) error.dest = to;
  return error;
}
// The result of a native call, or the error it stands for.
function checked(result, syscall, from, to) {
  if (typeof result === 'number' && result < 0) throw failure(-result, syscall, from, to);
  return result;
}

function toPath(value, name = 'path') {
  if (typeof value === 'object' && value instanceof URL) return lib('url').fileURLToPath(value);
  if (value instanceof Uint8Array) value = native.utf8Decode(value, false);
  if (typeof value !== 'string') throw invalidType(name, 'of type string or an instance of Buffer or URL', value);
  if (value.includes('\0')) throw invalidValue(name, value, 'must be a string, Uint8Array, or URL without null bytes');
  return value;
}
const isFd = (value) => typeof value === 'number';
function encodingOf(options) {
  const encoding = typeof options === 'string' ? options : options?.encoding;
  if (encoding != null && encoding !== 'buffer' && encoding !== 'utf8' && !Buffer.isEncoding(encoding)) throw invalidValue('encoding', encoding, 'is invalid encoding');
  return encoding === 'buffer' ? null : encoding;
}
const asBuffer = (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
const decoded = (bytes, encoding) => (encoding ? (/^utf-?8$/i.test(encoding) ? native.utf8Decode(bytes, false) : asBuffer(bytes).toString(encoding)) : asBuffer(bytes));
function toBytes(data, encoding) {
  if (typeof data === 'string') return /^utf-?8$/i.test(encoding ?? 'utf8') ? native.utf8Encode(data) : Buffer.from(data, encoding);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  throw invalidType('data', 'of type string or an instance of Buffer, TypedArray, or DataView', data);
}

const FLAGS = {
  r: F.O_RDONLY, rs: F.O_RDONLY, 'r+': F.O_RDWR, 'rs+': F.O_RDWR,
  w: F.O_WRONLY | F.O_CREAT | F.O_TRUNC, wx: F.O_WRONLY | F.O_CREAT | F.O_TRUNC | F.O_EXCL,
  'w+': F.O_RDWR | F.O_CREAT | F.O_TRUNC, 'wx+': F.O_RDWR | F.O_CREAT | F.O_TRUNC | F.O_EXCL,
  a: F.O_WRONLY | F.O_CREAT | F.O_APPEND, ax: F.O_WRONLY | F.O_CREAT | F.O_APPEND | F.O_EXCL,
  'a+': F.O_RDWR | F.O_CREAT | F.O_APPEND, 'ax+': F.O_RDWR | F.O_CREAT | F.O_APPEND | F.O_EXCL,
};
FLAGS.xw = FLAGS.wx; FLAGS.xa = FLAGS.ax; FLAGS.as = FLAGS.a; FLAGS['as+'] = FLAGS['a+'];
// Numbers are Linux's, as fs.constants has them.
const constants = {
  F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1, COPYFILE_EXCL: 1, COPYFILE_FICLONE: 2, COPYFILE_FICLONE_FORCE: 4,
  O_RDONLY: 0, O_WRONLY: 1, O_RDWR: 2, O_CREAT: 64, O_EXCL: 128, O_TRUNC: 512, O_APPEND: 1024, O_DIRECTORY: 65536,
  S_IFMT: 61440, S_IFREG: 32768, S_IFDIR: 16384, S_IFLNK: 40960,
};
function toFlags(flags = 'r') {
  if (typeof flags === 'number') {
    let mapped = [F.O_RDONLY, F.O_WRONLY, F.O_RDWR][flags & 3];
    for (const name of ['O_CREAT', 'O_EXCL', 'O_TRUNC', 'O_APPEND', 'O_DIRECTORY']) if (flags & constants[name]) mapped |= F[name];
    return mapped;
  }
  if (FLAGS[flags] === undefined) throw invalidValue('flags', flags);
  return FLAGS[flags];
}

function openSync(file, flags, mode = 0o666) {
  file = toPath(file);
  return checked(native.open(file, toFlags(flags), mode), 'open', file);
}
function closeSync(fd) { checked(native.close(fd), 'close'); }

function withFile(file, flags, body) {
  if (isFd(file)) return body(file);
  const fd = openSync(file, flags);
  try { return body(fd); } finally { native.close(fd); }
}

function readFileSync(file, options) {
  const encoding = encodingOf(options);
  if (file === 0 || file === '/dev/stdin') return decoded(lib('stdio').readAll(), encoding);
  const bytes = withFile(file, options?.flag ?? 'r', (fd) => {
    const fields = checked(native.stat(fd), 'fstat');
    if ((fields[0] & constants.S_IFMT) === constants.S_IFDIR) throw failure(31, 'read');
    const buffer = new Uint8Array(fields[1]);
    let at = 0;
    while (at < buffer.length) {
      const n = checked(native.read(fd, buffer, at, buffer.length - at, null), 'read');
      if (n === 0) break;
      at += n;
    }
    return at === buffer.length ? buffer : buffer.subarray(0, at);
  });
  return decoded(bytes, encoding);
}

function writeAll(fd, bytes) {
  for (let at = 0; at < bytes.length;) at += checked(native.writeFd(fd, bytes, at, bytes.length - at, null), 'write');
}
function writeFileSync(file, data, options) {
  const bytes = toBytes(data, encodingOf(options));
  withFile(file, options?.flag ?? 'w', (fd) => writeAll(fd, bytes));
}
function appendFileSync(file, data, options) { writeFileSync(file, data, { ...(typeof options === 'string' ? { encoding: options } : options), flag: options?.flag ?? 'a' }); }

function readSync(fd, buffer, offset, length, position) {
  if (offset !== null && typeof offset === 'object') ({ offset, length, position } = offset);
  offset ??= 0;
  return checked(native.read(fd, buffer, offset, length ?? buffer.byteLength - offset, position ?? null), 'read');
}
function writeSync(fd, data, offset, length, position) {
  if (typeof data === 'string') {
    const bytes = toBytes(data, typeof length === 'string' ? length : undefined);
    return checked(native.writeFd(fd, bytes, 0, bytes.length, typeof offset === 'number' ? offset : null), 'write');
  }
  if (offset !== null && typeof offset === 'object') ({ offset, length, position } = offset);
  offset ??= 0;
  return checked(native.writeFd(fd, data, offset, length ?? data.byteLength - offset, position ?? null), 'write');
}

class Stats {
  constructor(fields) {
    const [mode, size, atimeMs, mtimeMs, ctimeMs, ino, nlink] = fields;
    // The host tells the type; the permissions are the same for all.
    const permissions = mode & 0o777 || ((mode & constants.S_IFMT) === constants.S_IFDIR ? 0o755 : 0o644);
    Object.assign(this, {
      dev: 1, mode: (mode & constants.S_IFMT) | permissions, nlink, uid: 1000, gid: 1000, rdev: 0, blksize: 4096, ino, size, blocks: Math.ceil(size / 512),
      atimeMs, mtimeMs, ctimeMs, birthtimeMs: ctimeMs,
      atime: new Date(atimeMs), mtime: new Date(mtimeMs), ctime: new Date(ctimeMs), birthtime: new Date(ctimeMs),
    });
  }

  isFile() { return (this.mode & constants.S_IFMT) === constants.S_IFREG; }

  isDirectory() { return (this.mode & constants.S_IFMT) === constants.S_IFDIR; }

  isSymbolicLink() { return (this.mode & constants.S_IFMT) === constants.S_IFLNK; }

  isFIFO() { return false; }

  isSocket() { return false; }

  isBlockDevice() { return false; }

  isCharacterDevice() { return false; }
}

function statWith(follow, syscall) {
  return (file, options) => {
    file = toPath(file);
    const fields = native.stat(file, follow);
    if (options?.throwIfNoEntry === false && (fields === -44 || fields === -54)) return undefined;
    return new Stats(checked(fields, syscall, file));
  };
}
const statSync = statWith(true, 'stat');
const lstatSync = statWith(false, 'lstat');
const fstatSync = (fd) => new Stats(checked(native.stat(fd), 'fstat'));

function existsSync(file) {
  try { return typeof native.stat(toPath(file), true) !== 'number'; } catch { return false; }
}
function accessSync(file) {
  file = toPath(file);
  checked(native.stat(file, true), 'access', file);
}

class Dirent {
  constructor(name, parent, type) {
    this.name = name;
    this.parentPath = parent;
    this.path = parent;
    Object.defineProperty(this, 'type', { value: type });
  }

  isFile() { return this.type === 1; }

  isDirectory() { return this.type === 2; }

  isSymbolicLink() { return this.type === 3; }
}
function readdirSync(directory, options) {
  directory = toPath(directory);
  const flat = checked(native.readdir(directory), 'scandir', directory);
  const entries = [];
  for (let i = 0; i < flat.length; i += 2) entries.push(new Dirent(flat[i], directory, flat[i + 1]));
  entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  if (!options?.recursive) return options?.withFileTypes ? entries : entries.map((entry) => entry.name);
  const all = [];
  for (const entry of entries) {
    all.push(options.withFileTypes ? entry : entry.name);
    if (!entry.isDirectory()) continue;
    for (const below of readdirSync(path.join(directory, entry.name), options)) all.push(options.withFileTypes ? below : path.join(entry.name, below));
  }
  return all;
}

function mkdirSync(directory, options) {
  directory = toPath(directory);
  if (!options?.recursive) {
    checked(native.mkdir(directory), 'mkdir', directory);
    return undefined;
  }
  let first;
  const make = (at) => {
    const fields = native.stat(at, true);
    if (typeof fields !== 'number') {
      if ((fields[0] & constants.S_IFMT) !== constants.S_IFDIR) throw failure(at === path.resolve(directory) ? 20 : 54, 'mkdir', directory);
      return;
    }
    make(path.dirname(at));
    checked(native.mkdir(at), 'mkdir', directory);
    first ??= at;
  };
  make(path.resolve(directory));
  return first;
}
function mkdtempSync(prefix) {
  const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
  const bytes = new Uint8Array(6);
  native.fillRandom(bytes);
  const directory = toPath(prefix, 'prefix') + Array.from(bytes, (b) => letters[b % letters.length]).join('');
  mkdirSync(directory);
  return directory;
}
function rmdirSync(directory, options) {
  if (options?.recursive) return rmSync(directory, options);
  directory = toPath(directory);
  checked(native.rmdir(directory), 'rmdir', directory);
  return undefined;
}
function unlinkSync(file) {
  file = toPath(file);
  checked(native.unlink(file), 'unlink', file);
}
function rmSync(file, { recursive = false, force = false } = {}) {
  file = toPath(file);
  const fields = native.stat(file, false);
  if (fields === -44 && force) return;
  checked(fields, 'lstat', file);
  if ((fields[0] & constants.S_IFMT) !== constants.S_IFDIR) {
    unlinkSync(file);
    return;
  }
  if (!recursive) throw coded(Error, 'ERR_FS_EISDIR', `Path is a directory: rm returned EISDIR (is a directory) ${file}`, { errno: 21, syscall: 'rm', path: file });
  for (const name of readdirSync(file)) rmSync(path.join(file, name), { recursive, force });
  rmdirSync(file);
}
function renameSync(from, to) {
  from = toPath(from, 'oldPath');
  to = toPath(to, 'newPath');
  checked(native.rename(from, to), 'rename', from, to);
}
function copyFileSync(from, to, mode = 0) {
  from = toPath(from, 'src');
  to = toPath(to, 'dest');
  if ((mode & constants.COPYFILE_EXCL) && existsSync(to)) throw failure(20, 'copyfile', from, to);
  checked(native.stat(from, true), 'copyfile', from, to);
  writeFileSync(to, readFileSync(from));
}
function cpSync(from, to, options = {}) {
  const stat = statSync(from);
  if (!stat.isDirectory()) {
    mkdirSync(path.dirname(path.resolve(toPath(to))), { recursive: true });
    copyFileSync(from, to);
    return;
  }
  if (!options.recursive) throw coded(Error, 'ERR_FS_EISDIR', `Recursive option not enabled, cannot copy a directory: ${from}`);
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) cpSync(path.join(toPath(from), name), path.join(toPath(to), name), options);
}
function truncateSync(file, length = 0) {
  withFile(file, 'r+', (fd) => checked(native.truncate(fd, length), 'ftruncate'));
}
const toMs = (time) => (time instanceof Date ? time.getTime() : Number(time) * 1000);
function utimesSync(file, atime, mtime) {
  file = toPath(file);
  checked(native.utimes(file, toMs(atime), toMs(mtime)), 'utime', file);
}
const realpathSync = Object.assign((file) => {
  file = toPath(file);
  checked(native.stat(file, true), 'lstat', file);
  return path.resolve(file);
}, {});
realpathSync.native = realpathSync;

const sync = {
  openSync, closeSync, readFileSync, writeFileSync, appendFileSync, readSync, writeSync, statSync, lstatSync, fstatSync,
  existsSync, accessSync, readdirSync, mkdirSync, mkdtempSync, rmdirSync, unlinkSync, rmSync, renameSync, copyFileSync,
  cpSync, truncateSync, ftruncateSync: truncateSync, utimesSync, realpathSync, chmodSync() {}, fsyncSync() {}, fdatasyncSync() {},
};
module.exports = { ...sync, constants, Stats, Dirent, F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1 };
// For the prelude only.
Object.defineProperty(module.exports, 'checked', { value: checked });
Object.defineProperty(module.exports, 'toPath', { value: toPath });
