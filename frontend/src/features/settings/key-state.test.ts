import { expect, test } from 'vitest'
import { endOf, stateOf } from './key-state'

const NOW = Date.parse('2026-03-05T14:00:00Z')

test('a key is valid until it ends or is revoked', () => {
  expect(stateOf({ revoked_at: null, expires_at: null }, NOW)).toBe('valid')
  expect(stateOf({ revoked_at: null, expires_at: '2026-03-05T14:00:01Z' }, NOW)).toBe('valid')
  expect(stateOf({ revoked_at: null, expires_at: '2026-03-05T14:00:00Z' }, NOW)).toBe('expired')
  expect(stateOf({ revoked_at: '2026-03-01T00:00:00Z', expires_at: null }, NOW)).toBe('revoked')
})

test('a lifetime is counted in days from now; never has no end', () => {
  expect(endOf('30', NOW)).toBe('2026-04-04T14:00:00.000Z')
  expect(endOf('never', NOW)).toBeNull()
})
