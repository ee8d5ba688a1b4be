const url = require('url'); const qs = require('querystring');
console.log(new URL('https://user:pw@example.com:8080/a/b?x=1&y=2#h')); console.log(new URLSearchParams('a=1&b=2'), [...new URLSearchParams({ q: 'x y' })], String(new URLSearchParams([['a', 'ü&']])));
try { new URL('nope'); } catch (e) { console.log(e.code, e.message, e.name, e.input); }
console.log(new URL('../c?d#e', 'http://h/a/b/').href, new URL('HTTP://EXAMPLE.com:80/%7Efoo/../x y').href, URL.canParse('x:'), new URL('http://münchen.de/ä').href, new URL('file:///C:/x').pathname);
const u = new URL('http://a.b/?q=1'); u.searchParams.append('r', '2 3'); u.hash = 'z'; u.pathname = '/p q'; u.port = '81'; console.log(u.href, u.origin, JSON.stringify(u));
console.log(url.fileURLToPath('file:///a/b%20c'), url.pathToFileURL('/x y').href, url.format(new URL('http://a:b@c/d?e#f'), { auth: false, fragment: false }));
const p = url.parse('http://u:p@a.com:80/p/q?x=1&y=2#h'); console.log(p.protocol, p.auth, p.host, p.port, p.hostname, p.pathname, p.search, p.query, p.hash, p.href); console.log(url.parse('/a?b=1', true).query, url.resolve('http://a.com/b/c', '../d'), url.resolve('/one/two/three', 'four'));
console.log(qs.parse('a=1&b=2&a=3&c=%20x+y'), qs.stringify({ x: [1, 2], y: 'z w', n: null, t: true }), qs.escape('a b&'), qs.unescape('a%20b'));
