// node:url. URL and URLSearchParams are whatwg-url's; the legacy API is written over them.
'use strict';
const { URL, URLSearchParams } = lib('packages').vendor('whatwg-url');
const { coded, invalidType } = lib('errors');
const { inspect } = lib('inspect');
const path = lib('path');

const PARTS = ['href', 'origin', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'searchParams', 'hash'];
function define(prototype, key, value) { Object.defineProperty(prototype, key, { value, writable: true, configurable: true }); }

define(URL.prototype, inspect.custom, function custom(depth, options, show) {
  if (depth < 0) return `[${this.constructor.name}]`;
  const shown = {};
  for (const part of PARTS) shown[part] = this[part];
  return `${this.constructor.name} ${show(shown, options)}`;
});
define(URLSearchParams.prototype, inspect.custom, function custom(depth, options, show) {
  if (depth < 0) return '[Object]';
  const entries = [...this].map(([key, value]) => `${show(key, options)} => ${show(value, options)}`);
  if (entries.length === 0) return 'URLSearchParams {}';
  const line = entries.join(', ');
  return line.length > options.breakLength - 20 ? `URLSearchParams {\n  ${entries.join(',\n  ')} }` : `URLSearchParams { ${line} }`;
});

// A URL that does not parse fails as Node's constructor does.
class NodeURL extends URL {
  constructor(input, base) {
    if (arguments.length === 0) throw coded(TypeError, 'ERR_MISSING_ARGS', 'The "url" argument must be specified');
    try {
      if (base === undefined) super(input);
      else super(input, base);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw coded(TypeError, 'ERR_INVALID_URL', 'Invalid URL', base === undefined ? { input: `${input}` } : { input: `${input}`, base: `${base}` });
    }
  }

  static canParse(input, base) {
    try { return Boolean(new NodeURL(input, base)); } catch { return false; }
  }
}
Object.defineProperty(NodeURL, 'name', { value: 'URL' });

function fileURLToPath(url) {
  if (typeof url === 'string') url = new NodeURL(url);
  else if (!(url instanceof URL)) throw invalidType('path', 'of type string or an instance of URL', url);
  if (url.protocol !== 'file:') throw coded(TypeError, 'ERR_INVALID_URL_SCHEME', 'The URL must be of scheme file');
  if (url.hostname !== '') throw coded(TypeError, 'ERR_INVALID_FILE_URL_HOST', 'File URL host must be "localhost" or empty on linux');
  if (/%2f/i.test(url.pathname)) throw coded(TypeError, 'ERR_INVALID_FILE_URL_PATH', 'File URL path must not include encoded / characters');
  return decodeURIComponent(url.pathname);
}
function pathToFileURL(file) {
  let resolved = path.resolve(file);
  if (file.endsWith('/') && resolved !== '/') resolved += '/';
  return new NodeURL(`file://${resolved.replace(/[%\\\n\r\t?#]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)}`);
}
function urlToHttpOptions(url) {
  const { protocol, hostname, hash, search, pathname, href, username, password } = url;
  return {
    __proto__: null, ...url, protocol, hostname: hostname.startsWith('[') ? hostname.slice(1, -1) : hostname, hash, search, pathname, path: `${pathname}${search}`, href,
    ...(url.port !== '' && { port: Number(url.port) }), ...((username || password) && { auth: `${decodeURIComponent(username)}:${decodeURIComponent(password)}` }),
  };
}

// --- the legacy API ------------------------------------------------------------------------

function Url() {
  for (const part of ['protocol', 'slashes', 'auth', 'host', 'port', 'hostname', 'hash', 'search', 'query', 'pathname', 'path', 'href']) this[part] = null;
}
const SLASHED = /^(?:https?|ftp|gopher|file|wss?)$/;

function parse(text, parseQuery, slashesDenoteHost) {
  if (text instanceof Url) return text;
  if (typeof text !== 'string') throw invalidType('url', 'of type string', text);
  const url = new Url();
  const [, scheme, slashes, authority, pathname, search, hash] = /^(?:([a-zA-Z][a-zA-Z0-9.+-]*):)?(?:(\/\/)([^/?#]*))?([^?#]*)(\?[^#]*)?(#.*)?$/s.exec(text.trim());
  const hosted = slashes && (scheme || slashesDenoteHost);
  if (scheme) url.protocol = `${scheme.toLowerCase()}:`;
  let rest = pathname;
  if (hosted) {
    url.slashes = true;
    const at = authority.lastIndexOf('@');
    if (at !== -1) url.auth = decodeURIComponent(authority.slice(0, at));
    const [, hostname, port] = /^(.*?)(?::(\d*))?$/.exec(authority.slice(at + 1));
    url.hostname = hostname.replace(/^\[|\]$/g, '').toLowerCase();
    url.port = port || null;
    url.host = hostname.toLowerCase() + (port ? `:${port}` : '');
  } else if (slashes) rest = slashes + authority + pathname;
  const escape = (part) => part.replace(/[\s"<>\\^`{|}']/g, (char) => (char === '\\' ? '/' : `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`));
  url.hash = hash ? escape(hash) : null;
  url.search = search ? escape(search) : parseQuery ? '' : null;
  const query = search ? url.search.slice(1) : null;
  url.query = parseQuery ? lib('querystring').parse(query ?? '') : query;
  rest = escape(rest);
  if (rest === '' && hosted && SLASHED.test(scheme ?? '')) rest = '/';
  url.pathname = rest || null;
  if (url.pathname !== null || url.search) url.path = (url.pathname ?? '') + (url.search ?? '');
  url.href = format(url);
  return url;
}

function format(url, options = {}) {
  if (typeof url === 'string') url = parse(url);
  if (url instanceof URL) {
    const { auth = true, fragment = true, search = true } = options;
    const credentials = auth && url.username ? `${url.username}${url.password ? `:${url.password}` : ''}@` : '';
    return `${url.protocol}${url.host || url.protocol === 'file:' ? '//' : ''}${credentials}${url.host}${url.pathname}${search ? url.search : ''}${fragment ? url.hash : ''}`;
  }
  const protocol = url.protocol ? url.protocol.replace(/:?$/, ':') : '';
  const auth = url.auth ? `${encodeURIComponent(url.auth).replace(/%3A/i, ':')}@` : '';
  let host = url.host ? auth + url.host : '';
  if (!host && url.hostname) host = auth + (url.hostname.includes(':') ? `[${url.hostname}]` : url.hostname) + (url.port ? `:${url.port}` : '');
  let search = url.search || (url.query !== null && typeof url.query === 'object' && Object.keys(url.query).length ? `?${lib('querystring').stringify(url.query)}` : typeof url.query === 'string' && url.query ? `?${url.query}` : '');
  let pathname = url.pathname || '';
  const slashed = url.slashes || ((!protocol || SLASHED.test(protocol.slice(0, -1))) && host);
  if (slashed) {
    host = `//${host}`;
    if (pathname && pathname[0] !== '/') pathname = `/${pathname}`;
  }
  const hash = url.hash ? url.hash.replace(/^#?/, '#') : '';
  if (search && search[0] !== '?') search = `?${search}`;
  return protocol + host + pathname.replace(/[?#]/g, encodeURIComponent) + search.replace('#', '%23') + hash;
}
function resolve(from, to) {
  const base = 'sandgate-relative://host';
  const resolved = new NodeURL(to, new NodeURL(from, `${base}/`));
  return resolved.href.startsWith(base) ? resolved.href.slice(base.length).replace(/^\//, from.startsWith('/') || to.startsWith('/') ? '/' : '') : resolved.href;
}
Url.prototype.parse = function parseInto(text, query) { return Object.assign(this, parse(text, query)); };
Url.prototype.format = function formatThis() { return format(this); };
Url.prototype.resolve = function resolveThis(to) { return resolve(this.href, to); };

module.exports = {
  Url, parse, resolve, format, URL: NodeURL, URLSearchParams, fileURLToPath, pathToFileURL, urlToHttpOptions,
  domainToASCII: (domain) => { try { return new NodeURL(`ws://${domain}`).hostname; } catch { return ''; } },
  domainToUnicode: (domain) => lib('packages').vendor('punycode/').toUnicode(domain),
};
