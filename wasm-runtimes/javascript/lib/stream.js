// node:stream is the package readable-stream, which is Node's own code for other engines.
'use strict';
const stream = lib('packages').vendor('readable-stream');
stream.promises.default = undefined;
delete stream.promises.default;
module.exports = stream;
