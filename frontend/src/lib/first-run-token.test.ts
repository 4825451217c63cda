// @vitest-environment jsdom
import { expect, test } from 'vitest'
import { firstRunToken, forgetFirstRunToken, takeTokenFromUrl } from './first-run-token'

test('the token leaves the address bar and is kept in memory', () => {
  window.history.replaceState(null, '', '/sign-up?token=abc123&next=%2Fmarket')
  takeTokenFromUrl()
  expect(window.location.search).toBe('?next=%2Fmarket')
  expect(firstRunToken()).toBe('abc123')
  forgetFirstRunToken()
  expect(firstRunToken()).toBeNull()
})
