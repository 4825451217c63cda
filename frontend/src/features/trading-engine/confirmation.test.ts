import { expect, test } from 'vitest'
import { isConfirmed } from './confirmation'

const ALL = { scope: 'all', epoch: 7, confirmed_epoch: 0 }
const OBEYS = { scope: 'account:1', epoch: 11, confirmed_epoch: 11 }
const WAITS = { scope: 'account:2', epoch: 3, confirmed_epoch: 2 }

test('an account is confirmed once its gate obeys', () => {
  expect(isConfirmed(OBEYS, [ALL, OBEYS])).toBe(true)
  expect(isConfirmed(WAITS, [ALL, WAITS])).toBe(false)
})

test('all accounts are confirmed once every one of them is', () => {
  expect(isConfirmed(ALL, [ALL, OBEYS])).toBe(true)
  expect(isConfirmed(ALL, [ALL, OBEYS, WAITS])).toBe(false)
})
