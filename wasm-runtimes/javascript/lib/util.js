// node:util.
'use strict';
const { inspect } = lib('inspect-public');
const { ANSI } = lib('inspect');
const { formatArgs } = lib('format');
const { coded, invalidType } = lib('errors');
const { TextEncoder, TextDecoder } = lib('encoding');
const { isDeepStrictEqual } = lib('equal');
const { classes: K, kind } = native;

const format = (...args) => formatArgs(undefined, args);
const formatWithOptions = (options, ...args) => formatArgs(options, args);

const isView = ArrayBuffer.isView;
const of = (...ids) => { const set = new Set(ids); return (value) => set.has(kind(value)); };
const typed = (name) => (value) => isView(value) && Object.prototype.toString.call(value) === `[object ${name}]`;
const types = {
  isExternal: () => false,
  isDate: of(K.DATE), isArgumentsObject: of(K.ARGUMENTS), isBigIntObject: of(K.BIGINT), isBooleanObject: of(K.BOOLEAN),
  isNumberObject: of(K.NUMBER), isStringObject: of(K.STRING), isSymbolObject: of(K.SYMBOL),
  isBoxedPrimitive: of(K.BIGINT, K.BOOLEAN, K.NUMBER, K.STRING, K.SYMBOL), isNativeError: of(K.ERROR), isRegExp: of(K.REGEXP),
  isAsyncFunction: of(K.ASYNC_FUNCTION, K.ASYNC_GENERATOR_FUNCTION), isGeneratorFunction: of(K.GENERATOR_FUNCTION, K.ASYNC_GENERATOR_FUNCTION),
  isGeneratorObject: of(K.GENERATOR, K.ASYNC_GENERATOR), isPromise: of(K.PROMISE), isMap: of(K.MAP), isSet: of(K.SET),
  isMapIterator: of(K.MAP_ITERATOR), isSetIterator: of(K.SET_ITERATOR), isWeakMap: of(K.WEAKMAP), isWeakSet: of(K.WEAKSET),
  isArrayBuffer: of(K.ARRAY_BUFFER), isDataView: of(K.DATAVIEW), isSharedArrayBuffer: of(K.SHARED_ARRAY_BUFFER), isProxy: of(K.PROXY),
  isModuleNamespaceObject: of(K.MODULE_NS), isAnyArrayBuffer: of(K.ARRAY_BUFFER, K.SHARED_ARRAY_BUFFER), isTypedArray: of(K.TYPED_ARRAY),
  isArrayBufferView: (value) => isView(value), isKeyObject: () => false, isCryptoKey: () => false,
};
for (const name of ['Uint8Array', 'Uint8ClampedArray', 'Uint16Array', 'Uint32Array', 'Int8Array', 'Int16Array', 'Int32Array', 'Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array']) types[`is${name}`] = typed(name);

const customPromise = Symbol.for('nodejs.util.promisify.custom');
function promisify(original) {
  if (typeof original !== 'function') throw invalidType('original', 'of type function', original);
  if (original[customPromise]) return original[customPromise];
  function promised(...args) {
    return new Promise((resolve, reject) => {
      Reflect.apply(original, this, [...args, (error, value) => (error ? reject(error) : resolve(value))]);
    });
  }
  Object.setPrototypeOf(promised, Object.getPrototypeOf(original));
  return Object.defineProperties(promised, Object.getOwnPropertyDescriptors(original));
}
promisify.custom = customPromise;

function callbackify(original) {
  if (typeof original !== 'function') throw invalidType('original', 'of type function', original);
  return function callbackified(...args) {
    const callback = args.pop();
    if (typeof callback !== 'function') throw invalidType('last argument', 'of type function', callback);
    const { nextTick } = lib('loop');
    original.apply(this, args).then(
      (value) => nextTick(callback, [null, value]),
      (reason) => nextTick(callback, [reason || coded(Error, 'ERR_FALSY_VALUE_REJECTION', 'Promise was rejected with falsy value', { reason })]),
    );
  };
}

function inherits(ctor, parent) {
  if (typeof ctor !== 'function') throw invalidType('ctor', 'of type function', ctor);
  if (typeof parent !== 'function') throw invalidType('superCtor', 'of type function', parent);
  Object.defineProperty(ctor, 'super_', { value: parent, writable: true, configurable: true });
  Object.setPrototypeOf(ctor.prototype, parent.prototype);
}

const warned = new Set();
function deprecate(fn, message, code) {
  let done = false;
  return function deprecated(...args) {
    if (!done && !warned.has(code)) {
      done = true;
      if (code !== undefined) warned.add(code);
      lib('process').emitWarning(message, 'DeprecationWarning', code);
    }
    return new.target ? Reflect.construct(fn, args, new.target) : fn.apply(this, args);
  };
}

function styleText(style, text) {
  const styles = Array.isArray(style) ? style : [style];
  const codes = styles.map((name) => {
    if (!inspect.colors[name]) throw lib('errors').invalidValue('format', name, `must be one of: ${Object.keys(inspect.colors).map((key) => `'${key}'`).join(', ')}`);
    return inspect.colors[name];
  });
  return codes.map(([on]) => `\u001b[${on}m`).join('') + text + codes.reverse().map(([, off]) => `\u001b[${off}m`).join('');
}

function debuglog(section) {
  const wanted = (lib('process').env.NODE_DEBUG ?? '').toLowerCase().split(',').includes(section.toLowerCase());
  return Object.assign((...args) => { if (wanted) native.write(2, `${section.toUpperCase()} 1: ${format(...args)}\n`); }, { enabled: wanted });
}

module.exports = {
  inspect, format, formatWithOptions, types, promisify, callbackify, inherits, deprecate, isDeepStrictEqual, TextEncoder, TextDecoder, styleText,
  debuglog, debug: debuglog, parseArgs: (config) => lib('parse-args')(config),
  stripVTControlCharacters: (text) => `${text}`.replace(ANSI, ''), toUSVString: (text) => `${text}`.toWellFormed(),
  aborted: (signal) => new Promise((resolve) => { if (signal.aborted) resolve(); else signal.addEventListener('abort', () => resolve(), { once: true }); }),
  isArray: Array.isArray, isBoolean: (v) => typeof v === 'boolean', isNull: (v) => v === null, isNullOrUndefined: (v) => v == null,
  isNumber: (v) => typeof v === 'number', isString: (v) => typeof v === 'string', isSymbol: (v) => typeof v === 'symbol', isUndefined: (v) => v === undefined,
  isRegExp: types.isRegExp, isObject: (v) => v !== null && typeof v === 'object', isDate: types.isDate, isError: (v) => types.isNativeError(v) || v instanceof Error,
  isFunction: (v) => typeof v === 'function', isPrimitive: (v) => v === null || (typeof v !== 'object' && typeof v !== 'function'), isBuffer: (v) => Buffer.isBuffer(v),
  _extend: (target, source) => Object.assign(target, source),
};
