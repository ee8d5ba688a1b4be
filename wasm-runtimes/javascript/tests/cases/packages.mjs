// expect: sandgate
import _, { chunk } from 'lodash';
import { addDays, format } from 'date-fns';
import dayjs from 'dayjs';
import utc from 'dayjs/plugin/utc.js';
import { v5, validate } from 'uuid';
import Papa from 'papaparse';
import yaml from 'js-yaml';
import YAML from 'yaml';
import { Map as ImmutableMap } from 'immutable';
import * as R from 'ramda';
import { z } from 'zod';
import Decimal from 'decimal.js';
import BigNumber from 'bignumber.js';
import { evaluate, matrix, multiply } from 'mathjs';
import debounce from 'lodash/debounce.js';

console.log(chunk([1, 2, 3], 2), _.camelCase('a b c'), typeof debounce);
console.log(format(new Date(0), 'yyyy-MM-dd'), format(addDays(new Date(0), 3), 'PPPP'));
console.log(dayjs(0).format('YYYY'), dayjs.extend(utc) && dayjs.utc(0).format());
console.log(v5('a', v5.URL), validate('x'));
console.log(Papa.parse('a,b\n1,2', { header: true }).data, yaml.load('a: [1, 2]'), YAML.stringify({ x: [1, { y: 2 }] }));
console.log(ImmutableMap({ a: 1 }).set('b', 2).toJS(), R.sum([1, 2, 3]), z.object({ a: z.number() }).safeParse({ a: 'x' }).success);
console.log(new Decimal('0.1').plus('0.2').toString(), new BigNumber('1e30').toFixed(), evaluate('sqrt(16) + 2^3'), multiply(matrix([[1, 2], [3, 4]]), 2).toString());
