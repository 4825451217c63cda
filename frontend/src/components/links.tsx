/** The things one jumps to from everywhere: a symbol's chart, a deployment. */
import { Link } from '@tanstack/react-router'
import type { MouseEvent } from 'react'
import styles from './links.module.css'

/** A link inside a row must not also open the row. */
const alone = (event: MouseEvent) => event.stopPropagation()

export function SymbolLink({ symbol }: { symbol: string | null | undefined }) {
  if (!symbol) return <>–</>
  return (
    <Link to="/market" search={{ symbol }} className={styles.symbol} onClick={alone} tabIndex={-1}>
      {symbol}
    </Link>
  )
}

interface LedgerLinkProps {
  ledger: string | null | undefined
  deploymentId: number | null | undefined
  strategy?: string | null | undefined
}

/** Whose book it is in: a deployment's, a person's, or what happened at the broker without us. */
export function LedgerLink({ ledger, deploymentId, strategy }: LedgerLinkProps) {
  if (deploymentId === null || deploymentId === undefined) return <span className="dim">{ledger ?? '–'}</span>
  return (
    <Link
      to="/deployments/$deploymentId"
      params={{ deploymentId: String(deploymentId) }}
      className={styles.link}
      onClick={alone}
      tabIndex={-1}
    >
      {strategy ? `${strategy} ` : ''}
      <span className="faint">{ledger}</span>
    </Link>
  )
}
