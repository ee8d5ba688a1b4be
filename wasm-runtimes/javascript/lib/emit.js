// Events of the prelude's own making: the listeners of an emitter are called whatever has become of
// the emitter's methods.
'use strict';
const { apply } = Reflect;

// A program may have broken its own list: then nobody listens.
function listenersOf(emitter, type) {
  try { return emitter._events?.[type]; } catch { return undefined; }
}

function emit(emitter, type, args) {
  const held = listenersOf(emitter, type);
  if (held === undefined) return false;
  // An array is made anew for every change: an emission under way keeps the one it began with.
  if (typeof held === 'function') apply(held, emitter, args);
  else for (let i = 0; i < held.length; i++) apply(held[i], emitter, args);
  return true;
}

const listens = (emitter, type) => listenersOf(emitter, type) !== undefined;

module.exports = { emit, listens };
