import { Notifications } from '@mantine/notifications'
import { fireEvent, screen, waitFor } from '@testing-library/react'
import { expect, test, vi } from 'vitest'
import { api } from '@/lib/api/client'
import { renderWithProviders } from '@/test/render'
import { http, HttpResponse, problem, serve } from '@/test/server'
import { StepUp } from './StepUp'

const proofs: unknown[] = []
const server = serve()

/** Removing a key needs a fresh proof; the proof needs a code when `hasCode`. */
function world({ hasCode }: { hasCode: boolean }) {
  proofs.length = 0
  let isProved = false
  server.use(
    http.get('*/api/auth/me', () =>
      HttpResponse.json({ email: 'ada@example.com', has_second_factor: false }),
    ),
    http.delete('*/api/api-keys/*', () =>
      isProved ? new HttpResponse(null, { status: 204 }) : problem(403, { code: 'step_up_required' }),
    ),
    http.post('*/api/auth/step-up', async ({ request }) => {
      const proof = (await request.json()) as { password: string; code?: string }
      proofs.push(proof)
      if (proof.password !== 'right') {
        return problem(422, { detail: 'The password is wrong.', field: 'password' })
      }
      if (hasCode && proof.code === undefined) {
        return problem(401, { code: 'second_factor_required', detail: 'A code is needed too.' })
      }
      isProved = true
      return HttpResponse.json({ fresh_until: '2026-03-05T14:05:00Z' })
    }),
  )
  renderWithProviders(
    <>
      <Notifications />
      <StepUp />
    </>,
  )
}

const remove = () => api.DELETE('/api/api-keys/{key_id}', { params: { path: { key_id: 'k7f3a9c2' } } })
const type = (label: RegExp, value: string) =>
  fireEvent.change(screen.getByLabelText(label), { target: { value } })
const goOn = () => fireEvent.click(screen.getByRole('button', { name: 'Go on' }))

test('a request that needs a fresh proof waits for it, and then succeeds', async () => {
  world({ hasCode: false })
  const removed = vi.fn()
  const request = remove().then(removed)
  await screen.findByText('Is it still you?')
  type(/Your password/, 'wrong')
  goOn()
  expect(await screen.findByText('The password is wrong.')).toBeInTheDocument()
  expect(removed).not.toHaveBeenCalled()
  type(/Your password/, 'right')
  goOn()
  await request
  expect(removed).toHaveBeenCalledOnce()
  await waitFor(() => expect(screen.queryByText('Is it still you?')).not.toBeInTheDocument())
})

test('a person with a second factor is asked for the code too', async () => {
  world({ hasCode: true })
  const request = remove()
  await screen.findByText('Is it still you?')
  type(/Your password/, 'right')
  goOn()
  await screen.findByLabelText('Code')
  type(/^Code/, '123456')
  goOn()
  await request
  expect(proofs).toEqual([{ password: 'right' }, { password: 'right', code: '123456' }])
})

test('who leaves it is told that nothing was done', async () => {
  world({ hasCode: false })
  const refused = remove().catch((error: unknown) => error)
  await screen.findByText('Is it still you?')
  fireEvent.click(screen.getByRole('button', { name: 'Leave it' }))
  expect(await refused).toMatchObject({ code: 'step_up_required' })
  expect(proofs).toEqual([])
})
