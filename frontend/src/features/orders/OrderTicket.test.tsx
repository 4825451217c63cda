import { fireEvent, screen, waitFor } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { beforeEach, expect, test, vi } from 'vitest'
import type { OrderWish } from '@/lib/api/types'
import { createAccount, createStock } from '@/test/factories'
import { renderWithProviders } from '@/test/render'
import { HttpResponse, http, problem, serve } from '@/test/server'
import { TicketForm } from './OrderTicket'

interface Asked {
  key: string | null
  wish: OrderWish
}

const asked: Asked[] = []
const command = (change: object) =>
  HttpResponse.json({
    id: 1,
    account_id: 1,
    kind: 'order_place',
    state: 'succeeded',
    payload: {},
    result: {},
    actor: 'user:1',
    created_at: '2026-11-20T14:30:00Z',
    ...change,
  })

async function heard(request: Request): Promise<void> {
  const wish = (await request.json()) as OrderWish
  asked.push({ key: request.headers.get('Idempotency-Key'), wish })
}

const server = serve(
  http.post('*/api/orders', async ({ request }) => {
    await heard(request)
    return command({ client_order_id: 'o1' })
  }),
)

beforeEach(() => {
  asked.length = 0
})

function show() {
  const onPlaced = vi.fn()
  renderWithProviders(
    <TicketForm account={createAccount()} stocks={[createStock()]} symbol="SPY" onPlaced={onPlaced} />,
  )
  return onPlaced
}

const choose = async (label: string, option: string) => {
  await userEvent.click(screen.getByRole('combobox', { name: label }))
  await userEvent.click(await screen.findByRole('option', { name: option }))
}

const button = () => screen.getByRole('button', { name: /^Buy/ })

test('key_repeat_burst: a held key in the ticket makes one order', async () => {
  const onPlaced = show()
  await userEvent.type(screen.getByLabelText('Quantity'), '10')
  button().focus()
  for (let press = 0; press < 20; press += 1) {
    const isLet = fireEvent.keyDown(button(), { key: 'Enter', repeat: press > 0 })
    if (isLet) fireEvent.click(button())
  }
  for (let press = 0; press < 20; press += 1) fireEvent.click(button())
  await waitFor(() => expect(onPlaced).toHaveBeenCalledWith('o1'))
  fireEvent.click(button())
  expect(asked).toHaveLength(1)
  expect(asked[0]?.key).toMatch(/^[0-9a-f]{32}$/)
  expect(button()).toBeDisabled()
})

test('while nobody knows whether it arrived, a ticket asks under the same key', async () => {
  server.use(
    http.post('*/api/orders', async ({ request }) => {
      await heard(request)
      return problem(503, { detail: 'The engine is away.' })
    }),
  )
  show()
  await userEvent.type(screen.getByLabelText('Quantity'), '10')
  await userEvent.click(button())
  await screen.findByText(/The engine is away/)
  await userEvent.click(button())
  await waitFor(() => expect(asked).toHaveLength(2))
  expect(asked[1]?.key).toBe(asked[0]?.key)
})

test('a denied order is explained, and asked for anew under another key', async () => {
  server.use(
    http.post('*/api/orders', async ({ request }) => {
      await heard(request)
      const denial = { code: 'position_limit', detail: 'Too much.', limit: '0.05', value: '0.07' }
      return command({ state: 'failed', denial })
    }),
  )
  show()
  await userEvent.type(screen.getByLabelText('Quantity'), '10')
  await userEvent.click(button())
  await screen.findByText(/Too much/)
  await userEvent.click(button())
  await waitFor(() => expect(asked).toHaveLength(2))
  expect(asked[1]?.key).not.toBe(asked[0]?.key)
})

test('a trailing stop asks for its distance, and for nothing else', async () => {
  show()
  await userEvent.type(screen.getByLabelText('Quantity'), '10')
  await choose('Type', 'Trailing stop')
  expect(screen.queryByLabelText('Limit price')).not.toBeInTheDocument()
  expect(button()).toBeDisabled()
  await userEvent.type(screen.getByLabelText('Trail by'), '2.5')
  await userEvent.click(button())
  await waitFor(() => expect(asked).toHaveLength(1))
  expect(asked[0]?.wish).toMatchObject({ type: 'trailing_stop', trail: '2.5', stop_price: null })
})

test('a pair has a second order, and cannot be immediate', async () => {
  show()
  await userEvent.type(screen.getByLabelText('Quantity'), '10')
  expect(screen.queryByRole('switch')).not.toBeInTheDocument()
  await choose('Time in force', 'Fill or kill')
  await choose('Type', 'Limit')
  await userEvent.type(screen.getByLabelText('Limit price'), '590')
  await userEvent.click(screen.getByRole('switch', { name: /One cancels the other/ }))
  expect(screen.getByText('The second order needs a stop price.')).toBeInTheDocument()
  await userEvent.type(screen.getByLabelText('Stop price'), '620')
  await userEvent.click(button())
  await waitFor(() => expect(asked).toHaveLength(1))
  expect(asked[0]?.wish).toMatchObject({
    type: 'limit',
    time_in_force: 'day',
    oco: { type: 'stop', stop_price: '620' },
  })
})

test('what the server finds wrong stands beside its field', async () => {
  server.use(
    http.post('*/api/orders', () =>
      problem(422, { detail: 'stop_loss must be below its price.', field: 'stop_loss' }),
    ),
  )
  show()
  await userEvent.type(screen.getByLabelText('Quantity'), '10')
  await userEvent.type(screen.getByLabelText('Stop loss'), '700')
  await userEvent.click(button())
  expect(await screen.findByText('stop_loss must be below its price.')).toBeInTheDocument()
})
