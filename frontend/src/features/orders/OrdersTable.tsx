/** Every order of the account, newest first. */
import { IconListDetails } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Empty } from '@/components/States'
import { DataTable } from '@/components/table/DataTable'
import { orders } from '@/lib/api/orders'
import { useRows } from '@/lib/api/pages'
import type { OrderFilter } from '@/lib/api/types'
import { orderColumns } from './columns'

interface OrdersTableProps {
  filter: OrderFilter
  filters?: ReactNode
  openId: string | undefined
  onOpen: (clientOrderId: string) => void
  isCompact?: boolean
  limit?: number
}

export function OrdersTable({ filter, filters, openId, onOpen, isCompact, limit }: OrdersTableProps) {
  const data = useRows(useInfiniteQuery(orders.list(filter, limit)))
  return (
    <DataTable
      name="orders"
      label="Orders"
      columns={orderColumns}
      data={data}
      rowId={(order) => order.client_order_id}
      openId={openId}
      onOpen={(order) => onOpen(order.client_order_id)}
      filters={filters}
      isCompact={isCompact}
      empty={
        <Empty title="No orders here" icon={<IconListDetails size={28} stroke={1.4} />}>
          Orders appear when a running deployment changes its opinion, or when you place one. Try fewer
          filters.
        </Empty>
      }
    />
  )
}
