import { expect, test } from 'vitest'
import { SPANS, SPAN_WORDS, startOf } from './since'

const NOW = Date.parse('2026-03-08T14:00:00Z')

test.each([
  ['15m', '2026-03-08T13:45:00.000Z'],
  ['1h', '2026-03-08T13:00:00.000Z'],
  ['1d', '2026-03-07T14:00:00.000Z'],
  ['7d', '2026-03-01T14:00:00.000Z'],
] as const)('%s back is %s', (span, start) => expect(startOf(span, NOW)).toBe(start))

test('every span has its words', () => {
  for (const span of SPANS) expect(SPAN_WORDS[span]).not.toBe('')
})
