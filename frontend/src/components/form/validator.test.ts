import { expect, test } from 'vitest'
import { errorsOf } from './validator'

const schema = {
  type: 'object',
  properties: {
    fast: { type: 'integer', minimum: 2, maximum: 200 },
    mode: { enum: ['close', 'open'] },
  },
  required: ['fast'],
} as const

test('a value within its bounds is fine', () => {
  expect(errorsOf(schema as never, { fast: 10 })).toEqual([])
})

test('each wrong field gets a sentence of its own', () => {
  const errors = errorsOf(schema as never, { fast: 1, mode: 'later' })
  expect(errors.map(({ property, message }) => [property, message])).toEqual([
    ['.fast', 'Must be at least 2.'],
    ['.mode', 'Must be one of close, open.'],
  ])
})

test('a missing value is named', () => {
  expect(errorsOf(schema as never, {}).map(({ property, message }) => [property, message])).toEqual([
    ['.fast', 'Is needed.'],
  ])
})
