// Time zones by the rules now in force: each zone's POSIX string, such as EST5EDT,M3.2.0,M11.1.0.
// zones.json is written by the build from the time zone database.
'use strict';
const rules = lib('zones.json');

const byName = new Map(Object.keys(rules).map((name) => [name.toLowerCase(), name]));
byName.set('utc', 'UTC').set('gmt', 'UTC').set('etc/utc', 'UTC').set('etc/gmt', 'UTC');
const canonical = (name) => {
  const offset = /^([+-])(\d\d):?(\d\d)?$/.exec(name);
  if (offset) return `${offset[1]}${offset[2]}:${offset[3] ?? '00'}`;
  const known = byName.get(`${name}`.toLowerCase());
  if (known === undefined) throw new RangeError(`Invalid time zone specified: ${name}`);
  return known;
};

const parsed = new Map();
const seconds = (text) => {
  const [, sign, h, m = '0', s = '0'] = /^([+-]?)(\d+)(?::(\d+))?(?::(\d+))?$/.exec(text);
  return (sign === '-' ? -1 : 1) * (h * 3600 + m * 60 + +s);
};
function parse(text) {
  let rule = parsed.get(text);
  if (rule) return rule;
  const m = /^(<[^>]+>|[A-Za-z]+)([+-]?[\d:]+)(?:(<[^>]+>|[A-Za-z]+)([+-]?[\d:]+)?(?:,([^,]+),(.+))?)?$/.exec(text);
  const at = (part) => {
    const [day, time = '2'] = part.split('/');
    return { day, time: seconds(time) };
  };
  rule = { std: m[1].replace(/[<>]/g, ''), offset: -seconds(m[2]) };
  if (m[3]) Object.assign(rule, { dst: m[3].replace(/[<>]/g, ''), summer: m[4] ? -seconds(m[4]) : rule.offset + 3600, from: at(m[5]), to: at(m[6]) });
  parsed.set(text, rule);
  return rule;
}
// The moment of a change in a year, in seconds of local time since 1970.
function moment({ day, time }, year) {
  const m = /^M(\d+)\.(\d)\.(\d)$/.exec(day);
  if (!m) {
    const n = +day.replace('J', '');
    const leap = new Date(Date.UTC(year, 1, 29)).getUTCMonth() === 1;
    return Date.UTC(year, 0, day[0] === 'J' ? n + (leap && n >= 60 ? 1 : 0) : n + 1) / 1000 + time;
  }
  const [, month, week, weekday] = m.map(Number);
  const first = new Date(Date.UTC(year, month - 1, 1)).getUTCDay();
  let date = 1 + ((weekday - first + 7) % 7) + (week - 1) * 7;
  const last = new Date(Date.UTC(year, month, 0)).getUTCDate();
  while (date > last) date -= 7;
  return Date.UTC(year, month - 1, date) / 1000 + time;
}

// offsetAt(zone, ms) -> { offset in seconds, abbreviation, summer }
function offsetAt(zone, ms) {
  const fixed = /^([+-])(\d\d):(\d\d)$/.exec(zone);
  if (fixed) return { offset: (fixed[1] === '-' ? -1 : 1) * (fixed[2] * 3600 + fixed[3] * 60), name: zone, summer: false };
  const text = rules[zone];
  if (zone === 'UTC' || text === undefined) return { offset: 0, name: 'UTC', summer: false };
  const rule = parse(text);
  if (!rule.dst) return { offset: rule.offset, name: rule.std, summer: false };
  const year = new Date(ms + rule.offset * 1000).getUTCFullYear();
  const now = ms / 1000;
  const from = moment(rule.from, year) - rule.offset;
  const to = moment(rule.to, year) - rule.summer;
  const summer = from < to ? now >= from && now < to : now >= from || now < to;
  return { offset: summer ? rule.summer : rule.offset, name: summer ? rule.dst : rule.std, summer };
}

module.exports = { canonical, offsetAt, names: () => Object.keys(rules) };
