// node:buffer: the package buffer, with the engine's codecs where they are faster or missing there.
'use strict';
const vendored = lib('packages').vendor('buffer/');
const { Buffer } = vendored;
const { kind, classes: K } = native;

const base = { from: Buffer.from, toString: Buffer.prototype.toString, write: Buffer.prototype.write, byteLength: Buffer.byteLength, isEncoding: Buffer.isEncoding };
const isUtf8 = (encoding) => encoding === undefined || encoding === null || encoding === 'utf8' || encoding === 'utf-8' || /^utf-?8$/i.test(encoding);
const asBuffer = (bytes) => Object.setPrototypeOf(bytes, Buffer.prototype);
const isUrl64 = (encoding) => typeof encoding === 'string' && encoding.toLowerCase() === 'base64url';
const plain64 = (encoding) => (isUrl64(encoding) ? 'base64' : encoding);

function define(target, name, value) { Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: target === Buffer }); }
define(Buffer, 'from', function from(value, encoding, length) {
  if (typeof value === 'string') {
    if (isUtf8(encoding)) return asBuffer(native.utf8Encode(value));
    if (/^(?:latin1|binary)$/i.test(encoding)) return asBuffer(native.latin1Encode(value));
    if (!Buffer.isEncoding(encoding)) throw lib('errors').coded(TypeError, 'ERR_UNKNOWN_ENCODING', `Unknown encoding: ${encoding}`);
    // A digit that is not hexadecimal ends the input.
    if (/^hex$/i.test(encoding)) value = /^(?:[\da-f]{2})*/i.exec(value)[0];
    return base.from.call(this, value, plain64(encoding), length);
  }
  if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean' || typeof value === 'function' || typeof value === 'symbol' || typeof value === 'bigint') {
    throw lib('errors').invalidType('first argument', 'of type string or an instance of Buffer, ArrayBuffer, or Array or an Array-like Object', value);
  }
  return base.from.call(this, value, encoding, length);
});
define(Buffer, 'isEncoding', (encoding) => isUrl64(encoding) || base.isEncoding(encoding));
define(Buffer, 'byteLength', (value, encoding) => (typeof value === 'string' && isUtf8(encoding) ? native.utf8Length(value) : base.byteLength(value, plain64(encoding))));
define(Buffer, 'copyBytesFrom', (view, offset = 0, length = view.length - offset) => Buffer.from(Uint8Array.from(new Uint8Array(view.slice(offset, offset + length).buffer))));
define(Buffer.prototype, 'toString', function toString(encoding, start = 0, end = this.length) {
  start = Math.max(0, Math.trunc(start) || 0);
  end = Math.min(this.length, Math.trunc(end) || 0);
  if (start >= end) return '';
  const part = start === 0 && end === this.length ? this : this.subarray(start, end);
  if (isUtf8(encoding)) return native.utf8Decode(part, false);
  if (/^(?:latin1|binary)$/i.test(encoding)) return native.latin1Decode(part);
  if (isUrl64(encoding)) return base.toString.call(part, 'base64').replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
  if (!Buffer.isEncoding(encoding)) throw lib('errors').coded(TypeError, 'ERR_UNKNOWN_ENCODING', `Unknown encoding: ${encoding}`);
  return base.toString.call(part, encoding);
});
define(Buffer.prototype, 'write', function write(text, ...rest) {
  if (typeof rest.at(-1) === 'string') rest.push(plain64(rest.pop()));
  return base.write.call(this, text, ...rest);
});
define(Buffer.prototype, 'toJSON', function toJSON() { return { type: 'Buffer', data: Array.from(this) }; });
define(Buffer, 'poolSize', 8192);

const bytesOf = (value) => (kind(value) === K.ARRAY_BUFFER ? new Uint8Array(value) : new Uint8Array(value.buffer, value.byteOffset, value.byteLength));

class Blob {
  #bytes;
  #type;

  constructor(parts = [], { type = '' } = {}) {
    this.#bytes = Buffer.concat(Array.from(parts, (part) => (part instanceof Blob ? part.#bytes : typeof part === 'object' && (ArrayBuffer.isView(part) || kind(part) === K.ARRAY_BUFFER) ? bytesOf(part) : native.utf8Encode(`${part}`))));
    this.#type = /[^\x20-\x7e]/.test(type) ? '' : `${type}`.toLowerCase();
  }

  get size() { return this.#bytes.length; }

  get type() { return this.#type; }

  slice(start = 0, end = this.size, type = '') {
    const copy = new Blob([], { type });
    copy.#bytes = this.#bytes.slice(start, end);
    return copy;
  }

  async text() { return native.utf8Decode(this.#bytes, false); }

  async arrayBuffer() { return Uint8Array.from(this.#bytes).buffer; }

  async bytes() { return Uint8Array.from(this.#bytes); }

  [lib('inspect').inspect.custom](depth, options) { return `Blob ${lib('inspect').inspect({ size: this.size, type: this.type }, options)}`; }
}
Object.defineProperty(Blob.prototype, Symbol.toStringTag, { value: 'Blob', configurable: true });

class File extends Blob {
  #name;
  #modified;

  constructor(parts, name, options) {
    super(parts, options);
    this.#name = `${name}`;
    this.#modified = options?.lastModified ?? Date.now();
  }

  get name() { return this.#name; }

  get lastModified() { return this.#modified; }
}

const { atob, btoa } = lib('encoding');
module.exports = {
  ...vendored, Buffer, Blob, File, atob, btoa, constants: { MAX_LENGTH: 2147483647, MAX_STRING_LENGTH: 536870888 },
  isUtf8: (value) => native.utf8Decode(bytesOf(value), true) !== undefined, isAscii: (value) => bytesOf(value).every((b) => b < 128),
  transcode: (source, from, to) => Buffer.from(Buffer.from(source).toString(from), to),
};
