import { act, renderHook } from '@testing-library/react'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { useHold } from './use-hold'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

test('happens once after a full second, however often the key repeats', () => {
  const done = vi.fn()
  const { result } = renderHook(() => useHold(1000, done))
  for (let repeat = 0; repeat < 20; repeat += 1) {
    act(() => result.current.start())
    act(() => void vi.advanceTimersByTime(40))
  }
  expect(done).not.toHaveBeenCalled()
  act(() => void vi.advanceTimersByTime(300))
  expect(done).toHaveBeenCalledOnce()
})

test('letting go early does nothing', () => {
  const done = vi.fn()
  const { result } = renderHook(() => useHold(1000, done))
  act(() => result.current.start())
  act(() => void vi.advanceTimersByTime(900))
  act(() => result.current.cancel())
  act(() => void vi.advanceTimersByTime(5000))
  expect(done).not.toHaveBeenCalled()
})
