// node:path, the POSIX half; `win32` is the same here, for programs that only look it up.
'use strict';

function check(value, name) {
  if (typeof value !== 'string') throw lib('errors').invalidType(name, 'of type string', value);
}

// Resolves `.` and `..`; a relative path keeps the `..` it cannot resolve.
function collapse(path, absolute) {
  const out = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') out.push(part);
    else if (out.length > 0 && out[out.length - 1] !== '..') out.pop();
    else if (!absolute) out.push('..');
  }
  return out.join('/');
}

function normalize(path) {
  check(path, 'path');
  if (path === '') return '.';
  const absolute = path[0] === '/';
  let result = collapse(path, absolute);
  if (result === '') return absolute ? '/' : path.endsWith('/') ? './' : '.';
  if (path.endsWith('/')) result += '/';
  return absolute ? `/${result}` : result;
}

function join(...parts) {
  let joined = '';
  for (const part of parts) {
    check(part, 'path');
    if (part !== '') joined = joined === '' ? part : `${joined}/${part}`;
  }
  return joined === '' ? '.' : normalize(joined);
}

function resolve(...parts) {
  let path = '';
  for (let i = parts.length - 1; i >= 0 && path[0] !== '/'; i--) {
    check(parts[i], `paths[${i}]`);
    if (parts[i] !== '') path = path === '' ? parts[i] : `${parts[i]}/${path}`;
  }
  if (path[0] !== '/') path = path === '' ? lib('process').cwd() : `${lib('process').cwd()}/${path}`;
  return `/${collapse(path, true)}`;
}

function relative(from, to) {
  check(from, 'from');
  check(to, 'to');
  const a = resolve(from).split('/').filter(Boolean);
  const b = resolve(to).split('/').filter(Boolean);
  let same = 0;
  while (same < a.length && same < b.length && a[same] === b[same]) same++;
  return [...a.slice(same).map(() => '..'), ...b.slice(same)].join('/');
}

// Without the slashes at the end, but for the root itself.
const trimmed = (path) => { const t = path.replace(/\/+$/, ''); return t === '' && path !== '' ? '/' : t; };

function dirname(path) {
  check(path, 'path');
  const t = trimmed(path);
  if (t === '/') return '/';
  const at = t.lastIndexOf('/');
  if (at === -1) return '.';
  return at === 0 ? '/' : t.slice(0, at).replace(/\/+$/, '') || '/';
}

function basename(path, suffix) {
  check(path, 'path');
  if (suffix !== undefined) check(suffix, 'suffix');
  const t = trimmed(path);
  const base = t === '/' ? '' : t.slice(t.lastIndexOf('/') + 1);
  return suffix !== undefined && base !== suffix && base.endsWith(suffix) ? base.slice(0, base.length - suffix.length) : base;
}

function extname(path) {
  const base = basename(path);
  const at = base.lastIndexOf('.');
  return at <= 0 || base === '..' ? '' : base.slice(at);
}

function parse(path) {
  check(path, 'path');
  const base = basename(path);
  const ext = extname(path);
  const root = path[0] === '/' ? '/' : '';
  const dir = dirname(path);
  return { root, dir: dir === '.' && !path.startsWith('.') ? '' : base === '' ? root : dir === '.' && path === base ? '' : dir, base, ext, name: base.slice(0, base.length - ext.length) };
}

function format(parts) {
  if (parts === null || typeof parts !== 'object') throw lib('errors').invalidType('pathObject', 'of type object', parts);
  const dir = parts.dir || parts.root;
  const ext = parts.ext ? `${parts.ext[0] === '.' ? '' : '.'}${parts.ext}` : '';
  const base = parts.base || `${parts.name || ''}${ext}`;
  if (!dir) return base;
  return dir === parts.root ? `${dir}${base}` : `${dir}/${base}`;
}

const path = {
  resolve, normalize, isAbsolute: (p) => { check(p, 'path'); return p[0] === '/'; }, join, relative,
  toNamespacedPath: (p) => p, dirname, basename, extname, format, parse, sep: '/', delimiter: ':',
};
path.posix = path;
path.win32 = path;
module.exports = path;
