// The modules of Node that are here, by name. Each is made when it is first asked for.
'use strict';
const makers = {
  assert: () => lib('assert'),
  'assert/strict': () => lib('assert').strict,
  buffer: () => lib('buffer'),
  console: () => lib('console'),
  constants: () => ({ ...lib('fs').constants, ...lib('os').constants.signals }),
  crypto: () => lib('crypto').module,
  events: () => lib('events'),
  fs: () => lib('fs-async').fs,
  'fs/promises': () => lib('fs-async').promises,
  module: () => lib('module'),
  os: () => lib('os'),
  path: () => lib('path'),
  'path/posix': () => lib('path'),
  'path/win32': () => lib('path').win32,
  perf_hooks: () => ({ performance: lib('performance') }),
  process: () => lib('process'),
  punycode: () => lib('packages').vendor('punycode/'),
  querystring: () => lib('querystring'),
  readline: () => lib('readline').callbacks,
  'readline/promises': () => lib('readline').promises,
  stream: () => lib('stream'),
  'stream/promises': () => lib('stream').promises,
  string_decoder: () => lib('packages').vendor('string_decoder/'),
  sys: () => lib('util'),
  timers: () => {
    const { queueMicrotask, ...timers } = lib('timers');
    return timers;
  },
  'timers/promises': () => lib('timers').promises,
  url: () => lib('url'),
  util: () => lib('util'),
  'util/types': () => lib('util').types,
};
const made = new Map();

function get(name) {
  name = name.replace(/^node:/, '');
  if (made.has(name) || !Object.hasOwn(makers, name)) return made.get(name);
  const exports = makers[name]();
  // Undefined while the module is still being made, further up the stack.
  if (exports !== undefined) made.set(name, exports);
  return exports;
}

module.exports = { get, has: (name) => Object.hasOwn(makers, name), names: () => Object.keys(makers) };
