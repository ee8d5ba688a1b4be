// util.inspect: a value as Node prints it, byte for byte where the tests can say.
'use strict';
const displayWidth = lib('width');
const { classes: K, kind, isClass, proxyDetails, promiseDetails, iteratorEntries } = native;
const { DEFAULTS, inspect: publicInspect, optionsOf, connect } = lib('inspect-public');
const { apply } = Reflect;
const custom = Symbol.for('nodejs.util.inspect.custom');
const hasOwn = Object.prototype.hasOwnProperty;
const isEnumerable = Object.prototype.propertyIsEnumerable;
const protoOf = Object.getPrototypeOf;
const describe = Object.getOwnPropertyDescriptor;

// The names of the options. What is read of a program's own options is one of these.
const OPTIONS = Object.keys(DEFAULTS);
// How entries are printed: as `key: value`, as bare array elements, or as extra keys of an array.
const AS_OBJECT = 0, AS_ELEMENT = 1, AS_ARRAY = 2;

const { ANSI, plain, colored, ESCAPE_ALL, escapeUnit, quote, groupDigits, formatNumber, symbolText, prefixFor } = lib('inspect-text');
const { formatError } = lib('inspect-error');
const visibleLength = (ctx, s) => (ctx.colors ? s.replace(ANSI, '').length : s.length);

function formatString(ctx, value) {
  let trailer = '';
  if (value.length > ctx.maxStringLength) {
    const rest = value.length - ctx.maxStringLength;
    value = value.slice(0, ctx.maxStringLength);
    trailer = `... ${rest} more character${rest > 1 ? 's' : ''}`;
  }
  if (ctx.compact !== true && value.length > 16 && value.length > ctx.breakLength - ctx.indent - 4 && value.includes('\n')) {
    const lines = value.split(/(?<=\n)/).map((line) => ctx.style(quote(line), 'string'));
    return lines.join(` +\n${' '.repeat(ctx.indent + 2)}`) + trailer;
  }
  return ctx.style(quote(value), 'string') + trailer;
}

function formatPrimitive(ctx, value) {
  switch (typeof value) {
    case 'string': return formatString(ctx, value);
    case 'number': return ctx.style(formatNumber(value, ctx), 'number');
    case 'bigint': return ctx.style(`${ctx.numericSeparator ? groupDigits(`${value}`) : value}n`, 'bigint');
    case 'boolean': return ctx.style(`${value}`, 'boolean');
    case 'undefined': return ctx.style('undefined', 'undefined');
    default: return ctx.style(symbolText(value), 'symbol');
  }
}

// --- names ---------------------------------------------------------------------------------

function instanceOf(value, ctor) {
  try { return value instanceof ctor; } catch { return false; }
}

// The name of the nearest constructor on the prototype chain, or null where there is none.
function constructorName(value, ctx, level) {
  let first;
  for (let at = value; at; at = protoOf(at)) {
    const own = describe(at, 'constructor');
    if (own !== undefined && typeof own.value === 'function' && own.value.name !== '' && instanceOf(value, own.value)) return `${own.value.name}`;
    if (first === undefined) first = protoOf(at);
  }
  if (first === null) return null;
  const name = nativeName(value);
  if (level > ctx.depth && ctx.depth !== null) return `${name} <Complex prototype>`;
  const above = constructorName(first, ctx, level + 1);
  if (above === null) return `${name} <${inspect(first, { ...ctx.user, customInspect: false, depth: -1 })}>`;
  return `${name} <${above}>`;
}
function nativeName(value) {
  switch (kind(value)) {
    case K.ARRAY: return 'Array';
    case K.ERROR: return 'Error';
    case K.MAP: return 'Map';
    case K.SET: return 'Set';
    case K.DATE: return 'Date';
    case K.REGEXP: return 'RegExp';
    case K.PROMISE: return 'Promise';
    default: return typeof value === 'function' ? 'Function' : 'Object';
  }
}

function functionBase(value, id, ctor, tag) {
  if (isClass(value)) return classBase(value, ctor, tag);
  const type = id === K.ASYNC_FUNCTION ? 'AsyncFunction' : id === K.GENERATOR_FUNCTION ? 'GeneratorFunction'
    : id === K.ASYNC_GENERATOR_FUNCTION ? 'AsyncGeneratorFunction' : 'Function';
  let base = `[${type}${ctor === null ? ' (null prototype)' : ''}${value.name === '' ? ' (anonymous)' : `: ${String(value.name)}`}]`;
  if (ctor !== type && ctor !== null) base += ` ${ctor}`;
  if (tag !== '' && ctor !== tag) base += ` [${tag}]`;
  return base;
}
function classBase(value, ctor, tag) {
  const name = hasOwn.call(value, 'name') && value.name ? `${value.name}` : '(anonymous)';
  let base = `class ${name}`;
  if (ctor !== 'Function' && ctor !== null) base += ` [${ctor}]`;
  if (tag !== '' && ctor !== tag) base += ` [${tag}]`;
  if (ctor === null) base += ' extends [null prototype]';
  else {
    const parent = protoOf(value).name;
    if (parent) base += ` extends ${parent}`;
  }
  return `[${base}]`;
}

// --- keys ----------------------------------------------------------------------------------

function keysOf(value, showHidden) {
  const symbols = Object.getOwnPropertySymbols(value);
  if (showHidden) return [...Object.getOwnPropertyNames(value), ...symbols];
  let keys;
  try { keys = Object.keys(value); } catch { keys = Object.getOwnPropertyNames(value); }
  for (const symbol of symbols) if (isEnumerable.call(value, symbol)) keys.push(symbol);
  return keys;
}
const isIndex = (key) => typeof key === 'string' && /^(?:0|[1-9]\d{0,9})$/.test(key) && +key < 4294967295;
const extraKeys = (value, showHidden) => keysOf(value, showHidden).filter((key) => !isIndex(key));

// --- entries -------------------------------------------------------------------------------

const PLAIN_KEY = /^[a-zA-Z_][a-zA-Z_0-9]*$/;
function formatKey(ctx, key, enumerable) {
  if (typeof key === 'symbol') return `[${ctx.style(symbolText(key).replace(ESCAPE_ALL, escapeUnit), 'symbol')}]`;
  if (key === '__proto__') return "['__proto__']";
  if (!enumerable) return `[${key.replace(ESCAPE_ALL, escapeUnit)}]`;
  return PLAIN_KEY.test(key) ? ctx.style(key, 'name') : ctx.style(quote(key), 'string');
}

function formatGetter(ctx, value, own, level) {
  const label = own.set === undefined ? 'Getter' : 'Getter/Setter';
  const wanted = ctx.getters === true || (ctx.getters === 'get' && own.set === undefined) || (ctx.getters === 'set' && own.set !== undefined);
  if (!wanted) return ctx.style(`[${label}]`, 'special');
  try {
    const got = apply(own.get, value, []);
    ctx.indent += 2;
    const text = got === null || typeof got !== 'object' ? `${ctx.style(`[${label}:`, 'special')} ${formatValue(ctx, got, level)}${ctx.style(']', 'special')}`
      : `${ctx.style(`[${label}]`, 'special')} ${formatValue(ctx, got, level)}`;
    ctx.indent -= 2;
    return text;
  } catch (error) {
    return ctx.style(`[${label}: <Inspection threw (${error.message})>]`, 'special');
  }
}

function formatProperty(ctx, value, level, key, type) {
  const own = describe(value, key) || { value: value[key], enumerable: true };
  let text;
  let gap = ' ';
  if (own.value !== undefined) {
    const step = ctx.compact !== true || type !== AS_OBJECT ? 2 : 3;
    ctx.indent += step;
    text = formatValue(ctx, own.value, level);
    if (step === 3 && ctx.breakLength < visibleLength(ctx, text)) gap = `\n${' '.repeat(ctx.indent)}`;
    ctx.indent -= step;
  } else if (own.get !== undefined) text = formatGetter(ctx, value, own, level);
  else if (own.set !== undefined) text = ctx.style('[Setter]', 'special');
  else text = ctx.style('undefined', 'undefined');
  return type === AS_ELEMENT ? text : `${formatKey(ctx, key, own.enumerable)}:${gap}${text}`;
}

const more = (count, what) => `... ${count} more ${what}${count > 1 ? 's' : ''}`;

function arrayEntries(ctx, value, level) {
  const shown = Math.min(Math.max(0, ctx.maxArrayLength), value.length);
  const output = [];
  let at = 0;
  while (at < value.length && output.length < shown) {
    if (hasOwn.call(value, at)) {
      output.push(formatProperty(ctx, value, level, `${at}`, AS_ELEMENT));
      at++;
      continue;
    }
    // A hole: the next own index says how far it goes (not counting up: it may be 4 billion wide).
    const from = at;
    const end = +(Object.keys(value).find((key) => isIndex(key) && +key > from) ?? value.length);
    const holes = end - at;
    output.push(ctx.style(`<${holes} empty item${holes > 1 ? 's' : ''}>`, 'undefined'));
    at = end;
  }
  if (at < value.length) output.push(more(value.length - at, 'item'));
  return output;
}

function typedArrayEntries(ctx, value, level) {
  const shown = Math.min(Math.max(0, ctx.maxArrayLength), value.length);
  const output = [];
  for (let i = 0; i < shown; i++) output.push(formatPrimitive(ctx, value[i]));
  if (value.length > shown) output.push(more(value.length - shown, 'item'));
  if (ctx.showHidden) {
    ctx.indent += 2;
    for (const key of ['BYTES_PER_ELEMENT', 'length', 'byteLength', 'byteOffset', 'buffer']) output.push(`[${key}]: ${formatValue(ctx, value[key], level)}`);
    ctx.indent -= 2;
  }
  return output;
}

function collectionEntries(ctx, iterator, size, format) {
  const shown = Math.min(Math.max(0, ctx.maxArrayLength), size);
  const output = [];
  ctx.indent += 2;
  for (const item of iterator) {
    if (output.length >= shown) break;
    output.push(format(item));
  }
  ctx.indent -= 2;
  if (size > shown) output.push(more(size - shown, 'item'));
  return output;
}

function iteratorOutput(ctx, value, level) {
  const [entries, paired] = iteratorEntries(value);
  const output = [];
  ctx.indent += 2;
  for (let i = 0; i < entries.length && output.length < ctx.maxArrayLength; i += paired ? 2 : 1) {
    output.push(paired ? `[ ${formatValue(ctx, entries[i], level)}, ${formatValue(ctx, entries[i + 1], level)} ]` : formatValue(ctx, entries[i], level));
  }
  ctx.indent -= 2;
  const count = paired ? entries.length / 2 : entries.length;
  if (count > output.length) output.push(more(count - output.length, 'item'));
  return output;
}

function bufferContents(ctx, value) {
  const bytes = new Uint8Array(value, 0, Math.min(value.byteLength, Math.max(0, ctx.maxArrayLength)));
  let hex = Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join(' ');
  const rest = value.byteLength - bytes.length;
  if (rest > 0) hex += ` ... ${rest} more byte${rest > 1 ? 's' : ''}`;
  return [`${ctx.style('[Uint8Contents]', 'special')}: <${hex}>`];
}

function promiseOutput(ctx, value, level) {
  const [state, result] = promiseDetails(value);
  if (state === 0) return [ctx.style('<pending>', 'special')];
  ctx.indent += 2;
  const text = formatValue(ctx, result, level);
  ctx.indent -= 2;
  return [state === 2 ? `${ctx.style('<rejected>', 'special')} ${text}` : text];
}

// --- layout --------------------------------------------------------------------------------

// Elements of a long array in columns of equal width, numbers to the right.
function columns(ctx, output, value) {
  const counted = ctx.maxArrayLength < output.length ? output.length - 1 : output.length;
  const gap = 2;
  const widths = [];
  let total = 0;
  let widest = 0;
  for (let i = 0; i < counted; i++) {
    const width = displayWidth(ctx.colors ? output[i].replace(ANSI, '') : output[i]);
    widths.push(width);
    total += width + gap;
    if (width > widest) widest = width;
  }
  const cell = widest + gap;
  if (!(cell * 3 + ctx.indent < ctx.breakLength && (total / cell > 5 || widest <= 6))) return output;
  const biased = Math.max(cell - 3 - Math.sqrt(cell - total / output.length), 1);
  const count = Math.min(
    Math.round(Math.sqrt(2.5 * biased * counted) / biased),
    Math.floor((ctx.breakLength - ctx.indent) / cell),
    ctx.compact * 4,
    15,
  );
  if (count <= 1) return output;
  const columnWidths = [];
  for (let c = 0; c < count; c++) {
    let width = 0;
    for (let i = c; i < counted; i += count) if (widths[i] > width) width = widths[i];
    columnWidths.push(width + gap);
  }
  let rightAligned = true;
  if (value !== undefined) {
    for (let i = 0; i < output.length && rightAligned; i++) rightAligned = typeof value[i] === 'number' || typeof value[i] === 'bigint';
  }
  const rows = [];
  for (let row = 0; row < counted; row += count) {
    const end = Math.min(row + count, counted);
    let line = '';
    for (let i = row; i < end; i++) {
      const last = i === end - 1;
      const text = last ? output[i] : `${output[i]}, `;
      const width = columnWidths[i - row] + output[i].length - widths[i] - (last ? gap : 0);
      if (rightAligned) line += text.padStart(width, ' ');
      else line += last ? text : text.padEnd(width, ' ');
    }
    rows.push(line);
  }
  if (counted < output.length) rows.push(output[counted]);
  return rows;
}

function fits(ctx, output, start, base) {
  let total = output.length + start;
  if (total + output.length > ctx.breakLength) return false;
  for (const entry of output) {
    total += visibleLength(ctx, entry);
    if (total > ctx.breakLength) return false;
  }
  return base === '' || !base.includes('\n');
}

function layout(ctx, output, base, open, close, type, level, value) {
  const head = base ? `${base} ` : '';
  if (ctx.compact !== true) {
    if (typeof ctx.compact === 'number' && ctx.compact >= 1) {
      const entries = output.length;
      if (type === AS_ARRAY && entries > 6) output = columns(ctx, output, value);
      if (ctx.deepest - level < ctx.compact && entries === output.length) {
        const start = output.length + ctx.indent + open.length + base.length + 10;
        if (fits(ctx, output, start, base)) {
          const joined = output.join(', ');
          if (!joined.includes('\n')) return `${head}${open} ${joined} ${close}`;
        }
      }
    }
    const newline = `\n${' '.repeat(ctx.indent)}`;
    return `${head}${open}${newline}  ${output.join(`,${newline}  `)}${newline}${close}`;
  }
  if (fits(ctx, output, 0, base)) return `${open}${base ? ` ${base}` : ''} ${output.join(', ')} ${close}`;
  const newline = `\n${' '.repeat(ctx.indent)}`;
  const lead = base === '' && open.length === 1 ? ' ' : `${base ? ` ${base}` : ''}${newline}  `;
  return `${open}${lead}${output.join(`,${newline}  `)} ${close}`;
}

// --- values --------------------------------------------------------------------------------

function formatValue(ctx, value, level) {
  if (value === null) return ctx.style('null', 'null');
  if (typeof value !== 'object' && typeof value !== 'function') return formatPrimitive(ctx, value);
  const context = value;
  if (kind(value) === K.PROXY) {
    const details = proxyDetails(value);
    if (details[0] === null) return ctx.style('<Revoked Proxy>', 'special');
    if (ctx.showProxy) return formatProxy(ctx, details, level);
    while (kind(value) === K.PROXY) [value] = proxyDetails(value);
    if (value === null) return ctx.style('<Revoked Proxy>', 'special');
  }
  if (ctx.customInspect) {
    const method = value[custom];
    if (typeof method === 'function' && method !== publicInspect && !(value.constructor && value.constructor.prototype === value)) {
      const depth = ctx.depth === null ? null : ctx.depth - level;
      const result = apply(method, context, [depth, optionsOf(ctx), publicInspect]);
      if (result !== context) {
        if (typeof result !== 'object') return `${result}`;
        return formatValue(ctx, result, level).replaceAll('\n', `\n${' '.repeat(ctx.indent)}`);
      }
    }
  }
  if (ctx.seen.includes(value)) {
    let index = 1;
    if (ctx.circular === undefined) ctx.circular = new Map([[value, index]]);
    else {
      index = ctx.circular.get(value);
      if (index === undefined) ctx.circular.set(value, index = ctx.circular.size + 1);
    }
    return ctx.style(`[Circular *${index}]`, 'special');
  }
  return formatObject(ctx, value, level);
}

function formatProxy(ctx, details, level) {
  if (level > ctx.depth && ctx.depth !== null) return ctx.style('Proxy [Array]', 'special');
  level += 1;
  ctx.indent += 2;
  const output = [formatValue(ctx, details[0], level), formatValue(ctx, details[1], level)];
  ctx.indent -= 2;
  return layout(ctx, output, '', 'Proxy [', ']', AS_ARRAY, level);
}

const BOXED = { [K.NUMBER]: ['Number', Number], [K.STRING]: ['String', String], [K.BOOLEAN]: ['Boolean', Boolean], [K.BIGINT]: ['BigInt', BigInt], [K.SYMBOL]: ['Symbol', Symbol] };

// How a kind of object is printed: its braces, what stands before them, its keys and entries.
// Returns a string where nothing more is to be said.
function shapeOf(ctx, value, level, ctor, tag) {
  const id = kind(value);
  const iterable = value[Symbol.iterator] || ctor === null;
  const shape = { keys: null, open: '{', close: '}', base: '', type: AS_OBJECT, entries: null };
  const collection = (name, size, entries) => {
    shape.keys = keysOf(value, ctx.showHidden);
    const prefix = prefixFor(ctor, tag, name, `(${size})`);
    if (size === 0 && shape.keys.length === 0) return `${prefix}{}`;
    shape.open = `${prefix}{`;
    shape.entries = entries;
    return shape;
  };
  if (iterable) {
    switch (id) {
      case K.ARRAY: {
        shape.keys = extraKeys(value, ctx.showHidden);
        const prefix = ctor !== 'Array' || tag !== '' ? prefixFor(ctor, tag, 'Array', `(${value.length})`) : '';
        if (value.length === 0 && shape.keys.length === 0) return `${prefix}[]`;
        shape.open = `${prefix}[`;
        shape.close = ']';
        shape.type = AS_ARRAY;
        shape.entries = () => arrayEntries(ctx, value, level + 1);
        return shape;
      }
      case K.SET: {
        const size = setSize.call(value);
        return collection('Set', size, () => collectionEntries(ctx, Set.prototype.values.call(value), size, (item) => formatValue(ctx, item, level + 1)));
      }
      case K.MAP: {
        const size = mapSize.call(value);
        return collection('Map', size, () => collectionEntries(ctx, Map.prototype.entries.call(value), size,
          ([key, item]) => `${formatValue(ctx, key, level + 1)} => ${formatValue(ctx, item, level + 1)}`));
      }
      case K.TYPED_ARRAY: {
        shape.keys = extraKeys(value, ctx.showHidden);
        const prefix = prefixFor(ctor, tag, ctor === null ? typedName.call(value) : '', `(${value.length})`);
        if (value.length === 0 && shape.keys.length === 0 && !ctx.showHidden) return `${prefix}[]`;
        shape.open = `${prefix}[`;
        shape.close = ']';
        shape.type = AS_ARRAY;
        shape.entries = () => typedArrayEntries(ctx, value, level + 1);
        return shape;
      }
      case K.MAP_ITERATOR: case K.SET_ITERATOR:
        shape.keys = keysOf(value, ctx.showHidden);
        shape.open = `[${iteratorEntries(value)[1] ? tag.replace(/ Iterator$/, ' Entries') : tag}] {`;
        shape.entries = () => iteratorOutput(ctx, value, level + 1);
        return shape;
      default:
    }
  }
  return plainShape(ctx, value, level, ctor, tag, id, shape);
}
const setSize = describe(Set.prototype, 'size').get;
const mapSize = describe(Map.prototype, 'size').get;
const typedName = describe(protoOf(Uint8Array.prototype), Symbol.toStringTag).get;

function plainShape(ctx, value, level, ctor, tag, id, shape) {
  const keys = shape.keys = keysOf(value, ctx.showHidden);
  const tooDeep = level > ctx.depth && ctx.depth !== null;
  switch (id) {
    case K.ARGUMENTS:
      if (keys.length === 0) return '[Arguments] {}';
      shape.open = '[Arguments] {';
      return shape;
    case K.FUNCTION: case K.ASYNC_FUNCTION: case K.GENERATOR_FUNCTION: case K.ASYNC_GENERATOR_FUNCTION:
      shape.base = functionBase(value, id, ctor, tag);
      return keys.length === 0 ? ctx.style(shape.base, 'special') : shape;
    case K.REGEXP: {
      const prefix = prefixFor(ctor, tag, 'RegExp');
      shape.base = (prefix === 'RegExp ' ? '' : prefix) + RegExp.prototype.toString.call(value);
      return keys.length === 0 || tooDeep ? ctx.style(shape.base, 'regexp') : shape;
    }
    case K.DATE: {
      const time = Date.prototype.getTime.call(value);
      const prefix = prefixFor(ctor, tag, 'Date');
      shape.base = (prefix === 'Date ' ? '' : prefix) + (Number.isNaN(time) ? 'Invalid Date' : Date.prototype.toISOString.call(value));
      return keys.length === 0 ? ctx.style(shape.base, 'date') : shape;
    }
    case K.ERROR: case K.DOM_EXCEPTION:
      shape.base = formatError(ctx, value, ctor, tag, keys);
      return keys.length === 0 ? shape.base : shape;
    case K.ARRAY_BUFFER: case K.SHARED_ARRAY_BUFFER:
      shape.open = `${prefixFor(ctor, tag, id === K.ARRAY_BUFFER ? 'ArrayBuffer' : 'SharedArrayBuffer')}{`;
      keys.unshift('byteLength');
      shape.entries = () => bufferContents(ctx, value);
      return shape;
    case K.DATAVIEW:
      shape.open = `${prefixFor(ctor, tag, 'DataView')}{`;
      keys.unshift('byteLength', 'byteOffset', 'buffer');
      return shape;
    case K.PROMISE:
      shape.open = `${prefixFor(ctor, tag, 'Promise')}{`;
      shape.entries = () => promiseOutput(ctx, value, level + 1);
      return shape;
    case K.WEAKSET: case K.WEAKMAP:
      shape.open = `${prefixFor(ctor, tag, id === K.WEAKSET ? 'WeakSet' : 'WeakMap')}{`;
      shape.entries = () => [ctx.style('<items unknown>', 'special')];
      return shape;
    case K.MODULE_NS:
      shape.open = '[Module: null prototype] {';
      return keys.length === 0 ? `${shape.open}}` : shape;
    default:
  }
  if (BOXED[id]) {
    const [type, box] = BOXED[id];
    if (id === K.STRING) shape.keys = extraKeys(value, ctx.showHidden);
    let base = `[${type}`;
    if (type !== ctor) base += ctor === null ? ' (null prototype)' : ` (${ctor})`;
    base += `: ${formatPrimitive({ ...ctx, style: plain }, box.prototype.valueOf.call(value))}]`;
    if (tag !== '' && tag !== ctor) base += ` [${tag}]`;
    shape.base = base;
    return shape.keys.length === 0 ? ctx.style(base, type.toLowerCase()) : shape;
  }
  const prefix = ctor === 'Object' && tag === '' ? '' : prefixFor(ctor, tag, 'Object');
  if (keys.length === 0) return `${prefix}{}`;
  shape.open = `${prefix}{`;
  return shape;
}

function formatObject(ctx, value, level) {
  const ctor = constructorName(value, ctx, level);
  let tag = value[Symbol.toStringTag];
  if (typeof tag !== 'string' || (tag !== '' && (ctx.showHidden ? hasOwn : isEnumerable).call(value, Symbol.toStringTag))) tag = '';
  const shape = shapeOf(ctx, value, level, ctor, tag);
  if (typeof shape === 'string') return shape;
  if (level > ctx.depth && ctx.depth !== null) {
    const name = prefixFor(ctor, tag, nativeName(value)).slice(0, -1);
    return ctx.style(ctor === null ? name : `[${name}]`, 'special');
  }
  level += 1;
  ctx.seen.push(value);
  ctx.deepest = level;
  let output;
  try {
    output = shape.entries ? shape.entries() : [];
    for (const key of shape.keys) output.push(formatProperty(ctx, value, level, key, shape.type));
  } catch (error) {
    if (kind(error) !== K.ERROR || error.message !== 'Maximum call stack size exceeded') throw error;
    ctx.seen.length = 0;
    return `[${prefixFor(ctor, tag, 'Object').slice(0, -1)}: Inspection interrupted prematurely. Maximum call stack size exceeded.]`;
  }
  let { base } = shape;
  const index = ctx.circular && ctx.circular.get(value);
  if (index !== undefined) {
    const reference = ctx.style(`<ref *${index}>`, 'special');
    if (ctx.compact !== true) base = base === '' ? reference : `${reference} ${base}`;
    else shape.open = `${reference} ${shape.open}`;
  }
  ctx.seen.pop();
  if (ctx.sorted) {
    const order = ctx.sorted === true ? undefined : ctx.sorted;
    if (shape.type === AS_OBJECT) output.sort(order);
    else if (shape.keys.length > 1) {
      const extra = output.splice(output.length - shape.keys.length).sort(order);
      output.push(...extra);
    }
  }
  const text = layout(ctx, output, base, shape.open, shape.close, shape.type, level, value);
  ctx.length += text.length;
  // A value that would print more than this is shown without its depths.
  if (ctx.length > 2 ** 27) ctx.depth = -1;
  return text;
}

// --- entry points --------------------------------------------------------------------------

function contextFor(options) {
  const ctx = { ...DEFAULTS, user: options, seen: [], circular: undefined, indent: 0, deepest: 0, length: 0, style: plain };
  if (options) for (const key of OPTIONS) if (hasOwn.call(options, key)) ctx[key] = options[key];
  if (ctx.colors) ctx.style = colored;
  if (ctx.maxArrayLength === null) ctx.maxArrayLength = Infinity;
  if (ctx.maxStringLength === null) ctx.maxStringLength = Infinity;
  return ctx;
}

// inspect(value, options): as util.inspect, of an object of options or none.
function inspect(value, options) { return formatValue(contextFor(options), value, 0); }
inspect.custom = custom;
connect(inspect);

module.exports = { inspect, formatNumber, quote, ANSI };
