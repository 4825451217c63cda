/** Market: a chart with what we did on it or the option chain, and the watch list beside it. */
import { Button, Group, SegmentedControl } from '@mantine/core'
import { IconPlus } from '@tabler/icons-react'
import { createLazyRoute, getRouteApi } from '@tanstack/react-router'
import { useMemo } from 'react'
import { Page } from '@/components/Page'
import { Panel } from '@/components/Panel'
import { Empty, Loading } from '@/components/States'
import { IndicatorPicker } from '@/features/market/IndicatorPicker'
import { MarketChart } from '@/features/market/MarketChart'
import { MarketHeading } from '@/features/market/MarketHeading'
import { WatchList } from '@/features/market/WatchList'
import { parseIndicators, writeIndicators } from '@/features/market/parse-indicators'
import { OptionChain } from '@/features/options/OptionChain'
import { OrderDrawer } from '@/features/orders/OrderDrawer'
import { OrderTicket } from '@/features/orders/OrderTicket'
import { useAccount } from '@/lib/account'
import { TIMEFRAMES } from '@/lib/api/types'
import { firstPriced, useChoices } from '@/lib/choices'
import { useDefaultTimeframe } from '@/lib/default-timeframe'
import { useUrlState } from '@/lib/url-state'
import styles from './market.module.css'

const VIEWS = [
  { value: 'chart', label: 'Chart' },
  { value: 'options', label: 'Options' },
]
const page = getRouteApi('/frame/market')

function MarketPage() {
  const search = page.useSearch()
  const change = useUrlState()
  const { account, isPending: isAccountPending } = useAccount()
  const { stocks, isPending } = useChoices()
  const symbol = search.symbol ?? firstPriced(stocks)
  const usual = useDefaultTimeframe(symbol, account?.dataset)
  const timeframe = search.timeframe ?? usual
  const view = search.view ?? 'chart'
  const chosen = useMemo(() => parseIndicators(search.indicators), [search.indicators])
  const stock = stocks.find((each) => each.symbol === symbol)

  if (!account || symbol === undefined || timeframe === undefined) {
    const isWaiting = isAccountPending || (account !== null && isPending) || symbol !== undefined
    return (
      <Page title="Market">
        {isWaiting ? (
          <Loading rows={6} height={32} />
        ) : (
          <Empty title="Nothing to chart yet">
            It starts with an account and the first bars of a symbol.
          </Empty>
        )}
      </Page>
    )
  }
  return (
    <Page
      fills
      title="Market"
      actions={
        <Button leftSection={<IconPlus size={14} />} onClick={() => change({ ticket: true, symbol })}>
          Place an order
        </Button>
      }
    >
      <div className={styles.layout}>
        <Panel flush className={styles.watch}>
          <WatchList
            stocks={stocks}
            dataset={account.dataset}
            symbol={symbol}
            onChoose={(next) => change({ symbol: next, expiry: undefined })}
          />
        </Panel>
        <Panel flush className={styles.chart}>
          <div className={styles.tools}>
            <MarketHeading symbol={symbol} stock={stock} dataset={account.dataset} />
            <Group gap={8}>
              <SegmentedControl
                aria-label="View"
                size="xs"
                data={VIEWS}
                value={view}
                onChange={(next) => change({ view: next === 'chart' ? undefined : next })}
              />
              {view === 'chart' && (
                <>
                  <SegmentedControl
                    aria-label="Timeframe"
                    size="xs"
                    data={[...TIMEFRAMES]}
                    value={timeframe}
                    onChange={(next) => change({ timeframe: next })}
                  />
                  <IndicatorPicker
                    chosen={chosen}
                    onChange={(next) => change({ indicators: writeIndicators(next) })}
                  />
                </>
              )}
            </Group>
          </div>
          {view === 'chart' ? (
            <MarketChart
              account={account}
              symbol={symbol}
              timeframe={timeframe}
              chosen={chosen}
              onOpenOrder={(order) => change({ order })}
            />
          ) : (
            <OptionChain
              symbol={symbol}
              accountId={account.id}
              dataset={search.dataset}
              expiry={search.expiry}
              onChange={change}
            />
          )}
        </Panel>
      </div>
      <OrderDrawer clientOrderId={search.order} onClose={() => change({ order: undefined })} />
      <OrderTicket
        account={account}
        stocks={stocks}
        symbol={symbol}
        isOpen={search.ticket === true}
        onClose={() => change({ ticket: undefined })}
        onPlaced={(order) => change({ ticket: undefined, order })}
      />
    </Page>
  )
}

export const route = createLazyRoute('/frame/market')({ component: MarketPage })
