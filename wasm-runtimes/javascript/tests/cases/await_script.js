// expect: sandgate
// A script may await at its top level; plain Node refuses that in CommonJS.
const { sep } = require('node:path');
const values = await Promise.all([1, new Promise((resolve) => setTimeout(resolve, 5, 2))]);
console.log(values, sep, typeof module);
