/** What the orders table shows. */
import { OrderPlace, OrderStatus, PendingChange, Side } from '@/components/Badge'
import { Instant } from '@/components/Time'
import { LedgerLink, SymbolLink } from '@/components/links'
import type { Column } from '@/components/table/columns'
import type { Order } from '@/lib/api/types'
import { formatName, formatPrice, formatQuantity } from '@/lib/format'

export const orderColumns: Column<Order>[] = [
  {
    id: 'at',
    header: 'Approved',
    width: 164,
    value: (order) => order.at,
    cell: (order) => <Instant at={order.at} />,
  },
  {
    id: 'symbol',
    header: 'Symbol',
    width: 72,
    value: (order) => order.symbol,
    cell: (order) => <SymbolLink symbol={order.symbol} />,
  },
  {
    id: 'side',
    header: 'Side',
    width: 52,
    value: (order) => order.side,
    cell: (order) => <Side side={order.side} />,
  },
  {
    id: 'quantity',
    header: 'Quantity',
    width: 80,
    align: 'right',
    value: (order) => order.quantity,
    cell: (order) => formatQuantity(order.quantity),
  },
  {
    id: 'filled_quantity',
    header: 'Filled',
    width: 70,
    align: 'right',
    value: (order) => order.filled_quantity,
    cell: (order) => formatQuantity(order.filled_quantity),
  },
  {
    id: 'average_price',
    header: 'Average price',
    width: 108,
    align: 'right',
    value: (order) => order.average_price,
    cell: (order) => formatPrice(order.average_price),
  },
  {
    id: 'status',
    header: 'Status',
    width: 150,
    value: (order) => order.status,
    cell: (order) => (
      <>
        <OrderStatus status={order.status} /> <PendingChange order={order} />
      </>
    ),
  },
  {
    id: 'type',
    header: 'Type',
    width: 84,
    value: (order) => order.type,
    cell: (order) => formatName(order.type),
  },
  {
    id: 'leg',
    header: 'Leg',
    width: 88,
    value: (order) => order.leg,
    cell: (order) => formatName(order.leg),
    help: 'Why the order exists',
  },
  {
    id: 'rests',
    header: 'Rests',
    width: 150,
    value: (order) => (order.is_open ? (order.is_held ? 'here' : 'broker') : ''),
    cell: (order) => <OrderPlace order={order} />,
    help: 'At the broker, or held here and watched only while Tradewright runs',
  },
  {
    id: 'ledger',
    header: 'Ledger',
    width: 130,
    value: (order) => order.ledger,
    cell: (order) => (
      <LedgerLink ledger={order.ledger} deploymentId={order.deployment_id} strategy={order.strategy} />
    ),
  },
  {
    id: 'limit_price',
    header: 'Limit price',
    width: 90,
    align: 'right',
    isHidden: true,
    value: (order) => order.limit_price,
    cell: (order) => formatPrice(order.limit_price),
  },
  {
    id: 'stop_price',
    header: 'Stop price',
    width: 90,
    align: 'right',
    value: (order) => order.stop_price,
    cell: (order) => formatPrice(order.stop_price),
    help: 'Of a trailing stop: where it stood at first',
  },
  {
    id: 'trail',
    header: 'Trail',
    width: 72,
    align: 'right',
    isHidden: true,
    value: (order) => order.trail,
    cell: (order) => formatPrice(order.trail),
    help: 'How far behind the best price the stop stays',
  },
  {
    id: 'group_id',
    header: 'Group',
    width: 200,
    isHidden: true,
    value: (order) => order.group_id,
    help: 'Of the kinds of orders in a group one may fill at a time',
  },
  {
    id: 'time_in_force',
    header: 'Time in force',
    width: 92,
    isHidden: true,
    value: (order) => order.time_in_force,
  },
  { id: 'reason', header: 'Reason', width: 160, isHidden: true, value: (order) => order.reason },
  {
    id: 'client_order_id',
    header: 'Client order id',
    width: 200,
    isHidden: true,
    value: (order) => order.client_order_id,
  },
  {
    id: 'broker_order_id',
    header: 'Broker order id',
    width: 164,
    isHidden: true,
    value: (order) => order.broker_order_id,
  },
]
