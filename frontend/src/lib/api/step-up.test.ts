// @vitest-environment jsdom
import { afterEach, expect, test, vi } from 'vitest'
import { http, HttpResponse, problem, serve } from '@/test/server'
import { api, unwrap } from './client'
import { ApiError } from './errors'
import { onStepUp } from './step-up'

const server = serve()
const stops: (() => void)[] = []
afterEach(() => stops.splice(0).forEach((stop) => stop()))

const sent: unknown[] = []
const user = { email: 'grace@example.com', password: 'a long one with words', role: 'viewer' as const }
const add = () => api.POST('/api/users', { body: { ...user, account_ids: [] } }).then(unwrap)

/** Refuses until somebody has proved who they are. */
function guarded(isProved: () => boolean) {
  sent.length = 0
  server.use(
    http.post('*/api/users', async ({ request }) => {
      sent.push(await request.json())
      return isProved()
        ? HttpResponse.json({ ...user, id: 2 }, { status: 201 })
        : problem(403, { code: 'step_up_required', detail: 'This needs a fresh check of who you are.' })
    }),
  )
}

test('what was refused is sent again, whole, once it is proved', async () => {
  let isProved = false
  guarded(() => isProved)
  const ask = vi.fn(() => {
    isProved = true
    return Promise.resolve(true)
  })
  stops.push(onStepUp(ask))
  expect(await add()).toMatchObject({ id: 2 })
  expect(ask).toHaveBeenCalledOnce()
  expect(sent).toEqual([
    { ...user, account_ids: [] },
    { ...user, account_ids: [] },
  ])
})

test('who does not prove it gets the refusal, and nothing is repeated', async () => {
  guarded(() => false)
  stops.push(onStepUp(() => Promise.resolve(false)))
  const error = await add().catch((found: unknown) => found)
  expect((error as ApiError).code).toBe('step_up_required')
  expect(sent).toHaveLength(1)
})

test('two requests at once are one question', async () => {
  let isProved = false
  guarded(() => isProved)
  let answer: (proved: boolean) => void = () => undefined
  const ask = vi.fn(() => new Promise<boolean>((done) => (answer = done)))
  stops.push(onStepUp(ask))
  const both = Promise.all([add(), add()])
  await vi.waitFor(() => expect(sent).toHaveLength(2))
  await vi.waitFor(() => expect(ask).toHaveBeenCalled())
  isProved = true
  answer(true)
  await both
  expect(ask).toHaveBeenCalledOnce()
})

test('another refusal asks nobody', async () => {
  const ask = vi.fn(() => Promise.resolve(true))
  stops.push(onStepUp(ask))
  server.use(http.post('*/api/users', () => problem(403, { code: 'forbidden' })))
  await expect(add()).rejects.toBeInstanceOf(ApiError)
  expect(ask).not.toHaveBeenCalled()
})
