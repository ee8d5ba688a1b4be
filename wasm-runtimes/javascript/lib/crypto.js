// The global crypto and node:crypto: randomness from the host, digests from @noble/hashes.
'use strict';
const { coded, invalidType, outOfRange } = lib('errors');
const { isDeepStrictEqual } = lib('equal');
const { vendor } = lib('packages');

const sha2 = vendor('@noble/hashes/sha2');
const legacy = vendor('@noble/hashes/legacy');
const sha3 = vendor('@noble/hashes/sha3');
const { hmac } = vendor('@noble/hashes/hmac');
const HASHES = {
  md5: legacy.md5, sha1: legacy.sha1, ripemd160: legacy.ripemd160, sha224: sha2.sha224, sha256: sha2.sha256, sha384: sha2.sha384, sha512: sha2.sha512,
  'sha512-256': sha2.sha512_256, 'sha3-224': sha3.sha3_224, 'sha3-256': sha3.sha3_256, 'sha3-384': sha3.sha3_384, 'sha3-512': sha3.sha3_512,
};
function hashFor(name) {
  const hash = HASHES[`${name}`.toLowerCase().replace(/^rsa-/, '').replace(/^sha-(?=\d)/, 'sha')];
  if (!hash) throw Object.assign(new Error('Digest method not supported'), { code: 'ERR_CRYPTO_INVALID_DIGEST' });
  return hash;
}
const toBytes = (data, encoding) => {
  if (typeof data === 'string') return Uint8Array.from(Buffer.from(data, encoding));
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  throw invalidType('data', 'of type string or an instance of Buffer, TypedArray, or DataView', data);
};
const encoded = (bytes, encoding) => (encoding && encoding !== 'buffer' ? Buffer.from(bytes).toString(encoding) : Buffer.from(bytes));

class Digest {
  #state;
  #done = false;

  constructor(state) { this.#state = state; }

  update(data, encoding) {
    if (this.#done) throw coded(Error, 'ERR_CRYPTO_HASH_FINALIZED', 'Digest already called');
    this.#state.update(toBytes(data, encoding));
    return this;
  }

  digest(encoding) {
    if (this.#done) throw coded(Error, 'ERR_CRYPTO_HASH_FINALIZED', 'Digest already called');
    this.#done = true;
    return encoded(this.#state.digest(), encoding);
  }

  copy() { return new this.constructor(this.#state.clone()); }
}
class Hash extends Digest {}
class Hmac extends Digest {}

function getRandomValues(array) {
  if (!ArrayBuffer.isView(array) || array instanceof DataView || array instanceof Float32Array || array instanceof Float64Array) {
    throw new DOMException('The data argument must be an integer-type TypedArray', 'TypeMismatchError');
  }
  if (array.byteLength > 65536) throw new DOMException(`The requested length exceeds 65,536 bytes`, 'QuotaExceededError');
  native.fillRandom(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  return array;
}
function randomUUID() {
  const bytes = new Uint8Array(16);
  native.fillRandom(bytes);
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
function randomBytes(size, callback) {
  if (typeof size !== 'number') throw invalidType('size', 'of type number', size);
  if (!(size >= 0 && size <= 2147483647)) throw outOfRange('size', '>= 0 && <= 2147483647', size);
  const bytes = Buffer.alloc(size);
  native.fillRandom(bytes);
  if (callback) lib('timers').setImmediate(() => callback(null, bytes));
  return callback ? undefined : bytes;
}
function randomFillSync(view, offset = 0, size = view.byteLength - offset) {
  native.fillRandom(new Uint8Array(view.buffer ?? view, (view.byteOffset ?? 0) + offset, size));
  return view;
}
function randomInt(low, high, callback) {
  if (high === undefined || typeof high === 'function') [low, high, callback] = [0, low, high];
  if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high)) throw invalidType(Number.isSafeInteger(low) ? 'max' : 'min', 'a safe integer', Number.isSafeInteger(low) ? high : low);
  if (high <= low) throw outOfRange('max', `greater than the value of "min" (${low})`, high);
  const range = BigInt(high - low);
  // Draws beyond the last whole multiple of the range are thrown away: no number is likelier.
  const limit = (1n << 64n) - ((1n << 64n) % range);
  const draw = new BigUint64Array(1);
  do native.fillRandom(draw); while (draw[0] >= limit);
  const value = low + Number(draw[0] % range);
  if (callback) lib('timers').setImmediate(() => callback(null, value));
  return callback ? undefined : value;
}
function timingSafeEqual(a, b) {
  if (a.byteLength !== b.byteLength) throw coded(RangeError, 'ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH', 'Input buffers must have the same byte length');
  return isDeepStrictEqual(toBytes(a), toBytes(b));
}
const later = (run, callback) => { lib('timers').setImmediate(() => { let value; try { value = run(); } catch (error) { callback(error); return; } callback(null, value); }); };
const pbkdf2Sync = (password, salt, iterations, length, digest) => Buffer.from(vendor('@noble/hashes/pbkdf2').pbkdf2(hashFor(digest), toBytes(password), toBytes(salt), { c: iterations, dkLen: length }));
const scryptSync = (password, salt, length, { N = 16384, cost = N, r = 8, blockSize = r, p = 1, parallelization = p } = {}) => Buffer.from(vendor('@noble/hashes/scrypt').scrypt(toBytes(password), toBytes(salt), { N: cost, r: blockSize, p: parallelization, dkLen: length }));
const hkdfSync = (digest, key, salt, info, length) => Uint8Array.from(vendor('@noble/hashes/hkdf').hkdf(hashFor(digest), toBytes(key), toBytes(salt), toBytes(info), length)).buffer;
for (const name of ['pbkdf2', 'scrypt', 'hkdf']) vendor(`@noble/hashes/${name}`); // evaluated before the snapshot

const subtle = {
  async digest(algorithm, data) { return Uint8Array.from(hashFor(algorithm?.name ?? algorithm)(toBytes(data))).buffer; },
};
class Crypto {
  get subtle() { return subtle; }
}
Object.assign(Crypto.prototype, { getRandomValues, randomUUID });
Object.defineProperty(Crypto.prototype, Symbol.toStringTag, { value: 'Crypto', configurable: true });
const webcrypto = new Crypto();

module.exports = {
  webcrypto,
  module: {
    createHash: (name) => new Hash(hashFor(name).create()),
    createHmac: (name, key) => new Hmac(hmac.create(hashFor(name), toBytes(key))),
    hash: (name, data, encoding = 'hex') => encoded(hashFor(name)(toBytes(data)), encoding),
    getHashes: () => Object.keys(HASHES), getRandomValues, randomUUID, randomBytes, pseudoRandomBytes: randomBytes, randomInt, randomFillSync, timingSafeEqual,
    randomFill: (view, ...rest) => later(() => randomFillSync(view, ...rest.slice(0, -1)), rest.at(-1)),
    pbkdf2Sync, scryptSync, hkdfSync,
    pbkdf2: (...args) => later(() => pbkdf2Sync(...args.slice(0, -1)), args.at(-1)),
    scrypt: (...args) => later(() => scryptSync(...args.slice(0, -1)), args.at(-1)),
    hkdf: (...args) => later(() => hkdfSync(...args.slice(0, -1)), args.at(-1)),
    Hash, Hmac, webcrypto, subtle,
  },
};
