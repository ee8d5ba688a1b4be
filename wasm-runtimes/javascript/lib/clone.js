// structuredClone: the structured serialisation of HTML, over what the engine has.
'use strict';
const { classes: K, kind } = native;

const refused = (what) => new DOMException(`${what} could not be cloned.`, 'DataCloneError');
const ERRORS = { EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

function cloneError(source, seen) {
  const Type = ERRORS[source.name] ?? Error;
  const copy = Object.create(Type.prototype);
  const made = new Type();
  seen.set(source, made);
  const own = (key, value) => Object.defineProperty(made, key, { value, writable: true, configurable: true });
  if ('message' in source) own('message', `${source.message}`);
  own('stack', `${source.stack}`);
  if (Object.prototype.hasOwnProperty.call(source, 'cause')) own('cause', clone(source.cause, seen));
  return copy && made;
}

function cloneBuffer(source, seen, moved) {
  const copy = moved.has(source) ? source.transfer() : source.slice(0);
  seen.set(source, copy);
  return copy;
}

function clone(value, seen, moved = new Set()) {
  if (typeof value === 'symbol') throw refused(String(value));
  if (typeof value === 'function') throw refused(Function.prototype.toString.call(value));
  if (value === null || typeof value !== 'object') return value;
  if (seen.has(value)) return seen.get(value);
  const keep = (copy) => { seen.set(value, copy); return copy; };
  switch (kind(value)) {
    case K.BOOLEAN: case K.NUMBER: case K.STRING: case K.BIGINT: return keep(Object(value.valueOf()));
    case K.SYMBOL: throw refused('Object(Symbol)');
    case K.DATE: return keep(new Date(Date.prototype.getTime.call(value)));
    case K.REGEXP: return keep(new RegExp(value.source, value.flags));
    case K.ARRAY_BUFFER: return cloneBuffer(value, seen, moved);
    case K.SHARED_ARRAY_BUFFER: return keep(value);
    case K.TYPED_ARRAY: case K.DATAVIEW: {
      const buffer = clone(value.buffer, seen, moved);
      const Type = kind(value) === K.DATAVIEW ? DataView : globalThis[Object.getPrototypeOf(Uint8Array.prototype)[Symbol.toStringTag] ?? Reflect.get(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag, value)];
      return keep(new Type(buffer, value.byteOffset, Type === DataView ? value.byteLength : value.length));
    }
    case K.MAP: {
      const entries = [...Map.prototype.entries.call(value)];
      const copy = keep(new Map());
      for (const [key, item] of entries) copy.set(clone(key, seen, moved), clone(item, seen, moved));
      return copy;
    }
    case K.SET: {
      const items = [...Set.prototype.values.call(value)];
      const copy = keep(new Set());
      for (const item of items) copy.add(clone(item, seen, moved));
      return copy;
    }
    case K.ERROR: return cloneError(value, seen);
    case K.ARRAY: {
      const copy = keep(new Array(value.length));
      for (const key of Object.keys(value)) copy[key] = clone(value[key], seen, moved);
      return copy;
    }
    case K.PROMISE: case K.WEAKMAP: case K.WEAKSET: case K.WEAKREF: case K.GENERATOR: case K.PROXY: case K.MAP_ITERATOR: case K.SET_ITERATOR:
      throw refused(`#<${value.constructor?.name ?? 'Object'}>`);
    default: {
      const copy = keep({});
      for (const key of Object.keys(value)) copy[key] = clone(value[key], seen, moved);
      return copy;
    }
  }
}

module.exports = function structuredClone(value, options) {
  if (arguments.length === 0) throw lib('errors').coded(TypeError, 'ERR_MISSING_ARGS', 'The "value" argument must be specified');
  return clone(value, new Map(), new Set(options?.transfer ?? []));
};
