// expect: sandgate
for (const name of ['child_process', 'node:http', 'net', 'worker_threads', 'cluster', 'no-such-package']) {
  try { require(name); } catch (error) { console.log(error.code, error.message.split('\n')[0]); }
}
import('node:http').catch((error) => console.log(error.code, error.message));
fetch('http://localhost/').catch((error) => console.log(error.name, error.message, error.cause.message));
