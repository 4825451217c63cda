/** Orders, and why each was made. */
import { queryOptions } from '@tanstack/react-query'
import { api, newIdempotencyKey, unwrap } from './client'
import { PAGE_SIZE, pagesOf } from './pages'
import type { OrderChange, OrderFilter, OrderWish } from './types'

export const orders = {
  all: ['orders'] as const,
  list: (filter: OrderFilter, limit = PAGE_SIZE) =>
    pagesOf([...orders.all, 'list', filter, limit], (cursor) =>
      api.GET('/api/orders', { params: { query: { ...filter, limit, cursor } } }).then(unwrap),
    ),
  timeline: (clientOrderId: string) =>
    queryOptions({
      queryKey: [...orders.all, 'timeline', clientOrderId],
      queryFn: () =>
        api
          .GET('/api/orders/{client_order_id}/timeline', {
            params: { path: { client_order_id: clientOrderId } },
          })
          .then(unwrap),
    }),
}

export const placeOrder = (body: OrderWish, key = newIdempotencyKey()) =>
  api.POST('/api/orders', { params: { header: { 'Idempotency-Key': key } }, body }).then(unwrap)

export const changeOrder = (clientOrderId: string, body: OrderChange) =>
  api
    .PATCH('/api/orders/{client_order_id}', {
      params: { path: { client_order_id: clientOrderId } },
      body,
    })
    .then(unwrap)

export const cancelOrder = (clientOrderId: string) =>
  api
    .DELETE('/api/orders/{client_order_id}', { params: { path: { client_order_id: clientOrderId } } })
    .then(unwrap)
