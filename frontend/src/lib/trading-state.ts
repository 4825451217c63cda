/** What holds for one account: the stricter of the latch for all accounts and its own. */
import type { TradingState, TradingStateNow } from './api/types'

type Scope = TradingStateNow['scopes'][number]

export interface Held {
  state: TradingState
  reason: string | null
  actor: string | null
  since: string | null
  /** The account's own latch holds it; the one for all is open. */
  isOwn: boolean
}

const STRICTNESS: Record<TradingState, number> = { active: 0, reducing: 1, halted: 2 }

/** Without an account it is the strictest of all. */
export function stateOf(trading: TradingStateNow, accountId: number | undefined): Held {
  if (accountId === undefined) {
    const { state, reason = null, actor = null, since = null } = trading
    return { state, reason, actor, since, isOwn: false }
  }
  const own = `account:${String(accountId)}`
  const strictest = trading.scopes
    .filter(({ scope }) => scope === 'all' || scope === own)
    .reduce<Scope | undefined>(
      (worst, each) => (worst && STRICTNESS[worst.state] >= STRICTNESS[each.state] ? worst : each),
      undefined,
    )
  return {
    state: strictest?.state ?? 'active',
    reason: strictest?.reason ?? null,
    actor: strictest?.actor ?? null,
    since: strictest?.latched_at ?? null,
    isOwn: strictest?.scope === own,
  }
}
