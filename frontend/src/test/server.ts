/** A small API that answers in tests only: nothing is answered but what a test says. */
import { type HttpHandler, http, HttpResponse } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll } from 'vitest'
import type { Problem } from '@/lib/api/errors'

export function serve(...handlers: HttpHandler[]) {
  const server = setupServer(...handlers)
  beforeAll(() => server.listen({ onUnhandledRequest: 'error' }))
  afterEach(() => server.resetHandlers())
  afterAll(() => server.close())
  return server
}

/** One page of a list. */
export const page = (items: object[], next_cursor: string | null = null) =>
  HttpResponse.json({ items, next_cursor })

export function problem(status: number, change: Partial<Problem> = {}) {
  const body: Problem = {
    title: 'Not possible',
    status,
    detail: 'It cannot be done.',
    code: 'conflict',
    correlation_id: '01JD3V7K8Y0Q4W2M',
    ...change,
  }
  return HttpResponse.json(body, { status })
}

export { http, HttpResponse }
