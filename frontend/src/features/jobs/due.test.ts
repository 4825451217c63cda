import { expect, test } from 'vitest'
import { dueWords } from './due'

test.each([
  [null, 'when somebody asks'],
  ['30 1 * * * (America/New_York)', 'daily at 01:30 New York'],
  ['20 3,15 * * * (UTC)', 'daily at 03:20 and 15:20 UTC'],
  ['17 * * * * (UTC)', 'hourly at :17'],
  ['5,35 * * * * (UTC)', 'hourly at :05 and :35'],
  ['2-59/5 * * * * (UTC)', 'every 5 minutes'],
  ['120 min after the close of XNYS', '120 min after the close of XNYS'],
  ['0 9 * * 1 (UTC)', '0 9 * * 1 (UTC)'],
  ['0 9-17 * * * (UTC)', '0 9-17 * * * (UTC)'],
])('%s is due %s', (schedule, words) => expect(dueWords(schedule)).toBe(words))
