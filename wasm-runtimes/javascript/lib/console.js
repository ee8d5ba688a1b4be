// The global console.
'use strict';
const { inspect } = lib('inspect');
const { formatArgs } = lib('format');
const { print, emit, indent, outdent } = lib('print');
const { now } = native;
const table = lib('table');

const counts = new Map();
const started = new Map();
const warning = (text) => lib('process').emitWarning(text);

// A duration as Node words it: 1.234ms, 2.5s, 1:02.500 (m:ss.mmm).
function duration(ms) {
  if (ms >= 3600000 || ms >= 60000) {
    const hours = Math.floor(ms / 3600000);
    const minutes = Math.floor((ms % 3600000) / 60000);
    const seconds = ((ms % 60000) / 1000).toFixed(3).padStart(6, '0');
    return hours ? `${hours}:${String(minutes).padStart(2, '0')}:${seconds.slice(0, 2)} (h:mm:ss)` : `${minutes}:${seconds} (m:ss.mmm)`;
  }
  if (ms >= 1000) return `${(ms / 1000).toFixed(3)}s`;
  return `${Number(ms.toFixed(3))}ms`;
}
function elapsed(label, method) {
  const from = started.get(label);
  if (from === undefined) {
    warning(`No such label '${label}' for console.${method}()`);
    return undefined;
  }
  return `${label}: ${duration((now() - from) / 1e6)}`;
}

const methods = {
  log(...args) { print(1, args); },
  warn(...args) { print(2, args); },
  error(...args) { print(2, args); },
  dir(value, options) { emit(1, inspect(value, { customInspect: false, ...options })); },
  time(label = 'default') {
    label = `${label}`;
    if (started.has(label)) warning(`Label '${label}' already exists for console.time()`);
    else started.set(label, now());
  },
  timeEnd(label = 'default') {
    label = `${label}`;
    const text = elapsed(label, 'timeEnd');
    if (text !== undefined) print(1, ['%s', text]);
    started.delete(label);
  },
  timeLog(label = 'default', ...data) {
    const text = elapsed(`${label}`, 'timeLog');
    if (text !== undefined) print(1, data.length ? ['%s', text, ...data] : ['%s', text]);
  },
  trace(...args) {
    const holder = { name: 'Trace', message: formatArgs(undefined, args) };
    Error.captureStackTrace(holder, methods.trace);
    emit(2, holder.stack);
  },
  assert(condition, ...args) {
    if (condition) return;
    args[0] = args.length === 0 ? 'Assertion failed' : `Assertion failed: ${args[0]}`;
    print(2, args);
  },
  clear() {},
  count(label = 'default') {
    label = `${label}`;
    const count = (counts.get(label) || 0) + 1;
    counts.set(label, count);
    print(1, [`${label}: ${count}`]);
  },
  countReset(label = 'default') {
    if (!counts.delete(`${label}`)) warning(`Count for '${label}' does not exist`);
  },
  group(...args) {
    if (args.length > 0) print(1, args);
    indent();
  },
  groupEnd() { outdent(); },
  table(data, columns) { emit(1, table(data, columns) ?? formatArgs(undefined, [data])); },
};
methods.debug = methods.log;
methods.info = methods.log;
methods.dirxml = methods.log;
methods.groupCollapsed = methods.group;
const order = ['log', 'warn', 'dir', 'time', 'timeEnd', 'timeLog', 'trace', 'assert', 'clear', 'count', 'countReset', 'group', 'groupEnd', 'table', 'debug', 'info', 'dirxml', 'error', 'groupCollapsed'];
const console = Object.create({});
for (const name of order) console[name] = methods[name];
Object.defineProperty(console, Symbol.toStringTag, { value: 'console', writable: false, enumerable: false, configurable: true });
class Console {
  constructor() { Object.assign(this, console); }
}
Object.defineProperty(console, 'Console', { value: Console, writable: true, configurable: true, enumerable: true });
module.exports = console;
