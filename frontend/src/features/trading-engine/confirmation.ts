/** When a latch counts as obeyed. */
export interface Latch {
  scope: string
  epoch: number
  confirmed_epoch?: number | null | undefined
}

/** Whether every wire gate that a latch concerns obeys it: gates answer per account, never for all. */
export function isConfirmed(latch: Latch, every: readonly Latch[]): boolean {
  const asked = latch.scope === 'all' ? every.filter(({ scope }) => scope !== 'all') : [latch]
  return asked.every(({ epoch, confirmed_epoch }) => (confirmed_epoch ?? epoch) >= epoch)
}
