import { expect, test } from 'vitest'
import { changesOf, saysOf } from './roles'

test('every role says what it may do', () => {
  expect(saysOf('viewer')).toMatch(/changes nothing/)
  expect(saysOf('admin')).toMatch(/every account/)
})

test('only what differs is asked for', () => {
  const before = { role: 'viewer', is_active: true, account_ids: [1, 2] }
  expect(changesOf(before, { ...before, account_ids: [1, 2] })).toEqual({})
  expect(changesOf(before, { ...before, account_ids: [1] })).toEqual({ account_ids: [1] })
  expect(changesOf(before, { ...before, role: 'trader', is_active: false })).toEqual({
    role: 'trader',
    is_active: false,
  })
})
