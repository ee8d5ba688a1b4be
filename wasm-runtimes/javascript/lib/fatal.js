// The end of a program by an uncaught error, worded as Node does, and the report to the host.
'use strict';
const { inspect } = lib('inspect');
const { classes: K, kind, write, reportError } = native;

const FRAME = /\n {4}at (?:.*?\()?([^()\n]*):(\d+):(\d+)\)?/g;

// The first frame that lies in the user's own files: [file, line, column].
function location(stack) {
  FRAME.lastIndex = 0;
  for (let m = FRAME.exec(stack); m; m = FRAME.exec(stack)) if (!/node_modules|^node:/.test(m[1])) return [m[1], +m[2], +m[3]];
  return undefined;
}

function sourceLine(file, line) {
  let source;
  if (file === native.mainName()) source = native.mainSource();
  else try { source = lib('fs').readFileSync(file, 'utf8'); } catch { return undefined; }
  return source.split(/\r\n|[\n\r\u2028\u2029]/)[line - 1];
}

// `file:line`, the line and a caret under the column.
function excerpt(at) {
  const text = at && sourceLine(at[0], at[1]);
  if (text === undefined) return '';
  const pad = text.slice(0, at[2] - 1).replace(/[^\t]/g, ' ');
  return `${at[0]}:${at[1]}\n${text}\n${pad}^\n`;
}

const isError = (value) => { const id = kind(value); return id === K.ERROR || id === K.DOM_EXCEPTION; };

// The parser names the place of a syntax error as a first frame without a function; Node shows it
// above the message only.
function syntaxPlace(error) {
  const m = /^.*?\n {4}at ([^()\n]*):(\d+):(\d+)(?=\n|$)/s.exec(error.stack);
  if (!m || !(error instanceof SyntaxError) || !error.stack.startsWith(m[0])) return undefined;
  return [m[1], +m[2], +m[3]];
}

function describeError(error) {
  let at;
  let name = 'Error';
  let message = '';
  let stack = '';
  try {
    name = error.constructor?.name && /Error$/.test(`${error.name}`) && error.name === 'Error' ? String(error.constructor.name) : String(error.name);
    message = String(error.message);
    stack = typeof error.stack === 'string' ? error.stack : `${name}: ${message}`;
    at = location(stack);
  } catch { /* an error that fights being looked at is reported with what is known */ }
  return { at, name, message, stack };
}

function report(type, message, traceback, at) {
  reportError(JSON.stringify({ type, message, traceback, line: at && at[0] === native.mainName() ? at[1] : null }));
}

function uncaught(error, fromPromise) {
  if (isError(error)) {
    const { at: frame, name, message } = describeError(error);
    // Node points at the statement that threw, and for a rejection at where the error was made.
    const at = fromPromise ? frame : native.lastThrow(error) ?? frame;
    let text = inspect(error);
    const place = syntaxPlace(error);
    if (place) text = text.replace(/\n {4}at [^()\n]*:\d+:\d+(?=\n|$)/, '');
    const lines = excerpt(at);
    write(2, `${lines}${lines && '\n'}${text}\n`);
    report(name, message, text, at);
    return;
  }
  if (fromPromise) {
    const text = `[UnhandledPromiseRejection: This error originated either by throwing inside of an async function without a catch block, or by rejecting a promise which was not handled with .catch(). The promise rejected with the reason "${reasonText(error)}".] {\n  code: 'ERR_UNHANDLED_REJECTION'\n}`;
    write(2, `${text}\n`);
    report('UnhandledPromiseRejection', reasonText(error), text, undefined);
    return;
  }
  // A bare string is printed as it is; only an object says enough about itself to need no hint.
  const text = typeof error === 'string' ? error : inspect(error);
  const isObject = (typeof error === 'object' && error !== null) || typeof error === 'function';
  const at = native.lastThrow(error);
  write(2, `\n${excerpt(at)}${text}\n${isObject ? '' : '(Use `node --trace-uncaught ...` to show where the exception was thrown)\n'}`);
  report(typeof error, text, text, at);
}
function reasonText(reason) {
  if (typeof reason === 'object' && reason !== null) return `#<${reason.constructor?.name || 'Object'}>`;
  return typeof reason === 'symbol' ? String(reason) : `${reason}`;
}

module.exports = { uncaught, isError };
