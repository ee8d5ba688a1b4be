// Evaluates before the snapshot all that a program may ask for, so that asking costs nothing.
'use strict';
const builtins = lib('builtins');
const packages = lib('packages');

for (const name of builtins.names()) builtins.get(name);
lib('display');
lib('stdio');
lib('parse-args');

packages.add('lodash', ['lodash/fp']);
packages.add('date-fns');
packages.add('dayjs', ['utc', 'timezone', 'duration', 'relativeTime', 'customParseFormat', 'isBetween', 'isSameOrAfter', 'isSameOrBefore', 'weekOfYear', 'advancedFormat', 'localizedFormat', 'quarterOfYear', 'isoWeek', 'dayOfYear', 'minMax', 'weekday', 'calendar', 'objectSupport'].map((plugin) => `dayjs/plugin/${plugin}`));
packages.add('mathjs');
packages.add('uuid');
packages.add('papaparse');
packages.add('js-yaml');
packages.add('yaml');
packages.add('immutable');
packages.add('ramda');
packages.add('zod');
packages.add('decimal.js');
packages.add('bignumber.js');
