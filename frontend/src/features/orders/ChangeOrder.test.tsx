import { screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, test, vi } from 'vitest'
import { createOrder } from '@/test/factories'
import { renderWithProviders } from '@/test/render'
import { HttpResponse, http, problem, serve } from '@/test/server'
import { ChangeOrder } from './ChangeOrder'

const order = createOrder({ client_order_id: 'a', type: 'limit', limit_price: '99', quantity: '10' })
const answer = (change: object) =>
  HttpResponse.json({
    id: 1,
    account_id: 1,
    kind: 'order_replace',
    state: 'succeeded',
    payload: {},
    result: {},
    actor: 'user:1',
    created_at: '2026-11-20T14:30:00Z',
    ...change,
  })
const sent: unknown[] = []
const server = serve(
  http.patch('*/api/orders/a', async ({ request }) => {
    sent.push(await request.json())
    return answer({ client_order_id: 'a' })
  }),
)

async function ask(price: string) {
  const onDone = vi.fn()
  renderWithProviders(<ChangeOrder order={order} onDone={onDone} />)
  const field = screen.getByLabelText('Limit price')
  expect(screen.getByRole('button', { name: 'Ask for the change' })).toBeDisabled()
  await userEvent.clear(field)
  await userEvent.type(field, price)
  await userEvent.click(screen.getByRole('button', { name: 'Ask for the change' }))
  return onDone
}

test('only what is different is asked for', async () => {
  const onDone = await ask('98.5')
  await vi.waitFor(() => expect(onDone).toHaveBeenCalled())
  expect(sent).toEqual([{ limit_price: '98.5' }])
})

test('a denied change says which limit, and the form stays', async () => {
  const denial = { code: 'price_collar', detail: 'Too far from the last price.', limit: '0.1', value: '0.4' }
  server.use(http.patch('*/api/orders/a', () => answer({ state: 'failed', denial })))
  const onDone = await ask('50')
  expect(await screen.findByText(/Too far from the last price/)).toBeInTheDocument()
  expect(onDone).not.toHaveBeenCalled()
})

test('a refused change says why', async () => {
  const result = { code: 'pending', detail: 'A cancel of order a is unanswered.' }
  server.use(http.patch('*/api/orders/a', () => answer({ state: 'failed', result })))
  await ask('98')
  expect(await screen.findByText(/unanswered/)).toBeInTheDocument()
})

test('what is wrong with a price stands beside it', async () => {
  server.use(
    http.patch('*/api/orders/a', () =>
      problem(422, { detail: 'limit_price 98.001 is off the grid.', field: 'limit_price' }),
    ),
  )
  await ask('98.001')
  expect(await screen.findByText(/off the grid/)).toBeInTheDocument()
})
