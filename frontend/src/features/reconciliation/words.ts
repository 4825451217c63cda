/** What a broker's state and a reconciliation's result say, in words. */
import type { BrokerState, Command } from '@/lib/api/types'

const STATES: Record<BrokerState['state'], string> = {
  connecting: 'Connecting',
  up: 'Connected',
  down: 'Not connected',
  refused: 'Refused by the broker',
  unknown: 'Unknown',
}

/** The connection in a few words. */
export function linkWords(state: BrokerState): string {
  if (state.state === 'up' && !state.is_reconciled) return 'Connected; books not compared yet'
  return state.reason ? `${STATES[state.state]}: ${state.reason}` : STATES[state.state]
}

interface Found {
  reports?: string[]
  differences?: { detail: string }[]
  detail?: string
}

/** One line for each thing that was, or would be, done, and for what is left. */
export function foundLines(command: Command): string[] {
  if (command.state === 'pending') return ['The engine has not answered yet; see the journal.']
  const found = (command.result ?? {}) as Found
  if (command.state === 'failed') return [found.detail ?? 'The engine refused.']
  const lines = [
    ...(found.reports ?? []),
    ...(found.differences ?? []).map(({ detail }) => `Unexplained: ${detail}`),
  ]
  return lines.length > 0 ? lines : ['Our books and the broker’s agree.']
}
