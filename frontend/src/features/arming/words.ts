/** What arming an account means, in words. */
import type { Account } from '@/lib/api/types'

type Live = Pick<Account, 'id' | 'name' | 'broker' | 'trading_state' | 'arming'>

/** What has to be typed to arm it. */
export function askFor({ id, broker, arming }: Live): { label: string; hint: string } {
  return arming?.asks_for_number
    ? {
        label: `The account’s number at ${broker}`,
        hint: `As ${broker} writes it. It is the proof that you mean this account.`,
      }
    : {
        label: 'The account’s number here',
        hint: `Type ${String(id)}. No number at ${broker} is stored for it.`,
      }
}

/** What follows from arming it now. */
export function consequence({ name, trading_state }: Live): string {
  const stays = 'It stays armed, over restarts too, until somebody disarms it.'
  return trading_state === 'active'
    ? `${name} may send orders for real money at once: of its strategies, and of people. ${stays}`
    : `${name} may send orders for real money once its trading is resumed: arming does not resume it, and it is ${trading_state} now. ${stays}`
}

/** Why nobody can arm it; null when somebody can. */
export function refusal({ arming }: Pick<Account, 'arming'>): string | null {
  if (!arming || arming.is_allowed) return null
  return 'Real money is switched off on this machine: set TRADEWRIGHT_LIVE_TRADING=true and restart.'
}
