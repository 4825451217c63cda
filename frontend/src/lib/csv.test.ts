import { expect, test } from 'vitest'
import { toCsv } from './csv'

test('quotes what would break a row', () => {
  expect(toCsv(['a', 'b'], [['x,y', 'say "hi"']])).toBe('a,b\r\n"x,y","say ""hi"""\r\n')
})

test('does not let a cell run as a formula, but leaves numbers alone', () => {
  expect(toCsv(['a'], [['=1+1'], ['-12.5'], ['@cmd'], [null]])).toBe("a\r\n'=1+1\r\n-12.5\r\n'@cmd\r\n\r\n")
})
