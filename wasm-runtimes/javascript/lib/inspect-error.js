// How util.inspect writes an error: its stack, under the name it has now.
'use strict';
const { classes: K, kind } = native;
const { prefixFor } = lib('inspect-text');

function stackText(error) {
  const { stack } = error;
  return stack ? String(stack) : Error.prototype.toString.call(error);
}

// The class of an error may have been renamed after its stack was taken: put it in front.
function nameStack(stack, ctor, name, tag) {
  let length = name.length;
  const named = name.endsWith('Error') && stack.startsWith(name) && (stack.length === length || stack[length] === ':' || stack[length] === '\n');
  if (ctor !== null && !named) return stack;
  let fallback = 'Error';
  if (ctor === null) {
    const start = /^([A-Z][a-z_ A-Z0-9[\]()-]+)(?::|\n\s+at)/.exec(stack) || /^([a-z_A-Z0-9-]*Error)$/.exec(stack);
    fallback = (start && start[1]) || '';
    length = fallback.length;
    fallback = fallback || 'Error';
  }
  const prefix = prefixFor(ctor, tag, fallback).slice(0, -1);
  if (name === prefix) return stack;
  if (prefix.includes(name)) return length === 0 ? `${prefix}: ${stack}` : `${prefix}${stack.slice(length)}`;
  return `${prefix} [${name}]${stack.slice(length)}`;
}

// Frames an error shares with its cause are folded into one line.
function foldFrames(error, stack) {
  const { cause } = error;
  if (cause === null || cause === undefined || kind(cause) !== K.ERROR) return stack;
  const causeStack = stackText(cause);
  const start = causeStack.indexOf('\n    at');
  if (start === -1) return stack;
  const lines = stack.split('\n');
  const below = causeStack.slice(start + 1).split('\n');
  for (let i = 0; i < lines.length - 3; i++) {
    const at = below.indexOf(lines[i]);
    if (at === -1) continue;
    let run = 1;
    while (i + run < lines.length && at + run < below.length && lines[i + run] === below[at + run]) run++;
    if (run > 3) {
      lines.splice(i + 1, run - 2, `    ... ${run - 2} lines matching cause stack trace ...`);
      return lines.join('\n');
    }
  }
  return stack;
}

function formatError(ctx, error, ctor, tag, keys) {
  const name = error.name != null ? String(error.name) : 'Error';
  let stack = stackText(error);
  if (!ctx.showHidden) {
    for (const key of ['name', 'message', 'stack']) {
      const at = keys.indexOf(key);
      if (at !== -1 && (typeof error[key] !== 'string' || stack.includes(error[key]))) keys.splice(at, 1);
    }
  }
  if ('cause' in error && !keys.includes('cause')) keys.push('cause');
  if (Array.isArray(error.errors) && !keys.includes('errors')) keys.push('errors');
  stack = nameStack(stack, ctor, name, tag);
  let from = error.message ? stack.indexOf(error.message) : -1;
  if (from !== -1) from += error.message.length;
  if (stack.indexOf('\n    at', from) === -1) stack = `[${stack}]`;
  else stack = foldFrames(error, stack);
  return ctx.indent === 0 ? stack : stack.replaceAll('\n', `\n${' '.repeat(ctx.indent)}`);
}

module.exports = { formatError };
