import { expect, test } from 'vitest'
import { fromField, toField } from './instants'

test('a field shows UTC to the minute, and means it', () => {
  expect(toField('2026-01-05T15:00:42Z')).toBe('2026-01-05T15:00')
  expect(fromField('2026-01-05T15:00')).toBe('2026-01-05T15:00:00.000Z')
})

test('an unfinished instant is none', () => {
  expect(fromField('2026-01-')).toBeNull()
  expect(fromField('')).toBeNull()
})
