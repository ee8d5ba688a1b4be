// The global performance. Its origin is the first look at the clock, not the start of the program:
// a program that never looks stays reproducible.
'use strict';
let origin;
let wall;
const entries = [];
function start() {
  if (origin !== undefined) return;
  origin = native.now();
  wall = Date.now();
}
class Performance {
  now() {
    start();
    return (native.now() - origin) / 1e6;
  }

  get timeOrigin() {
    start();
    return wall;
  }

  mark(name, options) {
    const entry = { name, entryType: 'mark', startTime: options?.startTime ?? this.now(), duration: 0, detail: options?.detail ?? null };
    entries.push(entry);
    return entry;
  }

  measure(name, from, to) {
    const at = (mark, fallback) => {
      if (mark === undefined) return fallback();
      if (typeof mark === 'number') return mark;
      const found = entries.findLast((entry) => entry.name === mark);
      if (!found) throw new DOMException(`The "${mark}" performance mark has not been set`, 'SyntaxError');
      return found.startTime;
    };
    const options = from !== null && typeof from === 'object' ? from : { start: from, end: to };
    const startTime = at(options.start, () => 0);
    const entry = { name, entryType: 'measure', startTime, duration: at(options.end, () => this.now()) - startTime, detail: options.detail ?? null };
    entries.push(entry);
    return entry;
  }

  getEntries() { return [...entries]; }

  getEntriesByName(name, type) { return entries.filter((entry) => entry.name === name && (type === undefined || entry.entryType === type)); }

  getEntriesByType(type) { return entries.filter((entry) => entry.entryType === type); }

  clearMarks(name) { this.#clear('mark', name); }

  clearMeasures(name) { this.#clear('measure', name); }

  #clear(type, name) {
    for (let i = entries.length - 1; i >= 0; i--) if (entries[i].entryType === type && (name === undefined || entries[i].name === name)) entries.splice(i, 1);
  }

  timerify(fn) { return fn; }

  toJSON() { return { nodeTiming: {}, timeOrigin: this.timeOrigin, eventLoopUtilization: {} }; }
}
Object.defineProperty(Performance.prototype, Symbol.toStringTag, { value: 'Performance', configurable: true });
module.exports = new Performance();
