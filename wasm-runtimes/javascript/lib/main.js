// Puts the prelude together: globals, the loop's hooks, packages, the catalogue.
'use strict';
const loop = lib('loop');
const life = lib('life');
const fatal = lib('fatal');
const { emit, listens } = lib('emit');
const process = lib('process');
const loader = lib('loader');
lib('globals');
touch(globalThis);
lib('preload');
life.started();
native.write(1, JSON.stringify(lib('catalogue')));

// The engine makes built-in functions when they are first looked at. In this realm that is now, so
// that no program pays for it.
function touch(object, seen = new Set()) {
  seen.add(object);
  for (const key of Reflect.ownKeys(object)) {
    const own = Object.getOwnPropertyDescriptor(object, key);
    for (const part of [own.value, own.get, own.set]) if (Object(part) === part && !seen.has(part)) touch(part, seen);
  }
}

const STOP = { stop: true }; // thrown through the loop when the program is over
let mainPromise;

function stop(code) {
  life.set(code);
  life.emitExit();
  throw STOP;
}

// Tells the program's listeners; what they throw is uncaught.
function tell(type, args) {
  try { emit(process, type, args); } catch (error) { onError(error); }
}

const isHandled = (type) => listens(process, type);

function onError(error, fromPromise = false) {
  if (error === STOP) throw error;
  if (isHandled('uncaughtException')) {
    try {
      emit(process, 'uncaughtException', [error, fromPromise ? 'unhandledRejection' : 'uncaughtException']);
      return;
    } catch (second) { error = second; }
  }
  fatal.uncaught(error, fromPromise);
  stop(1);
}

function onRejection(reason, promise) {
  if (promise === mainPromise) onError(reason);
  else if (!isHandled('unhandledRejection')) onError(reason, true);
  else tell('unhandledRejection', [reason, promise]);
}
loop.handlers(onError, onRejection);

function runLoop() {
  loop.run();
  while (isHandled('beforeExit')) {
    tell('beforeExit', [life.code()]);
    if (!loop.pending()) return;
    loop.run();
  }
}

// Runs `body` and what is to be done at the exit. What a listener of the exit throws is uncaught
// as well, and its exit is over.
function end(body) {
  for (const step of [body, life.emitExit]) {
    try { step(); } catch (error) {
      if (error !== STOP) {
        fatal.uncaught(error, false);
        life.set(1);
      }
    }
  }
  return life.code();
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
