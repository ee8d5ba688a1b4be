// TextEncoder, TextDecoder, atob and btoa.
'use strict';
const { coded, invalidType } = lib('errors');
const { inspect } = lib('inspect');

class TextEncoder {
  get encoding() { return 'utf-8'; }

  encode(text = '') { return native.utf8Encode(`${text}`); }

  encodeInto(text, target) {
    if (typeof text !== 'string') throw invalidType('src', 'of type string', text);
    if (!(target instanceof Uint8Array)) throw invalidType('dest', 'an instance of Uint8Array', target);
    let read = 0;
    let written = 0;
    for (const char of text) {
      const bytes = native.utf8Encode(char);
      if (written + bytes.length > target.length) break;
      target.set(bytes, written);
      written += bytes.length;
      read += char.length;
    }
    return { read, written };
  }

  [inspect.custom](depth, options) { return inspect({ encoding: 'utf-8', __proto__: null }, options).replace('[Object: null prototype] ', 'TextEncoder '); }
}
Object.defineProperty(TextEncoder.prototype, Symbol.toStringTag, { value: 'TextEncoder', configurable: true });

const LABELS = new Map();
for (const [name, labels] of Object.entries({
  'utf-8': 'unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8',
  'utf-16le': 'csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le',
  'utf-16be': 'unicodefffe utf-16be',
  'windows-1252': 'ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252',
})) for (const label of labels.split(' ')) LABELS.set(label, name);
// What windows-1252 has where Latin-1 has controls (0x80-0x9f).
const CP1252 = '\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178';

// How many bytes at the end begin a character that the next chunk may complete.
function unfinished(bytes) {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const b = bytes[bytes.length - back];
    if (b < 0x80) return 0;
    if (b >= 0xc0) return (b >= 0xf0 ? 4 : b >= 0xe0 ? 3 : 2) > back ? back : 0;
  }
  return 0;
}

class TextDecoder {
  #encoding;
  #fatal;
  #ignoreBOM;
  #rest = new Uint8Array(0);
  #started = false;

  constructor(label = 'utf-8', { fatal = false, ignoreBOM = false } = {}) {
    this.#encoding = LABELS.get(`${label}`.trim().toLowerCase());
    if (this.#encoding === undefined) throw coded(RangeError, 'ERR_ENCODING_NOT_SUPPORTED', `The "${label}" encoding is not supported`);
    this.#fatal = Boolean(fatal);
    this.#ignoreBOM = Boolean(ignoreBOM);
  }

  get encoding() { return this.#encoding; }

  get fatal() { return this.#fatal; }

  get ignoreBOM() { return this.#ignoreBOM; }

  #bad() { return coded(TypeError, 'ERR_ENCODING_INVALID_ENCODED_DATA', `The encoded data was not valid for encoding ${this.#encoding}`); }

  decode(input = new Uint8Array(0), { stream = false } = {}) {
    let bytes;
    if (ArrayBuffer.isView(input)) bytes = new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
    else if (input instanceof ArrayBuffer || input instanceof SharedArrayBuffer) bytes = new Uint8Array(input);
    else throw invalidType('list', 'an instance of SharedArrayBuffer, ArrayBuffer or ArrayBufferView', input);
    if (this.#rest.length > 0) {
      const all = new Uint8Array(this.#rest.length + bytes.length);
      all.set(this.#rest);
      all.set(bytes, this.#rest.length);
      bytes = all;
      this.#rest = new Uint8Array(0);
    }
    let text = this.#encoding === 'utf-8' ? this.#utf8(bytes, stream) : this.#encoding === 'windows-1252' ? this.#latin(bytes) : this.#utf16(bytes, stream);
    if (!this.#started && text.length > 0) {
      if (!this.#ignoreBOM && text.charCodeAt(0) === 0xfeff) text = text.slice(1);
      this.#started = true;
    }
    if (!stream) this.#started = false;
    return text;
  }

  #utf8(bytes, stream) {
    const keep = stream ? unfinished(bytes) : 0;
    if (keep > 0) this.#rest = bytes.slice(bytes.length - keep);
    const text = native.utf8Decode(keep > 0 ? bytes.subarray(0, bytes.length - keep) : bytes, this.#fatal);
    if (text === undefined) throw this.#bad();
    return text;
  }

  #latin(bytes) { return native.latin1Decode(bytes).replace(/[\x80-\x9f]/g, (char) => CP1252[char.charCodeAt(0) - 0x80]); }

  #utf16(bytes, stream) {
    const odd = bytes.length % 2;
    if (odd && stream) this.#rest = bytes.slice(-1);
    let text = '';
    const big = this.#encoding === 'utf-16be';
    for (let i = 0; i + 1 < bytes.length; i += 2) text += String.fromCharCode(big ? (bytes[i] << 8) | bytes[i + 1] : bytes[i] | (bytes[i + 1] << 8));
    if (!text.isWellFormed() || (odd && !stream)) {
      if (this.#fatal) throw this.#bad();
      text = text.toWellFormed() + (odd && !stream ? '\ufffd' : '');
    }
    return text;
  }
}
Object.defineProperty(TextDecoder.prototype, Symbol.toStringTag, { value: 'TextDecoder', configurable: true });
for (const Class of [TextEncoder, TextDecoder]) for (const key of ['encoding', 'fatal', 'ignoreBOM', 'encode', 'encodeInto', 'decode']) if (key in Class.prototype) Object.defineProperty(Class.prototype, key, { enumerable: true });

function invalidCharacter(message) { return new DOMException(message, 'InvalidCharacterError'); }
function atob(input) {
  if (arguments.length === 0) throw coded(TypeError, 'ERR_MISSING_ARGS', 'The "input" argument must be specified');
  let text = `${input}`.replace(/[\t\n\f\r ]/g, '');
  if (text.length % 4 === 0) text = text.replace(/={1,2}$/, '');
  if (/[^A-Za-z0-9+/]/.test(text)) throw invalidCharacter('Invalid character');
  if (text.length % 4 === 1) throw invalidCharacter('The string to be decoded is not correctly encoded.');
  return native.latin1Decode(Buffer.from(text, 'base64'));
}
function btoa(input) {
  if (arguments.length === 0) throw coded(TypeError, 'ERR_MISSING_ARGS', 'The "input" argument must be specified');
  const text = `${input}`;
  if (/[^\x00-\xff]/.test(text)) throw invalidCharacter('Invalid character');
  return Buffer.from(text, 'latin1').toString('base64');
}

module.exports = { TextEncoder, TextDecoder, atob, btoa };
