// The errors of Node's own library: a code, and the name that carries it in a stack.
'use strict';
const { inspect } = lib('inspect');

// An error whose stack begins `TypeError [ERR_X]: …`, as Node's do, without an own `name`.
function coded(Base, code, message, properties) {
  const error = new Base(message);
  Object.defineProperty(error, 'code', { value: code, enumerable: true, writable: true, configurable: true });
  if (properties) Object.assign(error, properties);
  const { name } = error;
  const stack = String(error.stack);
  Object.defineProperty(error, 'stack', { value: `${name} [${code}]${stack.slice(name.length)}`, writable: true, configurable: true });
  Object.defineProperty(error, 'toString', { value: () => `${name} [${code}]: ${error.message}`, writable: true, configurable: true });
  return error;
}

// What was passed instead, at the end of a message.
function received(value) {
  if (value == null) return ` Received ${value}`;
  if (typeof value === 'function') return ` Received function ${value.name}`;
  if (typeof value === 'object') {
    if (value.constructor?.name) return ` Received an instance of ${value.constructor.name}`;
    return ` Received ${inspect(value, { depth: -1 })}`;
  }
  let text = inspect(value, { colors: false });
  if (text.length > 28) text = `${text.slice(0, 25)}...`;
  return ` Received type ${typeof value} (${text})`;
}

function invalidType(name, expected, value) {
  const what = name.endsWith(' argument') ? `The ${name}` : `The "${name}" ${name.includes('.') ? 'property' : 'argument'}`;
  return coded(TypeError, 'ERR_INVALID_ARG_TYPE', `${what} must be ${expected}.${received(value)}`);
}
function invalidValue(name, value, reason = 'is invalid') {
  let text = inspect(value);
  if (text.length > 128) text = `${text.slice(0, 128)}...`;
  return coded(TypeError, 'ERR_INVALID_ARG_VALUE', `The ${name.includes('.') ? 'property' : 'argument'} '${name}' ${reason}. Received ${text}`);
}
function outOfRange(name, range, value) {
  const text = Number.isInteger(value) && Math.abs(value) > 2 ** 32 ? String(value).replace(/\B(?=(\d{3})+$)/g, '_') : inspect(value);
  return coded(RangeError, 'ERR_OUT_OF_RANGE', `The value of "${name}" is out of range. It must be ${range}. Received ${text}`);
}

module.exports = { coded, invalidType, invalidValue, outOfRange };
