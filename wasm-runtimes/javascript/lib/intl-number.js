// Intl.NumberFormat and PluralRules.
'use strict';
const { MARKS, pick, language, option, count, supportedLocalesOf } = lib('intl-locale');

const SYMBOLS = { USD: '$', EUR: '€', GBP: '£', JPY: '¥', INR: '₹', CNY: 'CN¥', KRW: '₩', BRL: 'R$', CAD: 'CA$', AUD: 'A$', MXN: 'MX$', NZD: 'NZ$', ILS: '₪', VND: '₫', HKD: 'HK$', TWD: 'NT$', PHP: '₱', XAF: 'FCFA' };
const LOCAL_SYMBOLS = { 'ja:JPY': '￥', 'zh:CNY': '¥', 'de:USD': '$', 'en-CA:CAD': '$', 'en-AU:AUD': '$' };
const NAMES = { USD: ['US dollar', 'US dollars'], EUR: ['euro', 'euros'], GBP: ['British pound', 'British pounds'], JPY: ['Japanese yen', 'Japanese yen'], INR: ['Indian rupee', 'Indian rupees'] };
const NO_CENTS = new Set(['JPY', 'KRW', 'VND', 'CLP', 'ISK', 'UGX', 'XAF', 'XOF', 'PYG']);
// [short form, long forms, whether the short form stands apart]
const UNITS = {
  kilometer: ['km', 'kilometer'], meter: ['m', 'meter'], centimeter: ['cm', 'centimeter'], millimeter: ['mm', 'millimeter'], mile: ['mi', 'mile'], foot: ['ft', 'foot', 'feet'], inch: ['in', 'inch', 'inches'], yard: ['yd', 'yard'],
  kilogram: ['kg', 'kilogram'], gram: ['g', 'gram'], pound: ['lb', 'pound'], ounce: ['oz', 'ounce'], liter: ['L', 'liter'], milliliter: ['mL', 'milliliter'],
  byte: ['byte', 'byte'], kilobyte: ['kB', 'kilobyte'], megabyte: ['MB', 'megabyte'], gigabyte: ['GB', 'gigabyte'], terabyte: ['TB', 'terabyte'], bit: ['bit', 'bit'],
  second: ['sec', 'second'], minute: ['min', 'minute'], hour: ['hr', 'hour'], day: ['day', 'day'], week: ['wk', 'week'], month: ['mth', 'month'], year: ['yr', 'year'], millisecond: ['ms', 'millisecond'],
  'kilometer-per-hour': ['km/h', 'kilometer per hour', 'kilometers per hour'], 'mile-per-hour': ['mph', 'mile per hour', 'miles per hour'], 'meter-per-second': ['m/s', 'meter per second', 'meters per second'],
  celsius: ['°C', 'degree Celsius', 'degrees Celsius'], fahrenheit: ['°F', 'degree Fahrenheit', 'degrees Fahrenheit'], percent: ['%', 'percent', 'percent'], degree: ['deg', 'degree'],
};
const TIGHT = new Set(['celsius', 'fahrenheit', 'percent']);
const SHORT_PLURAL = new Set(['byte', 'bit', 'day', 'week', 'month', 'year']);
const COMPACT = [['', ''], ['K', 'thousand'], ['M', 'million'], ['B', 'billion'], ['T', 'trillion']];

// A finite magnitude as its decimal digits and the place of the point: 12.5 -> ['125', 2].
function decimal(magnitude) {
  const [mantissa, exponent = '0'] = `${magnitude}`.toLowerCase().split('e');
  const [whole, fraction = ''] = mantissa.split('.');
  const digits = (whole + fraction).replace(/^0+/, '');
  if (digits === '') return ['', 0];
  return [digits.replace(/0+$/, ''), whole.length + Number(exponent) - (whole + fraction).length + digits.length];
}
const MODES = { ceil: (up, s) => s > 0, floor: (up, s) => s < 0, expand: () => true, trunc: () => false };
// Rounds [digits, point] to `keep` digits after the first.
function roundAt([digits, point], keep, mode, sign) {
  if (keep >= digits.length) return [digits, point];
  const rest = keep < 0 ? '0' : digits.slice(keep);
  const half = rest[0] > '5' || (rest[0] === '5' && /[1-9]/.test(rest.slice(1))) ? 1 : rest[0] === '5' ? 0 : -1;
  let up;
  if (mode in MODES) up = MODES[mode](true, sign);
  else if (half !== 0) up = half > 0;
  else if (mode === 'halfEven') up = keep > 0 && Number(digits[keep - 1]) % 2 === 1;
  else up = mode === 'halfExpand' || (mode === 'halfCeil' && sign > 0) || (mode === 'halfFloor' && sign < 0);
  const head = keep <= 0 ? '' : digits.slice(0, keep);
  if (!up) return [head.replace(/0+$/, ''), head === '' ? 0 : point];
  if (head === '') return ['1', point - keep + 1];
  const next = `${BigInt(head) + 1n}`;
  return [next.replace(/0+$/, ''), point + next.length - head.length];
}

class NumberFormat {
  #o;

  #format;

  constructor(locales, options = {}) {
    const locale = pick(locales);
    const style = option(options, 'style', ['decimal', 'percent', 'currency', 'unit'], 'decimal');
    const notation = option(options, 'notation', ['standard', 'scientific', 'engineering', 'compact'], 'standard');
    const currency = option(options, 'currency')?.toUpperCase();
    if (currency !== undefined && !/^[A-Z]{3}$/.test(currency)) throw new RangeError(`Invalid currency code : ${options.currency}`);
    if (style === 'currency' && currency === undefined) throw new TypeError('Currency code is required with currency style.');
    const unit = option(options, 'unit');
    if (style === 'unit' && unit === undefined) throw new TypeError('Required unit is missing');
    if (unit !== undefined && !unit.split('-per-').every((part) => UNITS[part]) && !UNITS[unit]) throw new RangeError(`Invalid unit argument for Intl.NumberFormat() '${unit}'`);
    const cents = style === 'currency' && notation === 'standard' ? (NO_CENTS.has(currency) ? 0 : 2) : 0;
    const most = style === 'currency' && notation === 'standard' ? cents : style === 'percent' || notation === 'compact' ? 0 : 3;
    const least = count(options, 'minimumFractionDigits', 0, 100);
    const limit = count(options, 'maximumFractionDigits', 0, 100);
    if (least !== undefined && limit !== undefined && least > limit) throw new RangeError('maximumFractionDigits value is out of range.');
    const significant = options?.minimumSignificantDigits !== undefined || options?.maximumSignificantDigits !== undefined;
    const grouping = options?.useGrouping;
    this.#o = {
      locale, style, notation, currency, unit,
      currencyDisplay: option(options, 'currencyDisplay', ['symbol', 'narrowSymbol', 'code', 'name'], 'symbol'),
      currencySign: option(options, 'currencySign', ['standard', 'accounting'], 'standard'),
      unitDisplay: option(options, 'unitDisplay', ['short', 'long', 'narrow'], 'short'),
      compactDisplay: option(options, 'compactDisplay', ['short', 'long'], 'short'),
      signDisplay: option(options, 'signDisplay', ['auto', 'always', 'never', 'exceptZero', 'negative'], 'auto'),
      roundingMode: option(options, 'roundingMode', ['ceil', 'floor', 'expand', 'trunc', 'halfCeil', 'halfFloor', 'halfExpand', 'halfTrunc', 'halfEven'], 'halfExpand'),
      minimumIntegerDigits: count(options, 'minimumIntegerDigits', 1, 21, 1),
      minimumFractionDigits: least ?? Math.min(cents, limit ?? cents),
      maximumFractionDigits: limit ?? Math.max(most, least ?? 0),
      useGrouping: grouping === undefined ? (notation === 'compact' ? 'min2' : 'auto') : grouping === true || grouping === 'true' ? 'always' : grouping === false || grouping === 'false' ? false : `${grouping}`,
      significant,
      minimumSignificantDigits: count(options, 'minimumSignificantDigits', 1, 21, 1),
      maximumSignificantDigits: count(options, 'maximumSignificantDigits', 1, 21, 21),
      compactRounding: notation === 'compact' && !significant && least === undefined && limit === undefined,
    };
  }

  get format() { return this.#format ??= (value) => this.formatToParts(value).map((part) => part.value).join(''); }

  formatRange(from, to) {
    const [a, b] = [this.format(from), this.format(to)];
    return a === b ? `~${a}` : `${a}${this.#o.style === 'currency' ? ' – ' : '–'}${b}`;
  }

  formatToParts(value) {
    const o = this.#o;
    let number = typeof value === 'bigint' || (typeof value === 'string' && /^\s*-?\d+(?:\.\d+)?\s*$/.test(value)) ? value : Number(value);
    const text = `${number}`.trim();
    const negative = text.startsWith('-') || Object.is(number, -0);
    if (typeof number === 'number' && !Number.isFinite(number)) return this.#dress(negative && !Number.isNaN(number), [{ type: Number.isNaN(number) ? 'nan' : 'infinity', value: Number.isNaN(number) ? 'NaN' : '∞' }], !Number.isNaN(number));
    number = decimal(text.replace(/^-/, ''));
    if (o.style === 'percent') number[1] += number[0] ? 2 : 0;
    let exponent = 0;
    let scale = '';
    if (o.notation === 'compact') {
      [number, scale] = this.#compact(number, negative);
    } else if (o.notation !== 'standard' && number[0]) {
      exponent = number[1] - 1;
      if (o.notation === 'engineering') exponent = Math.floor(exponent / 3) * 3;
      number = [number[0], number[1] - exponent];
    }
    let rounded = o.notation === 'compact' && o.compactRounding ? number : this.#round(number, negative);
    // Rounding may carry into the next exponent: 9.9999 becomes 1E1.
    const step = o.notation === 'engineering' ? 3 : 1;
    if ((o.notation === 'scientific' || step === 3) && rounded[1] > step) {
      exponent += step;
      rounded = [rounded[0], rounded[1] - step];
    }
    const parts = this.#digits(rounded);
    if (o.notation === 'scientific' || o.notation === 'engineering') {
      parts.push({ type: 'exponentSeparator', value: 'E' });
      if (exponent < 0) parts.push({ type: 'exponentMinusSign', value: '-' });
      parts.push({ type: 'exponentInteger', value: `${Math.abs(exponent)}` });
    }
    if (scale) {
      if (o.compactDisplay === 'long') parts.push({ type: 'literal', value: ' ' });
      parts.push({ type: 'compact', value: scale });
    }
    return this.#dress(negative, parts, rounded[0] !== '');
  }

  #round(number, negative) {
    const o = this.#o;
    const sign = negative ? -1 : 1;
    if (o.significant) return roundAt(number, o.maximumSignificantDigits, o.roundingMode, sign);
    return roundAt(number, number[1] + o.maximumFractionDigits, o.roundingMode, sign);
  }

  #compact(number, negative) {
    const o = this.#o;
    const shift = (point) => Math.min(Math.max(Math.floor((point - 1) / 3), 0), 4);
    const round = (n) => {
      if (!o.compactRounding) return this.#round(n, negative);
      // Two significant digits, or as many as stand before the point.
      return roundAt(n, Math.max(n[1], 2), o.roundingMode, negative ? -1 : 1);
    };
    let step = number[0] ? shift(number[1]) : 0;
    let result = round([number[0], number[1] - step * 3]);
    // Rounding may reach the next step: 999,950 is 1M.
    if (result[1] > 3 && step < 4) {
      step++;
      result = round([number[0], number[1] - step * 3]);
    }
    return [result, COMPACT[step][o.compactDisplay === 'long' ? 1 : 0]];
  }

  #digits([digits, point]) {
    const o = this.#o;
    const [mark, group, , least] = MARKS[language(o.locale)];
    let whole = point > 0 ? digits.slice(0, point).padEnd(point, '0') : '0';
    let fraction = point > 0 ? digits.slice(point) : digits === '' ? '' : '0'.repeat(-point) + digits;
    if (o.significant) {
      const shown = digits === '' ? 1 : Math.max(point, 0) + (point > 0 ? fraction.length : digits.length);
      fraction = fraction.padEnd(fraction.length + Math.max(0, o.minimumSignificantDigits - shown), '0');
    } else fraction = fraction.padEnd(o.minimumFractionDigits, '0');
    whole = whole.padStart(o.minimumIntegerDigits, '0');
    const parts = [];
    const wide = o.useGrouping && whole.length >= (o.useGrouping === 'min2' ? 5 : o.useGrouping === 'always' ? 4 : least);
    const pattern = o.locale === 'en-IN' || o.locale === 'hi-IN' ? /\B(?=(?:\d{2})*\d{3}$)/g : /\B(?=(?:\d{3})+$)/g;
    (wide ? whole.replace(pattern, ' ') : whole).split(' ').forEach((run, i) => {
      if (i > 0) parts.push({ type: 'group', value: group });
      parts.push({ type: 'integer', value: run });
    });
    if (fraction) parts.push({ type: 'decimal', value: mark }, { type: 'fraction', value: fraction });
    return parts;
  }

  #sign(negative, nonzero) {
    const { signDisplay } = this.#o;
    if (signDisplay === 'never') return '';
    if (signDisplay === 'negative') return negative && nonzero ? '-' : '';
    if (signDisplay === 'exceptZero' && !nonzero) return '';
    if (negative) return '-';
    return signDisplay === 'always' || signDisplay === 'exceptZero' ? '+' : '';
  }

  // Puts sign, currency, unit or percent around the digits.
  #dress(negative, parts, nonzero) {
    const o = this.#o;
    const sign = this.#sign(negative, nonzero);
    const signPart = sign ? [{ type: sign === '-' ? 'minusSign' : 'plusSign', value: sign }] : [];
    const after = MARKS[language(o.locale)][2];
    const space = { type: 'literal', value: '\u00a0' };
    const one = parts.length === 1 && parts[0].value === '1';
    if (o.style === 'percent') return [...signPart, ...parts, ...(after ? [space] : []), { type: 'percentSign', value: '%' }];
    if (o.style === 'unit') {
      const [short, long, many = `${long}s`] = UNITS[o.unit] ?? o.unit.split('-per-').map((part, i) => UNITS[part][o.unitDisplay === 'long' ? 1 : 0] + (i === 0 && o.unitDisplay === 'long' && !one ? 's' : '')).reduce((a, b) => [`${a}/${b}`, `${a} per ${b}`, `${a} per ${b}`]);
      const name = o.unitDisplay === 'long' ? (one ? long : many) : short + (o.unitDisplay === 'short' && SHORT_PLURAL.has(o.unit) && !one && o.unit !== 'byte' && o.unit !== 'bit' ? 's' : '');
      const tight = o.unitDisplay === 'narrow' || (TIGHT.has(o.unit) && o.unitDisplay === 'short');
      return [...signPart, ...parts, ...(tight ? [] : [{ type: 'literal', value: ' ' }]), { type: 'unit', value: name }];
    }
    if (o.style !== 'currency') return [...signPart, ...parts];
    if (o.currencyDisplay === 'name') {
      const [single, plural] = NAMES[o.currency] ?? [o.currency, o.currency];
      return [...signPart, ...parts, { type: 'literal', value: ' ' }, { type: 'currency', value: one ? single : plural }];
    }
    const symbol = o.currencyDisplay === 'code' ? o.currency : LOCAL_SYMBOLS[`${o.locale}:${o.currency}`] ?? LOCAL_SYMBOLS[`${language(o.locale)}:${o.currency}`] ?? (o.currencyDisplay === 'narrowSymbol' ? (SYMBOLS[o.currency] ?? o.currency).replace(/^[A-Z]+(?=[^A-Za-z])/, '') : SYMBOLS[o.currency] ?? o.currency);
    const part = { type: 'currency', value: symbol };
    if (after) return [...signPart, ...parts, space, part];
    const apart = /[A-Za-z]$/.test(symbol) || (language(o.locale) !== 'en' && ['pt', 'nl', 'tr'].includes(language(o.locale)) && language(o.locale) !== 'tr');
    const head = apart ? [part, space] : [part];
    if (o.currencySign === 'accounting' && sign === '-') return [{ type: 'literal', value: '(' }, ...head, ...parts, { type: 'literal', value: ')' }];
    return [...signPart, ...head, ...parts];
  }

  resolvedOptions() {
    const { locale, style, notation, currency, currencyDisplay, currencySign, unit, unitDisplay, compactDisplay, signDisplay, roundingMode, minimumIntegerDigits, useGrouping, significant, ...o } = this.#o;
    return {
      locale, numberingSystem: 'latn', style, ...(style === 'currency' && { currency, currencyDisplay, currencySign }), ...(style === 'unit' && { unit, unitDisplay }), minimumIntegerDigits,
      ...(significant ? { minimumSignificantDigits: o.minimumSignificantDigits, maximumSignificantDigits: o.maximumSignificantDigits } : { minimumFractionDigits: o.minimumFractionDigits, maximumFractionDigits: o.maximumFractionDigits }),
      useGrouping, notation, ...(notation === 'compact' && { compactDisplay }), signDisplay, roundingIncrement: 1, roundingMode, roundingPriority: 'auto', trailingZeroDisplay: 'auto',
    };
  }

  static supportedLocalesOf(locales) { return supportedLocalesOf(locales); }
}

const ORDINAL = (n) => {
  const [ten, hundred] = [n % 10, n % 100];
  if (ten === 1 && hundred !== 11) return 'one';
  if (ten === 2 && hundred !== 12) return 'two';
  return ten === 3 && hundred !== 13 ? 'few' : 'other';
};
class PluralRules {
  #type;

  #numbers;

  #locale;

  constructor(locales, options = {}) {
    this.#locale = pick(locales);
    this.#type = option(options, 'type', ['cardinal', 'ordinal'], 'cardinal');
    this.#numbers = new NumberFormat(locales, options);
  }

  select(n) {
    if (this.#type === 'ordinal') return ORDINAL(Math.abs(Number(n)));
    return this.#numbers.format(Math.abs(n)) === '1' ? 'one' : 'other';
  }

  resolvedOptions() {
    const { minimumIntegerDigits, minimumFractionDigits, maximumFractionDigits } = this.#numbers.resolvedOptions();
    return { locale: this.#locale, type: this.#type, minimumIntegerDigits, minimumFractionDigits, maximumFractionDigits, pluralCategories: this.#type === 'ordinal' ? ['few', 'one', 'two', 'other'] : ['one', 'other'] };
  }

  static supportedLocalesOf(locales) { return supportedLocalesOf(locales); }
}

module.exports = { NumberFormat, PluralRules };
