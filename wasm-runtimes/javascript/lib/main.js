// Puts the prelude together: globals, the loop's hooks, packages, the catalogue.
'use strict';
const loop = lib('loop');
const process = lib('process');
const fatalErrors = lib('fatal');
const loader = lib('loader');
lib('globals');
lib('preload');
process.finishing.boot();
native.write(1, JSON.stringify(lib('catalogue')));

const STOP = { stop: true }; // thrown through the loop when the program is over
let mainPromise;

function stop(code) {
  process.finishing.set(code);
  process.finishing.emitExit();
  throw STOP;
}

function onError(error, fromPromise = false) {
  if (error === STOP) throw error;
  if (process.listenerCount('uncaughtException') > 0) {
    try {
      process.emit('uncaughtException', error, fromPromise ? 'unhandledRejection' : 'uncaughtException');
      return;
    } catch (second) { error = second; }
  }
  fatalErrors.uncaught(error, fromPromise);
  stop(1);
}

function onRejection(reason, promise) {
  if (promise === mainPromise) {
    onError(reason);
    return;
  }
  if (process.emit('unhandledRejection', reason, promise)) return;
  onError(reason, true);
}
loop.handlers(onError, onRejection);

function runLoop() {
  loop.run();
  while (process.listenerCount('beforeExit') > 0) {
    process.emit('beforeExit', process.finishing.code());
    if (!loop.pending()) return;
    loop.run();
  }
}

function end(body) {
  try {
    body();
    process.finishing.emitExit();
  } catch (error) {
    if (error !== STOP) throw error;
  }
  return process.finishing.code();
}

module.exports.hooks = {
  finish(program, isModule) {
    mainPromise = program;
    return end(() => {
      // A module's evaluation is itself a microtask in Node: its promise jobs come before ticks.
      if (isModule) loop.microtasks();
      runLoop();
      if (program !== undefined && native.promiseDetails(program)[0] === 0) {
        native.write(2, `Warning: Detected unsettled top-level await at\n${native.mainName()}\n`);
        stop(13);
      }
    });
  },
  fatal(error) {
    return end(() => {
      onError(error);
      runLoop();
    });
  },
  result(value) {
    lib('display').result(value);
    return 0;
  },
  resolve: loader.resolveImport,
  load: loader.loadImport,
  mainExports: loader.main.exports,
};
