// @vitest-environment jsdom
import { afterEach, expect, test, vi } from 'vitest'
import { http, HttpResponse, page, problem, serve } from '@/test/server'
import { api, newIdempotencyKey, onSignedOut, unwrap } from './client'
import { ApiError, Unreachable, describeError, fieldErrorsOf, sentenceOf } from './errors'

const server = serve()
const stops: (() => void)[] = []
afterEach(() => stops.splice(0).forEach((stop) => stop()))

const orders = () => api.GET('/api/orders').then(unwrap)
const refusal = async (): Promise<unknown> => orders().catch((error: unknown) => error)

test('a good answer is its body', async () => {
  server.use(http.get('*/api/orders', () => page([])))
  expect(await orders()).toEqual({ items: [], next_cursor: null })
})

test('a problem is thrown as a sentence with its remedy', async () => {
  server.use(
    http.get('*/api/orders', () =>
      problem(404, { detail: "There is no stock 'APPL'.", remedy: 'Did you mean AAPL?' }),
    ),
  )
  const error = await refusal()
  expect(error).toBeInstanceOf(ApiError)
  expect(sentenceOf(error)).toBe("There is no stock 'APPL'. Did you mean AAPL?")
  expect(describeError(error).correlationId).toBe('01JD3V7K8Y0Q4W2M')
})

test('each wrong field keeps its own message', async () => {
  server.use(
    http.get('*/api/orders', () =>
      problem(422, { errors: [{ field: 'quantity', detail: 'Must be more than 0.' }] }),
    ),
  )
  expect(fieldErrorsOf(await refusal())).toEqual({ quantity: 'Must be more than 0.' })
})

test('an answer that explains nothing is said so', async () => {
  server.use(http.get('*/api/orders', () => new HttpResponse('<html>', { status: 502 })))
  expect(sentenceOf(await refusal())).toBe('The server answered 502 without an explanation.')
})

test('a server that does not answer is unreachable, not broken', async () => {
  server.use(http.get('*/api/orders', () => HttpResponse.error()))
  expect(await refusal()).toBeInstanceOf(Unreachable)
})

test('401 tells that we are signed out, but not while signing in', async () => {
  const signedOut = vi.fn()
  stops.push(onSignedOut(signedOut))
  server.use(
    http.get('*/api/orders', () => problem(401)),
    http.get('*/api/auth/me', () => problem(401)),
  )
  await api.GET('/api/auth/me').catch(() => undefined)
  expect(signedOut).not.toHaveBeenCalled()
  await refusal()
  expect(signedOut).toHaveBeenCalledOnce()
})

test('every attempt to create has a name of its own', () => {
  expect(newIdempotencyKey()).toMatch(/^[0-9a-f]{32}$/)
  expect(newIdempotencyKey()).not.toBe(newIdempotencyKey())
})
