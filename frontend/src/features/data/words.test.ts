import { expect, test } from 'vitest'
import type { GapEvidence, QualityTarget } from '@/lib/api/types'
import {
  evidenceSentence,
  formatLimit,
  formatShare,
  formatTarget,
  mayAskAgain,
  parseSeriesKey,
  seriesKey,
} from './words'

const target = (change: Partial<QualityTarget>): QualityTarget => ({
  name: 'freshness',
  title: '',
  value: 1,
  limit: 5,
  unit: 's',
  better: 'lower',
  state: 'met',
  detail: '',
  ...change,
})

const evidence = (change: Partial<GapEvidence>): GapEvidence => ({
  provider: 'alpaca',
  answer: 'nothing',
  bars: 0,
  around: 0,
  at: null,
  detail: '',
  ...change,
})

test('a share is never rounded up to the whole', () => {
  expect(formatShare(0.999996)).toBe('99.99\u2009%')
  expect(formatShare(1)).toBe('100\u2009%')
  expect(formatShare(null)).toBe('–')
})

test('targets are written as they were promised', () => {
  expect(formatLimit(target({ unit: 'share', limit: 0.999, better: 'higher' }))).toBe('> 99.9\u2009%')
  expect(formatLimit(target({ unit: 'ms', limit: 50 }))).toBe('< 50 ms')
  expect(formatLimit(target({}))).toBe('< 5 s')
})

test('a value that nobody measured is a dash, and small shares keep their decimals', () => {
  expect(formatTarget(target({}), null)).toBe('–')
  expect(formatTarget(target({ unit: 'share' }), 0.0004)).toBe('0.040\u2009%')
  expect(formatTarget(target({ unit: 'share' }), 0.99987)).toBe('99.987\u2009%')
  expect(formatTarget(target({ unit: 'ms' }), 8.44)).toBe('8.4 ms')
})

test('only open gaps of live series can be asked about again', () => {
  expect(mayAskAgain({ dataset: 'live', state: 'unexplained' })).toBe(true)
  expect(mayAskAgain({ dataset: 'live', state: 'provider_hole' })).toBe(true)
  expect(mayAskAgain({ dataset: 'live', state: 'no_trade' })).toBe(false)
  expect(mayAskAgain({ dataset: 'import:files', state: 'unexplained' })).toBe(false)
})

test('each kind of answer is a sentence', () => {
  const answers: GapEvidence['answer'][] = [
    'bars',
    'nothing',
    'nothing_around',
    'unknown',
    'refused',
    'failed',
    'peers',
    'something_new',
  ]
  for (const answer of answers) expect(evidenceSentence(evidence({ answer }))).toMatch(/\.$/)
  expect(evidenceSentence(evidence({ around: 24 }))).toBe(
    'alpaca has none of these bars, with 24 bars just beside the gap.',
  )
})

test('a series survives its way through the URL; anything else is none', () => {
  const series = { dataset: 'import:my-files', symbol: 'BRK.B', timeframe: '1m' } as const
  expect(parseSeriesKey(seriesKey(series))).toEqual(series)
  expect(parseSeriesKey('live~SPY~7m')).toBeNull()
  expect(parseSeriesKey(undefined)).toBeNull()
})
