import { screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, test, vi } from 'vitest'
import { createOrder } from '@/test/factories'
import { renderWithRouter } from '@/test/render'
import { http, page, problem, serve } from '@/test/server'
import { OrdersTable } from './OrdersTable'

const first = createOrder({ client_order_id: 'a', symbol: 'SPY', quantity: '20' })
const second = createOrder({ client_order_id: 'b', symbol: 'IBM', quantity: '100', side: 'sell' })
const server = serve(http.get('*/api/orders', () => page([first, second])))

async function show() {
  const onOpen = vi.fn()
  await renderWithRouter(<OrdersTable filter={{}} openId={undefined} onOpen={onOpen} />)
  return onOpen
}

const symbols = () =>
  screen
    .getAllByRole('row')
    .slice(1)
    .map((row) => within(row).getAllByRole('gridcell')[1]?.textContent)

test('a row opens by pointer', async () => {
  const onOpen = await show()
  await userEvent.click(await screen.findByText('SPY'))
  // The symbol is a link of its own; the row is everything around it.
  expect(onOpen).not.toHaveBeenCalled()
  await userEvent.click(screen.getByText('Sell'))
  expect(onOpen).toHaveBeenCalledWith('b')
})

test('the keyboard walks the rows and opens one', async () => {
  const onOpen = await show()
  await screen.findByText('SPY')
  screen.getByRole('grid').focus()
  await userEvent.keyboard('{ArrowDown}{ArrowDown}{Enter}')
  expect(onOpen).toHaveBeenCalledWith('b')
})

test('figures sort largest first, then the other way', async () => {
  await show()
  await screen.findByText('SPY')
  const quantity = screen.getByRole('button', { name: 'Quantity' })
  await userEvent.click(quantity)
  expect(symbols()).toEqual(['IBM', 'SPY'])
  await userEvent.click(quantity)
  expect(symbols()).toEqual(['SPY', 'IBM'])
})

test('a working order says where it rests, and what was asked of it', async () => {
  const held = createOrder({ client_order_id: 'h', type: 'limit', leg: 'take_profit', is_held: true })
  const changing = createOrder({ client_order_id: 'c', pending: 'replace' })
  const done = createOrder({ client_order_id: 'd', status: 'filled', is_open: false, pending: 'none' })
  server.use(http.get('*/api/orders', () => page([held, changing, done])))
  await show()
  expect(await screen.findByText('Only while running')).toBeInTheDocument()
  expect(screen.getByText('At the broker')).toBeInTheDocument()
  expect(screen.getByText('Changing')).toBeInTheDocument()
})

test('says what to do when there is nothing', async () => {
  server.use(http.get('*/api/orders', () => page([])))
  await show()
  expect(await screen.findByText('No orders here')).toBeInTheDocument()
})

test('says what went wrong, and offers to try again', async () => {
  server.use(http.get('*/api/orders', () => problem(503, { detail: 'The database does not answer.' })))
  await show()
  expect(await screen.findByText(/The database does not answer/)).toBeInTheDocument()
  expect(screen.getByRole('button', { name: 'Try again' })).toBeInTheDocument()
})
