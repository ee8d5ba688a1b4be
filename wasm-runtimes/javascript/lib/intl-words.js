// Intl.Collator, ListFormat, RelativeTimeFormat, DisplayNames, Segmenter and Locale, in English.
'use strict';
const { pick, option, supportedLocalesOf, getCanonicalLocales } = lib('intl-locale');
const { NumberFormat } = lib('intl-number');

// The order of punctuation before digits before letters, as the root collation has it.
const ORDER = new Map(Array.from('_-,;:!?.\'"()[]{}@*/\\&#%`^+<=>|~$0123456789', (char, i) => [char, i]));
const rank = (char) => ORDER.get(char) ?? (/\s/.test(char) ? -1 : 1000 + char.codePointAt(0));
const bare = (text) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase().replace(/ß/g, 'ss').replace(/æ/g, 'ae').replace(/ø/g, 'o');
function byRank(a, b) {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) if (a[i] !== b[i]) return rank(a[i]) < rank(b[i]) ? -1 : 1;
  return Math.sign(a.length - b.length);
}
function byNumber(a, b) {
  const [x, y] = [a.match(/\d+|\D+/g) ?? [], b.match(/\d+|\D+/g) ?? []];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const numbers = /^\d/.test(x[i]) && /^\d/.test(y[i]);
    const [p, q] = numbers ? [x[i].replace(/^0+(?=\d)/, ''), y[i].replace(/^0+(?=\d)/, '')] : [x[i], y[i]];
    const order = numbers && p.length !== q.length ? Math.sign(p.length - q.length) : byRank(p, q);
    if (order) return order;
  }
  return Math.sign(x.length - y.length);
}
const accents = (text) => text.normalize('NFD').toLowerCase();
const marksOf = (text) => accents(text).replace(/[^\p{M}]/gu, ' ');

class Collator {
  #o;

  #compare;

  constructor(locales, options) {
    this.#o = {
      locale: pick(locales), usage: option(options, 'usage', ['sort', 'search'], 'sort'), sensitivity: option(options, 'sensitivity', ['base', 'accent', 'case', 'variant'], 'variant'),
      ignorePunctuation: Boolean(options?.ignorePunctuation), collation: 'default', numeric: Boolean(options?.numeric ?? /-u-.*kn/.test(getCanonicalLocales(locales)[0] ?? '')),
      caseFirst: option(options, 'caseFirst', ['upper', 'lower', 'false'], 'false'),
    };
  }

  get compare() { return this.#compare ??= (a, b) => this.#order(`${a}`, `${b}`); }

  #order(a, b) {
    if (a === b) return 0;
    const { sensitivity, numeric, ignorePunctuation, caseFirst } = this.#o;
    if (ignorePunctuation) [a, b] = [a, b].map((text) => text.replace(/[\p{P}\s]/gu, ''));
    const [x, y] = [bare(a), bare(b)];
    const primary = numeric ? byNumber(x, y) : byRank(x, y);
    if (primary || sensitivity === 'base') return primary;
    if (sensitivity !== 'case') {
      const [p, q] = [marksOf(a), marksOf(b)];
      if (p !== q) return p < q ? -1 : 1;
    }
    if (sensitivity === 'accent') return 0;
    for (let i = 0; i < Math.min(a.length, b.length); i++) {
      if (a[i] !== b[i] && a[i].toLowerCase() === b[i].toLowerCase()) return (a[i] === a[i].toLowerCase()) === (caseFirst !== 'upper') ? -1 : 1;
    }
    return 0;
  }

  resolvedOptions() { return { ...this.#o }; }

  static supportedLocalesOf(locales) { return supportedLocalesOf(locales); }
}

class ListFormat {
  #o;

  constructor(locales, options) {
    this.#o = { locale: pick(locales), type: option(options, 'type', ['conjunction', 'disjunction', 'unit'], 'conjunction'), style: option(options, 'style', ['long', 'short', 'narrow'], 'long') };
  }

  formatToParts(list) {
    const items = Array.from(list, (item) => {
      if (typeof item !== 'string') throw new TypeError('Iterable yielded a non-String value');
      return item;
    });
    const { type, style, locale } = this.#o;
    const word = type === 'unit' ? '' : type === 'disjunction' ? 'or ' : style === 'long' || locale !== 'en-US' && locale !== 'en' ? 'and ' : style === 'short' ? '& ' : '';
    const comma = type === 'unit' && style === 'narrow' ? ' ' : ', ';
    const oxford = locale === 'en-US' || locale === 'en' || type === 'unit' || !word;
    const parts = [];
    items.forEach((value, i) => {
      if (i > 0) {
        const last = i === items.length - 1;
        const pair = items.length === 2 && word;
        parts.push({ type: 'literal', value: !last ? comma : pair || !oxford ? ` ${word}` : `${comma}${word}` });
      }
      parts.push({ type: 'element', value });
    });
    return parts;
  }

  format(list) { return this.formatToParts(list).map((part) => part.value).join(''); }

  resolvedOptions() { return { ...this.#o }; }

  static supportedLocalesOf(locales) { return supportedLocalesOf(locales); }
}

const UNITS = { second: 'sec.', minute: 'min.', hour: 'hr.', day: 'day', week: 'wk.', month: 'mo.', quarter: 'qtr.', year: 'yr.' };
const WORDS = { day: ['yesterday', 'today', 'tomorrow'], year: ['last year', 'this year', 'next year'], month: ['last month', 'this month', 'next month'], week: ['last week', 'this week', 'next week'], quarter: ['last quarter', 'this quarter', 'next quarter'], hour: [undefined, 'this hour'], minute: [undefined, 'this minute'], second: [undefined, 'now'] };
class RelativeTimeFormat {
  #o;

  #numbers = new NumberFormat('en');

  constructor(locales, options) {
    this.#o = { locale: pick(locales), style: option(options, 'style', ['long', 'short', 'narrow'], 'long'), numeric: option(options, 'numeric', ['always', 'auto'], 'always'), numberingSystem: 'latn' };
  }

  format(value, unit) {
    const amount = Number(value);
    const name = `${unit}`.replace(/s$/, '');
    if (!(name in UNITS)) throw new RangeError(`Invalid unit argument for format() '${unit}'`);
    if (!Number.isFinite(amount)) throw new RangeError('Invalid number value');
    const word = this.#o.numeric === 'auto' ? WORDS[name]?.[amount + 1] : undefined;
    if (word) return word;
    const size = Math.abs(amount);
    const short = this.#o.style !== 'long';
    const label = short ? (name === 'day' || name === 'quarter' ? `${name === 'day' ? 'day' : size === 1 ? 'qtr.' : 'qtrs.'}${name === 'day' && size !== 1 ? 's' : ''}` : UNITS[name]) : size === 1 ? name : `${name}s`;
    const text = `${this.#numbers.format(size)} ${label}`;
    return amount < 0 || Object.is(amount, -0) ? `${text} ago` : `in ${text}`;
  }

  formatToParts(value, unit) { return [{ type: 'literal', value: this.format(value, unit) }]; }

  resolvedOptions() { return { ...this.#o }; }

  static supportedLocalesOf(locales) { return supportedLocalesOf(locales); }
}

const DISPLAY = {
  region: { US: 'United States', GB: 'United Kingdom', DE: 'Germany', FR: 'France', ES: 'Spain', IT: 'Italy', JP: 'Japan', CN: 'China', IN: 'India', BR: 'Brazil', CA: 'Canada', AU: 'Australia', MX: 'Mexico', RU: 'Russia', KR: 'South Korea' },
  language: { en: 'English', 'en-US': 'American English', 'en-GB': 'British English', de: 'German', fr: 'French', es: 'Spanish', it: 'Italian', ja: 'Japanese', zh: 'Chinese', pt: 'Portuguese', ru: 'Russian', ko: 'Korean', ar: 'Arabic', hi: 'Hindi', nl: 'Dutch' },
  currency: { USD: 'US Dollar', EUR: 'Euro', GBP: 'British Pound', JPY: 'Japanese Yen', INR: 'Indian Rupee', CNY: 'Chinese Yuan', CAD: 'Canadian Dollar', AUD: 'Australian Dollar', CHF: 'Swiss Franc' },
};
class DisplayNames {
  #o;

  constructor(locales, options) {
    if (options?.type === undefined) throw new TypeError('Required option "type" must not be undefined');
    this.#o = { locale: pick(locales), style: option(options, 'style', ['narrow', 'short', 'long'], 'long'), type: `${options.type}`, fallback: option(options, 'fallback', ['code', 'none'], 'code') };
  }

  of(code) { return DISPLAY[this.#o.type]?.[code] ?? (this.#o.fallback === 'code' ? `${code}` : undefined); }

  resolvedOptions() { return { ...this.#o }; }
}

const GRAPHEME = /\r\n|\p{RI}\p{RI}|\p{Emoji}(?:\p{EMod}|\ufe0f\u20e3?|[\u{e0020}-\u{e007f}])*(?:\u200d\p{Emoji}(?:\p{EMod}|\ufe0f)*)*\p{M}*|[^]\p{M}*[\u200d\p{M}]*/gu;
const WORD = /[\p{L}\p{N}\p{M}_]+(?:['’.][\p{L}\p{N}_]+)*|\s+|[^]/gu;
const SENTENCE = /[^.!?]+(?:[.!?]+\s*|$)|[.!?]+\s*/gu;
class Segmenter {
  #o;

  constructor(locales, options) { this.#o = { locale: pick(locales), granularity: option(options, 'granularity', ['grapheme', 'word', 'sentence'], 'grapheme') }; }

  segment(input) {
    const text = `${input}`;
    const { granularity } = this.#o;
    const pattern = { grapheme: GRAPHEME, word: WORD, sentence: SENTENCE }[granularity];
    const all = () => Array.from(text.matchAll(pattern), (m) => ({ segment: m[0], index: m.index, input: text, ...(granularity === 'word' && { isWordLike: /[\p{L}\p{N}]/u.test(m[0]) }) }));
    return { [Symbol.iterator]: () => all()[Symbol.iterator](), containing: (at = 0) => all().findLast((part) => part.index <= at) };
  }

  resolvedOptions() { return { ...this.#o }; }
}

class Locale {
  #tag;

  constructor(tag) { [this.#tag] = getCanonicalLocales(tag); }

  get baseName() { return this.#tag.replace(/-u-.*$/, ''); }

  get language() { return this.#tag.split('-')[0]; }

  get region() { return /-([A-Z]{2}|\d{3})(?=-|$)/.exec(this.#tag)?.[1]; }

  get script() { return /-([A-Z][a-z]{3})(?=-|$)/.exec(this.#tag)?.[1]; }

  toString() { return this.#tag; }

  maximize() { return this; }

  minimize() { return this; }
}

module.exports = { Collator, ListFormat, RelativeTimeFormat, DisplayNames, Segmenter, Locale };
