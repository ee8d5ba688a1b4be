console.log(Buffer.from('héllo').toString('hex'), Buffer.from('aGk=', 'base64').toString(), Buffer.from([1, 2, 3]), Buffer.alloc(3, 7), Buffer.concat([Buffer.from('a'), Buffer.from('b')]).toString());
console.log(Buffer.from('ff00', 'hex'), Buffer.from('héé', 'latin1'), Buffer.from('hi').toString('base64url'), Buffer.byteLength('漢字'), Buffer.isBuffer(Buffer.alloc(1)), Buffer.from('abc').equals(Buffer.from('abc')));
const b = Buffer.alloc(8); b.writeUInt32BE(0xdeadbeef, 0); b.writeInt16LE(-2, 4); console.log(b, b.readUInt32BE(0), b.readInt16LE(4), b.slice(0, 2), JSON.stringify(Buffer.from('hi')));
console.log(Buffer.compare(Buffer.from('a'), Buffer.from('b')), Buffer.from('abcabc').indexOf('ca'), Buffer.from('abc').includes('b'), [...Buffer.from('ab').entries()], Buffer.from('x').toString('utf16le').length);
console.log(atob('aGk='), btoa('hi'), new TextDecoder().decode(new TextEncoder().encode('héé')), new TextEncoder().encode('é'), new TextDecoder('utf-16le').decode(new Uint8Array([104, 0, 105, 0])), new TextDecoder('latin1').decode(new Uint8Array([233])));
console.log(new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 65, 0xff, 66])), new TextDecoder('utf-8', { ignoreBOM: true }).decode(new Uint8Array([0xef, 0xbb, 0xbf, 65])).length);
try { new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([0xff])); } catch (e) { console.log(e.name, e.code, e.message); }
try { new TextDecoder('nope'); } catch (e) { console.log(e.name, e.code, e.message); }
try { atob('***'); } catch (e) { console.log(e.name, e.message); } try { btoa('漢'); } catch (e) { console.log(e.name); }
try { Buffer.from(5); } catch (e) { console.log(e.name, e.code); }
const d = new TextDecoder(); console.log(d.decode(new Uint8Array([0xe6, 0xbc]), { stream: true }) + d.decode(new Uint8Array([0xa2])));
const { Blob } = require('buffer'); new Blob(['ab', new Uint8Array([99])]).text().then((t) => console.log(t));
const { StringDecoder } = require('string_decoder'); const sd = new StringDecoder('utf8'); console.log(sd.write(Buffer.from([0xe2, 0x82])), sd.write(Buffer.from([0xac])), sd.end());
