import fs from 'node:fs'; import { readFileSync } from 'fs'; import path, { join } from 'path'; import * as util from 'node:util';
process.nextTick(()=>console.log('tick')); Promise.resolve().then(()=>console.log('micro'));
console.log(join('a','b'), typeof readFileSync, util.format('%d', 5), path.extname('x.js'));
await new Promise(r=>setTimeout(r,5)); console.log('after'); const { default: os } = await import('os'); console.log(os.EOL === '\n'); console.log(typeof import.meta.url);
