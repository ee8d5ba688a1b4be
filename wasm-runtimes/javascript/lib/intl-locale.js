// Locales: what is known of them, and which one a list of requests comes to. English is complete;
// of some others the number marks are known; all else falls back to English, as a Node without
// full ICU data does.
'use strict';

// [decimal mark, group mark, currency after the number, least digits that are grouped]
const MARKS = {
  en: ['.', ',', false, 4], de: [',', '.', true, 4], fr: [',', '\u202f', true, 4], es: [',', '.', true, 5], it: [',', '.', true, 4],
  pt: [',', '.', false, 4], nl: [',', '.', false, 4], ru: [',', '\u00a0', true, 4], sv: [',', '\u00a0', true, 4], pl: [',', '\u00a0', true, 5],
  ja: ['.', ',', false, 4], zh: ['.', ',', false, 4], ko: ['.', ',', false, 4], tr: [',', '.', false, 4],
};
const TAG = /^[a-z]{2,3}(?:-[a-z]{4})?(?:-(?:[a-z]{2}|\d{3}))?(?:-[a-z0-9]{5,8}|-\d[a-z0-9]{3})*(?:-[a-wyz](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?$/i;

function canonical(tag) {
  if (typeof tag !== 'string' && !(tag !== null && typeof tag === 'object')) throw new TypeError('Incorrect locale information provided');
  const text = `${tag}`;
  if (!TAG.test(text)) throw new RangeError(`Incorrect locale information provided`);
  return text.split('-').map((part, i) => {
    if (i === 0) return part.toLowerCase();
    if (part.length === 4 && /^[a-z]+$/i.test(part)) return part[0].toUpperCase() + part.slice(1).toLowerCase();
    return part.length === 2 ? part.toUpperCase() : part.toLowerCase();
  }).join('-');
}
function getCanonicalLocales(locales) {
  if (locales === undefined) return [];
  const list = typeof locales === 'string' || typeof locales?.toString === 'function' && !Array.isArray(locales) ? [locales] : Array.from(locales);
  return [...new Set(list.map(canonical))];
}
const language = (locale) => locale.split('-')[0];
const supported = (locale) => language(locale) in MARKS;
function pick(locales) {
  const wanted = getCanonicalLocales(locales);
  return (wanted.find(supported) ?? 'en-US').replace(/-u-.*$/, '');
}
const supportedLocalesOf = (locales) => getCanonicalLocales(locales).filter(supported);
function option(options, name, allowed, fallback) {
  const value = options?.[name];
  if (value === undefined) return fallback;
  const text = `${value}`;
  if (allowed && !allowed.includes(text)) throw new RangeError(`Value ${text} out of range for Intl options property ${name}`);
  return text;
}
function count(options, name, low, high, fallback) {
  const value = options?.[name];
  if (value === undefined) return fallback;
  const number = Number(value);
  if (!(number >= low && number <= high)) throw new RangeError(`${name} value is out of range.`);
  return Math.floor(number);
}

module.exports = { MARKS, getCanonicalLocales, supportedLocalesOf, pick, language, option, count };
