// require and import: built-in modules, the packages of the snapshot, files the request brought.
'use strict';
const builtins = lib('builtins');
const packages = lib('packages');
const path = lib('path');
const { coded } = lib('errors');

// What Node has and a sandbox cannot: said with the reason, not as if the name were mistyped.
const ABSENT = new Set(['child_process', 'cluster', 'dgram', 'dns', 'dns/promises', 'http', 'http2', 'https', 'inspector', 'net', 'repl', 'tls', 'tty', 'v8', 'vm', 'wasi', 'worker_threads', 'zlib', 'async_hooks', 'diagnostics_channel', 'perf_hooks', 'trace_events', 'domain', 'sqlite', 'test']);
const bare = (name) => (name.startsWith('node:') ? name.slice(5) : name);
const hintFor = (name) => (ABSENT.has(bare(name)) ? ` (node:${bare(name)} is not available in the sandbox: there are no processes, threads or sockets)` : '');

const modules = new Map(); // file -> CommonJS module
const EXTENSIONS = ['', '.js', '.json', '.mjs', '.cjs'];
const fs = () => lib('fs');

function isFile(file) {
  const fields = native.stat(file, true);
  return typeof fields !== 'number' && (fields[0] & 0o170000) === 0o100000;
}
const isDirectory = (file) => {
  const fields = native.stat(file, true);
  return typeof fields !== 'number' && (fields[0] & 0o170000) === 0o040000;
};
const readJson = (file) => { try { return JSON.parse(fs().readFileSync(file, 'utf8')); } catch { return undefined; } };

// A file as Node's require finds it: itself, with an extension, or as a directory.
function asFile(target) {
  for (const extension of EXTENSIONS) if (isFile(target + extension)) return target + extension;
  if (!isDirectory(target)) return undefined;
  const main = readJson(`${target}/package.json`)?.main;
  const found = main && asFile(path.join(target, main));
  if (found) return found;
  for (const extension of ['.js', '.json', '.mjs', '.cjs']) if (isFile(`${target}/index${extension}`)) return `${target}/index${extension}`;
  return undefined;
}

// The entry a package.json's "exports" names for a subpath.
function fromExports(table, subpath, conditions) {
  const pick = (entry, star) => {
    if (typeof entry === 'string') return entry.replaceAll('*', star);
    if (Array.isArray(entry)) return pick(entry[0], star);
    for (const key in entry) if (key === 'default' || conditions.includes(key)) { const found = pick(entry[key], star); if (found) return found; }
    return undefined;
  };
  if (typeof table === 'string' || Array.isArray(table) || !Object.keys(table)[0]?.startsWith('.')) return subpath === '.' ? pick(table, '') : undefined;
  if (table[subpath] !== undefined) return pick(table[subpath], '');
  for (const key of Object.keys(table)) {
    const [head, tail] = key.split('*');
    if (tail !== undefined && subpath.startsWith(head) && subpath.endsWith(tail)) return pick(table[key], subpath.slice(head.length, subpath.length - tail.length));
  }
  return undefined;
}

// A package in a node_modules folder above `directory`.
function asPackage(directory, name, conditions) {
  const [, id, rest] = /^((?:@[^/]+\/)?[^/]+)(.*)$/.exec(name);
  for (let at = directory; ; at = path.dirname(at)) {
    const root = path.join(at, 'node_modules', id);
    if (isDirectory(root)) {
      const { exports } = readJson(`${root}/package.json`) ?? {};
      const entry = exports && fromExports(exports, `.${rest}`, conditions);
      const found = entry ? path.join(root, entry) : asFile(root + rest);
      if (found) return found;
    }
    if (at === '/' || at === '.') return undefined;
  }
}

function notFound(name, from, imported) {
  const hint = hintFor(name);
  if (name.startsWith('node:') && !hint) return coded(Error, 'ERR_UNKNOWN_BUILTIN_MODULE', `No such built-in module: ${name}`);
  if (imported) {
    const what = /^[./]/.test(name) ? `module '${path.resolve(path.dirname(from), name)}'` : hint ? `module '${name}'` : `package '${name}'`;
    return coded(Error, 'ERR_MODULE_NOT_FOUND', `Cannot find ${what} imported from ${from}${hint}`);
  }
  const error = new Error(`Cannot find module '${name}'${hint}\nRequire stack:\n- ${from}`);
  error.code = 'MODULE_NOT_FOUND';
  error.requireStack = [from];
  return error;
}

// A name as it stands in the source, to the key of a module: node:…, npm:… or a path.
function resolve(name, from, imported) {
  const id = bare(name);
  if (builtins.has(id)) return `node:${id}`;
  if (name.startsWith('file://')) name = lib('url').fileURLToPath(name);
  if (/^(?:\.{1,2}(?:\/|$)|\/)/.test(name)) {
    const found = asFile(path.resolve(path.dirname(from), name));
    if (found) return found;
  } else if (!name.startsWith('node:')) {
    const found = asPackage(path.dirname(from), name, imported ? ['import', 'node'] : ['require', 'node']);
    if (found) return found;
    if (packages.has(name)) return `npm:${name}`;
  }
  throw notFound(name, from, imported);
}

function moduleFor(filename) {
  return { id: filename, path: path.dirname(filename), exports: {}, filename, loaded: false, children: [], paths: [] };
}

function requireFor(from) {
  function require(name) {
    if (typeof name !== 'string') throw lib('errors').invalidType('id', 'of type string', name);
    if (name === '') throw lib('errors').invalidValue('id', name, 'must be a non-empty string');
    return load(resolve(name, from, false));
  }
  require.resolve = (name) => resolve(name, from, false).replace(/^n(?:ode|pm):/, '');
  require.cache = modulesView;
  require.main = main;
  require.extensions = Object.create(null);
  return require;
}
// require.cache, by file, as programs that reload a module expect it.
const modulesView = new Proxy({}, {
  get: (_, key) => modules.get(key),
  has: (_, key) => modules.has(key),
  deleteProperty: (_, key) => { modules.delete(key); return true; },
  ownKeys: () => [...modules.keys()],
  getOwnPropertyDescriptor: (_, key) => (modules.has(key) ? { value: modules.get(key), enumerable: true, configurable: true } : undefined),
});

function load(key) {
  if (key.startsWith('node:')) return builtins.get(key.slice(5));
  if (key.startsWith('npm:')) return packages.get(key.slice(4));
  const cached = modules.get(key);
  if (cached) return cached.exports;
  const module = moduleFor(key);
  modules.set(key, module);
  try { evaluate(module, fs().readFileSync(key, 'utf8')); } catch (error) {
    modules.delete(key);
    throw error;
  }
  module.loaded = true;
  return module.exports;
}

function evaluate(module, source) {
  const { filename } = module;
  if (filename.endsWith('.json')) {
    try { module.exports = JSON.parse(source.replace(/^\ufeff/, '')); } catch (error) {
      error.message = `${filename}: ${error.message}`;
      throw error;
    }
    return;
  }
  if (isModuleSource(filename, source)) throw coded(Error, 'ERR_REQUIRE_ESM', `require() of ES Module ${filename} not supported.\nInstead change the require to a dynamic import() which is available in all CommonJS modules.`);
  // One line, so that the lines of the file keep their numbers.
  const body = native.compile(`(function (exports, require, module, __filename, __dirname) { ${source.replace(/^#!.*/, '')}\n})`, filename);
  body.call(module.exports, module.exports, requireFor(filename), module, filename, module.path);
}

function isModuleSource(filename, source) {
  if (filename.endsWith('.mjs')) return true;
  if (filename.endsWith('.cjs')) return false;
  return native.isModule(source);
}

// --- the hooks of the engine ---------------------------------------------------------------

const absolute = (base) => (base.startsWith('/') ? base : `/work/${base}`);
const resolveImport = (base, name) => resolve(name, absolute(base), true);

function loadImport(key) {
  if (!/^n(?:ode|pm):/.test(key) && !key.endsWith('.json')) {
    const source = fs().readFileSync(key, 'utf8');
    if (isModuleSource(key, source)) return { source };
  }
  return { exports: load(key) };
}

// The main program's own module: its `this`, and what require.main is.
const main = moduleFor('.');
main.filename = '/work/main.js';
main.path = '/work';

module.exports = { requireFor, resolveImport, loadImport, main, ABSENT, fromExports, asPackage, asFile };
