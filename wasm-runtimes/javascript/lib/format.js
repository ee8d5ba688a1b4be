// What util.format and console.log make of their arguments.
'use strict';
const { inspect, formatNumber } = lib('inspect');
const { classes: K, kind, proxyDetails } = native;
const hasOwn = Object.prototype.hasOwnProperty;

const BUILTINS = new Set(Object.getOwnPropertyNames(globalThis).filter((name) => /^[A-Z][a-zA-Z0-9]+$/.test(name)));

// Whether String(value) would say no more than "[object Object]" or its like.
function hasBuiltinToString(value) {
  if (kind(value) === K.PROXY) {
    [value] = proxyDetails(value);
    if (value === null || typeof value !== 'object') return true;
  }
  if (typeof value[Symbol.toPrimitive] === 'function' && kind(value) !== K.DATE && kind(value) !== K.SYMBOL) return false;
  if (typeof value.toString !== 'function') return true;
  if (hasOwn.call(value, 'toString')) return false;
  let holder = value;
  do holder = Object.getPrototypeOf(holder); while (!hasOwn.call(holder, 'toString'));
  const own = Object.getOwnPropertyDescriptor(holder, 'constructor');
  return own !== undefined && typeof own.value === 'function' && BUILTINS.has(own.value.name);
}

function asString(options, arg) {
  switch (typeof arg) {
    case 'number': return formatNumber(arg);
    case 'bigint': return `${arg}n`;
    case 'object':
      if (arg !== null && hasBuiltinToString(arg)) return inspect(arg, { ...options, depth: 0, colors: false, compact: 3 });
      return String(arg);
    default: return String(arg);
  }
}
function asNumber(arg, convert) {
  if (typeof arg === 'bigint') return `${arg}n`;
  return formatNumber(typeof arg === 'symbol' ? NaN : convert(arg));
}
function asJson(arg) {
  try { return JSON.stringify(arg); } catch (error) {
    if (/circular/.test(error.message)) return '[Circular]';
    throw error;
  }
}

function substitute(options, letter, arg) {
  switch (letter) {
    case 's': return asString(options, arg);
    case 'd': return asNumber(arg, Number);
    case 'i': return asNumber(arg, (v) => (typeof v === 'object' && v !== null ? NaN : parseInt(v)));
    case 'f': return asNumber(arg, parseFloat);
    case 'j': return asJson(arg);
    case 'O': return inspect(arg, options);
    case 'o': return inspect(arg, { ...options, showHidden: true, showProxy: true, depth: 4 });
    default: return '';
  }
}

function formatArgs(options, args) {
  const first = args[0];
  if (args.length === 1) return typeof first === 'string' ? first : inspect(first, options);
  if (args.length === 0) return '';
  let text = '';
  let next = 0;
  if (typeof first === 'string') {
    next = 1;
    let from = 0;
    for (let at = first.indexOf('%'); at !== -1 && at < first.length - 1; at = first.indexOf('%', at)) {
      const letter = first[at + 1];
      if (letter === '%') {
        text += `${first.slice(from, at)}%`;
        from = at + 2;
      } else if (next < args.length && 'sdifjoOc'.includes(letter)) {
        text += first.slice(from, at) + substitute(options, letter, args[next++]);
        from = at + 2;
      } else {
        at += 1;
        continue;
      }
      at = from;
    }
    text += from === 0 ? first : first.slice(from);
  }
  for (; next < args.length; next++) {
    if (next > 0) text += ' ';
    text += typeof args[next] === 'string' ? args[next] : inspect(args[next], options);
  }
  return text;
}

module.exports = { formatArgs };
