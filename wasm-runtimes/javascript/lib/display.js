// Results: the last expression's value, and what display() is given, as MIME bundles.
'use strict';
const { inspect } = lib('inspect');
const { promiseDetails, kind, classes: K, reportResult } = native;
const { apply } = Reflect;

const typedName = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag).get;
const hook = Symbol.for('sandgate.display');
const METHODS = { _repr_html_: 'text/html', _repr_markdown_: 'text/markdown', _repr_svg_: 'image/svg+xml', _repr_png_: 'image/png', _repr_jpeg_: 'image/jpeg', _repr_latex_: 'text/latex', _repr_json_: 'application/json' };

// Binary types go in base64, application/json serialised; all else is text as it is.
function encode(type, data) {
  if (kind(data) === K.ARRAY_BUFFER || apply(typedName, data, []) === 'Uint8Array') return lib('builtins').get('buffer').Buffer.from(data).toString('base64');
  if (type === 'application/json' && typeof data !== 'string') return JSON.stringify(data);
  return String(data);
}

function bundle(value) {
  const types = { 'text/plain': inspect(value) };
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return types;
  const add = (type, data) => { if (data !== undefined && data !== null) types[type] = encode(type, data); };
  for (const name in METHODS) if (typeof value[name] === 'function') add(METHODS[name], value[name]());
  for (const method of [value[hook], value._repr_mimebundle_]) {
    if (typeof method !== 'function') continue;
    const given = apply(method, value, []);
    if (given !== null && typeof given === 'object') for (const type of Object.keys(given)) add(type, given[type]);
  }
  return types;
}

function display(value) { reportResult(JSON.stringify(bundle(value))); }

// A promise at the end of a script is shown as what it became: `main()` says nothing by itself.
function result(value) {
  if (kind(value) === K.PROMISE) {
    const [state, settled] = promiseDetails(value);
    if (state !== 1) return;
    value = settled;
  }
  if (value !== undefined) display(value);
}

module.exports = { display, result };
