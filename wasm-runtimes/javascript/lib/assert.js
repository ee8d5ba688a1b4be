// node:assert, with the messages and diffs of Node 20.
'use strict';
const { inspect } = lib('inspect');
const { isDeepEqual, isDeepStrictEqual } = lib('equal');
const { coded, invalidType, invalidValue } = lib('errors');
const { classes: K, kind } = native;

const TITLES = {
  deepStrictEqual: 'Expected values to be strictly deep-equal:',
  strictEqual: 'Expected values to be strictly equal:',
  strictEqualObject: 'Expected "actual" to be reference-equal to "expected":',
  deepEqual: 'Expected values to be loosely deep-equal:',
  notDeepStrictEqual: 'Expected "actual" not to be strictly deep-equal to:',
  notStrictEqual: 'Expected "actual" to be strictly unequal to:',
  notStrictEqualObject: 'Expected "actual" not to be reference-equal to "expected":',
  notDeepEqual: 'Expected "actual" not to be loosely deep-equal to:',
  notIdentical: 'Values have same structure but are not reference-equal:',
  notDeepEqualUnequal: 'Expected values not to be loosely deep-equal:',
};
const show = (value) => inspect(value, { compact: false, customInspect: false, depth: 1000, maxArrayLength: Infinity, showHidden: false, showProxy: false, sorted: true, getters: true });
const isObject = (value) => typeof value === 'object' && value !== null;

// Equal lines between two changes: the two at each end stay.
function foldMiddle(lines, out) {
  if (lines.length <= 5) out.push(...lines.map((line) => `  ${line}`));
  else out.push(`  ${lines[0]}`, `  ${lines[1]}`, '...', `  ${lines.at(-2)}`, `  ${lines.at(-1)}`);
  return lines.length > 5;
}
// Equal lines at the end: one after the change and the last three stay.
function foldEnd(lines) {
  return lines.length <= 4 ? lines.map((line) => `  ${line}`) : [`  ${lines[0]}`, '...', ...lines.slice(-3).map((line) => `  ${line}`)];
}

function diffLines(actual, expected, title) {
  const tail = [];
  while (actual.length && expected.length && actual.at(-1) === expected.at(-1)) {
    tail.unshift(actual.pop());
    expected.pop();
  }
  let skipped = tail.length >= 5;
  const out = [];
  let removed = []; // lines of `expected`, printed after the added ones they replace
  let same = [];
  let printed = 0;
  const flushSame = () => {
    if (same.length === 0) return;
    skipped = foldMiddle(same, out) || skipped;
    printed += Math.max(0, Math.min(same.length, 5) - 2);
    same = [];
  };
  const longest = Math.max(actual.length, expected.length);
  for (let i = 0; i < longest; i++) {
    const [a, b] = [actual[i], expected[i]];
    // A comma at the end is no difference: the other side merely goes on.
    const alike = a !== undefined && b !== undefined && (a === b || a === `${b},` || `${a},` === b);
    if (alike) {
      out.push(...removed);
      removed = [];
      same.push(a.length >= b.length ? a : b);
      if (same.length <= 2) printed++;
    } else {
      flushSame();
      if (a !== undefined) { out.push(`+ ${a}`); printed++; }
      if (b !== undefined) { removed.push(`- ${b}`); printed++; }
    }
    if (printed > 50 && i < longest - 2) {
      return `${title}\n+ actual - expected ... Lines skipped\n\n${[...out, '...', ...removed, '...'].join('\n')}`;
    }
  }
  out.push(...removed);
  if (same.length > 0) {
    skipped = same.length > 2 || skipped;
    out.push(...same.slice(0, 2).map((line) => `  ${line}`));
  }
  return `${title}\n+ actual - expected${skipped ? ' ... Lines skipped' : ''}\n\n${[...out, ...foldEnd(tail)].join('\n')}`;
}

// `title`: the caller's own message in place of the usual first line.
function differenceMessage(actual, expected, operator, title) {
  let lines = show(actual).split('\n');
  const others = show(expected).split('\n');
  if (operator === 'strictEqual' && ((isObject(actual) && isObject(expected)) || (typeof actual === 'function' && typeof expected === 'function'))) operator = 'strictEqualObject';
  let pointer = '';
  if (lines.length === 1 && others.length === 1 && lines[0] !== others[0]) {
    const [a, b] = [lines[0], others[0]];
    if (a.length + b.length <= 12) {
      if (!isObject(actual) && !isObject(expected) && (actual !== 0 || expected !== 0)) return `${title ?? TITLES[operator]}\n\n${a} !== ${b}\n`;
    } else if (operator !== 'strictEqualObject' && a.length + b.length < 80) {
      let i = 0;
      while (a[i] === b[i]) i++;
      if (i > 2) pointer = `\n  ${' '.repeat(i)}^`;
    }
  }
  if (lines.join('\n') === others.join('\n')) {
    if (lines.length > 50) lines = [...lines.slice(0, 47), '...'];
    return `${title ?? TITLES.notIdentical}\n\n${lines.join('\n')}\n`;
  }
  return diffLines(lines, others, title ?? TITLES[operator]) + pointer;
}

function cut(lines, most) {
  return lines.length > most ? [...lines.slice(0, most - 4), '...'] : lines;
}
function messageFor(actual, expected, operator) {
  if (operator === 'deepStrictEqual' || operator === 'strictEqual') return differenceMessage(actual, expected, operator);
  if (operator === 'notDeepStrictEqual' || operator === 'notStrictEqual') {
    let base = TITLES[operator];
    const lines = cut(show(actual).split('\n'), 51);
    if (operator === 'notStrictEqual' && (isObject(actual) || typeof actual === 'function')) base = TITLES.notStrictEqualObject;
    return lines.length === 1 ? `${base}${lines[0].length > 5 ? '\n\n' : ' '}${lines[0]}` : `${base}\n\n${lines.join('\n')}\n`;
  }
  let left = show(actual);
  let right = show(expected);
  const title = TITLES[operator];
  if (operator === 'notDeepEqual' && left === right) {
    left = `${title}\n\n${left}`;
    return left.length > 1024 ? `${left.slice(0, 1021)}...` : left;
  }
  if (left.length > 512) left = `${left.slice(0, 509)}...`;
  if (right.length > 512) right = `${right.slice(0, 509)}...`;
  if (operator === 'deepEqual') return `${title}\n\n${left}\n\nshould loosely deep-equal\n\n${right}`;
  if (operator === 'notDeepEqual') return `${TITLES.notDeepEqualUnequal}\n\n${left}\n\nshould not loosely deep-equal\n\n${right}`;
  return `${left} ${operator} ${right}`;
}

class AssertionError extends Error {
  constructor(options) {
    if (!isObject(options)) throw invalidType('options', 'of type object', options);
    const { message, operator, actual, expected, stackStartFn } = options;
    const diffed = operator === 'deepStrictEqual' || operator === 'strictEqual';
    super(message == null ? messageFor(actual, expected, operator) : diffed ? differenceMessage(actual, expected, operator, String(message)) : String(message));
    this.generatedMessage = !message;
    // The code belongs to the stack's first line, not to the name.
    const name = (value) => Object.defineProperty(this, 'name', { value, enumerable: false, writable: true, configurable: true });
    name('AssertionError [ERR_ASSERTION]');
    this.code = 'ERR_ASSERTION';
    this.actual = actual;
    this.expected = expected;
    this.operator = operator;
    Error.captureStackTrace(this, stackStartFn);
    name('AssertionError');
  }

  toString() { return `${this.name} [${this.code}]: ${this.message}`; }
}

function fail(options) {
  if (options.message instanceof Error) throw options.message;
  throw new AssertionError(options);
}
const need = (args, n) => {
  if (args.length < n) throw coded(TypeError, 'ERR_MISSING_ARGS', n === 1 ? 'The "value" argument must be specified' : 'The "actual" and "expected" arguments must be specified');
};

// The text of the failing call, read from the source at the frame that made it.
function callText(stackStartFn) {
  const holder = {};
  Error.captureStackTrace(holder, stackStartFn);
  const m = /\n {4}at (?:.*?\()?([^()\n]*):(\d+):(\d+)\)?/.exec(holder.stack);
  if (!m) return undefined;
  let source;
  if (m[1] === native.mainName()) source = native.mainSource();
  else try { source = lib('fs').readFileSync(m[1], 'utf8'); } catch { return undefined; }
  const lines = source.split('\n');
  let text = lines.slice(m[2] - 1).join('\n');
  let start = m[3] - 1;
  // The column may be that of the method or of the parenthesis: go back to the start of the callee.
  while (start > 0 && /[\w$.]/.test(text[start - 1])) start--;
  text = text.slice(start);
  let depth = 0;
  let quoteMark = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quoteMark) {
      if (c === '\\') i++;
      else if (c === quoteMark) quoteMark = '';
    } else if ('\'"`'.includes(c)) quoteMark = c;
    else if ('([{'.includes(c)) depth++;
    else if (')]}'.includes(c) && --depth === 0) return text.slice(0, i + 1);
  }
  return undefined;
}

function okWith(fn, args) {
  const [value, message] = args;
  if (value) return;
  if (message instanceof Error) throw message;
  let text = message;
  if (args.length === 0) text = 'No value argument passed to `assert.ok()`';
  else if (message == null) {
    const call = callText(fn);
    text = call === undefined ? 'The expression evaluated to a falsy value' : `The expression evaluated to a falsy value:\n\n  ${call.replaceAll('\n', '\n  ')}\n`;
  }
  const error = new AssertionError({ actual: value, expected: true, message: text, operator: '==', stackStartFn: fn });
  error.generatedMessage = message == null;
  throw error;
}
function assert(...args) { okWith(assert, args); }
assert.ok = function ok(...args) { okWith(ok, args); };

function comparison(name, operator, holds) {
  const compare = function compare(actual, expected, message) {
    need(arguments, 2);
    if (!holds(actual, expected)) fail({ actual, expected, message, operator, stackStartFn: compare });
  };
  Object.defineProperty(compare, 'name', { value: name });
  assert[name] = compare;
}
const looseEqual = (a, b) => a == b || (Number.isNaN(a) && Number.isNaN(b));
comparison('equal', '==', looseEqual);
comparison('notEqual', '!=', (a, b) => !looseEqual(a, b));
comparison('deepEqual', 'deepEqual', isDeepEqual);
comparison('notDeepEqual', 'notDeepEqual', (a, b) => !isDeepEqual(a, b));
comparison('deepStrictEqual', 'deepStrictEqual', isDeepStrictEqual);
comparison('notDeepStrictEqual', 'notDeepStrictEqual', (a, b) => !isDeepStrictEqual(a, b));
comparison('strictEqual', 'strictEqual', Object.is);
comparison('notStrictEqual', 'notStrictEqual', (a, b) => !Object.is(a, b));

assert.fail = function failed(message) {
  if (message instanceof Error) throw message;
  const error = new AssertionError({ message: message ?? 'Failed', operator: 'fail', stackStartFn: failed });
  error.generatedMessage = message === undefined;
  throw error;
};

assert.ifError = function ifError(error) {
  if (error === null || error === undefined) return;
  const text = isObject(error) && typeof error.message === 'string' ? (error.message.length === 0 && error.constructor ? error.constructor.name : error.message) : inspect(error);
  throw new AssertionError({ actual: error, expected: null, operator: 'ifError', message: `ifError got unwanted exception: ${text}`, stackStartFn: ifError });
};

function matcher(name, wanted, phrase) {
  assert[name] = Object.defineProperty(function match(text, regexp, message) {
    if (kind(regexp) !== K.REGEXP) throw invalidType('regexp', 'an instance of RegExp', regexp);
    const isText = typeof text === 'string';
    if (isText && (regexp.exec(text) !== null) === wanted) return;
    if (message instanceof Error) throw message;
    const generated = !message;
    const error = new AssertionError({
      actual: text, expected: regexp, operator: name, stackStartFn: match,
      message: message || (isText ? `${phrase} ${inspect(regexp)}. Input:\n\n${inspect(text)}\n` : `The "string" argument must be of type string. Received type ${typeof text} (${inspect(text)})`),
    });
    error.generatedMessage = generated;
    throw error;
  }, 'name', { value: name });
}
matcher('match', true, 'The input did not match the regular expression');
matcher('doesNotMatch', false, 'The input was expected to not match the regular expression');

// Whether what was thrown is what was expected; throws where it is not.
function checkThrown(thrown, expected, message, fn) {
  if (expected === undefined) return;
  const wrong = (text, extra) => {
    const error = new AssertionError({ actual: thrown, expected, message: message || text, operator: fn.name, stackStartFn: fn, ...extra });
    error.generatedMessage = !message;
    throw error;
  };
  if (typeof expected === 'function') {
    if (expected.prototype !== undefined && thrown instanceof expected) return;
    if (Error.isPrototypeOf(expected) || expected === Error) {
      const got = thrown?.constructor?.name;
      wrong(`The error is expected to be an instance of "${expected.name}". Received ${got ? `"${got}"` : `"${inspect(thrown, { depth: -1 })}"`}${thrown instanceof Error ? `\n\nError message:\n\n${thrown.message}` : ''}`);
    }
    const verdict = Reflect.apply(expected, {}, [thrown]);
    if (verdict !== true) wrong(`The ${expected.name ? `"${expected.name}" ` : ''}validation function is expected to return "true". Received ${inspect(verdict)}${thrown instanceof Error ? `\n\nCaught error:\n\n${inspect(thrown)}` : ''}`);
    return;
  }
  if (kind(expected) === K.REGEXP) {
    const text = String(thrown);
    if (expected.exec(text) === null) wrong(`The input did not match the regular expression ${inspect(expected)}. Input:\n\n${inspect(text)}\n`);
    return;
  }
  if (!isObject(expected)) throw invalidType('expected', 'of type function or an instance of Error, RegExp, or Object', expected);
  if (!isObject(thrown)) throw new AssertionError({ actual: thrown, expected, message, operator: 'deepStrictEqual', stackStartFn: fn });
  const keys = Object.keys(expected);
  if (expected instanceof Error) keys.push('name', 'message');
  else if (keys.length === 0) throw invalidValue('error', expected, 'may not be an empty object');
  for (const key of keys) {
    if (typeof thrown[key] === 'string' && kind(expected[key]) === K.REGEXP && expected[key].exec(thrown[key]) !== null) continue;
    if (key in thrown && isDeepStrictEqual(thrown[key], expected[key])) continue;
    const pick = (from) => Object.fromEntries(keys.filter((k) => k in from).map((k) => [k, from === thrown && typeof thrown[k] === 'string' && kind(expected[k]) === K.REGEXP && expected[k].exec(thrown[k]) !== null ? expected[k] : from[k]]));
    wrong(differenceMessage(pick(thrown), pick(expected), 'deepStrictEqual'), { operator: fn.name });
  }
}

const NOTHING = {};
function caught(body) {
  if (typeof body !== 'function') throw invalidType('fn', 'of type function', body);
  try { body(); } catch (error) { return error; }
  return NOTHING;
}
async function caughtLater(body) {
  let promise = body;
  if (typeof body === 'function') {
    promise = body();
    if (!isObject(promise) || typeof promise.then !== 'function') throw coded(TypeError, 'ERR_INVALID_RETURN_VALUE', `Expected instance of Promise to be returned from the "promiseFn" function but got ${promise === undefined || promise === null ? promise : `type ${typeof promise}`}.`);
  } else if (!isObject(promise) || typeof promise.then !== 'function') throw invalidType('promiseFn', 'of type function or an instance of Promise', promise);
  try { await promise; } catch (error) { return error; }
  return NOTHING;
}

function expectThrown(fn, thrown, expected, message) {
  if (typeof expected === 'string') {
    if (message !== undefined && thrown !== NOTHING) throw invalidType('error', 'of type function or an instance of Error, RegExp, or Object', expected);
    [expected, message] = [undefined, expected];
  }
  if (thrown === NOTHING) {
    const named = expected?.name ? ` (${expected.name})` : '';
    fail({ actual: undefined, expected, operator: fn.name, stackStartFn: fn, message: message instanceof Error ? message : `Missing expected ${fn.name === 'rejects' ? 'rejection' : 'exception'}${named}${message ? `: ${message}` : '.'}` });
  }
  checkThrown(thrown, expected, message, fn);
}
function expectQuiet(fn, thrown, expected, message) {
  if (thrown === NOTHING) return;
  if (typeof expected === 'string') [expected, message] = [undefined, expected];
  if (typeof expected === 'function' && !(thrown instanceof expected)) throw thrown;
  fail({ actual: thrown, expected, operator: fn.name, stackStartFn: fn, message: `Got unwanted ${fn.name === 'doesNotReject' ? 'rejection' : 'exception'}${message ? `: ${message}` : '.'}\nActual message: "${thrown && thrown.message}"` });
}
assert.throws = function throws(body, expected, message) { expectThrown(throws, caught(body), expected, message); };
assert.doesNotThrow = function doesNotThrow(body, expected, message) { expectQuiet(doesNotThrow, caught(body), expected, message); };
assert.rejects = async function rejects(body, expected, message) { expectThrown(rejects, await caughtLater(body), expected, message); };
assert.doesNotReject = async function doesNotReject(body, expected, message) { expectQuiet(doesNotReject, await caughtLater(body), expected, message); };
assert.AssertionError = AssertionError;

function strict(...args) { okWith(strict, args); }
assert.strict = Object.assign(strict, assert, { equal: assert.strictEqual, notEqual: assert.notStrictEqual, deepEqual: assert.deepStrictEqual, notDeepEqual: assert.notDeepStrictEqual });
assert.strict.strict = assert.strict;
module.exports = assert;
