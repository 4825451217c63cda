/** A page: its title, what can be done on it, and the content below. */
import { type ReactNode, useEffect } from 'react'
import styles from './Page.module.css'

interface PageProps {
  title: string
  /** Said below the title, in one sentence. */
  lead?: ReactNode
  actions?: ReactNode
  children: ReactNode
  /** The content fills the window and scrolls by itself (tables, charts). */
  fills?: boolean
}

export function Page({ title, lead, actions, children, fills = false }: PageProps) {
  useEffect(() => {
    document.title = `${title} · Tradewright`
  }, [title])
  return (
    <div className={fills ? styles.fills : styles.page}>
      <header className={styles.header}>
        <div className={styles.heading}>
          <h1 className={styles.title}>{title}</h1>
          {lead !== undefined && <p className={styles.lead}>{lead}</p>}
        </div>
        {actions !== undefined && <div className={styles.actions}>{actions}</div>}
      </header>
      {children}
    </div>
  )
}
