// The global Intl, and the methods of the language that go through it.
'use strict';
const { getCanonicalLocales } = lib('intl-locale');
const { NumberFormat, PluralRules } = lib('intl-number');
const { DateTimeFormat } = lib('intl-date');
const words = lib('intl-words');
const zones = lib('intl-zones');

const classes = { Collator: words.Collator, DateTimeFormat, DisplayNames: words.DisplayNames, ListFormat: words.ListFormat, Locale: words.Locale, NumberFormat, PluralRules, RelativeTimeFormat: words.RelativeTimeFormat, Segmenter: words.Segmenter };
const Intl = Object.create(Object.prototype, { [Symbol.toStringTag]: { value: 'Intl', configurable: true } });
const hidden = (target, name, value) => Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });

// NumberFormat, DateTimeFormat and Collator may be called without `new`.
for (const [name, Class] of Object.entries(classes)) {
  Object.defineProperty(Class.prototype, Symbol.toStringTag, { value: `Intl.${name}`, configurable: true });
  const callable = ['NumberFormat', 'DateTimeFormat', 'Collator'].includes(name);
  hidden(Intl, name, callable ? new Proxy(Class, { apply: (_, __, args) => new Class(...args) }) : Class);
}
hidden(Intl, 'getCanonicalLocales', getCanonicalLocales);
hidden(Intl, 'supportedValuesOf', (key) => {
  if (key === 'timeZone') return zones.names();
  if (key === 'currency') return ['AUD', 'CAD', 'CHF', 'CNY', 'EUR', 'GBP', 'INR', 'JPY', 'USD'];
  if (key === 'calendar') return ['gregory'];
  if (key === 'numberingSystem') return ['latn'];
  if (key === 'collation' || key === 'unit') return [];
  throw new RangeError(`Invalid key : ${key}`);
});

const kept = new Map();
// Formatters for no options are made once: they are what most calls use.
function cached(kind, locales, options, make) {
  if (options !== undefined || (locales !== undefined && typeof locales !== 'string')) return make();
  const key = `${kind}:${locales}`;
  if (!kept.has(key)) kept.set(key, make());
  return kept.get(key);
}
hidden(globalThis, 'Intl', Intl);
const numbers = (locales, options) => cached('number', locales, options, () => new NumberFormat(locales, options));
const methods = {
  toLocaleString(locales, options) { return numbers(locales, options).format(Number.prototype.valueOf.call(this)); },
};
hidden(Number.prototype, 'toLocaleString', methods.toLocaleString);
hidden(BigInt.prototype, 'toLocaleString', { toLocaleString(locales, options) { return numbers(locales, options).format(BigInt.prototype.valueOf.call(this)); } }.toLocaleString);
const dated = (name, required, defaults) => hidden(Date.prototype, name, {
  [name](locales, options) {
    const time = Date.prototype.getTime.call(this);
    if (Number.isNaN(time)) return 'Invalid Date';
    return cached(name, locales, options, () => new DateTimeFormat(locales, options, required, defaults)).format(time);
  },
}[name]);
dated('toLocaleString', 'any', 'all');
dated('toLocaleDateString', 'date', 'date');
dated('toLocaleTimeString', 'time', 'time');
hidden(String.prototype, 'localeCompare', {
  localeCompare(that, locales, options) { return cached('collator', locales, options, () => new words.Collator(locales, options)).compare(`${this}`, `${that}`); },
}.localeCompare);
hidden(Array.prototype, 'toLocaleString', {
  toLocaleString(locales, options) { return Array.from(this, (item) => (item === null || item === undefined ? '' : item.toLocaleString(locales, options))).join(','); },
}.toLocaleString);
// Made before the snapshot, for the calls without arguments.
(0).toLocaleString();
new Date(0).toLocaleString();
new Date(0).toLocaleDateString();
new Date(0).toLocaleTimeString();
'a'.localeCompare('b');
module.exports = Intl;
