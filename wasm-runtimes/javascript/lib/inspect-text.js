// How util.inspect writes strings, numbers and symbols, and its colors.
'use strict';
const { STYLES, COLORS } = lib('inspect-public');
const ANSI = /[\u001B\u009B][[\]()#;?]*(?:(?:(?:(?:;[-a-zA-Z\d/#&.:=?%@~_]+)*|[a-zA-Z\d]+(?:;[-a-zA-Z\d/#&.:=?%@~_]*)*)?\u0007)|(?:(?:\d{1,4}(?:;\d{0,4})*)?[\dA-PR-TZcf-ntqry=><~]))/g;

function plain(text) { return text; }
function colored(text, style) {
  const color = COLORS[STYLES[style]];
  return color ? `\u001b[${color[0]}m${text}\u001b[${color[1]}m` : text;
}

// --- strings -------------------------------------------------------------------------------

const NEEDS_ESCAPE = /[\x00-\x1f\x27\x5c\x7f-\x9f]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
const ESCAPE_ALL = new RegExp(NEEDS_ESCAPE.source, 'g');
const NAMED = { 8: '\\b', 9: '\\t', 10: '\\n', 12: '\\f', 13: '\\r', 92: '\\\\', 39: "\\'" };
function escapeUnit(unit) {
  const code = unit.charCodeAt(0);
  if (NAMED[code]) return NAMED[code];
  const hex = code.toString(16);
  return code > 255 ? `\\u${hex}` : `\\x${hex.toUpperCase().padStart(2, '0')}`;
}
function quote(text) {
  let mark = "'";
  if (!NEEDS_ESCAPE.test(text)) return `'${text}'`;
  if (text.includes("'")) {
    if (!text.includes('"')) mark = '"';
    else if (!text.includes('`') && !text.includes('${')) mark = '`';
  }
  const escaped = text.replace(ESCAPE_ALL, (unit) => (unit === "'" && mark !== "'" ? unit : escapeUnit(unit)));
  return mark + escaped + mark;
}

function groupDigits(text) {
  const [whole, fraction] = text.split('.');
  const left = whole.replace(/\B(?=(\d{3})+(?!\d))/g, '_');
  return fraction === undefined ? left : `${left}.${fraction.replace(/(\d{3})(?=\d)/g, '$1_')}`;
}
function formatNumber(n, ctx) {
  if (Object.is(n, -0)) return '-0';
  const text = `${n}`;
  return ctx && ctx.numericSeparator && !/[e]/.test(text) && Number.isFinite(n) ? groupDigits(text) : text;
}

const symbolText = (symbol) => Symbol.prototype.toString.call(symbol);

// The name of a class before what is in it: `Foo(2) [tag] `.
function prefixFor(ctor, tag, fallback, size = '') {
  if (ctor === null) return tag !== '' && fallback !== tag ? `[${fallback}${size}: null prototype] [${tag}] ` : `[${fallback}${size}: null prototype] `;
  return tag !== '' && ctor !== tag ? `${ctor}${size} [${tag}] ` : `${ctor}${size} `;
}

module.exports = { prefixFor, ANSI, plain, colored, ESCAPE_ALL, escapeUnit, quote, groupDigits, formatNumber, symbolText };
