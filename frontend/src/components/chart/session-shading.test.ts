import { expect, test } from 'vitest'
import { shapeOf } from './session-shading'

test('bars before and after the session are shaded, its first bar is marked', () => {
  const bars = [80, 90, 100, 110, 120, 130]
  expect(shapeOf(bars, [{ open: 100, close: 120 }])).toEqual({
    closed: [
      [0, 1],
      [4, 5],
    ],
    opens: [2],
  })
})

test('each session is marked once', () => {
  const bars = [100, 110, 200, 210]
  const sessions = [
    { open: 100, close: 120 },
    { open: 200, close: 220 },
  ]
  expect(shapeOf(bars, sessions)).toEqual({ closed: [], opens: [2] })
})
