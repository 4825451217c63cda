/** One order from the right: what it is, and why it is. */
import { Button, Group } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { OrderPlace, OrderStatus } from '@/components/Badge'
import { Facts } from '@/components/Facts'
import { SideDrawer } from '@/components/SideDrawer'
import { Failed, Loading } from '@/components/States'
import { Instant } from '@/components/Time'
import { LedgerLink } from '@/components/links'
import { notifyDone, notifyError } from '@/components/notify'
import { cancelOrder, orders } from '@/lib/api/orders'
import { signals } from '@/lib/api/records'
import type { Order, Timeline as TimelineData } from '@/lib/api/types'
import { formatName, formatPrice, formatQuantity } from '@/lib/format'
import { ChangeOrder } from './ChangeOrder'
import { Timeline } from './Timeline'
import { changeable } from './draft'

interface OrderDrawerProps {
  clientOrderId: string | undefined
  onClose: () => void
}

export function OrderDrawer({ clientOrderId, onClose }: OrderDrawerProps) {
  const query = useQuery({ ...orders.timeline(clientOrderId ?? ''), enabled: clientOrderId !== undefined })
  return <TimelineDrawer isOpen={clientOrderId !== undefined} onClose={onClose} query={query} />
}

/** For signals that led to no order: the same timeline without one. */
export function SignalDrawer({ signalId, onClose }: { signalId: string | undefined; onClose: () => void }) {
  const query = useQuery({ ...signals.timeline(signalId ?? ''), enabled: signalId !== undefined })
  return <TimelineDrawer isOpen={signalId !== undefined} onClose={onClose} query={query} />
}

interface TimelineDrawerProps {
  isOpen: boolean
  onClose: () => void
  query: { data?: TimelineData | undefined; error: Error | null; refetch: () => unknown }
}

function TimelineDrawer({ isOpen, onClose, query: { data, error, refetch } }: TimelineDrawerProps) {
  return (
    <SideDrawer isOpen={isOpen} onClose={onClose} title={<Title timeline={data} />}>
      {error !== null && <Failed error={error} onRetry={() => void refetch()} />}
      {!data && error === null && <Loading rows={8} height={28} />}
      {data?.order && <OrderFacts order={data.order} />}
      {data && <Timeline timeline={data} />}
    </SideDrawer>
  )
}

function Title({ timeline }: { timeline: TimelineData | undefined }) {
  const order = timeline?.order
  if (!order) return <>{timeline?.signal ? `Signal on ${timeline.signal.symbol}` : 'Timeline'}</>
  return (
    <Group gap={8}>
      <b>
        {formatName(order.side)} {formatQuantity(order.quantity)} {order.symbol}
      </b>
      <OrderStatus status={order.status} />
    </Group>
  )
}

const wantedOf = ({ wanted }: Order): string =>
  wanted
    ? [
        formatQuantity(wanted.quantity),
        wanted.limit_price && `limit ${formatPrice(wanted.limit_price)}`,
        wanted.stop_price && `stop ${formatPrice(wanted.stop_price)}`,
        wanted.trail && `trailing by ${formatPrice(wanted.trail)}`,
      ]
        .filter(Boolean)
        .join(', ')
    : ''

function OrderFacts({ order }: { order: Order }) {
  const client = useQueryClient()
  const [isChanging, setIsChanging] = useState(false)
  const cancel = useMutation({
    mutationFn: () => cancelOrder(order.client_order_id),
    onSuccess: () => {
      notifyDone(`The broker was asked to cancel ${order.symbol}.`, 'Cancel requested')
      void client.invalidateQueries({ queryKey: orders.all })
    },
    onError: notifyError,
  })
  return (
    <div style={{ marginBottom: 20 }}>
      <Facts
        facts={[
          ['Type', `${formatName(order.type)}, ${order.time_in_force}`],
          order.is_open && ['Rests', <OrderPlace key="rests" order={order} />],
          ['Leg', formatName(order.leg)],
          ['Filled', `${formatQuantity(order.filled_quantity)} of ${formatQuantity(order.quantity)}`],
          ['Average price', formatPrice(order.average_price)],
          Boolean(order.limit_price) && ['Limit price', formatPrice(order.limit_price)],
          Boolean(order.stop_price) && [
            order.trail ? 'Stop at first' : 'Stop price',
            formatPrice(order.stop_price),
          ],
          Boolean(order.trail) && ['Trails by', formatPrice(order.trail)],
          Boolean(order.wanted) && ['Asked for', wantedOf(order)],
          Boolean(order.group_id) && ['Group', order.group_id],
          [
            'Ledger',
            <LedgerLink
              key="ledger"
              ledger={order.ledger}
              deploymentId={order.deployment_id}
              strategy={order.strategy}
            />,
          ],
          ['Approved', <Instant key="at" at={order.at} />],
          Boolean(order.reason) && ['Reason', order.reason],
          [
            'Client order id',
            <span key="id" className="mono">
              {order.client_order_id}
            </span>,
          ],
        ]}
      />
      {order.is_open && !isChanging && (
        <Group mt="md">
          <Button
            variant="default"
            onClick={() => cancel.mutate()}
            loading={cancel.isPending}
            disabled={order.pending === 'cancel'}
          >
            {order.pending === 'cancel' ? 'Cancel requested' : 'Cancel this order'}
          </Button>
          {changeable(order).length > 0 && (
            <Button variant="default" onClick={() => setIsChanging(true)} disabled={order.pending !== 'none'}>
              {order.pending === 'replace' ? 'Change requested' : 'Change this order'}
            </Button>
          )}
        </Group>
      )}
      {order.is_open && isChanging && <ChangeOrder order={order} onDone={() => setIsChanging(false)} />}
    </div>
  )
}
