// Deep equality as node:assert and util.isDeepStrictEqual define it.
'use strict';
const { classes: K, kind } = native;
const hasOwn = Object.prototype.hasOwnProperty;
const isEnumerable = Object.prototype.propertyIsEnumerable;
const tagOf = (value) => Object.prototype.toString.call(value);

const looseSame = (a, b) => a == b || (Number.isNaN(a) && Number.isNaN(b));

function symbolsOf(value) { return Object.getOwnPropertySymbols(value).filter((symbol) => isEnumerable.call(value, symbol)); }

function sameKeys(a, b, strict, skipIndex, memo) {
  let keys = Object.keys(a);
  let others = Object.keys(b);
  if (skipIndex) {
    keys = keys.filter((key) => !/^\d+$/.test(key));
    others = others.filter((key) => !/^\d+$/.test(key));
  }
  if (keys.length !== others.length) return false;
  for (const key of keys) if (!hasOwn.call(b, key)) return false;
  if (strict) {
    const symbols = symbolsOf(a);
    if (symbols.length !== symbolsOf(b).length) return false;
    for (const symbol of symbols) if (!isEnumerable.call(b, symbol)) return false;
    keys.push(...symbols);
  }
  return keys.every((key) => equal(a[key], b[key], strict, memo));
}

function sameSets(a, b, strict, memo) {
  if (a.size !== b.size) return false;
  let left;
  for (const item of a) {
    if (b.has(item)) continue;
    if (strict && (typeof item !== 'object' || item === null)) return false;
    left ??= [...b].filter((other) => !a.has(other));
    const at = left.findIndex((other) => equal(item, other, strict, memo));
    if (at === -1) return false;
    left.splice(at, 1);
  }
  return true;
}
function sameMaps(a, b, strict, memo) {
  if (a.size !== b.size) return false;
  let left;
  for (const [key, item] of a) {
    if (b.has(key) && equal(item, b.get(key), strict, memo)) continue;
    if (strict && (typeof key !== 'object' || key === null)) return false;
    left ??= [...b].filter(([other]) => !a.has(other));
    const at = left.findIndex(([other, value]) => equal(key, other, strict, memo) && equal(item, value, strict, memo));
    if (at === -1) return false;
    left.splice(at, 1);
  }
  return true;
}
function sameBytes(a, b) {
  if (a.byteLength !== b.byteLength) return false;
  const x = new Uint8Array(a.buffer ?? a, a.byteOffset ?? 0, a.byteLength);
  const y = new Uint8Array(b.buffer ?? b, b.byteOffset ?? 0, b.byteLength);
  return x.every((byte, i) => byte === y[i]);
}

function sameObjects(a, b, strict, memo) {
  const id = kind(a);
  if (id !== kind(b)) return false;
  let skipIndex = false;
  switch (id) {
    case K.ARRAY:
      if (a.length !== b.length) return false;
      for (let i = 0; i < a.length; i++) {
        if (strict && hasOwn.call(a, i) !== hasOwn.call(b, i)) return false;
        if (!equal(a[i], b[i], strict, memo)) return false;
      }
      skipIndex = true;
      break;
    case K.DATE: if (!Object.is(Date.prototype.getTime.call(a), Date.prototype.getTime.call(b))) return false; break;
    case K.REGEXP: if (String(a) !== String(b) || a.lastIndex !== b.lastIndex) return false; break;
    case K.ERROR: if (a.message !== b.message || a.name !== b.name || !equal(a.cause, b.cause, strict, memo) || !equal(a.errors, b.errors, strict, memo)) return false; break;
    case K.TYPED_ARRAY:
      if (!strict && (a instanceof Float32Array || a instanceof Float64Array)) {
        if (a.length !== b.length || !a.every((n, i) => looseSame(n, b[i]))) return false;
      } else if (!sameBytes(a, b)) return false;
      skipIndex = true;
      break;
    case K.DATAVIEW: case K.ARRAY_BUFFER: case K.SHARED_ARRAY_BUFFER: if (!sameBytes(a, b)) return false; break;
    case K.SET: if (!sameSets(a, b, strict, memo)) return false; break;
    case K.MAP: if (!sameMaps(a, b, strict, memo)) return false; break;
    case K.NUMBER: case K.STRING: case K.BOOLEAN: case K.BIGINT: case K.SYMBOL: if (!Object.is(a.valueOf(), b.valueOf())) return false; break;
    case K.PROMISE: case K.WEAKMAP: case K.WEAKSET: case K.WEAKREF: return false;
    default: if (typeof a === 'function') return false;
  }
  return sameKeys(a, b, strict, skipIndex, memo);
}

function equal(a, b, strict, memo) {
  if (a === b) return a !== 0 || !strict || Object.is(a, b);
  const objects = typeof a === 'object' && a !== null && typeof b === 'object' && b !== null;
  if (strict) {
    if (typeof a !== 'object') return typeof a === 'number' && Number.isNaN(a) && Number.isNaN(b);
    if (!objects || Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  } else if (!objects) {
    return (a === null || typeof a !== 'object') && (b === null || typeof b !== 'object') && looseSame(a, b);
  }
  if (tagOf(a) !== tagOf(b)) return false;
  // A pair under comparison further up counts as equal: that is how cycles end.
  for (const [x, y] of memo) if (x === a && y === b) return true;
  memo.push([a, b]);
  const same = sameObjects(a, b, strict, memo);
  memo.pop();
  return same;
}

module.exports = {
  isDeepEqual: (a, b) => equal(a, b, false, []),
  isDeepStrictEqual: (a, b) => equal(a, b, true, []),
};
