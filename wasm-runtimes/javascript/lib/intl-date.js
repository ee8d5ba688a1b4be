// Intl.DateTimeFormat: English patterns (US, and day-first for other English), the Gregorian
// calendar, all time zones.
'use strict';
const { pick, option, count, supportedLocalesOf } = lib('intl-locale');
const zones = lib('intl-zones');

const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
// Zones whose abbreviations English readers know by name.
const LONG = { ES: 'Eastern', CS: 'Central', MS: 'Mountain', PS: 'Pacific', AKS: 'Alaska', HS: 'Hawaii-Aleutian', ED: 'Eastern', CD: 'Central', MD: 'Mountain', PD: 'Pacific', AKD: 'Alaska' };
const NAMED_ZONES = { CET: 'Central European Standard Time', CEST: 'Central European Summer Time', EET: 'Eastern European Standard Time', EEST: 'Eastern European Summer Time', JST: 'Japan Standard Time', IST: 'India Standard Time', BST: 'British Summer Time' };
const STYLES = {
  date: {
    full: { weekday: 'long', month: 'long', day: 'numeric', year: 'numeric' }, long: { month: 'long', day: 'numeric', year: 'numeric' },
    medium: { month: 'short', day: 'numeric', year: 'numeric' }, short: { month: 'numeric', day: 'numeric', year: '2-digit' },
  },
  time: {
    full: { hour: 'numeric', minute: '2-digit', second: '2-digit', timeZoneName: 'long' }, long: { hour: 'numeric', minute: '2-digit', second: '2-digit', timeZoneName: 'short' },
    medium: { hour: 'numeric', minute: '2-digit', second: '2-digit' }, short: { hour: 'numeric', minute: '2-digit' },
  },
};
const FIELDS = ['weekday', 'era', 'year', 'month', 'day', 'dayPeriod', 'hour', 'minute', 'second', 'fractionalSecondDigits', 'timeZoneName'];
const VALUES = {
  weekday: ['narrow', 'short', 'long'], era: ['narrow', 'short', 'long'], year: ['2-digit', 'numeric'], month: ['2-digit', 'numeric', 'narrow', 'short', 'long'], day: ['2-digit', 'numeric'],
  dayPeriod: ['narrow', 'short', 'long'], hour: ['2-digit', 'numeric'], minute: ['2-digit', 'numeric'], second: ['2-digit', 'numeric'],
  timeZoneName: ['short', 'long', 'shortOffset', 'longOffset', 'shortGeneric', 'longGeneric'],
};
const two = (n) => `${n}`.padStart(2, '0');
const sized = (names, index, width) => (width === 'long' ? names[index] : width === 'narrow' ? names[index][0] : names[index].slice(0, 3));

function readOptions(options, required, defaults) {
  const o = {};
  for (const field of FIELDS) o[field] = field === 'fractionalSecondDigits' ? count(options, field, 1, 3) : option(options, field, VALUES[field]);
  o.dateStyle = option(options, 'dateStyle', Object.keys(STYLES.date));
  o.timeStyle = option(options, 'timeStyle', Object.keys(STYLES.time));
  if (required === 'date' && o.timeStyle) throw new TypeError('Invalid option : timeStyle');
  if (required === 'time' && o.dateStyle) throw new TypeError('Invalid option : dateStyle');
  if (o.dateStyle || o.timeStyle) {
    const clash = FIELDS.find((field) => o[field] !== undefined);
    if (clash) throw new TypeError(`Can't set option ${clash} when ${o.dateStyle ? 'dateStyle' : 'timeStyle'} is used`);
    return Object.assign(o, STYLES.date[o.dateStyle], STYLES.time[o.timeStyle]);
  }
  const date = ['weekday', 'year', 'month', 'day'].some((field) => o[field] !== undefined);
  const time = ['dayPeriod', 'hour', 'minute', 'second', 'fractionalSecondDigits'].some((field) => o[field] !== undefined);
  const bare = !((required !== 'time' && date) || (required !== 'date' && time));
  if (bare && defaults !== 'time') Object.assign(o, { year: 'numeric', month: 'numeric', day: 'numeric' });
  if (bare && defaults !== 'date') Object.assign(o, { hour: 'numeric', minute: '2-digit', second: '2-digit' });
  return o;
}

class DateTimeFormat {
  #o;

  #format;

  constructor(locales, options, required = 'any', defaults = 'date') {
    const o = readOptions(options, required, defaults);
    o.locale = pick(locales);
    o.timeZone = options?.timeZone === undefined ? 'UTC' : zones.canonical(`${options.timeZone}`);
    const british = o.locale !== 'en' && o.locale !== 'en-US' && o.locale !== 'en-CA';
    o.dayFirst = british;
    if (british && o.dateStyle === 'short') o.year = 'numeric';
    const cycle = option(options, 'hourCycle', ['h11', 'h12', 'h23', 'h24']);
    o.hour12 = options?.hour12 !== undefined ? Boolean(options.hour12) : cycle ? cycle === 'h11' || cycle === 'h12' : !british || o.locale === 'en-AU' || o.locale === 'en-IN';
    o.hourCycle = options?.hour12 === undefined && cycle ? cycle : o.hour12 ? 'h12' : 'h23';
    // ICU writes a 24-hour clock of US English with two digits; `hour12: false` there counts 1 to 24.
    if (options?.hour12 === false && !british) o.hourCycle = 'h24';
    this.#o = o;
  }

  get format() { return this.#format ??= (date) => this.formatToParts(date).map((part) => part.value).join(''); }

  formatToParts(date) {
    const ms = date === undefined ? Date.now() : Number(date);
    if (!Number.isFinite(ms) || Math.abs(ms) > 8.64e15) throw new RangeError('Invalid time value');
    const o = this.#o;
    const zone = zones.offsetAt(o.timeZone, ms);
    const at = new Date(ms + zone.offset * 1000);
    const dateParts = this.#date(at);
    const timeParts = this.#time(at, ms, zone);
    if (!dateParts.length || !timeParts.length) return [...dateParts, ...timeParts];
    // English joins a spelled-out date with words, a weekday alone with a space.
    const alone = o.weekday && !o.year && !o.month && !o.day;
    const joiner = o.month === 'long' ? ' at ' : alone ? ' ' : ', ';
    return [...dateParts, { type: 'literal', value: joiner }, ...timeParts];
  }

  #date(at) {
    const o = this.#o;
    const part = {};
    if (o.weekday) part.weekday = sized(DAYS, at.getUTCDay(), o.weekday);
    const year = at.getUTCFullYear();
    if (o.year) part.year = o.year === '2-digit' ? two(Math.abs(year) % 100) : `${o.era && year <= 0 ? 1 - year : year}`;
    const month = at.getUTCMonth();
    const named = o.month === 'long' || o.month === 'short' || o.month === 'narrow';
    if (o.month) part.month = named ? sized(MONTHS, month, o.month) : o.month === '2-digit' || (o.dayFirst && !named && o.day) ? two(month + 1) : `${month + 1}`;
    if (o.day) part.day = o.day === '2-digit' || (o.dayFirst && o.month && !named) ? two(at.getUTCDate()) : `${at.getUTCDate()}`;
    if (named && o.month === 'short' && o.dayFirst && month === 8) part.month = 'Sept';
    const out = [];
    const put = (type, before) => {
      if (part[type] === undefined) return;
      if (out.length) out.push({ type: 'literal', value: before });
      out.push({ type, value: part[type] });
    };
    if (named && !o.dayFirst) {
      put('weekday');
      put('month', ', ');
      put('day', ' ');
      put('year', part.day !== undefined ? ', ' : ' ');
    } else if (named) {
      put('weekday');
      put('day', o.weekday === 'long' ? ', ' : ' ');
      put('month', part.day !== undefined ? ' ' : ', ');
      put('year', ' ');
    } else if (o.dayFirst) {
      put('weekday');
      put('day', ', ');
      put('month', part.day !== undefined ? '/' : ', ');
      put('year', part.month !== undefined ? '/' : ', ');
    } else if (part.month === undefined && part.year === undefined && part.weekday !== undefined && part.day !== undefined) {
      put('day');
      put('weekday', ' ');
    } else {
      put('weekday');
      put('month', ', ');
      put('day', part.month !== undefined ? '/' : ', ');
      put('year', part.month !== undefined ? '/' : ' ');
    }
    if (o.era) out.push({ type: 'literal', value: ' ' }, { type: 'era', value: o.era === 'long' ? (year > 0 ? 'Anno Domini' : 'Before Christ') : o.era === 'narrow' ? (year > 0 ? 'A' : 'B') : year > 0 ? 'AD' : 'BC' });
    return out;
  }

  #hour(hour) {
    const o = this.#o;
    const shown = { h11: hour % 12, h12: hour % 12 || 12, h23: hour, h24: hour || 24 }[o.hourCycle];
    const wide = o.hour === '2-digit' || o.hourCycle === 'h23' || o.hourCycle === 'h24';
    return wide ? two(shown) : `${shown}`;
  }

  #time(at, ms, zone) {
    const o = this.#o;
    const out = [];
    const put = (type, value, before) => {
      if (out.length) out.push({ type: 'literal', value: before });
      out.push({ type, value });
    };
    if (o.hour) put('hour', this.#hour(at.getUTCHours()));
    if (o.minute) put('minute', o.hour || o.second || o.minute === '2-digit' && o.hour ? two(at.getUTCMinutes()) : `${at.getUTCMinutes()}`, ':');
    if (o.second) put('second', o.minute ? two(at.getUTCSeconds()) : `${at.getUTCSeconds()}`, ':');
    if (o.fractionalSecondDigits) put('fractionalSecond', `${at.getUTCMilliseconds()}`.padStart(3, '0').slice(0, o.fractionalSecondDigits), '.');
    if (o.hour && (o.hourCycle === 'h12' || o.hourCycle === 'h11')) put('dayPeriod', o.dayFirst ? (at.getUTCHours() < 12 ? 'am' : 'pm') : at.getUTCHours() < 12 ? 'AM' : 'PM', ' ');
    if (o.timeZoneName) {
      if (out.length === 0 && (o.year || o.month || o.day || o.weekday)) return [{ type: 'timeZoneName', value: zoneName(o.timeZoneName, zone, o) }];
      put('timeZoneName', zoneName(o.timeZoneName, zone, o), ' ');
    }
    return out;
  }

  formatRange(from, to) {
    const [a, b] = [this.format(from), this.format(to)];
    return a === b ? a : `${a} – ${b}`;
  }

  resolvedOptions() {
    const { locale, timeZone, hour, hourCycle, hour12, dateStyle, timeStyle } = this.#o;
    const fields = {};
    if (!dateStyle && !timeStyle) for (const field of FIELDS) if (this.#o[field] !== undefined) fields[field] = this.#o[field];
    return { locale, calendar: 'gregory', numberingSystem: 'latn', timeZone, ...(hour && { hourCycle, hour12 }), ...fields, ...(dateStyle && { dateStyle }), ...(timeStyle && { timeStyle }) };
  }

  static supportedLocalesOf(locales) { return supportedLocalesOf(locales); }
}

function offsetText(offset, long) {
  if (offset === 0) return 'GMT';
  const minutes = Math.abs(offset) / 60;
  const hours = Math.floor(minutes / 60);
  return `GMT${offset < 0 ? '-' : '+'}${long ? two(hours) : hours}${long || minutes % 60 ? `:${two(minutes % 60)}` : ''}`;
}
function zoneName(style, zone, { timeZone, dayFirst }) {
  if (style === 'shortOffset' || style === 'longOffset') return offsetText(zone.offset, style === 'longOffset');
  if (timeZone === 'UTC') return style.startsWith('long') ? 'Coordinated Universal Time' : 'UTC';
  const american = !dayFirst && /^(?:AK|[ECMP]|H)[SD]T$/.test(zone.name) && /^(?:America|US|Pacific)\//.test(timeZone);
  if (style === 'long' && NAMED_ZONES[zone.name]) return NAMED_ZONES[zone.name];
  if (!american) return offsetText(zone.offset, style.startsWith('long'));
  if (style === 'short') return zone.name;
  const name = LONG[zone.name.slice(0, -1)];
  if (style === 'shortGeneric') return `${zone.name[0] === 'A' ? 'AK' : zone.name[0]}T`;
  return style === 'longGeneric' ? `${name} Time` : `${name} ${zone.summer ? 'Daylight' : 'Standard'} Time`;
}

module.exports = { DateTimeFormat };
