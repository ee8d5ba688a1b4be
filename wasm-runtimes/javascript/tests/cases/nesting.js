// expect: sandgate
// Nesting and recursion of every kind end as an error the program can catch.
const n = 200000;
const nested = (depth) => { let a = []; for (let i = 0; i < depth; i++) a = [a]; return a; };
const cases = {
  parentheses: () => eval('('.repeat(n) + '1' + ')'.repeat(n)),
  brackets: () => eval('['.repeat(n) + ']'.repeat(n)),
  arrows: () => eval('a=>'.repeat(n) + '1'),
  signs: () => eval('-+'.repeat(n) + '1'),
  templates: () => eval('`${'.repeat(n) + '1' + '}`'.repeat(n)),
  statements: () => eval('if(1)'.repeat(n) + '1'),
  json: () => JSON.parse('['.repeat(n)),
  flat: () => nested(n).flat(Infinity),
  text: () => String(nested(n)),
  recursion: () => (function again() { again(); })(),
  callbacks: () => { const again = () => [1].forEach(again); again(); },
  sorting: () => { const again = () => [2, 1].sort(again); again(); },
  getter: () => { const o = { get x() { return this.x; } }; return o.x; },
  proxies: () => { let p = {}; for (let i = 0; i < n; i++) p = new Proxy(p, {}); return p.x; },
};
for (const [name, run] of Object.entries(cases)) {
  try {
    run();
    console.log(name, 'returned');
  } catch (error) { console.log(name, error.name, error.message); }
}
