// The end of a program by an uncaught error, worded as Node does, and the report to the host.
'use strict';
const { inspect } = lib('inspect');
const { symbolText } = lib('inspect-text');
const { classes: K, kind, write } = native;

const FRAME = /\n {4}at (?:.*?\()?([^()\n]*):(\d+):(\d+)\)?/g;

// The first frame that lies in the user's own files, or in one of them: [file, line, column].
function location(stack, file) {
  FRAME.lastIndex = 0;
  for (let m = FRAME.exec(stack); m; m = FRAME.exec(stack)) {
    if (file === undefined ? !/node_modules|^node:/.test(m[1]) : m[1] === file) return [m[1], +m[2], +m[3]];
  }
  return undefined;
}
const lineInMain = (at) => (at && at[0] === native.mainName() ? at[1] : null);

// The text of a file as it is now; undefined where it cannot be read.
function fileText(file) {
  if (file === native.mainName()) return native.mainSource();
  const fd = native.open(file, native.openFlags.O_RDONLY, 0);
  if (fd < 0) return undefined;
  const fields = native.stat(fd);
  const bytes = new Uint8Array(typeof fields === 'number' ? 0 : fields[1]);
  native.read(fd, bytes, 0, bytes.length, null);
  native.close(fd);
  return native.utf8Decode(bytes, false);
}

function sourceLine(file, line) {
  const source = fileText(file);
  return source?.split(/\r\n|[\n\r\u2028\u2029]/)[line - 1];
}

// `file:line`, the line and a caret under the column.
function excerpt(at) {
  const text = at && sourceLine(at[0], at[1]);
  if (text === undefined) return '';
  const pad = text.slice(0, at[2] - 1).replace(/[^\t]/g, ' ');
  return `${at[0]}:${at[1]}\n${text}\n${pad}^\n`;
}

const isError = (value) => { const id = kind(value); return id === K.ERROR || id === K.DOM_EXCEPTION; };

// The parser names the place of a syntax error as a frame without a function; Node shows it above
// the message only.
const PLACE = /\n {4}at [^()\n]*:\d+:\d+(?=\n|$)/;

// The first that is a text and does not throw. A getter may do anything.
function firstText(...attempts) {
  for (const attempt of attempts) {
    try {
      const text = attempt();
      if (typeof text === 'string') return text;
    } catch { /* the next one, then */ }
  }
  return '';
}

// The class of an error: its name, or its constructor's where the name says only that it is one.
function typeOf(error) {
  const name = firstText(() => error.name || undefined, () => native.plainType(error));
  return name === 'Error' ? firstText(() => error.constructor.name || undefined, () => native.plainType(error)) : name;
}
const messageOf = (error) => firstText(() => { const { message } = error; return typeof message === 'symbol' ? undefined : `${message}`; }, () => native.plainMessage(error));

// What is printed of an uncaught error, and what is reported of it: everything is read before
// anything is written.
function describe(error, fromPromise) {
  if (isError(error)) {
    const stack = firstText(() => error.stack);
    const frame = location(stack);
    // Node points at the statement that threw, and for a rejection at where the error was made.
    const at = fromPromise ? frame : native.lastThrow(error) ?? frame;
    const type = typeOf(error);
    const text = type === 'SyntaxError' ? inspect(error).replace(PLACE, '') : inspect(error);
    const lines = excerpt(at);
    return { printed: `${lines}${lines && '\n'}${text}`, type, message: messageOf(error), text, line: lineInMain(at) ?? lineInMain(location(stack, native.mainName())) };
  }
  if (fromPromise) {
    const reason = reasonText(error);
    const text = `[UnhandledPromiseRejection: This error originated either by throwing inside of an async function without a catch block, or by rejecting a promise which was not handled with .catch(). The promise rejected with the reason "${reason}".] {\n  code: 'ERR_UNHANDLED_REJECTION'\n}`;
    return { printed: text, type: 'UnhandledPromiseRejection', message: reason, text, line: null };
  }
  // A bare string is printed as it is; only an object says enough about itself to need no hint.
  const text = typeof error === 'string' ? error : inspect(error);
  const isObject = (typeof error === 'object' && error !== null) || typeof error === 'function';
  const at = native.lastThrow(error);
  const hint = isObject ? '' : '\n(Use `node --trace-uncaught ...` to show where the exception was thrown)';
  return { printed: `\n${excerpt(at)}${text}${hint}`, type: typeof error, message: text, text, line: lineInMain(at) };
}

let ended = false;

// The first uncaught error ends the program, and it is the one to report. What an exit handler
// throws after it is printed as well.
function uncaught(error, fromPromise) {
  const first = !ended;
  ended = true;
  // The facts come before all else: what follows runs the program's code, which may never return.
  native.reportPlainly(error, first, false);
  try {
    const { printed, type, message, text, line } = describe(error, fromPromise);
    if (first) native.reportError(error, type, message, text, line);
    write(2, `${printed}\n`);
  } catch {
    native.reportPlainly(error, first, true);
  }
}

function reasonText(reason) {
  if (typeof reason === 'object' && reason !== null) return `#<${firstText(() => reason.constructor.name || undefined, () => 'Object')}>`;
  return typeof reason === 'symbol' ? symbolText(reason) : `${reason}`;
}

module.exports = { uncaught };
