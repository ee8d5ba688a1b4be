'use strict';
const console = lib('console');
const { inspect } = lib('inspect');
Object.defineProperty(globalThis, 'console', { value: console, writable: true, configurable: true, enumerable: false });
native.write(1, JSON.stringify({ language: 'javascript', version: '0.16.2', implementation: 'QuickJS-ng', modules: [], packages: [] }));
module.exports.hooks = {
  finish() { native.runJobs(); return 0; },
  fatal(e) { native.write(2, 'Uncaught ' + inspect(e) + '\n'); native.reportError(JSON.stringify({ type: e.name, message: e.message, traceback: e.stack, line: null })); return 1; },
  result(v) { native.reportResult(JSON.stringify({ 'text/plain': inspect(v) })); return 0; },
  resolve(base, name) { return name; },
  load(name) { throw new Error(`Cannot find module '${name}'`); },
  mainExports: {},
};
