/** One round trip: its entry, its exit, what it cost and what it brought. */
import { useInfiniteQuery } from '@tanstack/react-query'
import { Change } from '@/components/Change'
import { Facts } from '@/components/Facts'
import { SideDrawer } from '@/components/SideDrawer'
import { Empty } from '@/components/States'
import { Instant } from '@/components/Time'
import { LedgerLink, SymbolLink } from '@/components/links'
import { useRows } from '@/lib/api/pages'
import { trades } from '@/lib/api/records'
import type { Trade, TradeFilter } from '@/lib/api/types'
import { formatDuration, formatMoney, formatName, formatPrice, formatQuantity } from '@/lib/format'

interface TradeDrawerProps {
  tradeId: string | undefined
  filter: TradeFilter
  onClose: () => void
  onOpenSignal: (signalId: string) => void
}

export function TradeDrawer({ tradeId, filter, onClose, onOpenSignal }: TradeDrawerProps) {
  const { rows, isPending } = useRows(useInfiniteQuery(trades.list(filter)))
  const trade = rows.find((each) => each.trade_id === tradeId)
  return (
    <SideDrawer
      isOpen={tradeId !== undefined}
      onClose={onClose}
      title={<b>Trade {trade?.symbol}</b>}
      size={460}
    >
      {trade && <TradeFacts trade={trade} onOpenSignal={onOpenSignal} />}
      {!trade && !isPending && (
        <Empty title="This trade is not in the list">Clear the filters, or scroll further back.</Empty>
      )}
    </SideDrawer>
  )
}

function TradeFacts({ trade, onOpenSignal }: { trade: Trade; onOpenSignal: (signalId: string) => void }) {
  const why = (signalId: string | null | undefined, text: string) =>
    signalId ? (
      <button type="button" className="link-button" onClick={() => onOpenSignal(signalId)}>
        {text}
      </button>
    ) : (
      '–'
    )
  return (
    <Facts
      facts={[
        ['Symbol', <SymbolLink key="symbol" symbol={trade.symbol} />],
        ['Direction', formatName(trade.direction)],
        ['Largest quantity', formatQuantity(trade.quantity)],
        ['P&L, net', <Change key="pnl" value={trade.pnl} />],
        ['Return', <Change key="return" value={trade.pnl_pct} percent />],
        ['Commission', formatMoney(trade.commission)],
        ['Entry price', formatPrice(trade.entry_price)],
        ['Exit price', formatPrice(trade.exit_price)],
        ['Entry', <Instant key="entry" at={trade.entry_at} />],
        ['Exit', <Instant key="exit" at={trade.exit_at} />],
        ['Held for', formatDuration(trade.duration_seconds)],
        ['Closed by', trade.exit_reason ? formatName(trade.exit_reason) : '–'],
        [
          'Ledger',
          <LedgerLink
            key="ledger"
            ledger={trade.ledger}
            deploymentId={trade.deployment_id}
            strategy={trade.strategy}
          />,
        ],
        ['Why it was opened', why(trade.entry_signal_id, 'Entry signal')],
        ['Why it was closed', why(trade.exit_signal_id, 'Exit signal')],
      ]}
    />
  )
}
