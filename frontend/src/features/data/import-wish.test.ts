import { expect, test } from 'vitest'
import { readReport, shareOf } from './import-report'
import { commandOf, guess, refusal } from './import-wish'

test.each([
  ['SPY_1m.csv', { symbol: 'SPY', timeframe: '1m' }],
  ['IBM 1d.parquet', { symbol: 'IBM', timeframe: '1d' }],
  ['prices.csv.gz', { symbol: undefined, timeframe: undefined }],
])('%s is guessed at', (name, expected) => {
  expect(guess(name)).toEqual(expected)
})

test('what cannot be imported is said before it is sent', () => {
  expect(refusal({ name: 'a.csv', size: 0 })).toBe('a.csv is empty.')
  expect(refusal({ name: 'a.xlsx', size: 1 })).toContain('neither CSV, Parquet nor DBN')
  expect(refusal({ name: 'A.DBN.ZST', size: 1 })).toBeNull()
})

test('the command says what the form says, and quotes what a shell would split', () => {
  expect(commandOf({ file: 'my file.csv', symbol: 'SPY', timeframe: '1m', dataset: 'mine' })).toBe(
    ".venv/bin/tradewright data import 'my file.csv' --symbol SPY --timeframe 1m --dataset mine",
  )
  expect(commandOf({ file: 'a.csv', date_format: "%d.%m.%Y '%H" })).toContain(
    `--date-format '%d.%m.%Y '\\''%H'`,
  )
})

test('a report of any importer is read, and none is none', () => {
  expect(readReport({})).toBeNull()
  expect(
    readReport({ rows_read: 3, rows_stored: 2, rows_quarantined: 1, underlyings: ['GOOG'], notes: [1, 'x'] }),
  ).toEqual({
    read: 3,
    stored: 2,
    corrected: 0,
    duplicates: 0,
    quarantined: 1,
    symbols: ['GOOG'],
    explained: [],
    notes: ['x'],
  })
})

test('an estimate that was too low does not fill more than the bar', () => {
  expect(shareOf({ rows_done: 0, rows_total: 0 })).toBe(0)
  expect(shareOf({ rows_done: 120, rows_total: 100 })).toBe(1)
})
