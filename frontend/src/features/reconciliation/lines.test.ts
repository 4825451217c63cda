import { expect, test } from 'vitest'
import { type ComparisonLine, figureOf, gapOf, linesOf, summaryOf } from './lines'

const line = (change: Partial<ComparisonLine>): ComparisonLine => ({
  kind: 'position',
  subject: 'AAPL',
  label: 'AAPL',
  ours: '10',
  theirs: '10',
  verdict: 'equal',
  explanation: '',
  ...change,
})

test('what needs a person comes first, and what agrees can be left out', () => {
  const lines = [
    line({ subject: 'A' }),
    line({ subject: 'B', verdict: 'looking' }),
    line({ subject: 'C', verdict: 'differs' }),
    line({ subject: 'USD', kind: 'cash' }),
  ]
  expect(linesOf(lines, 'position', false).map(({ subject }) => subject)).toEqual(['C', 'B', 'A'])
  expect(linesOf(lines, 'position', true).map(({ subject }) => subject)).toEqual(['C', 'B'])
})

test('figures are money or shares, and a book without the thing has a dash', () => {
  expect(figureOf({ kind: 'cash' }, '1000')).toBe('1\u2009000.00')
  expect(figureOf({ kind: 'position' }, '7.50')).toBe('7.5')
  expect(figureOf({ kind: 'order' }, null)).toBe('–')
})

test('the gap is what the broker has more', () => {
  expect(gapOf(line({}))).toBe('')
  expect(gapOf(line({ theirs: '7', verdict: 'differs' }))).toBe('−3')
  expect(gapOf(line({ kind: 'cash', ours: '1', theirs: '2.5', verdict: 'looking' }))).toBe('+1.50')
  expect(gapOf(line({ ours: null, verdict: 'differs' }))).toBe('')
})

test('all of it is one sentence', () => {
  expect(summaryOf([])).toBe('Both books are empty.')
  expect(summaryOf([line({})])).toBe('Both books agree.')
  expect(summaryOf([line({}), line({ verdict: 'looking' })])).toBe('1 of 2 lines is looked at again.')
  expect(summaryOf([line({}), line({ verdict: 'differs' })])).toBe('1 of 2 lines differs.')
})
