// The npm packages of the snapshot. They are read and evaluated once, before the snapshot, from
// /node_modules; what is left at run time is a table of their exports.
'use strict';
const path = lib('path');

const files = new Map();
const exportsOf = new Map();
const versions = new Map();
// Packages that Node has built in stand for themselves; so do shims of what the engine has.
const OWN = { events: () => lib('events'), buffer: () => lib('builtins').get('buffer'), process: () => lib('process'), 'safe-buffer': () => lib('builtins').get('buffer'), 'abort-controller': () => lib('abort'),
  // @noble/hashes looks for a source of randomness while node:crypto itself is being made.
  crypto: () => lib('builtins').get('crypto') ?? { webcrypto: undefined } };

function read(file) {
  const fd = native.open(file, native.openFlags.O_RDONLY, 0);
  if (fd < 0) throw new Error(`cannot read ${file}`);
  const bytes = new Uint8Array(native.stat(fd)[1]);
  native.read(fd, bytes, 0, bytes.length, null);
  native.close(fd);
  return native.utf8Decode(bytes, false);
}

// Reads and evaluates one CommonJS file of a package.
function load(file) {
  const cached = files.get(file);
  if (cached) return cached.exports;
  const module = { exports: {}, id: file, filename: file, loaded: false, paths: [] };
  files.set(file, module);
  const source = read(file);
  if (file.endsWith('.json')) {
    module.exports = JSON.parse(source);
    return module.exports;
  }
  const directory = path.dirname(file);
  const require = (name) => resolveAndLoad(name, directory);
  const body = native.compile(`(function (exports, require, module, __filename, __dirname) { ${source}\n})`, file);
  body.call(module.exports, module.exports, require, module, file, directory);
  module.loaded = true;
  return module.exports;
}

// Found once, before the snapshot; afterwards there is no folder to look in.
const found = new Map();

function resolveAndLoad(name, directory, own = OWN) {
  const { asFile, asPackage } = lib('loader');
  if (/^\.{1,2}(?:\/|$)/.test(name)) {
    const target = path.resolve(directory, name);
    // A require inside a function runs after the snapshot, when the files are gone.
    return load(['', '.js', '.json', '.cjs', '/index.js'].map((end) => target + end).find((file) => files.has(file)) ?? asFile(target));
  }
  const id = name.replace(/^node:/, '').replace(/\/$/, '');
  if (own[id]) return own[id]();
  const key = `${directory} ${name}`;
  const file = found.get(key) ?? asPackage(directory, name.replace(/\/$/, ''), ['require', 'node', 'default']);
  if (file) {
    found.set(key, file);
    return load(file);
  }
  const builtin = lib('builtins').get(id);
  if (builtin === undefined) throw new Error(`package needs ${name}, which is not there`);
  return builtin;
}

// For the prelude's own use: a package that is a part of a built-in module.
const vendor = (name) => resolveAndLoad(name, '/vendor', {});

// Makes a package importable under its name.
function add(name, extra = []) {
  for (const id of [name, ...extra]) exportsOf.set(id, resolveAndLoad(id, '/'));
  versions.set(name, JSON.parse(read(`/node_modules/${name}/package.json`)).version);
}

// Subpaths that name one function of a package, such as lodash/debounce or date-fns/format.
function member(name) {
  const [, id, rest] = /^((?:@[^/]+\/)?[^/]+)\/(.+?)(?:\.c?js)?$/.exec(name) ?? [];
  if (!id || !SPLIT.has(id)) return undefined;
  const whole = exportsOf.get(id);
  return whole && Object.prototype.hasOwnProperty.call(whole, rest) ? { whole, rest, id } : undefined;
}
const SPLIT = new Set(['lodash', 'date-fns', 'ramda']);

// A subpath may be written with its extension: dayjs/plugin/utc.js.
const known = (name) => (exportsOf.has(name) ? name : name.replace(/\.js$/, ''));
function has(name) { return exportsOf.has(known(name)) || member(name) !== undefined; }
function get(name) {
  if (exportsOf.has(known(name))) return exportsOf.get(known(name));
  const { whole, rest, id } = member(name);
  // lodash/x exports the function itself, date-fns/x has it by its name too.
  return id === 'lodash' ? whole[rest] : { [rest]: whole[rest], default: whole[rest] };
}

module.exports = { add, has, get, vendor, versions, names: () => [...exportsOf.keys()] };
