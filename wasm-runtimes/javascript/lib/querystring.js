// node:querystring.
'use strict';

const SAFE = /[^A-Za-z0-9\-_.!~*'()]/;
function escape(value) {
  const text = typeof value === 'object' ? String(value) : `${value}`;
  if (!SAFE.test(text)) return text;
  try { return encodeURIComponent(text); } catch { throw lib('errors').coded(URIError, 'ERR_INVALID_URI', 'URI malformed'); }
}
function unescape(text) {
  try { return decodeURIComponent(text); } catch {
    // Not UTF-8 after all: decode what is well formed byte by byte.
    const bytes = native.utf8Encode(text);
    const out = [];
    for (let i = 0; i < bytes.length; i++) {
      const hex = bytes[i] === 37 ? String.fromCharCode(bytes[i + 1], bytes[i + 2]) : '';
      if (/^[\da-f]{2}$/i.test(hex)) {
        out.push(parseInt(hex, 16));
        i += 2;
      } else out.push(bytes[i]);
    }
    return native.utf8Decode(new Uint8Array(out), false);
  }
}
function primitive(value) {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? `${value}` : '';
  return typeof value === 'bigint' || typeof value === 'boolean' ? `${value}` : '';
}

function stringify(object, separator = '&', equals = '=', options) {
  if (object === null || typeof object !== 'object') return '';
  const encode = options?.encodeURIComponent ?? module.exports.escape;
  const pairs = [];
  for (const key of Object.keys(object)) {
    const name = encode(primitive(key)) + equals;
    for (const value of Array.isArray(object[key]) ? object[key] : [object[key]]) pairs.push(name + encode(primitive(value)));
  }
  return pairs.join(separator);
}
function parse(text, separator = '&', equals = '=', options) {
  const result = Object.create(null);
  if (typeof text !== 'string' || text === '') return result;
  const decode = options?.decodeURIComponent ?? module.exports.unescape;
  const most = options?.maxKeys ?? 1000;
  const pairs = text.split(separator);
  for (const pair of most > 0 ? pairs.slice(0, most) : pairs) {
    if (pair === '') continue;
    const at = pair.indexOf(equals);
    const [key, value] = (at === -1 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + equals.length)]).map((part) => decode(part.replaceAll('+', ' ')));
    if (!(key in result)) result[key] = value;
    else if (Array.isArray(result[key])) result[key].push(value);
    else result[key] = [result[key], value];
  }
  return result;
}
module.exports = { escape, unescape, stringify, parse, encode: stringify, decode: parse };
