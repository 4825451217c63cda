/** Orders, their timelines, and a ticket to place one. */
import { Button } from '@mantine/core'
import { IconPlus } from '@tabler/icons-react'
import { createLazyRoute, getRouteApi } from '@tanstack/react-router'
import { Page } from '@/components/Page'
import { Panel } from '@/components/Panel'
import { FilterChips } from '@/components/table/FilterChips'
import { OrderDrawer } from '@/features/orders/OrderDrawer'
import { OrderTicket } from '@/features/orders/OrderTicket'
import { OrdersTable } from '@/features/orders/OrdersTable'
import { asStatus, orderFilters } from '@/features/orders/order-filters'
import { useAccount } from '@/lib/account'
import { useChoices } from '@/lib/choices'
import { asText, useUrlState } from '@/lib/url-state'

const page = getRouteApi('/frame/orders')

function OrdersPage() {
  const search = page.useSearch()
  const change = useUrlState()
  const { account } = useAccount()
  const { stocks, symbols, deployments } = useChoices()
  return (
    <Page
      fills
      title="Orders"
      lead="What we asked the broker for. Press one to see why it was made."
      actions={
        <Button leftSection={<IconPlus size={14} />} onClick={() => change({ ticket: true })}>
          Place an order
        </Button>
      }
    >
      <Panel flush className="fill">
        <OrdersTable
          filter={{
            account_id: account?.id,
            status: asStatus(search.status),
            symbol: search.symbol,
            side: search.side,
            deployment_id: search.deployment,
          }}
          filters={
            <FilterChips
              filters={orderFilters(symbols, deployments)}
              values={asText(search)}
              onChange={change}
            />
          }
          openId={search.order}
          onOpen={(order) => change({ order })}
        />
      </Panel>
      <OrderDrawer clientOrderId={search.order} onClose={() => change({ order: undefined })} />
      {account && stocks.length > 0 && (
        <OrderTicket
          account={account}
          stocks={stocks}
          symbol={search.symbol}
          isOpen={search.ticket === true}
          onClose={() => change({ ticket: undefined })}
          onPlaced={(order) => change({ ticket: undefined, order })}
        />
      )}
    </Page>
  )
}

export const route = createLazyRoute('/frame/orders')({ component: OrdersPage })
